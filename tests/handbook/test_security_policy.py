"""The policy of a page names what the page has, and refuses the rest."""

import base64
import hashlib
from pathlib import Path

import pytest

from handbook import __main__ as command
from handbook.security_policy import PolicyError, write_policies

PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><title>é</title>{}</head><body>{}</body></html>
"""


def policy_for(folder: Path, head: str = "", body: str = "") -> str:
    """Write a page, finish it, and give its policy."""
    page = folder / "index.html"
    page.write_text(PAGE.format(head, body), encoding="utf-8")
    write_policies(folder)
    text = page.read_text(encoding="utf-8")
    assert text.index("Content-Security-Policy") < text.index("<title>é</title>")
    return text.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]


def hash_of(text: str) -> str:
    """Name a text as a browser does."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_a_page_with_nothing_inline_allows_nothing_inline(tmp_path: Path) -> None:
    """Only what the site itself serves."""
    policy = policy_for(tmp_path, head="<script src=a.js></script>")
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'"
    )


def test_inline_scripts_and_styles_are_named_by_their_hashes(tmp_path: Path) -> None:
    """As they stand, with what would be an entity elsewhere; data is no script."""
    policy = policy_for(
        tmp_path,
        head="<style>a{b:c}</style>",
        body='<script>1 &amp;&amp; "é"\n</script><script type="application/json">{}</script>',
    )
    script = hash_of('1 &amp;&amp; "é"\n')
    assert f"script-src 'self' {script};" in policy
    assert f"style-src 'self' {hash_of('a{b:c}')};" in policy


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('<p style="color: red">a</p>', "<p style>"),
        ('<button onclick="go()">a</button>', "<button onclick>"),
        ('<a href="javascript:go()">a</a>', "<a href>"),
        ('<a href=" JavaScript:go()">a</a>', "<a href>"),
    ],
)
def test_what_no_strict_policy_allows_is_an_error(tmp_path: Path, body: str, found: str) -> None:
    """It names the page and what is wrong there."""
    with pytest.raises(PolicyError) as error:
        policy_for(tmp_path, body=body)
    assert f"index.html: {found}" in str(error.value)


def test_a_page_without_charset_is_an_error(tmp_path: Path) -> None:
    """There would be no place before everything else."""
    (tmp_path / "index.html").write_text("<title>a</title>", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"index\.html: no <meta charset>"):
        write_policies(tmp_path)


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """One policy, the same."""
    policy_for(tmp_path, body="<script>1</script>")
    once = (tmp_path / "index.html").read_bytes()
    write_policies(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == once


def test_a_folder_that_is_no_site_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one line."""
    assert command.main(["finish", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"no site was built in {tmp_path}\n"


def test_a_fault_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the page, so that no site without a policy is published."""
    (tmp_path / "index.html").write_text(PAGE.format("", "<p style=a>"), encoding="utf-8")
    monkeypatch.setattr(command, "finish", write_policies)
    assert command.main(["finish", str(tmp_path)]) == 1
    assert "index.html: <p style>" in capsys.readouterr().err
