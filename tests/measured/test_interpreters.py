"""Which Pythons are found, and which are named as absent."""

import pytest

from measured import interpreters


@pytest.fixture
def _forgotten() -> None:
    """Look anew."""
    interpreters.find_interpreters.cache_clear()


@pytest.mark.usefixtures("_forgotten")
def test_the_interpreter_of_the_build_is_found_first_and_once() -> None:
    """By its name and version, whatever else there is."""
    found = interpreters.find_interpreters()

    assert found.count(interpreters.own_interpreter()) == 1
    assert len({one.name for one in found}) == len(found)
    assert [one.version for one in found] == sorted(one.version for one in found)


@pytest.mark.usefixtures("_forgotten")
def test_what_is_no_python_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads nowhere, as a shim does whose version is not chosen."""
    monkeypatch.setenv("MEASURED_PYTHONS", "/nowhere/python3.99")

    assert interpreters.own_interpreter() in interpreters.find_interpreters()
    interpreters.find_interpreters.cache_clear()


def test_versions_that_are_not_here_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the handbook speaks of, but for those found."""
    own = interpreters.own_interpreter()
    monkeypatch.setattr(interpreters, "find_interpreters", lambda: [own])

    absent = interpreters.absent_versions()

    assert f"{own.version[0]}.{own.version[1]}" not in absent
    assert len(absent) == len(interpreters.EXPECTED) - 1
