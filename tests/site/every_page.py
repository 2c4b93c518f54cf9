"""Opens every page of the built site in headless Chromium and reports what is wrong with each."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .browser import FLAGS, NARROW

TABS, SCREEN = 3, {"width": NARROW[0], "height": NARROW[1]}
NOTED = ("error", "warning")
PATIENCE, TRIES = 30_000, 3      # milliseconds that a page may take, on a machine that may be busy

INSPECT = Path(__file__).with_name("inspect.js").read_text(encoding="utf-8")


@dataclass
class Findings:
    """What was found, by page: ids and links of each, and problems of each kind."""

    ids: dict[str, set[str]] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, page: str, texts: Iterable[str]) -> None:
        self.problems.setdefault(kind, []).extend(f"{page}: {text}" for text in texts)

    def broken_links(self, site: Path) -> list[str]:
        """The links to files or anchors of the site that do not exist."""
        prefix, found = f"file://{site}/", []
        for page, links in self.links.items():
            for link in dict.fromkeys(links):
                if link.startswith(("http:", "https:", "mailto:", "javascript:", "blob:", "data:")):
                    continue
                path, _, anchor = unquote(link).partition("#")
                name = path.removeprefix(prefix).partition("?")[0]
                if not path.startswith(prefix) or not (site / name).is_file():
                    found.append(f"{page}: {link}")
                elif anchor and name in self.ids and anchor not in self.ids[name]:
                    found.append(f"{page}: {name} has no anchor {anchor}")
        return found


def names_of_pages(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def visit(site: Path, names: Sequence[str], chromium: str) -> Findings:
    """Open each page at a width of 360 pixels, in light and in dark colours.

    A thread of its own runs the tabs, because the playwright of other tests has an event loop in this one.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(_visit(site, names, chromium))).result()


async def _visit(site: Path, names: Sequence[str], chromium: str) -> Findings:
    from playwright.async_api import TimeoutError, async_playwright

    findings, waiting = Findings(), list(reversed(names))
    with tempfile.TemporaryDirectory() as profile:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=chromium, args=list(FLAGS), viewport=SCREEN
            )

            context.set_default_timeout(PATIENCE)
            _listen(context, findings)

            async def work() -> None:
                tab = None
                while waiting:
                    name = waiting.pop()
                    for left in reversed(range(TRIES)):
                        tab = tab or await context.new_page()
                        try:
                            await _inspect(tab, site, name, findings)
                            break
                        except TimeoutError:
                            if not left:
                                raise
                            await tab.close()
                            tab = None

            await asyncio.gather(*(work() for _ in range(TABS)))
            await context.close()
    return findings


def _listen(context: Any, findings: Findings) -> None:
    """Note the messages and requests of all tabs."""

    def note(kind: str, tab: Any, text: str) -> None:
        findings.add(kind, tab.url.rpartition("/site/")[2] if tab else "", [text])

    context.on("console", lambda m: note("console", m.page, m.text) if m.type in NOTED else None)
    context.on("weberror", lambda error: note("console", error.page, str(error.error)))
    context.on("requestfailed", lambda request: note("resources", request.frame.page, request.url))
    context.on("request", lambda r: note("network", r.frame.page, r.url) if "http" in r.url[:4] else None)


async def _inspect(tab: Any, site: Path, name: str, findings: Findings) -> None:
    for scheme in ("light", "dark"):
        await tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        if scheme == "light":
            await tab.goto(f"file://{site}/{name}")
        found = await tab.evaluate(INSPECT)
        findings.add("contrast", f"{name}, {scheme}", found["contrast"])
    findings.ids[name], findings.links[name] = set(found["ids"]), found["links"]
    findings.add("wide", name, found["wide"])
    findings.add("images", name, found["images"])
    findings.add("resources", name, found["broken"])
    findings.add("formulas", name, found["formulas"])
    findings.add("names", name, found["names"])
    twice = {one for one in found["ids"] if found["ids"].count(one) > 1}
    findings.add("ids", name, sorted(twice))
    if not found["title"] or found["language"] != "en" or not found["headings"]:
        findings.add("names", name, [f"title {found['title']!r}, language {found['language']!r}, no h1"])
