"""Put the sources of the site into one folder: copies of Markdown files, and generated pages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from website import demo_pages, literate, notebooks, reference
from website.places import reading_list

Live = tuple[str, str]      # the file name and the HTML of a live page
FIGURES = (".png", ".svg", ".gif", ".webp")
LINKED = re.compile(r'href="\.\./docs/([\w-]+)\.html')
SENTENCE = re.compile(r"(?<=[.?!]) ")
FIRST = ("latent.html",)    # the live pages that come first: they need no explanation


def stage(root: Path, folder: Path, live: Iterable[Path] = (), made: Sequence[Path] = ()) -> None:
    """Write everything that Sphinx reads to `folder`. Files that have not changed keep their times.

    live : the live pages
    made : the notebooks of the chapters
    """
    wanted = {path: path.read_bytes() for path in markdown_files(root)}
    pages = [(path.name, path.read_text(encoding="utf-8")) for path in live]
    files = {path.relative_to(root).as_posix(): content for path, content in wanted.items()}
    for chapter, linked in live_pages_of_chapters(pages).items():
        name = f"docs/{chapter}.md"
        files[name] = with_live_pages(files[name].decode(), linked).encode()
    for path in made:
        page = f"docs/{path.stem}.md"
        files[page] = notebooks.with_download(files[page].decode(), path.stem).encode()
    for path in sorted((root / "docs" / "figures").iterdir()):
        if path.suffix in FIGURES:
            files[path.relative_to(root).as_posix()] = path.read_bytes()
    files |= demo_pages.pictures()
    files |= {name: text.encode() for name, text in generated(root, pages, made).items()}
    for name, content in files.items():
        target = folder / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(path.iterdir()):
            shutil.rmtree(path)


def markdown_files(root: Path) -> list[Path]:
    """The pages of the repository that the site shows."""
    folders = ("docs", "gallery")
    pages = [*root.glob("*.md"), *(path for name in folders for path in (root / name).glob("*.md"))]
    return sorted(pages)


def generated(root: Path, live: Iterable[Live], made: Iterable[Path]) -> Mapping[str, str]:
    """The pages that exist only on the site, by name."""
    chapters, others = reading_list(root)
    project = sorted(path.stem for path in root.glob("*.md"))
    pages = dict(reference.pages())
    pages["literate.md"] = literate.index()
    pages |= demo_pages.pages()
    pages["live.md"] = live_index(live)
    pages[f"{notebooks.FOLDER}/index.md"] = notebooks.index(made)
    pages["index.md"] = "\n\n".join([
        "# scratchgen",
        tree("Learn", ["docs/README", *(f"docs/{name}" for name in chapters), "notebooks/index"]),
        tree("Look", ["live", "literate", "demos/index", "How to run the demos <gallery/README>"]),
        tree("Use", [f"docs/{name}" for name in others]),
        tree("Reference", ["api/index"]),
        tree("Project", project),
    ])  # fmt: skip
    return pages


def tree(caption: str, entries: Iterable[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```"])


def title_of(html: str) -> str:
    """The title of a live page, without the name of the site."""
    found = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
    return found[1].partition("·")[0].strip() if found else ""


def main_of(html: str) -> str:
    """The content of a live page, without its scripts and data."""
    return html.partition("<main")[2].partition("</main>")[0]


def live_index(live: Iterable[Live]) -> str:
    """The page that lists the live pages, with the title and the first two sentences of each."""
    lines = [
        "# Live pages",
        "Each page runs in your browser and sends nothing to a server. It computes everything itself, from "
        "weights and recordings made by the library.\n",
    ]
    for name, text in sorted(live, key=lambda page: page[0] not in FIRST):
        about = re.search(r"<p[^>]*>(.*?)</p>", main_of(text), re.DOTALL)
        first = " ".join(re.sub(r"<[^>]+>", "", about[1]).split()) if about else ""
        short = " ".join(SENTENCE.split(first)[:2])
        lines.append(f'- <a class="reference internal" href="live/{name}">{title_of(text)}</a>: {short}')
    return "\n".join(lines) + "\n"


def live_pages_of_chapters(live: Iterable[Live]) -> dict[str, list[Live]]:
    """The live pages that belong to each chapter: those with a visible link to it."""
    found: dict[str, list[Live]] = {}
    for page in live:
        seen = re.sub(r"<div hidden>.*?</div>", "", main_of(page[1]), flags=re.DOTALL)
        for chapter in dict.fromkeys(LINKED.findall(seen)):
            found.setdefault(chapter, []).append(page)
    return found


def with_live_pages(text: str, live: Iterable[Live]) -> str:
    """The Markdown of a chapter with links to live pages after its first paragraph.

    The files of the repository have no such links, because a code host shows no live pages.
    """
    title, first, rest = text.split("\n\n", 2)
    links = " ".join(f'<a class="reference internal" href="../live/{n}">{title_of(h)}</a>' for n, h in live)
    box = f'<p class="live-pages"><strong>Try it in the browser:</strong> {links}</p>'
    return "\n\n".join([title, first, box, rest])
