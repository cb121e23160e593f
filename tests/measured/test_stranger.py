"""The engine on a site that is not ours, set up as its README says and from its own wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "src" / "measured" / "README.md"
BUILDERS = {
    "mkdocs": ("site_name: Theirs", ["mkdocs", "build", "--strict"]),
    "zensical": (
        "site_name: Theirs\ntheme: {name: material, variant: classic, font: false}",
        ["zensical", "build", "--strict"],
    ),
}


def part(name: str) -> str:
    """Give the code of one marked part of the README."""
    text = README.read_text(encoding="utf-8")
    _, _, rest = text.partition(f"<!-- --8<-- [start:{name}] -->\n")
    fenced, _, _ = rest.partition(f"<!-- --8<-- [end:{name}] -->")
    code = re.fullmatch(r"(`{3,})\w+\n(?P<code>.*)\1\n", fenced, re.DOTALL)
    assert code, name
    return code["code"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it where nothing else is."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "packages")
    assert not (folder / "packages" / "examples").exists(), "a stranger gets the engine alone"
    return folder / "packages"


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_strangers_site_shows_a_figure(builder: str, installed: Path, tmp_path: Path) -> None:
    """Two lines of configuration, the README's page, rounds: a figure and its verdict."""
    if importlib.util.find_spec(builder) is None:
        pytest.skip(f"{builder} is not installed: make environment")
    own, build = BUILDERS[builder]
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(f"{own}\n{part('config')}", encoding="utf-8")
    (tmp_path / "docs" / "index.md").write_text(f"# Theirs\n\n{part('page')}", encoding="utf-8")

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(installed), "NO_MKDOCS_2_WARNING": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    code = "import measured; print(measured.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert Path(where.stdout.strip()).is_relative_to(installed), "not the clone's"

    run("measured", "run", "--rounds", "2")
    run(*build)

    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    (figure,) = re.findall(r'<figure class="measured".*?</figure>', page, re.DOTALL)
    assert "<svg" in figure
    assert "Five waits" in figure
    assert "2 pairs" in figure
    assert "Threads overlap waits: five of them take less than half the time." in page
    assert page.index(".measured-bar-0") < page.index("<figure"), "it brings its style"


def test_the_configuration_is_at_most_three_lines() -> None:
    """As promised."""
    assert len(part("config").splitlines()) <= 3
