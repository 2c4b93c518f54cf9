"""Correct the HTML of Sphinx for readers with assistive technology (WCAG 2, levels A and AA)."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

PARAMETERS = re.compile(r"<dl>\s*((?:<dd>(?:(?!<dl>).)*?</dd>\s*)+)</dl>", re.DOTALL)


def signature_lines(html: str) -> str:
    """The HTML with the parameters of a long signature as blocks; Sphinx makes a list without terms."""

    def blocks(found: re.Match[str]) -> str:
        lines = found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
        return f'<span class="sig-lines">{lines}</span>'

    return PARAMETERS.sub(blocks, html)


def heading_levels(html: str) -> str:
    """The HTML with a level for the captions of the sidebar, which Sphinx marks as headings without one."""
    return html.replace('role="heading"', 'role="heading" aria-level="2"')


def correct(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if 'class="sig ' in context.get("body", ""):
        context["body"] = signature_lines(context["body"])
    if context.get("furo_navigation_tree"):
        context["furo_navigation_tree"] = heading_levels(context["furo_navigation_tree"])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", correct, priority=900)     # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
