"""tools/environment.py: an unfit Python is told in one line what to install."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = str(Path(__file__).parent.parent / "tools" / "environment.py")


def last_words(monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the script up to its refusal and return what it says."""
    monkeypatch.setattr(sys, "argv", [SCRIPT])
    with pytest.raises(SystemExit) as refusal:
        runpy.run_path(SCRIPT, run_name="__main__")
    return str(refusal.value)


def test_an_old_python_is_told_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line: the least version, what this one is, how to name another."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))

    words = last_words(monkeypatch)

    assert "3.11 or newer" in words
    assert "is 3.10" in words
    assert "PYTHON=" in words
    assert "\n" not in words


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_a_python_without_venv_is_told_the_package(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian ships venv in a package of its own: one line names it."""
    monkeypatch.setitem(sys.modules, module, None)

    words = last_words(monkeypatch)

    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in words
    assert "\n" not in words
