"""Prepare a block's interpreter, and say at its end what it leaves behind.

The runner puts this folder first on the path of the interpreter that runs a block. Python
imports `sitecustomize` at start, in the block's child processes too.
"""

import atexit
import os
import signal
import sys
import threading


def write_record(**fields: object) -> None:
    """Append a record; json is imported late, so that a block starts quickly."""
    import json

    with open(os.environ["MEASURED_RECORDS"], "a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")


def peak_memory_kib() -> int | None:
    """Read how much memory this process had at most, in KiB."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    return int(line.split()[1])
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # macOS counts bytes


def report_exit() -> None:
    """Say what the block used and which of its threads still run."""
    if os.getpid() != BLOCK:
        return  # a child that was forked and ends as a script does
    spent = os.times()
    main = threading.main_thread()
    write_record(
        kind="exit",
        threads=[t.name for t in threading.enumerate() if t is not main and t.is_alive()],
        peak_kib=peak_memory_kib(),
        cpu_s=spent.user + spent.system + spent.children_user + spent.children_system,
    )


def report_raise(kind: type[BaseException], *rest: object) -> None:
    """Say which exception ends the block."""
    if os.getpid() == BLOCK:
        write_record(kind="raised", name=kind.__name__, thread=None)
    sys.__excepthook__(kind, *rest)  # type: ignore[arg-type]


def report_thread_raise(args: threading.ExceptHookArgs) -> None:
    """Say which exception ended a thread."""
    if os.getpid() == BLOCK and args.exc_type is not SystemExit:
        thread = args.thread.name if args.thread else "a thread"
        write_record(kind="raised", name=args.exc_type.__name__, thread=thread)
    threading.__excepthook__(args)


if "MEASURED_RECORDS" in os.environ:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # as on a terminal: lines appear in the order printed
    limit = os.environ.pop("MEASURED_BLOCK", None)  # gone, so that children do not find it
    if limit:
        BLOCK = os.getpid()
        if hasattr(signal, "alarm"):
            signal.alarm(int(limit))  # a build that is killed ends nobody
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so in a shell's background
            signal.signal(signal.SIGINT, signal.default_int_handler)
        atexit.register(report_exit)
        sys.excepthook = report_raise
        threading.excepthook = report_thread_raise
