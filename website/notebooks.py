"""A notebook for each chapter: its text, and its own code blocks as cells.

A code block becomes a cell if it can run by itself, that is, if it needs no name from outside. Tests run the
same blocks. The other blocks are sketches of code, and stay in the text. After the block of a training curve,
one cell is added that prints and plots the curve. `python website/run_notebooks.py OUT` runs the cells.
"""

from __future__ import annotations

import ast
import base64
import builtins
import functools
import html
import io
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

import scratchgen
from website.places import reading_list

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "notebooks"                # of the files on the site
BRANCH = "main"
WIDTH, COLOURS = 640, 64            # of pictures in a notebook
RUN = re.compile(r"^```python\n(.*?)^```[ \t]*\n", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(?=#{2,6} )", re.MULTILINE)
FOLD = re.compile(r"^</?details>\n+|\s*^</details>\n", re.MULTILINE)
QUESTION = re.compile(r"^<summary>(.*?)</summary>$", re.MULTILINE)
MATH_BLOCK = re.compile(r"^```math\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
# Fences, formulas and inline code, in which nothing is changed; pictures; links
PARTS = re.compile(
    r"^(?P<fence>```+).*?^(?P=fence)[ \t]*$|\$\$.*?\$\$"
    r"|!\[(?P<alt>[^\]]*)\]\((?P<picture>[^)\s]+)\)"
    r"|\[(?P<text>(?:`[^`\n]*`|[^\]`])*)\]\((?P<target>[^)\s]+)\)"
    r"|`[^`\n]+`|\$[^$\n]+\$",
    re.MULTILINE | re.DOTALL,
)
CURVE = """from scratchgen import plots

print("epochs 1, 5 and 20")
figure = plots.new_figure(2.8, title="{title}")
for n, (name, values) in enumerate(curves.items(), 1):
    print(f"{{name}}: " + ", ".join(f"{{values[epoch - 1]:.4g}}" for epoch in (1, 5, 20)))
    ax = figure.add_subplot(1, len(curves), n, title=name, xlabel="epoch")
    ax.plot(range(1, len(values) + 1), values)
figure"""


@functools.cache
def names() -> tuple[str, ...]:
    """The chapters with code that can run, in reading order."""
    return tuple(name for name in reading_list(ROOT)[0] if any(map(runs_alone, RUN.findall(chapter(name)))))


@functools.cache
def chapter(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def title_of(name: str) -> str:
    return chapter(name).partition("\n")[0].removeprefix("# ")


def runs_alone(code: str) -> bool:
    """Whether a code block is Python and defines every name that it uses, apart from builtins."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:
        return False
    found = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in found if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    bound |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return {node.id for node in found} <= bound | set(dir(builtins))


def notebook(name: str) -> Any:
    """The notebook of a chapter, without outputs. For the links between chapters, see `link`."""
    import nbformat
    from nbformat import v4

    cells = [v4.new_markdown_cell(introduction(name))]
    for kind, text in pieces(chapter(name).partition("\n")[2]):
        if kind == "code":
            cells.append(v4.new_code_cell(text.rstrip("\n")))
            if re.search(r"\bcurves\b", text):
                cells.append(v4.new_code_cell(CURVE.format(title=title_of(name))))
        else:
            attachments: dict[str, Any] = {}
            source = convert(text, name, attachments)
            extra = {"attachments": attachments} if attachments else {}
            cells.append(v4.new_markdown_cell(source, **extra))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"       # not random, so that the same chapter gives the same file
    made = v4.new_notebook(cells=cells)
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.validate(made)
    return made


def introduction(name: str) -> str:
    """The title, where the text comes from, and how to install what the cells need."""
    page = f"docs/{name}.md"
    address = repository()
    source = f"[{page}]({address}/blob/{BRANCH}/{page})" if address else f"`{page}`"
    return (
        f"# {title_of(name)}\n\n"
        f"This is the chapter {source} of scratchgen {scratchgen.__version__} as a notebook. All its cells "
        "were run in order. To run them yourself, install the library:\n\n"
        "```sh\npython -m pip install scratchgen\n```\n\n"
        "In a checkout, use `python -m pip install -e .`. A line that ends with a comment such as `# 0.25` "
        "prints the numbers in the comment."
    )


def repository() -> str:
    """The address of the repository, as for a release (see setup.py); empty if it is not known."""
    return os.environ.get("SCRATCHGEN_URL", "").rstrip("/")


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """("text", section or part of it) and ("code", block that is run), in order."""
    end = 0
    for found in RUN.finditer(text):
        if runs_alone(found[1]):
            yield from (("text", part) for part in sections(text[end : found.start()]))
            yield "code", found[1]
            end = found.end()
    yield from (("text", part) for part in sections(text[end:]))


def sections(text: str) -> Iterator[str]:
    """The parts of a text that are not empty; each begins with a heading, or with a question."""
    text = FOLD.sub("", QUESTION.sub(r"#### \1", text))
    starts = [0, *outside_of_code(text), len(text)]
    parts = (text[a:b].strip() for a, b in zip(starts, starts[1:], strict=False))
    return (part for part in parts if part)


def outside_of_code(text: str) -> list[int]:
    """Where headings begin. A comment in a code block is not a heading."""
    code = [found.span() for found in PARTS.finditer(text) if found["fence"]]
    starts = (found.start() for found in HEADING.finditer(text))
    return [start for start in starts if not any(a <= start < b for a, b in code)]


def convert(text: str, name: str, attachments: dict[str, Any]) -> str:
    """Text for a cell: formulas between dollars, links that work, pictures in the cell's attachments."""

    def changed(found: re.Match[str]) -> str:
        if found["picture"] is not None:
            return picture(ROOT / "docs" / found["picture"], found["alt"], attachments)
        if found["target"] is not None:
            return link(found["text"], found["target"], name)
        return found[0]

    return PARTS.sub(changed, MATH_BLOCK.sub(lambda block: f"$$\n{block[1]}$$", text))


def link(text: str, target: str, name: str) -> str:
    """A link as Markdown, or its text alone if the target has no address, as in the README of a release."""
    path, _, anchor = target.partition("#")
    if re.match(r"[a-z]+:", target):
        return f"[{text}]({target})"
    if not path:
        return f"[{text}](#{jupyter_anchor(anchor, name)})"
    if repository():
        there = posixpath.normpath(posixpath.join("docs", path))
        return f"[{text}]({repository()}/blob/{BRANCH}/{there}{'#' * bool(anchor)}{anchor})"
    if path.removesuffix(".md") in names():
        return f"[{text}]({path.removesuffix('.md')}.ipynb)"
    return text


def jupyter_anchor(anchor: str, name: str) -> str:
    """The anchor that Jupyter gives to a heading, from the anchor that a code host gives to it.

    Raises ValueError if the chapter has no such heading.
    """
    for heading in re.findall(r"^#{1,6} (.+)$", chapter(name), re.MULTILINE):
        if re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") == anchor:
            return str(heading.replace("`", "").replace(" ", "-"))
    raise ValueError(f"{name}.md has no heading for the link to #{anchor}")


def picture(path: Path, alt: str, attachments: dict[str, Any]) -> str:
    """Markdown of a picture that is part of the notebook. Jupyter does not show SVG files as attachments."""
    if path.suffix == ".svg":
        data = base64.b64encode(path.read_bytes()).decode()
        return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'
    attachments[path.name] = {"image/png": base64.b64encode(smaller(path)).decode()}
    return f"![{alt}](attachment:{path.name})"


@functools.cache
def smaller(path: Path) -> bytes:
    """A picture as PNG, at most WIDTH pixels wide, with a palette."""
    with Image.open(path) as image:
        size = (min(WIDTH, image.width), round(image.height * min(1, WIDTH / image.width)))
        copy = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    copy.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


# The page on the site
def index(files: Iterable[Path]) -> str:
    """The page that lists the notebooks, as Markdown."""
    lines = [
        "# Notebooks",
        "Each chapter with code is also a notebook: its text, its code blocks as cells, and their outputs. "
        "Building the site runs all cells. The notebooks need scratchgen, and no other files.",
    ]
    rows = ["| chapter | notebook | size |", "|---|---|---|"]
    for path in files:
        address = f'<a class="reference internal" href="{path.name}" download>{path.name}</a>'
        size = f"{max(1, round(path.stat().st_size / 1000))}\u00a0kB"
        rows.append(f"| [{title_of(path.stem)}](../docs/{path.stem}.md) | {address} | {size} |")
    if len(rows) > 2:
        lines.append("\n".join(rows))
    return "\n\n".join(lines) + "\n"


def with_download(text: str, name: str) -> str:
    """A chapter with a link to its notebook below its title, for the site."""
    title, _, rest = text.partition("\n")
    address = f"../{FOLDER}/{name}.ipynb"
    inside = f'<a class="reference internal" href="{address}" download>Download as notebook</a>'
    return f'{title}\n\n<p class="notebook">{inside}</p>\n{rest}'
