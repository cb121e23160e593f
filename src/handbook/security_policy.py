"""Write into each page a Content-Security-Policy that names what the page may load and run."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

__all__ = ["PolicyError", "policy_of", "without_policy", "write_policies"]

META = '<meta http-equiv="Content-Security-Policy" content="{}">'
WRITTEN = re.compile(re.escape(META).replace(r"\{\}", '[^"]*') + r"\s*")
CHARSET = re.compile(r"""<meta charset=["']?utf-8["']?\s*/?>\s*""", re.IGNORECASE)
SCRIPTS = {"", "module", "text/javascript", "importmap", "speculationrules"}
"""Types of scripts that a browser runs or follows; others are data."""


class PolicyError(Exception):
    """Pages hold what a strict policy forbids."""


@dataclass
class Page(HTMLParser):
    """What a page holds that a policy speaks about.

    Attributes:
        scripts: The text of each inline script.
        styles: The text of each inline style sheet.
        forbidden: Style attributes and event handlers, as they stand.
    """

    scripts: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    _inside: list[str] | None = None

    def __post_init__(self) -> None:
        """Set the parser up."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read a tag."""
        values = {name: value or "" for name, value in attrs}
        self.forbidden += [
            f"<{tag} {name}>"
            for name, value in values.items()
            if name == "style"
            or name.startswith("on")
            or value.strip().lower().startswith("javascript:")
        ]
        if tag == "style":
            self._inside = self.styles
        elif tag == "script" and "src" not in values and values.get("type", "") in SCRIPTS:
            self._inside = self.scripts

    def handle_data(self, data: str) -> None:
        """Read the text of a script or a style sheet."""
        if self._inside is not None:
            self._inside.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave a script or a style sheet."""
        if tag in {"script", "style"}:
            self._inside = None


def hashes(texts: list[str]) -> str:
    """Name texts as a policy does, each once."""
    digests = sorted({hashlib.sha256(text.encode()).digest() for text in texts})
    return "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def policy_of(page: Page) -> str:
    """Write the policy of a page."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self'{hashes(page.scripts)}",
            f"style-src 'self'{hashes(page.styles)}",
            "img-src 'self' data:",
            "connect-src 'self'",
            "font-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
        )
    )


def without_policy(text: str) -> str:
    """Take the policy off a page that has one."""
    return WRITTEN.sub("", text)


def write_policies(site: Path) -> None:
    """Write its policy into each page of a built site.

    Args:
        site: The folder of the built site.

    Raises:
        PolicyError: If a page has a style attribute, an event handler or no `<meta charset>`.
    """
    faults = []
    for path in sorted(site.rglob("*.html")):
        text = without_policy(path.read_text(encoding="utf-8"))
        page = Page()
        page.feed(text)
        page.close()
        charset = CHARSET.search(text)
        if page.forbidden or charset is None:
            found = ", ".join(dict.fromkeys(page.forbidden)) or "no <meta charset>"
            faults.append(f"{path.relative_to(site).as_posix()}: {found}")
            continue
        head, tail = text[: charset.end()], text[charset.end() :]
        path.write_text(
            f"{head}{META.format(policy_of(page))}\n{tail}", encoding="utf-8", newline="\n"
        )
    if faults:
        raise PolicyError("no strict policy fits these pages:\n" + "\n".join(faults))
