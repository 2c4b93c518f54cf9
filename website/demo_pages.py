"""The gallery of the site: an index with thumbnails, a page for each demo, and downloads.

The pages show recorded runs (website/recorded), because running all demos takes more than an hour, and the
site is built in minutes. sphinx-gallery is not used: it takes outputs and figures from scripts that it runs
itself, and without running them (plot_gallery=False) its pages and thumbnails are empty. It has no setting
for outputs that were recorded before. `python website/record_demos.py NAME` records a demo.
"""

from __future__ import annotations

import ast
import functools
import html
import io
import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from PIL import Image

from scratchgen.cli.demo import Demo, find_demos, usual_times
from scratchgen.cli.demo_record import Record, digest, read_records

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "website" / "recorded"
FIGURES = ROOT / "docs" / "figures"
FOLDER = "demos"                    # of the pages on the site
THUMBNAIL = (320, 200)              # pixels
SPECIAL = re.compile(r"([\\`*_$<>\[\]{}|#])")
LOAD = """from scratchgen.cli.demo import find_demos, load

load(find_demos()["{name}"])    # finds the folder of demos, in a checkout too"""


@functools.cache
def all_demos() -> Mapping[str, Demo]:
    return find_demos([ROOT / "demos"])


@functools.cache
def all_records() -> Mapping[str, Record]:
    return read_records(RECORDED, all_demos())


def figures_of(name: str) -> list[Path]:
    """The figures of a demo: those of its record, or the one in docs/figures, or none."""
    record = all_records().get(name)
    names = [f"{name}.png"] if record is None else record.figures
    found = [next((p for p in (RECORDED / n, FIGURES / n) if p.is_file()), None) for n in names]
    return [path for path in found if path is not None]


def pages() -> dict[str, str]:
    """The index and the page of each demo, as Markdown, by file name."""
    made = {f"{FOLDER}/{name}.md": page(demo, all_records().get(name)) for name, demo in all_demos().items()}
    return {f"{FOLDER}/index.md": index(), **made}


def pictures() -> dict[str, bytes]:
    """The recorded pictures that the pages show, by file name. Those in docs/figures are there already."""
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sorted(RECORDED.glob("*.webp"))}


def plain_text(text: str) -> str:
    """Text without the marks of Markdown."""
    return SPECIAL.sub(r"\\\1", text)


def index() -> str:
    """The page with a thumbnail of each demo, by family."""
    lines = [
        "# Gallery",
        "Each demo is a short script that shows one claim. Its page has the figure, the printed numbers and "
        "the command of a recorded run.",
    ]
    if len(all_records()) < len(all_demos()):
        lines.append(
            f"{len(all_records())} of {len(all_demos())} demos are recorded so far. The other pages show the "
            "figure of the chapter, if there is one."
        )
    titles = family_titles()
    for family, demos in groupby(all_demos().values(), key=lambda demo: demo.family):
        cards = "\n".join(card(demo) for demo in demos)
        lines += [f"## {titles[family]}", f'<ul class="demo-cards">\n{cards}\n</ul>']
    return "\n\n".join(lines) + "\n"


