"""`python -m handbook finish SITE`: what is done to a built site before it is published."""

import argparse
import sys
from pathlib import Path

from mkdocs.utils.yaml import yaml_load

from handbook.archive import write_archive
from handbook.build_changes import write_build_changes
from handbook.cards import write_cards
from handbook.contents import built_pages
from handbook.copies import write_copies
from handbook.feed import write_feed
from handbook.last_changes import write_last_changes
from handbook.markdown_pages import write_markdown
from handbook.search_index import write_search_index
from handbook.security_policy import PolicyError, write_policies

__all__ = ["finish", "main"]

CONFIG = Path("mkdocs.yml")


def finish(site: Path) -> None:
    """Do each task to a built site, in order; safe to do twice.

    Raises:
        PolicyError: If a page holds what its policy forbids.
    """
    with CONFIG.open(encoding="utf-8") as text:
        config = yaml_load(text)
    name, home = config["site_name"], config.get("site_url") or ""
    home = home and home.rstrip("/") + "/"
    write_last_changes(site, Path())
    write_build_changes(site, Path(".measured", "builds"))
    write_copies(site, Path(), home)
    pages = list(built_pages(site, config["nav"]))
    write_cards(site, pages, name)
    write_markdown(site, pages, name, config["site_description"])
    write_search_index(site, pages)
    write_feed(site, Path("CHANGELOG.md"), name, home)
    write_policies(site)  # it counts what the others wrote
    write_archive(site)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m handbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("finish", help="finish a site that MkDocs or Zensical built")
    asked.add_argument("site", type=Path, metavar="SITE", help="the folder of the built site")
    site: Path = parser.parse_args(arguments).site
    if not (site / "index.html").is_file():
        print(f"no site was built in {site}", file=sys.stderr)
        return 1
    try:
        finish(site)
    except PolicyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
