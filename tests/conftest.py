"""What tests of several folders use: a real browser, and faults in processes of their own."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The tests of every chapter import faults by name, some import what is behind `make`.
sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent / "tools"))

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Start the Chromium on PATH, else the Chrome that is installed; it ends with this module.

    A browser that lived longer would leave an event loop running under the tests of asyncio.
    """
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - few tests need it

    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(
                executable_path=executable,
                channel=None if executable else "chrome",
                args=FLAGS,
            )
        except Error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip("no Chromium here: on Debian or Ubuntu, sudo apt install chromium")
        yield chromium
        chromium.close()
