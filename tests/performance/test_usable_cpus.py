"""usable_cpus: what it is told, affinity, quotas of both versions, any text in the files."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.performance import usable_cpus_broken
from examples.performance.scaling import measure_ceiling
from examples.performance.usable_cpus import usable_cpus

SOURCES = Path(__file__).resolve().parents[2] / "src"
CORES = 64
Tree = Callable[..., Path]

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 {} /sys/fs/cgroup/cpu,cpuacct rw master:11 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 {} /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
)


@pytest.fixture(autouse=True)
def _sixty_four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 64 cores, all of them for this process, and no word from the user."""
    monkeypatch.setattr(os, "cpu_count", lambda: CORES)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CORES)), raising=False)
    monkeypatch.delenv("PYTHON_CPU_COUNT", raising=False)
    monkeypatch.delitem(sys._xoptions, "cpu_count", raising=False)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give a function that writes files below a root, and returns the root."""

    def write(group: str, mounts: str, files: dict[str, str]) -> Path:
        files = {"proc/self/cgroup": group, "proc/self/mountinfo": mounts, **files}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000\n", CORES),
        ("100000 100000\n", 1),
        ("150000 100000\n", 2),
        ("20000 10000\n", 2),
        ("1000 1000000\n", 1),
        ("0 100000\n", 1),
        ("400001 100000\n", 5),
        ("6400000 100000\n", CORES),
        ("9900000 100000\n", CORES),
        ("", CORES),
        ("100000", CORES),
        ("100000 0\n", CORES),
        ("many 100000\n", CORES),
        ("100000 1e5\n", CORES),
    ],
)
def test_heeds_the_quota_of_version_2(tree: Tree, quota: str, cores: int) -> None:
    """Rounded up, between 1 and the cores; what is no quota is none."""
    root = tree("0::/\n", V2, {"sys/fs/cgroup/cpu.max": quota})

    assert usable_cpus(root=root) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", CORES), ("250000", 3), ("50000", 1)])
@pytest.mark.parametrize("inside", ["", "/docker/c0ffee"])
def test_heeds_the_quota_of_version_1(tree: Tree, quota: str, cores: int, inside: str) -> None:
    """In a namespace of its own, or with the host's path in both files."""
    root = tree(
        f"4:cpu,cpuacct:{inside or '/'}\n3:cpuset:/set\n1:name=systemd:/x\n0::/y\n",
        V1.format(inside or "/", inside or "/"),
        {
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": f"{quota}\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/set/cpu.cfs_quota_us": "100000\n",  # none of ours
            "sys/fs/cgroup/cpu,cpuacct/set/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpuset/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpuset/cpu.cfs_period_us": "100000\n",
        },
    )

    assert usable_cpus(root=root) == cores


@pytest.mark.parametrize("tight", ["", "system.slice", "system.slice/job", "system.slice/job/step"])
def test_the_lowest_quota_on_the_way_up_counts(tree: Tree, tight: str) -> None:
    """Wherever it stands, while the others are wider or have none."""
    base = "sys/fs/cgroup"
    root = tree(
        "0::/system.slice/job/step\n",
        V2,
        {
            f"{base}/system.slice/cpu.max": "1000000 100000\n",
            f"{base}/system.slice/job/cpu.max": "max 100000\n",
            f"{base}/system.slice/job/step/cpu.max": "800000 100000\n",
            f"{base}/system.slice/job/other/cpu.max": "100000 100000\n",  # a neighbour's
            f"{base}/other.slice/cpu.max": "100000 100000\n",
            f"{base}/{tight}/cpu.max": "300000 100000\n",
        },
    )

    assert usable_cpus(root=root) == 3


