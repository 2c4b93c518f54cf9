"""The reference: turns docstrings in the project's own style into reStructuredText.

The style: paragraphs with `code` in single backticks, lists of equations "(BN.1)   mean = …", indented
blocks, and lines "name : what it is" for arguments.
"""

from __future__ import annotations

import html
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from website.extensions import repository
from website.places import NUMBER, ROOT

ARGUMENT = re.compile(r"^(\*{0,2}[\w.\[\]…]+(?:, \*{0,2}[\w.\[\]…]+)*) : (.*)$")
EQUATION = re.compile(rf"^ *\({NUMBER}\)  ")
BULLET = re.compile(r"^ *(?:-|\d+\.) ")
BEFORE, AFTER = " \n'\"([{<-/:", " \n'\")]}>-/:.,;!?"     # what may stand next to ``code``
CHAPTER = re.compile(r"\bdocs/([\w-]+)\.md\b")


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    page = app.env.current_document.docname
    lines[:] = convert(lines, page, app.builder)


def convert(lines: list[str], page: str, builder: Any) -> list[str]:
    """The docstring in reStructuredText."""
    out: list[str] = []
    for block in blocks(lines):
        out += [*render(block, page, builder), ""]
    return out


def blocks(lines: list[str]) -> Iterator[list[str]]:
    """Pieces of the same kind: paragraphs, lists of equations, arguments, indented blocks."""
    block: list[str] = []
    for line in [*lines, ""]:
        begins = ARGUMENT.match(line) or EQUATION.match(line) or BULLET.match(line)
        same = block and kind(block) == kind([line])
        if block and (not line.strip() or (begins and not same and not line.startswith("    "))):
            yield block
            block = []
        if line.strip():
            block.append(line.rstrip())


def kind(block: list[str]) -> str:
    first = block[0]
    if EQUATION.match(first):
        return "equations"
    if ARGUMENT.match(first):
        return "arguments"
    if BULLET.match(first) and not first.startswith("    "):
        return "list"
    if first.startswith(" ") or any(re.search(r"\S {3,}\S", line) for line in block):
        return "preformatted"
    return "paragraph"


def render(block: list[str], page: str, builder: Any) -> list[str]:
    form = kind(block)
    if form in ("equations", "preformatted"):
        depth = min(len(line) - len(line.lstrip()) for line in block)
        text = html.escape("\n".join(line[depth:] for line in block), quote=False)
        text = repository.link_numbers(text, page, builder)
        rows = f'<pre class="docstring" tabindex="0">{text}</pre>'.split("\n")
        return [".. raw:: html", "", *(f"   {row}" for row in rows)]
    if form == "arguments":
        out = [".. rst-class:: arguments", ""]
        for line in block:
            found = ARGUMENT.match(line)
            if found:
                out += [", ".join(f"``{name}``" for name in found[1].split(", ")), f"   {inline(found[2])}"]
            else:
                out.append(f"   {inline(line.strip())}")
        return out
    if form == "list":
        return [("" if BULLET.match(line) else "  ") + inline(line.strip()) for line in block]
    return inline("\n".join(line.strip() for line in block)).split("\n")


def inline(text: str) -> str:
    """Escape what reStructuredText would interpret, and keep `code` and links to chapters."""
    parts = re.split(r"(`[^`]+`)", text)
    for n, part in enumerate(parts):
        if n % 2:
            content = part[1:-1]
            parts[n] = f"``{content}``" if content == content.strip() else rf"\`{content}\`"
            before, after = parts[n - 1], parts[n + 1]
            parts[n] = ("\\ " if before and before[-1] not in BEFORE else "") + parts[n]
            parts[n] += "\\ " if after and after[0] not in AFTER else ""
        else:
            escaped = re.sub(r"([\\*|`])", r"\\\1", part)
            escaped = re.sub(r"_(?!\w)", r"\\_", escaped)
            escaped = re.sub(r"^(-|\+|\d+\.)(?= )", r"\\\1", escaped) if n else escaped
            parts[n] = CHAPTER.sub(lambda m: f":doc:`docs/{m[1]}.md </docs/{m[1]}>`", escaped)
    return "".join(parts)


def source_line(value: Any) -> tuple[str, int] | None:
    """The file and line where a class or function is defined."""
    value = inspect.unwrap(value) if callable(value) else value
    try:
        path = inspect.getsourcefile(value)
        line = inspect.getsourcelines(value)[1]
    except (TypeError, OSError):
        return None
    name = Path(path or "/").as_posix().removeprefix(f"{ROOT.as_posix()}/")
    return (name, max(line, 1)) if name in repository.paths() else None


def add_source_links(app: Sphinx, doctree: nodes.document) -> None:
    """A link from the signature of each object to its page of code."""
    from sphinx import addnodes

    page = app.env.current_document.docname
    for signature in doctree.findall(addnodes.desc_signature):
        module, name = signature.get("module"), signature.get("fullname")
        value = sys.modules.get(module or "")
        for part in (name or "").split("."):
            value = getattr(value, part, None)
        where = source_line(value) if value is not None else None
        if where:
            url = app.builder.get_relative_uri(page, repository.page_of(where[0])) + f"#L{where[1]}"
            link = nodes.reference("", "[source]", refuri=url, internal=True, classes=["source"])
            signature += addnodes.only("", link, expr="html")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process)
    app.connect("doctree-read", add_source_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
