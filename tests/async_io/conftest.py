"""What the tests of asyncio share: a virtual clock."""

import sys
from pathlib import Path

# The tests import virtual_clock by name.
sys.path.insert(0, str(Path(__file__).parent))