@settings(deadline=None)
@given(
    st.lists(st.none() | st.tuples(st.integers(1, 10**7), st.integers(1, 10**6)), max_size=5),
    st.integers(1, CORES),
)
def test_is_the_lowest_of_all(quotas: list[tuple[int, int] | None], bound_to: int) -> None:
    """Whatever the quotas from top to bottom and the affinity."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: set(range(bound_to)), raising=False)
        root = Path(folder)
        (root / "proc/self").mkdir(parents=True)
        group = root / "sys/fs/cgroup"
        for quota in quotas:
            group.mkdir(parents=True)
            text = "max 100000" if quota is None else f"{quota[0]} {quota[1]}"
            (group / "cpu.max").write_text(text, encoding="utf-8")
            group /= "inner"
        path = "/inner" * (len(quotas) - 1) or "/"
        (root / "proc/self/cgroup").write_text(f"0::{path}\n", encoding="utf-8")
        (root / "proc/self/mountinfo").write_text(V2, encoding="utf-8")

        limits = [-(-time // period) for time, period in filter(None, quotas)]
        assert usable_cpus(root=root) == min([bound_to, *limits])


def test_both_versions_at_once(tree: Tree) -> None:
    """A hybrid system: the controller belongs to one of them, and both are looked at."""
    unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    cpu = "sys/fs/cgroup/cpu,cpuacct/batch"
    files = {f"{cpu}/cpu.cfs_quota_us": "700000", f"{cpu}/cpu.cfs_period_us": "100000"}
    root = tree("4:cpu,cpuacct:/batch\n0::/init.scope\n", V1.format("/", "/") + unified, files)
    assert usable_cpus(root=root) == 7

    tree(
        "4:cpu,cpuacct:/batch\n0::/init.scope\n",
        V1.format("/", "/") + unified,
        {"sys/fs/cgroup/unified/init.scope/cpu.max": "500000 100000"},
    )
    assert usable_cpus(root=root) == 5


@pytest.mark.parametrize(
    ("group", "mounted"),
    [
        ("/kubepods/pod/box/sub", "/kubepods/pod/box"),  # the host's path in both
        ("/../../pod/box/sub", "/../../pod/box"),  # both outside of the namespace
    ],
)
def test_a_mount_that_shows_a_part_of_the_tree(tree: Tree, group: str, mounted: str) -> None:
    """The path is taken from where the mount begins."""
    files = {
        "sys/fs/cgroup/sub/cpu.max": "400000 100000",
        "sys/fs/cgroup/cpu.max": "600000 100000",
    }
    root = tree(f"0::{group}\n", V2.replace(" / ", f" {mounted} "), files)

    assert usable_cpus(root=root) == 4


@pytest.mark.parametrize(
    ("group", "mounted"), [("/docker/ours", "/docker/other"), ("/../neighbour", "/")]
)
def test_a_path_that_the_mount_does_not_show(tree: Tree, group: str, mounted: str) -> None:
    """Then the top of the mount is what there is; nothing beside it is read."""
    files = {
        "sys/fs/cgroup/cpu.max": "600000 100000",
        "sys/fs/neighbour/cpu.max": "100000 100000",
        "sys/fs/cgroup/docker/ours/cpu.max": "100000 100000",
    }
    root = tree(f"0::{group}\n", V2.replace(" / ", f" {mounted} "), files)

    assert usable_cpus(root=root) == 6


def test_blanks_and_odd_letters_in_paths(tree: Tree) -> None:
    """The kernel writes a blank as a number in a mount's fields, and as it is in a group's path."""
    mounts = V2.replace("/sys/fs/cgroup", r"/mnt/all\040groups")
    root = tree(
        "0::/my böx:1/a b\n", mounts, {"mnt/all groups/my böx:1/a b/cpu.max": "200000 100000"}
    )

    assert usable_cpus(root=root) == 2


def test_a_group_that_is_deleted(tree: Tree) -> None:
    """Its folder is gone; those around it still count."""
    root = tree(
        "0::/batch/gone (deleted)\n", V2, {"sys/fs/cgroup/batch/cpu.max": "300000 100000\n"}
    )

    assert usable_cpus(root=root) == 3


def test_without_the_files_of_linux(tmp_path: Path) -> None:
    """Another system, or a hidden /proc: affinity, else the machine's cores, and never none."""
    assert usable_cpus(root=tmp_path) == CORES
    assert usable_cpus(root=str(tmp_path)) == CORES
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
        assert usable_cpus(root=tmp_path) == 2
        patch.delattr(os, "sched_getaffinity")
        assert usable_cpus(root=tmp_path) == CORES
        patch.setattr(os, "cpu_count", lambda: None)
        assert usable_cpus(root=tmp_path) == 1


