"""Nothing on the built site leads nowhere, and nothing is loaded from elsewhere."""

import posixpath
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

LOADING_RELATIONS = {
    "dns-prefetch",
    "icon",
    "manifest",
    "modulepreload",
    "preconnect",
    "prefetch",
    "preload",
    "stylesheet",
}
LOADING_ATTRIBUTES = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("poster", "src"),
}
IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")


@dataclass
class Page(HTMLParser):
    """What a page holds: places that links lead to, links, and addresses that it loads.

    Attributes:
        anchors: Ids and names.
        links: Targets of links.
        loaded: Scripts, styles, pictures and the like.
    """

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    _in_style: bool = False

    def __post_init__(self) -> None:
        """Set the parser up."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read a tag."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if values.get(name))
        self._in_style = tag == "style"
        if tag in {"a", "area"} and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and LOADING_RELATIONS.intersection(values.get("rel", "").split()):
            self.loaded.append(values.get("href", ""))
        for name in LOADING_ATTRIBUTES.get(tag, ()):
            if name == "srcset":
                parts = values.get(name, "").split(",")
                self.loaded += [part.split()[0] for part in parts if part.strip()]
            elif values.get(name):
                self.loaded.append(values[name])
        self.loaded += IN_STYLES.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Read what a style sheet within the page loads."""
        if self._in_style:
            self.loaded += IN_STYLES.findall(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave a style sheet."""
        self._in_style = self._in_style and tag != "style"


class Site:
    """The files of a built site."""

    def __init__(self, folder: Path) -> None:
        """Parse every page of `folder`."""
        self.folder = folder
        self.files = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        }
        self.pages = {name: self._parse(name) for name in self.files if name.endswith(".html")}
        # 404.html is served at any depth, so its addresses begin with the path of the site.
        self.prefix = self._prefix()

    def _parse(self, name: str) -> Page:
        page = Page()
        page.feed((self.folder / name).read_text(encoding="utf-8"))
        page.close()
        return page

    def _prefix(self) -> str:
        """Read the path under which the site is published off the page that is found nowhere."""
        loaded = self.pages["404.html"].loaded if "404.html" in self.pages else []
        absolute = (one.partition("assets/")[0] for one in loaded if one.startswith("/"))
        return next(absolute, "/")

    def resolve(self, address: str, origin: str) -> tuple[str, str] | None:
        """Tell which file and anchor an address means, seen from `origin`; None if elsewhere."""
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            return None
        path = unquote(parts.path)
        if path.startswith("/"):
            name = path.removeprefix(self.prefix)
        else:
            name = posixpath.join(posixpath.dirname(origin), path) if path else origin
        name = posixpath.normpath(name or ".")
        if name not in self.files:
            name = posixpath.normpath(f"{name}/index.html")
        return name, unquote(parts.fragment)

    def dead_links(self) -> list[str]:
        """List the links within the site that lead to no page or no place on it."""
        dead = []
        for origin, page in self.pages.items():
            for address in page.links:
                target = self.resolve(address, origin)
                if target is None or address == "#":
                    continue
                name, anchor = target
                anchors = self.pages[name].anchors if name in self.pages else set()
                if name not in self.files or (anchor and anchor not in anchors):
                    dead.append(f"{origin}: {address}")
        return sorted(set(dead))

    def loads(self) -> list[tuple[str, str]]:
        """List what pages and style sheets load, each with where it is named."""
        found = [(name, one) for name, page in self.pages.items() for one in page.loaded]
        for name in self.files:
            if name.endswith(".css"):
                style = (self.folder / name).read_text(encoding="utf-8")
                found += [(name, one) for one in IN_STYLES.findall(style)]
        return [(name, one) for name, one in found if not one.startswith(("data:", "#"))]

    def foreign_loads(self) -> list[str]:
        """List what is loaded from another host."""
        return sorted({f"{at}: {one}" for at, one in self.loads() if self.resolve(one, at) is None})

    def missing_loads(self) -> list[str]:
        """List what is loaded from the site, which does not have it."""
        wanted = ((at, one, self.resolve(one, at)) for at, one in self.loads())
        return sorted({f"{at}: {one}" for at, one, to in wanted if to and to[0] not in self.files})


@pytest.fixture(scope="module")
def crawled(site: Path) -> Site:
    """Parse the real site."""
    return Site(site)


def test_every_link_and_anchor_leads_somewhere(crawled: Site) -> None:
    """The dead ones are listed, with the page on which they stand."""
    assert len(crawled.pages) > 20
    assert crawled.dead_links() == []


def test_nothing_is_loaded_from_another_host(crawled: Site) -> None:
    """Scripts, styles, fonts, pictures: a reader's visit is known to nobody else."""
    assert crawled.foreign_loads() == []


def test_everything_loaded_is_there(crawled: Site) -> None:
    """No page asks for a file that the site lacks."""
    assert crawled.missing_loads() == []


def test_faults_are_reported(tmp_path: Path) -> None:
    """Each kind of fault once, beside links that are sound."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text("<h2 id='here'>Here</h2><a name='old'></a>")
    (tmp_path / "app.css").write_text(
        "@import 'gone.css'; p {background: url(data:,x) url(//fonts.test/f)}"
    )
    (tmp_path / "404.html").write_text("<img src='/base/assets/x.png'><a href='/base/a/'>a</a>")
    (tmp_path / "index.html").write_text(
        """
        <link rel="canonical" href="https://elsewhere.test/"> <link rel="stylesheet" href="app.css">
        <a href="a/#here"></a> <a href="a/index.html#old"></a> <a href="#"></a> <a href="./a"></a>
        <a href="https://elsewhere.test/x"></a> <a href="mailto:me@elsewhere.test"></a>
        <a href="b/"></a> <a href="a/#nowhere"></a> <a href="#none"></a>
        <script src="https://scripts.test/s.js"></script>
        <img srcset="one.png 1x, //pictures.test/two.png 2x">
        <p style="background: url('https://styles.test/p.png')"></p>
        <style>@import "https://styles.test/s.css";</style>
        """
    )

    faulty = Site(tmp_path)

    assert faulty.dead_links() == [
        "index.html: #none",
        "index.html: a/#nowhere",
        "index.html: b/",
    ]
    assert faulty.foreign_loads() == [
        "app.css: //fonts.test/f",
        "index.html: //pictures.test/two.png",
        "index.html: https://scripts.test/s.js",
        "index.html: https://styles.test/p.png",
        "index.html: https://styles.test/s.css",
    ]
    assert faulty.missing_loads() == [
        "404.html: /base/assets/x.png",
        "app.css: gone.css",
        "index.html: one.png",
    ]
