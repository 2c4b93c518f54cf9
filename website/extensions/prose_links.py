"""Links in the text of chapters: equation numbers, and the first occurrence of each glossary term."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from website.places import NUMBER, ROOT, find_places

GLOSSARY = "docs/glossary"
ENTRY = re.compile(r"^## (.+)\n\n((?:.+\n?)+)", re.MULTILINE)
INSIDE = (nodes.title, nodes.reference, nodes.literal, nodes.FixedTextElement, nodes.raw, nodes.math)
REFERENCES = ("pending_xref", "download_reference")


@functools.cache
def terms() -> dict[str, tuple[str, str]]:
    """term in lower case -> (anchor, the first sentence of its entry)."""
    text = (ROOT / f"{GLOSSARY}.md").read_text(encoding="utf-8")
    found = {}
    for term, entry in ENTRY.findall(text):
        anchor = re.sub(r"[^\w\- ]", "", term.lower()).replace(" ", "-")
        sentence = re.split(r"(?<=[.?!]) ", " ".join(entry.split()))[0].replace("`", "")
        found[term.lower()] = (anchor, sentence)
    return found


@functools.cache
def pattern() -> re.Pattern[str]:
    """An equation number, or a glossary term as a whole word, in the singular or plural."""
    longest_first = sorted(terms(), key=len, reverse=True)
    words = "|".join(re.escape(term).replace(r"\ ", r"\s+") for term in longest_first)
    number = rf"(?P<number>(?<![\w.]){NUMBER}(?![\w.]*\w))"
    return re.compile(rf"{number}|(?<![\w-])(?P<term>{words})s?(?![\w-])", re.IGNORECASE)


class ProseLinks(SphinxTransform):
    """Add the links to the text of a page of docs/, outside headings, links, code and formulas."""

    default_priority = 800

    def apply(self, **_: Any) -> None:
        docname = self.env.current_document.docname
        if not docname.startswith("docs/") or docname == "docs/README":
            return
        seen: set[str] = set() if docname != GLOSSARY else set(terms())
        for text in list(self.document.findall(nodes.Text)):
            if not any(isinstance(up, INSIDE) or up.tagname in REFERENCES for up in ancestors(text)):
                parts = list(self.parts(text, docname, seen))
                if len(parts) > 1:
                    text.parent.replace(text, parts)

    def parts(self, text: nodes.Text, docname: str, seen: set[str]) -> Iterator[nodes.Node]:
        """The text in pieces, with a link in place of each number and each new term."""
        end, plain = 0, text.astext()
        for found in pattern().finditer(plain):
            link = self.link(found, docname, seen)
            if link is not None:
                yield nodes.Text(plain[end : found.start()])
                yield link
                end = found.end()
        yield nodes.Text(plain[end:])

    def link(self, found: re.Match[str], docname: str, seen: set[str]) -> nodes.reference | None:
        if found["number"]:
            chapter = find_places().chapter.get(found["number"])
            return chapter and self.reference(docname, chapter, f"eq-{found['number']}", found[0], "eq")
        term = " ".join(found["term"].lower().split())
        if term in seen:
            return None
        seen.add(term)
        anchor, sentence = terms()[term]
        link = self.reference(docname, GLOSSARY, anchor, found[0], "term")
        link["reftitle"] = sentence
        return link

    def reference(self, docname: str, page: str, anchor: str, text: str, kind: str) -> nodes.reference:
        url = self.app.builder.get_relative_uri(docname, page) if page != docname else ""
        return nodes.reference("", text, refuri=f"{url}#{anchor}", internal=True, classes=[kind])


def ancestors(node: nodes.Node) -> Iterator[nodes.Element]:
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(ProseLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