@pytest.mark.parametrize("group", ["", "0::", "4:cpu:/\n", "0::/a\0b\n", "0::/" + "x" * 5000])
def test_files_that_do_not_fit_together(tree: Tree, group: str) -> None:
    """A mount without a group, a path that no file can have: no limit, and no error."""
    assert usable_cpus(root=tree(group, V2, {"sys/fs/cgroup/cpu": ""})) == CORES


def test_files_that_are_folders_or_no_text(tree: Tree) -> None:
    """They limit nothing, and raise nothing."""
    root = tree("0::/\n", V2, {"sys/fs/cgroup/cpu.max/oh": ""})
    assert usable_cpus(root=root) == CORES

    (root / "proc/self/cgroup").write_bytes(b"\xff\xfe\n0::/\xff\n")
    assert usable_cpus(root=root) == CORES


# Words that mean something in these files, in any order, and others.
WORDS = st.sampled_from(
    [
        *["0::", "4:cpu:", "/", "/..", "/a", " ", "\n", " - ", "cgroup2 x ", "cgroup x ", "rw,cpu"],
        *["0::/\n", V2, V1.format("/", "/"), "\0"],
        *["/sys/fs/cgroup", "31 23 0:28", "\\040", "\\777", "max", "1", "-1", "100000"],
    ]
)
TEXTS = st.text() | st.lists(WORDS).map("".join)


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_whatever_the_files_say(group: str, mounts: str, quota: str) -> None:
    """A number between 1 and the cores, and no error."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in (
            ("proc/self/cgroup", group),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/cpu.max", quota),
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8", errors="replace")

        assert 1 <= usable_cpus(root=root) <= CORES


ONE_CORE = {"sys/fs/cgroup/cpu.max": "100000 100000\n"}


@pytest.mark.parametrize("told", ["5", "200", "05", " +7"])
def test_the_users_word_is_the_answer(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """Above a quota, and above the cores, as in `os.process_cpu_count`."""
    monkeypatch.setenv("PYTHON_CPU_COUNT", told)

    assert usable_cpus(root=tree("0::/\n", V2, ONE_CORE)) == int(told)


@pytest.mark.parametrize("told", ["", "default"])
def test_a_word_that_says_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    """Empty counts as not set."""
    monkeypatch.setenv("PYTHON_CPU_COUNT", told)

    assert usable_cpus(root=tree("0::/\n", V2, ONE_CORE)) == 1


@pytest.mark.parametrize("told", ["0", "-3", "2.5", "all", "4 cores"])
def test_refuses_a_word_that_is_no_number(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    """Naming the bound and the value."""
    monkeypatch.setenv("PYTHON_CPU_COUNT", told)

    with pytest.raises(ValueError, match=f"must be 1 or more, or default, got {told}"):
        usable_cpus()


@pytest.mark.parametrize(
    ("given", "cores"), [(0, 1), (0.4, 1), (1.7, 2), (5.2, 5), (8, 8), (9.6, 8), (float("inf"), 8)]
)
def test_is_at_most_what_the_machine_gives(tree: Tree, given: float, cores: int) -> None:
    """Asked once, with what is allowed; no more than that, and no less than one."""
    asked: list[int] = []

    def measure(copies: int) -> float:
        asked.append(copies)
        return given

    root = tree("0::/\n", V2, {"sys/fs/cgroup/cpu.max": "800000 100000\n"})
    assert usable_cpus(measure=measure, root=root) == cores
    assert asked == [8]


def test_does_not_measure_where_there_is_nothing_to_find_out(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One core, or the user's word."""

    def measure(copies: int) -> float:
        raise AssertionError(copies)

    root = tree("0::/\n", V2, {"sys/fs/cgroup/cpu.max": "50000 100000\n"})
    assert usable_cpus(measure=measure, root=root) == 1
    monkeypatch.setenv("PYTHON_CPU_COUNT", "7")
    assert usable_cpus(measure=measure) == 7


