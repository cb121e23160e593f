"""The real site, built once, served, and opened in a browser."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lighthouse
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EDIT_URI = "https://example.org/owner/handbook/edit/main/docs/"
ENVIRONMENT = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "EDIT_URI": EDIT_URI, "SITE_URL": ""}


@pytest.fixture(scope="session")
def build(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Build the site strictly, into a folder of its own; the store's results are used."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=1200,
        check=False,
    )
    return folder, done


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Path:
    """Give the folder of the built site, finished; a build that only warned has one too.

    If BUILT_SITE names a folder, it is that one, as it is: what is to be published.
    """
    if built := os.environ.get("BUILT_SITE"):
        return Path(built).resolve()
    folder, _ = request.getfixturevalue("build")
    if not (folder / "index.html").exists():
        pytest.skip("the site was not built: see test_build.py")
    finish = [sys.executable, "-m", "handbook", "finish", str(folder)]
    subprocess.run(
        finish, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, timeout=120, check=True
    )
    return folder


@pytest.fixture(scope="module")
def home(site: Path) -> Iterator[str]:
    """Serve the built site on this machine alone."""
    with lighthouse.serve(site, lighthouse.Quiet) as home:
        yield home


@pytest.fixture
def open_page(browser: "Browser", home: str) -> Iterator[Callable[..., "Page"]]:
    """Give a function that opens a page of the site; none may complain or ask another host."""
    contexts, complaints = [], []

    def open_page(address: str, **settings: Any) -> "Page":  # noqa: ANN401 - Playwright's own
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{address}: {error}"))
        page.on(
            "console",
            lambda message: (
                message.type == "error" and complaints.append(f"{address}: {message.text}")
            ),
        )
        page.on(
            "request",
            lambda request: (
                request.url.startswith((home, "data:", "blob:"))
                or complaints.append(f"{address}: asks for {request.url}")
            ),
        )
        page.goto(home + address, wait_until="networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests time: the first waits for all blocks that were never run."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.timeout(1500))
