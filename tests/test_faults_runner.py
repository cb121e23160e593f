"""The runner of faults: it sees whatever a fault leaves behind, and lets pass what is clean."""

import contextlib
import importlib
import os
import re
import sys
from pathlib import Path

import psutil
import pytest

import faults
from faults import SHARED_MEMORY, run_fault, wait_for_none

only_posix = pytest.mark.skipif(os.name != "posix", reason="groups of processes are POSIX")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing lists it")


def refused(script: str, says: str, *, limit_s: float = 60) -> str:
    """Run a script, which must be reported with these words, and return all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "PATIENCE_S", 0.1)  # what stays here stays on purpose
        with pytest.raises(AssertionError, match=says) as refusal:
            run_fault(script, limit_s=limit_s)
    return str(refusal.value)


def test_a_clean_script_passes() -> None:
    """What it printed each time is returned; a joined thread is no leak."""
    printed = run_fault(
        """
        import threading
        thread = threading.Thread(target=print, args=["from a thread"])
        thread.start()
        thread.join()
        """
    )
    assert printed == "from a thread\n"


def test_a_clean_function_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module is found where it lies, with what lies beside it."""
    (tmp_path / "beside_a_fault.py").write_text("WORD = 'found'\n", encoding="utf-8")
    module = tmp_path / "module_of_a_fault.py"
    module.write_text("import beside_a_fault\ndef fault(): print(beside_a_fault.WORD)\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert run_fault(importlib.import_module(module.stem).fault) == "found\n"


def test_the_interpreter_is_strict() -> None:
    """Development mode; warnings are errors; further options come after."""
    script = "import sys; print(sys.flags.dev_mode, sys.warnoptions[-1], sys.flags.utf8_mode)"
    assert run_fault(script, options=("-X", "utf8=1")) == "True error 1\n"


@only_linux
def test_what_the_garbage_collector_frees_passes() -> None:
    """A descriptor that a cycle holds is not lost."""
    run_fault(
        """
        import os
        class Closing:
            def __init__(self):
                self.me, self.close = self, os.close
                self.descriptor = os.open(os.devnull, os.O_RDONLY)
            def __del__(self):
                self.close(self.descriptor)
        Closing()
        """
    )


def test_what_only_the_first_time_leaves_passes() -> None:
    """As a fork server stays for good."""
    run_fault(
        """
        import os, sys
        if not hasattr(sys, "kept"):
            sys.kept = os.open(os.devnull, os.O_RDONLY)
        """
    )


def test_a_slow_step_of_asyncio_is_no_word() -> None:
    """In development mode asyncio tells of it, on a busy machine of any step."""
    run_fault(
        """
        import asyncio
        async def main():
            asyncio.get_running_loop().slow_callback_duration = 0
            await asyncio.sleep(0)
        asyncio.run(main())
        """
    )


def test_a_thread_is_seen() -> None:
    """A daemon, which would not delay the end."""
    refused(
        """
        import threading
        threading.Thread(target=threading.Event().wait, name="idle", daemon=True).start()
        """,
        "left behind: .*'threads': {'<Thread.idle",
    )


@only_linux
def test_a_child_is_seen() -> None:
    """Even a dead one, whose exit code nobody asked for."""
    refused(
        """
        import os
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 0"], {})
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        """,
        "left behind: .*'children': {'",
    )


@only_posix
def test_a_process_that_outlives_it_is_seen_and_killed() -> None:
    """A grandchild, whose parent has ended."""
    told = refused(
        """
        import os
        command = "sleep 3000 > /dev/null 2>&1 &"
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", command], os.environ), 0)
        """,
        r"outlive it: .*\d+: \['sleep', '3000'\]",
    )
    pids = [int(pid) for pid in re.findall(r"(\d+): \['sleep'", told)]

    def alive() -> set[str]:
        found = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
        with contextlib.suppress(psutil.NoSuchProcess):
            return {str(one) for one in found if one.status() != psutil.STATUS_ZOMBIE}
        return set()

    assert (len(pids), wait_for_none(alive, 10)) == (2, set())


@only_linux
def test_a_descriptor_is_seen() -> None:
    """Without an object that would warn when it goes."""
    refused("import os\nos.open(os.devnull, os.O_RDONLY)", "left behind: .*: /dev/null'")


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason=f"no {SHARED_MEMORY} here")
def test_a_block_of_shared_memory_is_seen(tmp_path: Path) -> None:
    """Closed, and never unlinked."""
    name = f"{tmp_path.parent.name}-{os.getpid()}"
    try:
        refused(
            f"""
            import os
            from multiprocessing import resource_tracker, shared_memory
            name = "{name}-" + os.urandom(4).hex()
            block = shared_memory.SharedMemory(name, create=True, size=1)
            block.close()
            resource_tracker.unregister("/" + name, "shared_memory")  # which would unlink it
            """,
            f"left behind: .*'shared memory': .*{name}",
        )
    finally:
        for path in SHARED_MEMORY.glob(f"{name}-*"):
            path.unlink()


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason=f"no {SHARED_MEMORY} here")
def test_a_semaphore_is_seen() -> None:
    """One that has a name, so that other processes can open it."""
    refused(
        """
        import multiprocessing, sys
        context = multiprocessing.get_context("spawn")
        sys.kept = [*getattr(sys, "kept", []), context.Semaphore()]
        """,
        r"left behind: .*'shared memory': .*sem\.mp\d+-",
    )


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("import sys; sys.stderr.write('a word')", "a word"),
        ("open(__import__('os').devnull)", "ResourceWarning: unclosed file"),
        ("import asyncio; asyncio.Future(loop=asyncio.new_event_loop())", "unclosed event loop"),
        (
            """
            import asyncio
            async def fail(): raise LookupError
            async def main():
                task = asyncio.create_task(fail())
                await asyncio.wait([task])
            asyncio.run(main())
            """,
            "exception was never retrieved",
        ),
    ],
    ids=["written", "warning", "loop", "never-retrieved"],
)
def test_a_word_on_stderr_is_seen(script: str, says: str) -> None:
    """Also with exit code 0."""
    refused(script, says)


def test_an_exit_code_is_seen() -> None:
    """Without a word."""
    refused("import os; os._exit(3)", "^3: ")


def test_a_second_time_that_prints_something_else_is_seen() -> None:
    """Something of the first is in its way."""
    refused(
        "import sys\nsys.count = getattr(sys, 'count', 0) + 1\nprint(sys.count)",
        r"first it printed '1\\n', later {'2\\n'}",
    )


def test_a_hang_shows_its_stacks() -> None:
    """It is ended at the limit."""
    refused("import threading\nthreading.Event().wait()", "in wait", limit_s=1)
