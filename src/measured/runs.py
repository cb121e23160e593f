"""What came of running a block, as data."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Run"]


@dataclass(slots=True)
class Run:
    """What came of running a block.

    Attributes:
        failure: Why it failed, in words for a reader, or None.
        failure_name: The failure as `fails="..."` on a fence names it, or None.
        output: What it printed.
        errors: What it wrote to standard error.
        records: What it measured, in the order measured.
        wall_s: Seconds from its start to its end.
        cpu_s: CPU seconds, its own and its children's, or None if it could not say.
        peak_kib: The most memory it had at once, in KiB, or None if it could not say.
        load: Load average of the machine when it started, or None where nobody counts.
        started: When it started, in UTC.
    """

    failure: str | None = None
    failure_name: str | None = None
    output: str = ""
    errors: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float | None = None
    peak_kib: int | None = None
    load: float | None = None
    started: str = ""

    def surprise(self, fails: str) -> str:
        """Say how this run is not what its fence promises; an empty string if it is.

        Args:
            fails: The failure that the fence promises, or an empty string.
        """
        if not fails:
            return self.failure or ""
        if self.failure is None:
            return f"succeeded, and was meant to fail with {fails}"
        if self.failure_name != fails:
            return f"{self.failure}, and was meant to fail with {fails}"
        return ""
