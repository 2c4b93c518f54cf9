"""Pages in headless Chromium: errors of the console, the results of their functions, screenshots.

Playwright for Python drives a Chromium that is installed already (Debian: apt install chromium). The variable
CHROMIUM names another one. Tests that need it are skipped where one of the two is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# Keeps the frames of an animation that have been requested in the set `waiting`.
COUNT_FRAMES = """() => {
  const ask = window.requestAnimationFrame, cancel = window.cancelAnimationFrame;
  window.waiting = new Set();
  window.requestAnimationFrame = (f) => {
    const id = ask((t) => { window.waiting.delete(id); f(t); });
    if (f.name === "frame") window.waiting.add(id);
    return id;
  };
  window.cancelAnimationFrame = (id) => { window.waiting.delete(id); cancel(id); };
}"""
WIDE, NARROW = (1280, 900), (360, 740)


def chromium() -> str:
    """The path of Chromium. Skips the test if there is none, or no playwright."""
    pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt install chromium, or set CHROMIUM to its path")
    return path


@contextmanager
def running_browser() -> Iterator[Any]:
    """A headless browser that loads nothing from the network."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


class Page:
    """An open page, with everything that went wrong since it was opened.

    errors : messages of errors and warnings in the console, of uncaught exceptions, and failed requests
    page : the page of playwright
    """

    def __init__(self, page: Any):
        self.page, self.errors = page, []
        page.on("console", self._add_message)
        page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        page.on("requestfailed", lambda request: self.errors.append(f"not loaded: {request.url[:200]}"))

    def _add_message(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def open(self, path: Path) -> None:
        """Load a file, and wait until it has been drawn once."""
        self.page.goto(path.resolve().as_uri())
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def check(self, name: str, /, **inputs: Any) -> Any:
        """The result of a function of a live page (live/shared/check.js). Tensors become arrays."""
        return decoded(self.page.evaluate("([n, x]) => scratchgenCheck(n, x)", [name, plain(inputs)]))

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        script = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        width: int = self.page.evaluate(script)
        return width

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """Save a picture of the page, or of what the screen shows."""
        self.page.screenshot(path=str(path), full_page=whole)


@contextmanager
def open_page(
    browser: Any, path: Path, size: tuple[int, int] = WIDE, *, dark: bool = False, **options: Any
) -> Iterator[Page]:
    """Open a file in a window of the given size, in light or dark colours.

    options : of playwright's new_context, such as has_touch=True
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", **options
    )
    page = Page(context.new_page())
    page.open(path)
    yield page
    context.close()


def plain(value: Any) -> Any:
    """Arrays as nested lists, for the arguments of a page's function."""
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def decoded(value: Any) -> Any:
    """{"shape", "data"} of a page's function as arrays."""
    if isinstance(value, dict):
        if value.keys() == {"shape", "data"}:
            return np.array(value["data"], float).reshape(value["shape"])
        return {key: decoded(entry) for key, entry in value.items()}
    return [decoded(entry) for entry in value] if isinstance(value, list) else value