def family_titles() -> dict[str, str]:
    """The heading of each family in gallery/README.md, by the name of its folder."""
    text = (ROOT / "gallery" / "README.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return {family: title for title, body in sections for family in re.findall(r"\.\./demos/(\w+)/", body)}


def card(demo: Demo) -> str:
    """A demo on the index: its thumbnail, its claim and its usual time."""
    size = 'width="{}" height="{}"'.format(*THUMBNAIL)
    shown = '<span class="no-picture">no figure yet</span>'
    if figures_of(demo.name):
        shown = f'<img src="thumbnails/{demo.name}.webp" alt="" role="presentation" {size} loading="lazy">'
    time = usual_times([ROOT / "demos"]).get(demo.name, "")
    return (
        f'<li><a class="reference internal" href="{demo.name}.html">{shown}{html.escape(demo.claim)}</a> '
        f'<span class="usual-time">{html.escape(time)}</span></li>'
    )


def page(demo: Demo, record: Record | None) -> str:
    """The page of one demo."""
    head, _, rest = demo.docstring.partition("\n\n")
    source = f"[demos/{demo.family}/{demo.name}.py]({demo.family}/{demo.name}.py)"
    parts = ["---\norphan: true\n---", f"# {plain_text(head)}"]
    for path in figures_of(demo.name):
        parts.append(f"![{plain_text(f'Figure of the demo {demo.name}: {head}')}](../{relative(path)})")
    if record is None and figures_of(demo.name):
        parts.append("This is the figure of the chapter.")
    parts += [paragraph(text) for text in rest.split("\n\n") if text.strip()]
    parts.append("## Run it")
    parts.append(block(record.command if record else f"scratchgen demo {demo.name}", "sh"))
    links = " or as a ".join(
        f'<a class="reference internal" href="downloads/{demo.name}.{ending}" download>{kind}</a>'
        for ending, kind in (("py", "script"), ("ipynb", "notebook"))
    )
    parts.append(f"Read the source, {source}, or download it as a {links}. Both need scratchgen.")
    parts.append("## Recorded run")
    parts.append("Not yet recorded." if record is None else run_of(demo, record))
    return "\n\n".join(parts) + "\n"


def run_of(demo: Demo, record: Record) -> str:
    """What a recorded run printed, and how it was run."""
    changed = "" if record.script == digest(demo.path) else "The script has changed since this run.\n\n"
    rows = "\n".join(f"| {key} | {plain_text(text)} |" for key, text in record.about().items())
    return f"{changed}{block(record.printed, 'text')}\n\n| | |\n|---|---|\n{rows}"


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def paragraph(text: str) -> str:
    """A paragraph of a docstring; one with indented lines, such as a formula, keeps its lines."""
    if any(line.startswith(" ") for line in text.splitlines()):
        return block(text, "text")
    return plain_text(" ".join(text.split()))


def block(text: str, language: str) -> str:
    return f"````{language}\n{text}\n````"


# Files beside the pages


def files() -> dict[str, bytes]:
    """Thumbnails and downloads, by their names on the site."""
    made: dict[str, bytes] = {}
    for name, demo in all_demos().items():
        made[f"{FOLDER}/downloads/{name}.py"] = script(demo).encode()
        made[f"{FOLDER}/downloads/{name}.ipynb"] = notebook(demo).encode()
        for path in figures_of(name)[:1]:
            made[f"{FOLDER}/thumbnails/{name}.webp"] = thumbnail(path)
    return made


def thumbnail(path: Path) -> bytes:
    """The upper part of a picture, as a small WebP."""
    width, height = THUMBNAIL
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small = small.resize((width, round(small.height * width / small.width)), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", THUMBNAIL, "white")
    canvas.paste(small.crop((0, 0, width, min(height, small.height))), (0, 0))
    out = io.BytesIO()
    canvas.save(out, "WEBP", quality=70, method=6)
    return out.getvalue()


def absolute(demo: Demo, text: str) -> str:
    """The code with imports that do not depend on the folder of the file."""
    levels = {".": f"scratchgen.demos.{demo.family}", "..": "scratchgen.demos"}

    def named(found: re.Match[str]) -> str:
        return f"from {'.'.join(filter(None, (levels[found[1]], found[2])))} import"

    return re.sub(r"^from (\.\.?)([\w.]*) import", named, text, flags=re.MULTILINE)


def code_parts(demo: Demo) -> tuple[str, list[str]]:
    """The docstring of a script, as it is written, and its code: the imports, and a part per function."""
    text = demo.path.read_text(encoding="utf-8")
    lines, body = text.splitlines(), ast.parse(text).body
    starts = []
    for node in body[1:]:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        alone = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If) or not starts
        starts += [first] if alone else []
    bounds = [*starts, len(lines) + 1]
    end = body[0].end_lineno or 1
    parts = ["\n".join(lines[a - 1 : b - 1]).strip("\n") for a, b in zip(bounds, bounds[1:], strict=False)]
    return "\n".join(lines[:end]), [absolute(demo, part) for part in parts]


def script(demo: Demo) -> str:
    """A script that runs from any folder."""
    docstring, parts = code_parts(demo)
    return "\n\n".join([docstring, LOAD.format(name=demo.name), "\n\n\n".join(parts)]) + "\n"


def notebook(demo: Demo) -> str:
    """A notebook with a cell for the imports and one for each function, which ends by running the demo."""
    import nbformat
    from nbformat import v4

    _, parts = code_parts(demo)
    head, _, rest = demo.docstring.partition("\n\n")
    run = 'from pathlib import Path\n\nfrom IPython.display import Image\n\nresults = main(Path("."))'
    cells = [
        v4.new_markdown_cell(f"# {plain_text(head)}\n\n{rest}\n\nThis notebook needs scratchgen."),
        *(v4.new_code_cell(part) for part in (LOAD.format(name=demo.name), *parts[:-1], run)),
        v4.new_code_cell('Image(filename=str(results["figure"]))'),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"       # not random, so that the same demo gives the same file
    made = v4.new_notebook(cells=cells)
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.validate(made)
    return str(nbformat.writes(made))
