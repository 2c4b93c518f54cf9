"""The literate pages: sections of a chapter on the left, the code with the same numbers on the right."""

from __future__ import annotations

import functools
import html
import posixpath
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx

from website.extensions import repository
from website.literate import Page, Unit, all_pages
from website.places import IN_BRACKETS, NUMBER, ROOT, TAG, find_places

FOLDER = "literate"
BESIDE, MOST = "beside", 12     # sections that share numbers with more pages have no links to them
ADDRESS = re.compile(r'\b(href|src)="([^"]*)"')
IDENTIFIER = re.compile(r'\bid="([^"]*)"')


class Section(NamedTuple):
    """A section of a chapter without its subsections: its title, its HTML, and its equations."""

    chapter: str
    anchor: str
    body: str
    numbers: tuple[str, ...]


def sections(app: Sphinx, chapter: str) -> list[Section]:
    """The sections of a chapter that have numbered equations."""
    builder: Any = app.builder
    doctree = app.env.get_and_resolve_doctree(chapter, builder)
    builder.current_docname, builder.imgpath = chapter, "../_images"
    found = []
    for section in doctree.findall(nodes.section):
        own, numbers = own_content(section)
        if numbers:
            title = section.next_node(nodes.title)
            body = nodes.container("", *(child.deepcopy() for child in own if child is not title))
            heading = f"<h2>{html.escape(title.astext())}</h2>" if title else ""
            anchor = section["ids"][0]
            found.append(Section(chapter, anchor, heading + _render(builder, body), numbers))
    return found


def own_content(section: nodes.section) -> tuple[list[nodes.Node], tuple[str, ...]]:
    """The content of a section without its subsections, and the numbers of its equations."""
    own = [child for child in section.children if not isinstance(child, nodes.section)]
    own = [child for child in own if BESIDE not in child.get("classes", ())]
    texts = [block.astext() for child in own for block in child.findall(nodes.math_block)]
    return own, tuple(number for text in texts for number in TAG.findall(text))


