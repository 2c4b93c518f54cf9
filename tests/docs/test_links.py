"""Links of pages resolve, and paths and commands that pages and docstrings name exist."""

import re
from pathlib import Path

import pytest
from helpers.pages import ROOT, anchors, blocks, links, pages

PAGES = pages()
PATH = re.compile(
    r"(?<![\w/.-])((?:scratchgen|docs|demos|tests|benchmarks|tools|fuzz)/[\w./-]*\.(?:py|md|png|svg|json))\b"
)
HOW_TO = ("docs/add-a-layer.md", "docs/add-a-model.md")     # they name files that a reader will make


def resolves(page: Path, target: str) -> bool:
    """Whether a relative link leads to a file of the repository, and to a heading if it names one."""
    name, _, anchor = target.partition("#")
    there = (page.parent / name).resolve() if name else page
    if not there.exists() or ROOT not in (there, *there.parents):
        return False
    return not anchor or (there.suffix == ".md" and anchor in anchors(there.read_text(encoding="utf-8")))


def broken_links(page: Path, text: str) -> list[str]:
    """The relative links of a page that do not resolve."""
    return [t for t in links(text) if not re.match(r"[a-z]+:", t) and not resolves(page, t)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_resolve(page):
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_broken_links_are_found():
    page = ROOT / "docs" / "README.md"
    text = "[a](nowhere.md) [b](../README.md#no-such-heading) [c](../README.md) [d](#chapters) `[e](f.md)`"
    assert broken_links(page, text) == ["nowhere.md", "../README.md#no-such-heading"]


def made_by_the_reader():
    """The files that the how-to pages ask the reader to create."""
    return {
        block.path
        for name in HOW_TO
        for block in blocks((ROOT / name).read_text(encoding="utf-8"))
        if block.action == "create"
    }


def test_paths_that_texts_name_exist():
    """Checked are pages, and docstrings, comments and messages of code. FAMILY and NAME match any name."""
    folders = ("scratchgen", "demos", "benchmarks", "fuzz", "tools")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    made = made_by_the_reader()
    missing = [
        f"{file.relative_to(ROOT)} names {path}"
        for file in [*PAGES, *sources]
        for path in PATH.findall(file.read_text(encoding="utf-8"))
        if not re.search(r"\b(?:FAMILY|NAME)\b", path) and not (ROOT / path).exists() and path not in made
    ]
    assert not missing, "\n" + "\n".join(missing)


def test_anchors_are_those_of_github():
    text = "# A & B\n## Nats, bits/dim\n## `p.grad`\n## Twice\n## Twice\n```\n# no heading\n```\n"
    assert anchors(text) == {"a--b", "nats-bitsdim", "pgrad", "twice", "twice-1"}
