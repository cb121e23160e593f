"""The archive: pages that can be read from disk, where a folder is no page and nobody serves."""

import zipfile
from pathlib import Path

import pytest

from handbook.archive import ARCHIVE, write_archive
from handbook.search_index import INDEX
from handbook.security_policy import write_policies

PAGE = '<!doctype html><meta charset="utf-8"><title>é</title>{}'


def packed(site: Path, body: str = "") -> dict[str, str]:
    """Make a site of one page, pack it twice, and give the files in the archive."""
    (site / "index.html").write_text(PAGE.format(body), encoding="utf-8")
    write_policies(site)
    write_archive(site)
    once = (site / ARCHIVE).read_bytes()
    write_archive(site)
    assert (site / ARCHIVE).read_bytes() == once
    top = ARCHIVE.removesuffix(".zip")
    with zipfile.ZipFile(site / ARCHIVE) as archive:
        return {
            name.removeprefix(f"{top}/"): archive.read(name).decode() for name in archive.namelist()
        }


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ('<a href="a/">', '<a href="a/index.html">'),
        ('<a class="x" href="../a/b/#c">', '<a class="x" href="../a/b/index.html#c">'),
        ("<a href=a/?b>", "<a href=a/index.html?b>"),
        ('<a href=".">', '<a href="./index.html">'),
        ('<a href="../..">', '<a href="../../index.html">'),
        ('<a href="#c">', '<a href="#c">'),
        ('<a href="a/b.svg">', '<a href="a/b.svg">'),
        ('<a href="https://a.test/b/">', '<a href="https://a.test/b/">'),
        (f'<a class="x" href="../{ARCHIVE}">', '<a class="x">'),
    ],
)
def test_a_link_to_a_folder_leads_to_its_page(tmp_path: Path, link: str, leads_to: str) -> None:
    """And none to the archive; all others stay as they are, and so does the page on the site."""
    assert packed(tmp_path, link)["index.html"].endswith(leads_to)
    assert (tmp_path / "index.html").read_text(encoding="utf-8").endswith(link)


def test_no_policy_is_packed(tmp_path: Path) -> None:
    """A browser need not take a file on disk for the page's own, and would leave out all styles."""
    page = packed(tmp_path)["index.html"]

    assert page == PAGE.format("")
    assert "Content-Security-Policy" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_index_is_a_script_too(tmp_path: Path) -> None:
    """From disk nothing can be fetched."""
    (tmp_path / INDEX).parent.mkdir()
    (tmp_path / INDEX).write_text('{"docs":"é"}', encoding="utf-8")

    assert packed(tmp_path)["search/search_index.js"] == 'searchIndex={"docs":"é"}'
