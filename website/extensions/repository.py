"""Links from chapters to files of the repository, and one page for each file of code.

Equation numbers in comments and docstrings link to the equation in its chapter.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from website.places import IN_BRACKETS, NUMBER, ROOT, find_places

PLAIN = re.compile(r'<span class="(?:n|p|w|o|nn|mi|mf)">(.*?)</span>')    # shown like text without a class
FOLDERS = ("scratchgen", "demos", "tests", "benchmarks", "tools", "fuzz", "docs/figures")
SHOWN = (".py", ".css", ".md")
SINGLE = ("CITATION.cff", "setup.cfg", "Makefile")
RAW = ("results",)          # copied as they are


def files(root: Path = ROOT) -> list[str]:
    """The files that have a page, as paths from the root of the repository."""
    found = [
        path.relative_to(root).as_posix()
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.suffix in SHOWN and "__pycache__" not in path.parts
    ]
    return sorted([*found, *SINGLE])


@functools.cache
def paths() -> frozenset[str]:
    return frozenset(files())


def page_of(path: str) -> str:
    """The name of the page of a file or folder, without ".html"."""
    return f"code/{path}" if (ROOT / path).is_file() else f"code/{path}/index"


class FileLinks(SphinxPostTransform):
    """Resolve relative links of Markdown files that lead to other files of the repository."""

    default_priority = 5        # before MyST resolves its links

    def run(self, **_: Any) -> None:
        docname = self.env.current_document.docname
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node.get("reftype") != "myst" or node.get("refdomain") == "doc":
                continue
            url = self.url(docname, node["reftarget"])
            if url:
                reference = nodes.reference("", "", *node.children, refuri=url, internal=True)
                node.replace_self(reference)

    def url(self, docname: str, target: str) -> str | None:
        there = ((ROOT / docname).parent / target.partition("#")[0]).resolve()
        if not there.exists() or not there.is_relative_to(ROOT) or target.startswith("#"):
            return None
        path = there.relative_to(ROOT).as_posix()
        if path.split("/")[0] in RAW:
            return "../" * docname.count("/") + path
        if path in ("docs", "gallery"):
            return self.app.builder.get_relative_uri(docname, f"{path}/README")
        return self.app.builder.get_relative_uri(docname, page_of(path))


def collect_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file and for each folder."""
    shown = files()
    folders: dict[str, set[str]] = {}
    for path in shown:
        parts = path.split("/")
        for n in range(1, len(parts)):
            folders.setdefault("/".join(parts[:n]), set()).add("/".join(parts[: n + 1]))
    for path in shown:
        yield page_of(path), context(path, _file_body(path, app.builder), app.builder), "code.html"
    for folder, inside in folders.items():
        name = page_of(folder)
        items = "".join(
            f'<li><a href="{app.builder.get_relative_uri(name, page_of(path))}">'
            f"{path.rpartition('/')[2]}{'/' if path in folders else ''}</a></li>"
            for path in sorted(inside, key=lambda path: (path not in folders, path))
        )
        about = _about(ROOT / folder / "__init__.py")
        body = f'<p>{html.escape(about)}</p><ul class="files">{items}</ul>'
        yield name, context(folder, body, app.builder), "code.html"


def context(path: str, body: str, builder: Any) -> dict[str, Any]:
    """What the template needs. It has no sidebar, so its tree of pages is left empty, which is faster."""
    return {"title": path, "body": body, "crumbs": _crumbs(path, builder), "toctree": lambda **_: ""}


def _about(path: Path) -> str:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.match(r'"""(.*?)(?:\n\n|""")', text, re.DOTALL)
    return found[1].strip() if found else ""


def _crumbs(path: str, builder: Any) -> list[tuple[str, str]]:
    """(name, address) of each folder above a file or folder, and its own name without an address."""
    parts, here = path.split("/"), page_of(path)
    above = ["/".join(parts[:n]) for n in range(1, len(parts))]
    return [
        *((folder.rpartition("/")[2], builder.get_relative_uri(here, page_of(folder))) for folder in above),
        (parts[-1], ""),
    ]


def highlighted(text: str, name: str) -> list[str]:
    """The lines of a file, as HTML. Names, operators and numbers have no span: half the size."""
    try:
        lexer = get_lexer_for_filename(name, stripnl=False, ensurenl=True)
    except ValueError:
        return html.escape(text).split("\n")
    marked = highlight(text, lexer, HtmlFormatter(nowrap=True))
    return PLAIN.sub(r"\1", marked).rstrip("\n").split("\n")


def link_numbers(line: str, page: str, builder: Any) -> str:
    """A highlighted line in which the number of each equation is a link to the chapter."""
    chapter = find_places().chapter

    def linked(number: re.Match[str]) -> str:
        if number[0] not in chapter:
            return number[0]
        url = builder.get_relative_uri(page, chapter[number[0]])
        return f'<a class="equation-number" href="{url}#eq-{number[0]}">{number[0]}</a>'

    return IN_BRACKETS.sub(lambda group: re.sub(NUMBER, linked, group[0]), line)


def _file_body(path: str, builder: Any) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    page = page_of(path)
    rows = []
    for n, line in enumerate(highlighted(text, path), 1):
        content = link_numbers(line, page, builder)
        rows.append(f'<span id="L{n}">{content}\n</span>')
    return f'<div class="highlight code-page" tabindex="0"><pre>{"".join(rows)}</pre></div>'


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(FileLinks)
    app.connect("html-collect-pages", collect_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
