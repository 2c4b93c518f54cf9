"""Put the sources of the site into one folder: copies of Markdown files, and generated pages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from website import demo_pages, literate, notebooks, reference
from website.places import reading_list

FIGURES = (".png", ".svg", ".gif", ".webp")


def stage(root: Path, folder: Path, live: Iterable[Path] = (), made: Sequence[Path] = ()) -> None:
    """Write everything that Sphinx reads to `folder`. Files that have not changed keep their times.

    live : the live pages
    made : the notebooks of the chapters
    """
    wanted = {path: path.read_bytes() for path in markdown_files(root)}
    files = {path.relative_to(root).as_posix(): content for path, content in wanted.items()}
    for path in made:
        page = f"docs/{path.stem}.md"
        files[page] = notebooks.with_download(files[page].decode(), path.stem).encode()
    for path in sorted((root / "docs" / "figures").iterdir()):
        if path.suffix in FIGURES:
            files[path.relative_to(root).as_posix()] = path.read_bytes()
    files |= demo_pages.pictures()
    files |= {name: text.encode() for name, text in generated(root, live, made).items()}
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


def generated(root: Path, live: Iterable[Path], made: Iterable[Path]) -> Mapping[str, str]:
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


def live_index(live: Iterable[Path]) -> str:
    """The page that lists the live pages, with the title and the first paragraph of each."""
    lines = [
        "# Live pages",
        "Each page runs in the browser, without a network. Everything on it is computed by the page itself, "
        "from weights and recordings made by the library.\n",
    ]
    for path in live:
        text = path.read_text(encoding="utf-8")
        title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
        about = re.search(r"<main.*?<p[^>]*>(.*?)</p>", text, re.DOTALL)
        name = title[1].partition("·")[0].strip() if title else path.stem
        first = " ".join(re.sub(r"<[^>]+>", "", about[1]).split()) if about else ""
        lines.append(f'- <a class="reference internal" href="live/{path.name}">{name}</a>: {first}')
    return "\n".join(lines) + "\n"
