"""Tell what machine and what interpreter this is, and how busy.

Runs inside blocks and for interpreters other than the build's: standard library only.
"""

import glob
import os
import platform
import sys
import sysconfig
import time
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Interpreter", "Machine", "describe_interpreter", "describe_machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a figure depends on, of the hardware and the system.

    Attributes:
        system: Name of the operating system and the architecture.
        processor: The processor's model.
        cores: How many cores this process may use.
    """

    system: str
    processor: str
    cores: int


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a figure depends on, of Python.

    Attributes:
        name: Name and version, as `"CPython 3.13.0"`, with `"free-threaded"` where it is.
        version: The version's three numbers.
        gil: Whether its threads share a global interpreter lock.
        build: Compiler and date of the build: two builds of one version may differ.
        executable: The file that was started.
        library: Folder of the standard library.
        packages: Folder of the installed packages.
        prefixes: Folders into which it is installed, those of the system left out.
    """

    name: str
    version: tuple[int, int, int]
    gil: bool
    build: str
    executable: str
    library: str
    packages: str
    prefixes: tuple[str, ...]


def usable_cores() -> int:
    """Count the cores that this process may run on."""
    if hasattr(os, "process_cpu_count"):  # 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_model() -> str:
    """Read the processor's model, as precisely as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith(("model name", "Model")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe_machine() -> Machine:
    """Describe this machine."""
    return Machine(f"{platform.system()} {platform.machine()}", processor_model(), usable_cores())


def load_average() -> float | None:
    """Read how many processes wanted a core over the last minute, or None where nobody counts."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def cpu_seconds() -> float:
    """Read the CPU seconds used so far by this process and its children.

    Children that run count where the system lists them, which Linux does; those that were waited
    for count everywhere but on Windows.
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return time.process_time()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + running_children_s(os.getpid())


def running_children_s(pid: int) -> float:
    """Sum the CPU seconds of the running children of a process, and of theirs; 0 if not listed."""
    used = 0.0
    for task in glob.glob(f"/proc/{pid}/task/*/children"):  # noqa: PTH207 - twice per sample
        try:
            children = Path(task).read_text(encoding="ascii").split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            try:
                fields = Path(f"/proc/{child}/stat").read_bytes().rpartition(b")")[2].split()
            except OSError:  # the child has ended
                continue
            used += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            used += running_children_s(int(child))
    return used


def pressure_s() -> float | None:
    """Read for how many seconds so far something on this machine waited for a core.

    Returns:
        The seconds since the start of the system, or None where the system does not tell: Linux
        does, if it was built with pressure stall information.
    """
    try:
        with open("/proc/pressure/cpu", encoding="ascii") as file:
            return int(file.readline().rpartition("total=")[2]) / 1e6
    except (OSError, ValueError):
        return None


def suspended_s() -> float:
    """Read how long this machine was suspended since its start; 0 where that cannot be told."""
    if sys.platform == "linux":  # the one clock counts on during suspension, the other does not
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(time.CLOCK_UPTIME_RAW)
    return 0.0


def describe_interpreter() -> Interpreter:
    """Describe the interpreter that runs this."""
    gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)  # 3.13
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    version = sys.version_info[:3]
    name = f"{platform.python_implementation()} {'.'.join(map(str, version))}"
    return Interpreter(
        name=name + " free-threaded" * free_threaded,
        version=version,
        gil=gil_enabled(),
        build=sys.version,
        executable=sys.executable,
        library=sysconfig.get_path("stdlib"),
        packages=sysconfig.get_path("purelib"),
        prefixes=tuple({sys.prefix, sys.base_prefix} - {"/usr", "/usr/local"}),
    )


if __name__ == "__main__":  # asked of another interpreter
    import json

    print(json.dumps(asdict(describe_interpreter())))  # noqa: T201 - the answer
