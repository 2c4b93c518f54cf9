"""A browser for all tests of this folder, the built site, and what the browser finds on its pages."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.pages import ROOT

from .browser import WIDE, chromium, running_browser
from .every_page import Findings, names_of_pages, visit


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; the test is skipped where it cannot be started."""
    with running_browser() as running:
        yield running


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site: SCRATCHGEN_SITE, or site/ in the checkout."""
    folder = Path(os.environ.get("SCRATCHGEN_SITE") or ROOT / "site").resolve()
    if not (folder / "index.html").exists():
        pytest.skip(f"{folder} has no site; build it with make site")
    return folder


@pytest.fixture(scope="session")
def findings(site: Path) -> Findings:
    """What Chromium finds on all pages of the site."""
    return visit(site, names_of_pages(site), chromium())


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """An empty page of playwright, 1280 pixels wide."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    yield context.new_page()
    context.close()
