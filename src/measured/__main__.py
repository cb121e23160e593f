"""`python -m measured`: run the blocks of a site, serve it, show or draw a figure."""

import argparse
import logging
import math
import sys
from pathlib import Path

from measured.errors import FenceError, StoreError
from measured.serving import ROUNDS, serve


def positive(text: str) -> int:
    """Read a number of rounds.

    Raises:
        ValueError: If it is not 1 or more.
    """
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def duration(text: str) -> float:
    """Read a duration, as 90s, 10m or 2h.

    Raises:
        ValueError: If it is none.
    """
    sizes = {"s": 1, "m": 60, "h": 3600}
    if text[-1:] not in sizes:
        raise ValueError(text)
    return float(text[:-1]) * sizes[text[-1]]


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="python -m measured", description=__doc__)
    top.add_argument(
        "--config", type=Path, default=Path("mkdocs.yml"), help="the site's configuration"
    )
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run what is missing, up to a number of rounds")
    run.add_argument(
        "--rounds",
        type=positive,
        default=ROUNDS,
        help=f"rounds of each figure, {ROUNDS} unless told",
    )
    run.add_argument(
        "--only", default="", metavar="PATH", help="pages whose path begins so, as threads/"
    )
    run.add_argument(
        "--budget",
        type=duration,
        default=math.inf,
        metavar="TIME",
        help="begin no further round after so long, as 90s or 10m; the next run goes on from there",
    )
    show = commands.add_parser("show", help="print what is known of blocks")
    show.add_argument(
        "names", nargs="*", metavar="BLOCK", help="ids of blocks; all figures if none is given"
    )
    serve = commands.add_parser("serve", help="serve the site at once, and measure beside it")
    serve.add_argument("arguments", nargs="*", help="further arguments of mkdocs serve, after --")
    draw = commands.add_parser("draw", help="write the figure of a block as an SVG file")
    draw.add_argument("name", metavar="BLOCK", help="the block's id")
    draw.add_argument("file", type=Path, metavar="FILE", help="the file to write")
    write = commands.add_parser("export", help="write all that was measured as one JSON document")
    write.add_argument("file", type=Path, metavar="FILE", help="the file to write")
    diff = commands.add_parser("diff", help="set two such documents side by side")
    diff.add_argument("ours", type=Path, metavar="OURS")
    diff.add_argument("theirs", type=Path, metavar="THEIRS")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    asked = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mkdocs").setLevel(logging.INFO)
    try:
        if asked.command == "serve":
            return serve(asked.config, asked.arguments, ROUNDS)
        from measured.commands import follow  # noqa: PLC0415 - MkDocs is to start without

        return 1 if follow(asked) else 0
    except (StoreError, FenceError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was measured is kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
