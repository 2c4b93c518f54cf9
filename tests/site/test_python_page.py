"""The live page that runs the library in the browser: gradient checks, and a flow that is trained."""

from __future__ import annotations

import functools
import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from website import live
from website.browser_python import files, pages, session

from .browser import NARROW, WIDE, Page, open_page


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a site with the page and its files, on this machine."""
    try:
        files.files()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("site")
    assert live.main([str(folder), "python"]) == 0
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def opened(browser: Any, address: str, size: tuple[int, int] = WIDE, dark: bool = False) -> Iterator[Page]:
    """The page, in a context that refuses every address but that of the site."""
    colours = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=colours)
    context.route(lambda url: not url.startswith((address, "data:", "blob:")), lambda route: route.abort())
    page = Page(context.new_page())
    page.page.goto(f"{address}python.html")
    yield page
    context.close()


def check(page: Page, code: str | None = None) -> tuple[str, str]:
    """Check the code of the editor, or of an argument; return the verdict and the report."""
    if code is not None:
        page.page.fill("#code", code)
    page.page.focus("#code")
    page.page.keyboard.press("Control+Enter")
    page.page.wait_for_selector("#check:enabled")
    return page.page.inner_text("#verdict"), page.page.inner_text("#report")


@pytest.mark.slow
def test_library_runs_in_the_browser(served, browser, tmp_path, monkeypatch):
    """One test, since loading Python takes seconds. It is started with the keyboard."""
    monkeypatch.chdir(tmp_path)
    with opened(browser, served) as page:
        page.page.set_default_timeout(120_000)
        page.page.focus("#start")
        page.page.keyboard.press("Enter")
        page.page.wait_for_selector("#check:enabled")
        assert "Python 3.12" in page.page.inner_text("#state")
        examples_are_checked(page)
        mistakes_are_reported(page)
        flow_learns(page)
        endless_code_is_stopped(page)
        asked = page.page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
        assert all(name.startswith((served, "blob:", "data:")) for name in asked)
        assert page.errors == []


def test_page_says_if_the_interpreter_cannot_be_loaded(served, browser):
    with opened(browser, served) as page:
        page.page.context.route("**/*.wasm.gz", lambda route: route.fulfill(status=404))
        page.page.click("#start")
        page.page.wait_for_function("document.getElementById('state').textContent.includes('wasm.gz: 404')")
        assert page.page.is_enabled("#start")


@pytest.mark.slow
def test_interpreter_may_arrive_decompressed(served, browser):
    """With the header Content-Encoding: gzip, the browser decompresses it itself."""
    content = files.files()["pyodide/pyodide.asm.wasm.gz"]
    headers = {"Content-Encoding": "gzip"}
    with opened(browser, served) as page:
        page.page.set_default_timeout(120_000)
        page.page.context.route(
            "**/*.wasm.gz", lambda route: route.fulfill(body=gzip.decompress(content), headers=headers)
        )
        page.page.click("#start")
        page.page.wait_for_selector("#check:enabled")


def examples_are_checked(page: Page) -> None:
    """The browser finds what the library finds here, and says it in the same words."""
    for i, example in enumerate(pages.data()["examples"]):
        page.page.select_option("#examples select", str(i))
        verdict, report = check(page)
        assert ("passed" in verdict) == ("correct" in example["title"])
        here = str(session.check_text(example["code"], 100)["text"])
        verdicts = [[line.split()[-1] for line in text.splitlines() if line] for text in (report, here)]
        assert verdicts[0] == verdicts[1]
    assert "every entry is half of what it should be" in " ".join(report.split())


def mistakes_are_reported(page: Page) -> None:
    assert check(page, "def f(:")[1] == "SyntaxError: invalid syntax (layer.py, line 1)\n"
    assert check(page, "x = 1")[1].startswith("found no layer")
    assert check(page, "import sys\nsys.exit(3)")[1].startswith("it called exit(3) (layer.py, line 2")


def flow_learns(page: Page) -> None:
    steps = "parseInt(document.getElementById('progress').textContent)"
    page.page.wait_for_function(f"{steps} === 0")
    page.page.focus("#train")
    page.page.keyboard.press("Space")
    page.page.wait_for_function(f"{steps} > 120")
    page.page.click("#train")
    state = page.check("state")
    assert not state["training"] and page.page.inner_text("#train") == "Train"
    assert state["best"] - 0.1 < state["recent"] < min(state["best"] + 1, state["first"])
    page.page.select_option("#settings select >> nth=0", "spirals")
    page.page.wait_for_function(f"{steps} === 0")


def endless_code_is_stopped(page: Page) -> None:
    page.page.fill("#code", "while True:\n    pass")
    page.page.click("#check")
    page.page.click("#stop")
    assert page.page.inner_text("#state") == "Python was stopped."
    assert page.page.is_enabled("#start") and page.page.is_disabled("#check")


@pytest.mark.parametrize("dark", [False, True])
def test_page_fits_a_narrow_screen(served, browser, dark):
    with opened(browser, served, NARROW, dark) as page:
        assert page.overflow() == 0 and page.errors == []
        assert "MB" in page.page.inner_text("#size")
        page.page.focus("#code")
        page.page.keyboard.press("Tab")     # the editor does not keep the keyboard
        assert page.page.evaluate("document.activeElement.id") != "code"


def test_page_says_that_it_needs_a_server(tmp_path, browser):
    path = tmp_path / "python.html"
    path.write_text(live.build("python"), encoding="utf-8")
    with open_page(browser, path) as page:
        assert "python -m http.server" in page.page.inner_text("#needs")
        assert page.page.is_disabled("#start") and page.errors == []


def test_lines_are_indented_like_the_line_before(tmp_path, browser):
    path = tmp_path / "python.html"
    path.write_text(live.build("python"), encoding="utf-8")
    with open_page(browser, path) as page:
        page.page.fill("#code", "")
        page.page.type("#code", "def f():")
        page.page.keyboard.press("Enter")
        page.page.type("#code", "return 1")
        assert page.page.input_value("#code") == "def f():\n    return 1"
