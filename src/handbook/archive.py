"""Pack the whole site into one file that can be read from disk."""

import re
import zipfile
from pathlib import Path

from handbook.search_index import INDEX
from handbook.security_policy import without_policy

__all__ = ["ARCHIVE", "write_archive"]

ARCHIVE = "measured-concurrency.zip"
FOLDER_LINK = re.compile(r"""(?P<head>\shref=["']?)(?P<path>[^"'\s>?#]*)(?=[?#"'\s>])""")
OWN_LINK = re.compile(rf"""\shref=["']?[^"'\s>]*{re.escape(ARCHIVE)}["']?""")
OLDEST = (1980, 1, 1, 0, 0, 0)
"""The first day that the format knows: with it, the same site is the same file."""


def write_archive(site: Path) -> None:
    """Write the archive into the site.

    In it a link to a folder leads to the page in there, none to the archive itself, and no page has
    a policy.

    Args:
        site: The folder of the built site.
    """
    archive = site / ARCHIVE
    archive.unlink(missing_ok=True)
    files = [path for path in sorted(site.rglob("*")) if path.is_file()]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            data = path.read_bytes()
            if path.suffix == ".html":
                text = without_policy(data.decode())  # on disk 'self' may match nothing
                data = FOLDER_LINK.sub(with_page, OWN_LINK.sub("", text)).encode()
            name = f"{archive.stem}/{path.relative_to(site).as_posix()}"
            packed.writestr(zipfile.ZipInfo(name, OLDEST), data, zipfile.ZIP_DEFLATED)
            if path == site / INDEX:  # from disk a page can load scripts only
                script = zipfile.ZipInfo(name.removesuffix("on"), OLDEST)
                packed.writestr(script, b"searchIndex=" + data, zipfile.ZIP_DEFLATED)


def with_page(link: re.Match[str]) -> str:
    """Write a link to a folder of the site as one to its page."""
    path = link["path"]
    ours = "//" not in path and (path.endswith("/") or path.rpartition("/")[2] in {".", ".."})
    return f"{link['head']}{path.rstrip('/')}/index.html" if ours else link[0]
