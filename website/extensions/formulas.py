"""Formulas: KaTeX in the browser, and an anchor with links for each numbered equation.

A display formula with \\tag{BN.6} becomes a block with the id eq-BN.6. Its number is a link to itself;
below it are links to the line of code that computes it and to the test.
"""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from website.extensions import repository
from website.places import TAG, Place, find_places


class MathFences(SphinxTransform):
    """Code blocks with the language "math" are display formulas, as on a code host."""

    default_priority = 300

    def apply(self, **_: Any) -> None:
        for node in list(self.document.findall(nodes.literal_block)):
            if node.get("language") == "math":
                node.replace_self(nodes.math_block(node.rawsource, node.astext(), number=None, label=None))


def visit_math(translator: Any, node: nodes.math) -> None:
    translator.body.append(f'<span class="tex">{html.escape(node.astext())}</span>')
    raise nodes.SkipNode


def visit_math_block(translator: Any, node: nodes.math_block) -> None:
    builder = translator.builder
    translator.body.append(equation_html(node.astext(), builder.current_docname, builder))
    raise nodes.SkipNode


def equation_html(tex: str, page: str, builder: Any, anchor: bool = True) -> str:
    """A display formula; with its number, an anchor, and links to code and test, if it has a tag."""
    tag = TAG.search(tex)
    formula = html.escape(TAG.sub("", tex).strip())
    inner = f'<div class="tex display" tabindex="0">{formula}</div>'
    if not tag:
        return f'<div class="equation">{inner}</div>\n'
    number = tag[1]
    own = f' id="eq-{number}"' if anchor else ""
    home = f"#eq-{number}"
    return (
        f'<div class="equation numbered"{own} data-number="{number}">{inner}'
        f'<div class="about"><a class="number" href="{home}" title="Link to this equation">({number})</a>'
        f"{_links(number, page, builder)}</div></div>\n"
    )


def _links(number: str, page: str, builder: Any) -> str:
    places = find_places()
    parts = []
    for word, found in (("code", places.code.get(number)), ("test", places.tests.get(number))):
        if found:
            url = builder.get_relative_uri(page, repository.page_of(found[0].path)) + f"#L{found[0].line}"
            parts.append(f'<a href="{url}" title="{_describe(found[0])}">{word}</a>')
    return " ".join(parts)


def _describe(place: Place) -> str:
    return f"{place.path}, line {place.line}" + (f", {place.name}" if place.name else "")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(MathFences)
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