@pytest.mark.parametrize("given", [-1, float("nan")])
def test_refuses_a_measurement_that_is_none(given: float) -> None:
    """Naming the bound and the value."""
    with pytest.raises(ValueError, match=f"must tell 0 or more, got {given}"):
        usable_cpus(measure=lambda _: given)


def test_refuses_to_measure_by_a_number() -> None:
    """At the call."""
    wrong: Any = 4
    with pytest.raises(TypeError, match="must be a function of a number of copies, got 4"):
        usable_cpus(measure=wrong)


def test_measures_for_real() -> None:
    """With the handbook's function, on two copies at most."""
    work = partial(sum, range(1_000))
    few = partial(measure_ceiling, work, rounds=1)
    allowed = usable_cpus()
    assert 1 <= usable_cpus(measure=lambda _: few(copies=2)) <= allowed


def test_refuses_a_root_that_is_no_folder(tmp_path: Path) -> None:
    """A slip in a test would otherwise look like a machine without limits."""
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(ValueError, match=f"root must be a folder, got .*{name}"):
            usable_cpus(root=tmp_path / name)
    number: Any = 5
    with pytest.raises(TypeError):
        usable_cpus(root=number)


def ask(expression: str, *options: str, **environment: str) -> str:
    """Evaluate an expression in a new interpreter."""
    script = (
        "import os; from examples.performance.usable_cpus import usable_cpus; "
        f"print({expression}, end='')"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *options, "-c", script],
        env={**os.environ, "PYTHONPATH": str(SOURCES), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (("-X", "cpu_count=3"), {}),
        ((), {"PYTHON_CPU_COUNT": "4"}),
        (("-X", "cpu_count=3"), {"PYTHON_CPU_COUNT": "4"}),
        (("-X", "cpu_count=default"), {"PYTHON_CPU_COUNT": "4"}),
        ((), {"PYTHON_CPU_COUNT": "default"}),
    ],
    ids=str,
)
def test_is_told_as_the_interpreter_is(
    options: tuple[str, ...], environment: dict[str, str], tmp_path: Path
) -> None:
    """The option before the variable; where Python has it built in, with the same answer."""
    count = ask(f"usable_cpus(root={str(tmp_path)!r})", *options, **environment)

    told = dict(option.split("=") for option in options if "=" in option)
    word = told.get("cpu_count", environment.get("PYTHON_CPU_COUNT"))
    if word != "default":
        assert count == word
    if sys.version_info >= (3, 13):
        assert count == ask("os.process_cpu_count()", *options, **environment)


def test_ignores_the_variable_if_python_does(tmp_path: Path) -> None:
    """With `-E`, or `-I`, no variable that begins with PYTHON counts."""
    script = f"import sys; sys.path.insert(0, {str(SOURCES)!r}); from examples.performance."
    script += f"usable_cpus import usable_cpus; print(usable_cpus(root={str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-E", "-c", script],
        env={**os.environ, "PYTHON_CPU_COUNT": "4321"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() != "4321"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_heeds_the_affinity_of_this_process_for_real() -> None:
    """Bound to one core it is 1, and the broken one still counts all."""
    script = (
        "[os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]), usable_cpus(),"
        " os.cpu_count()][1:]"
    )
    assert ask(script, PYTHON_CPU_COUNT="") == f"[1, {ask('os.cpu_count()', PYTHON_CPU_COUNT='')}]"


def test_the_broken_one_counts_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this process may use."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)

    assert usable_cpus_broken.usable_cpus() == CORES
