"""The front page has a template of its own."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def choose_template(app: Sphinx, name: str, template: str, context: Any, doctree: Any) -> str | None:
    return "front.html" if name == app.config.root_doc else None


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", choose_template)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
