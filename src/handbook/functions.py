"""List the functions of the library, by problem and by chapter, and try what their examples say.

Standard library only: blocks run it on any interpreter.
"""

import ast
import doctest
import importlib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["CHAPTERS", "MODULES", "by_chapter", "by_problem", "failing", "modules_of"]

CHAPTERS = {
    "threads": "Threads",
    "async_io": "asyncio",
    "processes": "multiprocessing",
    "futures": "concurrent.futures",
    "performance": "Performance",
}

# By their whole names, so that a block that imports this file runs anew when one of them changes.
PROBLEMS = {
    "Wait for many things": (
        "examples.threads.overlap_waits",
        "examples.threads.compute_while_waiting",
        "examples.performance.io_bound",
        "examples.async_io.run_event_loop",
        "examples.async_io.map_bounded",
        "examples.async_io.first_success",
        "examples.futures.submit_and_collect",
        "examples.futures.map_unordered",
    ),
    "Compute on several cores": (
        "examples.processes.map_in_processes",
        "examples.threads.cpu_in_threads",
        "examples.futures.map_with_any_executor",
        "examples.performance.cpu_bound",
        "examples.performance.overhead",
        "examples.performance.combine",
        "examples.futures.beyond_one_machine",
    ),
    "Blocking code and asyncio together": (
        "examples.async_io.offload_blocking",
        "examples.async_io.offload_computing",
        "examples.async_io.run_from_sync",
        "examples.async_io.keep_loop_free",
    ),
    "Run programs": (
        "examples.processes.run_programs",
        "examples.async_io.run_process",
    ),
    "Put a limit on it": (
        "examples.threads.limit_concurrency",
        "examples.threads.limit_rate",
        "examples.async_io.limit_rate",
        "examples.threads.pool_connections",
        "examples.performance.threads_or_asyncio",
    ),
    "Live with failures": (
        "examples.futures.carry_on_after_errors",
        "examples.processes.map_surviving_crashes",
        "examples.async_io.retry_under_deadline",
        "examples.processes.explain_unpicklable",
    ),
    "Start, stop and end cleanly": (
        "examples.threads.start_workers",
        "examples.threads.stop_worker",
        "examples.processes.choose_start_method",
        "examples.processes.drain_and_join",
        "examples.futures.shut_down",
        "examples.futures.map_interruptible",
        "examples.async_io.keep_background_tasks",
        "examples.async_io.exit_gracefully",
    ),
    "Share, and lose nothing": (
        "examples.threads.guard_counter",
        "examples.threads.reenter_lock",
        "examples.threads.take_locks",
        "examples.processes.share_counter",
        "examples.processes.share_array",
        "examples.processes.share_through_manager",
    ),
    "Pass things on, and wait for one another": (
        "examples.threads.run_pipeline",
        "examples.threads.wait_for_condition",
        "examples.threads.meet_at_barrier",
        "examples.processes.exchange_messages",
        "examples.futures.carry_context",
    ),
    "Choose and measure": (
        "examples.performance.choose",
        "examples.performance.usable_cpus",
        "examples.performance.scaling",
        "examples.performance.starting_costs",
        "examples.performance.moving_data",
    ),
}

MODULES = tuple(sorted(name for names in PROBLEMS.values() for name in names))


def by_problem() -> str:
    """List the functions under what they solve, each with what it does, in Markdown."""
    return "\n".join(
        line
        for problem, names in PROBLEMS.items()
        for line in (f"### {problem}\n", *map(with_summary, names), "")
    )


def by_chapter() -> str:
    """List the functions of each chapter, in Markdown."""
    return "\n".join(
        f"- {link(chapter, title)}: {', '.join(map(links, modules_of(chapter)))}"
        for chapter, title in CHAPTERS.items()
    )


def modules_of(chapter: str) -> list[str]:
    """Name the modules of a chapter."""
    return [name for name in MODULES if name.split(".")[1] == chapter]


def with_summary(module: str) -> str:
    """Write an entry of a list: what a module offers, and the first line of what it says."""
    summary, _, _ = (ast.get_docstring(parsed(module)) or "").partition("\n")
    return f"- {links(module)}: {summary}"


def links(module: str) -> str:
    """Write what a module offers, each name with a link to its page."""
    _, chapter, topic = module.split(".")
    [offered] = [
        ast.literal_eval(node.value)
        for node in parsed(module).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return ", ".join(link(f"{chapter}/{topic}", f"<code>{name}</code>") for name in offered)


def link(address: str, text: str) -> str:
    """Write a link from an index page: there it is the same as a source and on the site."""
    return f'<a href="../{address}/">{text}</a>'


def parsed(module: str) -> ast.Module:
    """Parse a module, without importing it."""
    path = Path(__file__).parent.parent.joinpath(*module.split(".")).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def failing(modules: Iterable[str]) -> list[str]:
    """Import modules and run the examples in their docstrings.

    Args:
        modules: Their names.

    Returns:
        What went wrong, a line for each module where something did; what an example gave
        instead is printed.
    """
    faults = []
    for name in modules:
        try:
            tried = doctest.testmod(importlib.import_module(name))
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            faults.append(f"{name}: {type(error).__name__}: {error}")
            continue
        if tried.failed:
            faults.append(f"{name}: {tried.failed} of {tried.attempted} examples fail")
        elif not tried.attempted:
            faults.append(f"{name}: no example")
    return faults