def link_sections(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """A line below the title of each section that leads to the pages with its derivation beside the code."""
    if not docname.startswith("docs/"):
        return
    for section in list(doctree.findall(nodes.section)):
        numbers = set(own_content(section)[1])
        names = [page.name for page in all_pages() if numbers & set(page.numbers)]
        title = section.next_node(nodes.title)
        if not names or len(names) > MOST or title is None or title.parent is not section:
            continue
        line = nodes.paragraph("", "Beside the code: ", classes=[BESIDE])
        for n, name in enumerate(names):
            url = app.builder.get_relative_uri(docname, f"{FOLDER}/{name}")
            line += [nodes.Text(", ")] * bool(n) + [nodes.reference("", name, refuri=url, internal=True)]
        section.insert(section.index(title) + 1, line)


def _render(builder: Any, node: nodes.Element) -> str:
    return str(builder.render_partial(node)["fragment"])


def collect_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    chapters: dict[str, list[Section]] = {}
    for page in all_pages():
        for number in page.numbers:
            chapter = find_places().chapter[number]
            if chapter not in chapters:
                chapters[chapter] = sections(app, chapter)
        rows = _rows(page, chapters)
        name = f"{FOLDER}/{page.name}"
        body = "".join(_row_html(page, row, units, app.builder) for row, units in rows)
        context = {
            "title": page.name,
            "about": html.escape(page.about),
            "body": body + _rest_html(page, app.builder, bool(rows)),
            "chapters": [(row.chapter, row.anchor) for row, _ in rows][:1],
            "source": repository.page_of(page.path),
            "toctree": lambda **_: "",
        }
        yield name, context, "literate.html"


def _rows(page: Page, chapters: dict[str, list[Section]]) -> list[tuple[Section, list[Unit]]]:
    """The sections with the page's equations, each with the functions that compute them."""
    rows = []
    for chapter in dict.fromkeys(find_places().chapter[number] for number in page.numbers):
        for section in chapters[chapter]:
            shared = set(section.numbers) & set(page.numbers)
            if shared:
                rows.append((section, [unit for unit in page.units if unit.named & shared]))
    return rows


def _row_html(page: Page, section: Section, units: list[Unit], builder: Any) -> str:
    here = f"{FOLDER}/{page.name}"
    local = set(IDENTIFIER.findall(section.body))
    computed = {number for unit in units for number in unit.named}

    def moved(found: re.Match[str]) -> str:
        return f'{found[1]}="{_address(found[2], section.chapter, local)}"'

    body = ADDRESS.sub(moved, section.body)
    for number in set(section.numbers) & computed:
        permalink = f'href="#eq-{number}" title="Link to this equation"'
        body = body.replace(permalink, f'href="#code-{number}" title="To its line of code"')
    anchors: set[str] = set()
    code = "".join(unit_html(unit, here, set(section.numbers), anchors, builder) for unit in units)
    return (
        f'<section class="pair"><div class="derivation">{body}</div>'
        f'<div class="code"><div class="pane">{code}</div></div></section>'
    )


def _address(url: str, chapter: str, local: set[str]) -> str:
    """An address in a chapter, as seen from a literate page."""
    if url.startswith("#"):
        return url if url[1:] in local else f"../{chapter}.html{url}"
    if re.match(r"[a-z]+:", url):
        return url
    return "../" + posixpath.normpath(posixpath.join(posixpath.dirname(chapter), url))


@functools.cache
def highlighted_lines(path: str) -> list[str]:
    return repository.highlighted((ROOT / path).read_text(encoding="utf-8"), path)


def unit_html(unit: Unit, page: str, local: set[str], anchors: set[str], builder: Any) -> str:
    """The code of a function. Numbers in `local` link to the equation on the same page."""
    shown = highlighted_lines(unit.path)[unit.first - 1 : unit.last]
    depth = len(shown[0]) - len(shown[0].lstrip(" "))
    margin = re.compile(rf"^((?:<span[^>]*>)*) {{{depth}}}")
    at: dict[int, tuple[str, ...]] = {}
    for first, last, numbers in unit.numbers:
        at |= {line: at.get(line, ()) + numbers for line in range(first, last + 1)}
    rows = []
    for n, line in enumerate(shown, unit.first):
        numbers = at.get(n, ())
        new = [number for number in numbers if number in local and number not in anchors]
        anchors |= set(new)
        marks = "".join(f'<a class="anchor" id="code-{number}"></a>' for number in new)
        data = f' class="equation-line" data-numbers="{" ".join(numbers)}"' if numbers else ""
        content = _linked(margin.sub(r"\1", line), page, local, builder)
        rows.append(f"<span{data}>{marks}{content}\n</span>")
    address = builder.get_relative_uri(page, repository.page_of(unit.path)) + f"#L{unit.first}"
    caption = f'<a href="{address}">{unit.path.removeprefix("scratchgen/")}: {unit.name}</a>'
    return (
        f'<figure class="unit"><figcaption>{caption}</figcaption><div class="highlight" tabindex="0">'
        f"<pre>{''.join(rows)}</pre></div></figure>"
    )


def _linked(line: str, page: str, local: set[str], builder: Any) -> str:
    """A line whose equation numbers link to the equation, on this page if it is here."""
    here = IN_BRACKETS.sub(
        lambda group: re.sub(
            NUMBER,
            lambda n: f'<a class="equation-number" href="#eq-{n[0]}">{n[0]}</a>' if n[0] in local else n[0],
            group[0],
        ),
        line,
    )
    return here if here != line else repository.link_numbers(line, page, builder)


def _rest_html(page: Page, builder: Any, folded: bool) -> str:
    """The methods without equations, folded; or all of the class, if it has no equation."""
    if not page.rest:
        return ""
    code = "".join(unit_html(unit, f"{FOLDER}/{page.name}", set(), set(), builder) for unit in page.rest)
    if not folded:
        return f'<p>This class has no numbered equation.</p><div class="rest">{code}</div>'
    return f'<details class="rest"><summary>The other methods of {page.name}</summary>{code}</details>'


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", link_sections)
    app.connect("html-collect-pages", collect_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
