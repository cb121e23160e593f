# /// script
# requires-python = ">=3.11"
# ///
"""Count the cores that a program may use, also in a container with a quota.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

__all__ = ["usable_cpus"]


def usable_cpus(
    *, measure: Callable[[int], float] | None = None, root: str | os.PathLike[str] = "/"
) -> int:
    """Tell how many cores' worth of computing this process may use.

    Use it for the number of workers that compute, and for libraries that start a
    thread for each core. Do not use it for calls that wait: they need no core. It
    tells what is allowed, and with `measure` what the machine gives of that.

    An explicit `-X cpu_count=n` or `PYTHON_CPU_COUNT=n` is the answer. Else it is the
    lowest of: the cores that the calling thread is bound to (affinity), where the system
    tells, else those of the machine; and on Linux the CPU quota of this process's control
    group and of each group around it, version 1 and 2, rounded up, so that no part of it
    lies idle. Shares and weights, such as a request of Kubernetes, are no limit and do
    not count. Limits outside of what a container shows cannot be seen, and have to be
    measured.

    All is read anew at each call. Nothing is kept, and no file stays open. What cannot
    be read or understood limits nothing.

    Args:
        measure: Tells how many cores' worth so many copies of your work are given at
            once, 0 or more: the handbook's `measure_ceiling`, say. It is called once, with
            what is allowed, if that is more than 1 and was not explicit. The answer is
            then at most what it told, to the nearest whole number.
        root: Folder that stands for `/` when files of Linux are read: for tests.

    Returns:
        A whole number, 1 or more.

    Raises:
        TypeError: If `measure` cannot be called.
        ValueError: If `root` is not a folder, if `measure` tells less than 0, or if
            `-X cpu_count` or `PYTHON_CPU_COUNT` is neither `default` nor a whole number of
            1 or more. From Python 3.13 on the interpreter itself refuses such a number
            when it starts.

    Examples:
        >>> 1 <= usable_cpus()
        True

    Source:
        [cpu.max](https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu) and
        [cpu.cfs_quota_us](https://docs.kernel.org/scheduler/sched-bwc.html) of Linux;
        [PYTHON_CPU_COUNT](https://docs.python.org/3/using/cmdline.html#envvar-PYTHON_CPU_COUNT),
        which Python heeds by itself from 3.13 on, in `os.process_cpu_count`. No version
        heeds a quota.
    """
    if measure is not None and not callable(measure):
        raise TypeError(f"measure must be a function of a number of copies, got {measure!r}")
    top = Path(root)
    if not top.is_dir():
        raise ValueError(f"root must be a folder, got {os.fspath(root)!r}")
    told = sys._xoptions.get("cpu_count")  # noqa: SLF001 - documented, the only way to it  # pyright: ignore[reportPrivateUsage]
    if told is None and not sys.flags.ignore_environment:
        told = os.environ.get("PYTHON_CPU_COUNT") or None
    if told is not None and told != "default":
        if not re.fullmatch(r"\s*\+?0*[1-9][0-9]*", str(told)):
            bounds = "1 or more, or default"
            raise ValueError(f"-X cpu_count and PYTHON_CPU_COUNT must be {bounds}, got {told}")
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    allowed = max(1, min([cores, *_quotas(top)]))
    if measure is None or allowed == 1:
        return allowed
    given = measure(allowed)
    if not given >= 0:  # so written, it refuses NaN too
        raise ValueError(f"measure must tell 0 or more, got {given}")
    return max(1, round(min(allowed, given)))


def _quotas(top: Path) -> Iterator[int]:
    """Give the quota, in cores, of each control group that this process is in."""
    groups: dict[str, str] = {}  # the path of this process's group, of version 2 and of version 1
    for controllers, path in re.findall(
        r"^\d+:([^:\n]*):(/.*)$", _read(top / "proc/self/cgroup"), re.MULTILINE
    ):
        if not controllers:
            groups["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            groups["cgroup"] = path
    for mounted, where, kind, options in re.findall(
        r"^\S+ \S+ \S+ (/\S*) (/\S*) .* - (cgroup2?) \S+ (\S+)$",
        _read(top / "proc/self/mountinfo"),
        re.MULTILINE,
    ):
        if kind not in groups or (kind == "cgroup" and "cpu" not in options.split(",")):
            continue
        inside, group = PurePosixPath(), PurePosixPath(groups[kind])
        if group.is_relative_to(_unescape(mounted)):
            inside = group.relative_to(_unescape(mounted))
        if ".." in inside.parts:  # not below what the mount shows
            inside = PurePosixPath()
        for folder in (inside, *inside.parents):
            files = top / _unescape(where).lstrip("/") / folder
            yield from _quota(_read(files / "cpu.max"))
            yield from _quota(
                f"{_read(files / 'cpu.cfs_quota_us')} {_read(files / 'cpu.cfs_period_us')}"
            )


def _quota(text: str) -> Iterator[int]:
    if found := re.fullmatch(r"\s*([0-9]{1,20})\s+0*([1-9][0-9]{0,19})\s*", text):
        yield -(-int(found[1]) // int(found[2]))


def _read(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes())
    except (OSError, ValueError):
        return ""


def _unescape(field: str) -> str:
    """Undo what the kernel does to blanks in the fields of a mount."""
    return re.sub(r"\\([0-3][0-7]{2})", lambda found: chr(int(found[1], 8)), field)


def main() -> None:
    """Say how many cores this process may use."""
    print(f"{usable_cpus()} of {os.cpu_count()} cores may be used here.")


if __name__ == "__main__":
    main()
