"""Links between pages lead somewhere, and so do the paths and the commands that pages and docstrings name."""

import re

import pytest
from helpers.pages import ROOT, anchors, blocks, links, pages

PAGES = pages()
PATH = re.compile(
    r"(?<![\w/.-])((?:scratchgen|docs|demos|tests|benchmarks|results|tools)/[\w./-]*\.(?:py|md|png|svg|json))\b"
)
HOW_TO = ("docs/add-a-layer.md", "docs/add-a-model.md")     # they name files that a reader will make
MADE_BY_COMMANDS = re.compile(r"results/.*")


def broken_links(page, text):
    """Each link of a page that leads to no file, or to no heading of a page."""
    found = []
    for target in links(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists() or ROOT not in (there, *there.parents):
            found.append(target)
        elif anchor and (there.suffix != ".md" or anchor not in anchors(there.read_text(encoding="utf-8"))):
            found.append(target)
    return found


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
    sources = [path for folder in ("scratchgen", "demos", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    made = made_by_the_reader()
    missing = [
        f"{file.relative_to(ROOT)} names {path}"
        for file in [*PAGES, *sources]
        if "tests" not in file.relative_to(ROOT).parts[:1] or file.suffix == ".md"
        for path in PATH.findall(file.read_text(encoding="utf-8"))
        if not (ROOT / path).exists() and path not in made and not MADE_BY_COMMANDS.fullmatch(path)
    ]
    assert missing == []


def test_anchors_are_those_of_github():
    text = "# A & B\n## Nats, bits/dim\n## `p.grad`\n## Twice\n## Twice\n```\n# no heading\n```\n"
    assert anchors(text) == {"a--b", "nats-bitsdim", "pgrad", "twice", "twice-1"}
