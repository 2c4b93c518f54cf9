"""Assemble the live pages: one HTML file each, with its scripts and weights inside.

    python website/live.py OUT              all pages
    python website/live.py OUT latent       some of them

A page is a folder website/live/NAME with

    page.html   the content of <main>; its <h1> is the title, and its first <p> the description. A link
                "chapter:gan.md#objective" leads to a chapter, and "live:latent" to another page.
    page.css    optional
    page.js     and other *.js files, which come before it in alphabetical order
    data.py     optional: data() -> dict. NumPy arrays in it are stored as base64, in their own dtype, and
                scratchgen.data(key) returns them as tensors.

    files.py    optional: files() -> dict of bytes, by paths next to the page. It raises FileNotFoundError if
                they were not fetched; the page is then written without them.

The scripts of live/shared come first. The pages use no module, no fetch and no framework, so they also work
when they are opened as files; only a page with files needs a server.
"""

from __future__ import annotations

import argparse
import base64
import html
import json
import re
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
LIVE = ROOT / "website" / "live"
SHARED = LIVE / "shared"
SCRIPTS = ("base", "random", "tensor", "conv", "network", "controls", "canvas", "check")
LARGEST = 3_000_000     # bytes of a page
DTYPES = ("float16", "float32", "float64", "int32", "uint8", "int8")
CHAPTERS, HOME, OTHERS = "../docs/{}.html", "../index.html", "../live.html"


def names() -> list[str]:
    """The names of all pages."""
    return sorted(path.parent.name for path in LIVE.glob("*/page.js"))


def build(name: str, *, chapters: str = CHAPTERS, home: str = HOME) -> str:
    """The HTML of a page.

    chapters : the address of a chapter, with {} for its name
    home : the address that the header links to

    Raises ValueError for an unknown name and for a page of 3 MB or more.
    """
    if name not in names():
        raise ValueError(f"live expected the name of a page, one of {', '.join(names())}; got {name!r}")
    folder = LIVE / name
    content = (folder / "page.html").read_text(encoding="utf-8")
    own = sorted(folder.glob("*.js"), key=lambda path: (path.name == "page.js", path.name))
    page = assemble(with_links(content, chapters), page_data(name), [folder / "page.css", *own], home=home)
    if len(page.encode()) >= LARGEST:
        raise ValueError(f"the page {name} has {len(page.encode()):,} bytes; the limit is {LARGEST:,}")
    return page


def assemble(content: str, data: Mapping[str, Any], files: Sequence[Path], *, home: str = HOME) -> str:
    """The HTML of a page with this content of <main>, this data, and files after the shared ones.

    files : style sheets and scripts
    home : the address that the header links to

    Raises ValueError for a content without <h1>.
    """
    title, description = (plain_text(content, tag) for tag in ("h1", "p"))
    if not title:
        raise ValueError(f"assemble expected a content with an <h1>, got {content[:60]!r}")
    everything = [SHARED / "theme.css", *(SHARED / f"{name}.js" for name in SCRIPTS), *files]
    texts = [(path.suffix, path.read_text(encoding="utf-8")) for path in everything if path.is_file()]
    return Template((SHARED / "page.html").read_text(encoding="utf-8")).substitute(
        title=title,
        description=html.escape(html.unescape(description)),
        style="\n".join(text for suffix, text in texts if suffix == ".css"),
        home=home,
        others=OTHERS,
        content=content,
        data=json.dumps(encoded(data), separators=(",", ":")).replace("<", "\\u003c"),
        scripts="\n".join(f"<script>\n{text}</script>" for suffix, text in texts if suffix == ".js"),
    )


def plain_text(content: str, tag: str) -> str:
    """The text of the first element with this tag, without markup; empty if there is none."""
    found = re.search(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", content, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", found.group(1)).split()) if found else ""


def page_data(name: str) -> dict[str, Any]:
    """The data of a page; empty without a data.py."""
    path = LIVE / name / "data.py"
    if not path.is_file():
        return {}
    found: dict[str, Any] = runpy.run_path(str(path))["data"]()
    return found


def page_files(name: str) -> dict[str, bytes]:
    """The files of a page by their paths next to it; empty without a files.py."""
    path = LIVE / name / "files.py"
    if not path.is_file():
        return {}
    found: dict[str, bytes] = runpy.run_path(str(path))["files"]()
    return found


def with_links(content: str, chapters: str) -> str:
    """Replace the addresses chapter:NAME.md and live:NAME."""
    content = re.sub(r'href="chapter:([\w-]+)\.md', lambda m: f'href="{chapters.format(m.group(1))}', content)
    return re.sub(r'href="live:([\w-]+)"', r'href="\1.html"', content)


def encoded(value: Any) -> Any:
    """JSON of a value, in which arrays are {dtype, shape, base64}. Raises TypeError for another dtype."""
    if isinstance(value, np.ndarray):
        if value.dtype.name not in DTYPES:
            raise TypeError(f"live expected arrays of dtype {', '.join(DTYPES)}, got {value.dtype}")
        content = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
        return {
            "dtype": value.dtype.name,
            "shape": list(value.shape),
            "base64": base64.b64encode(content).decode(),
        }
    if isinstance(value, Mapping):
        return {str(key): encoded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pages to a folder."""
    parser = argparse.ArgumentParser(prog="live.py", description="assemble the live pages")
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write to")
    parser.add_argument("names", metavar="NAME", nargs="*", help="the pages; without names, all of them")
    parser.add_argument("--chapters", default=CHAPTERS, help="the address of a chapter, {} for its name")
    parser.add_argument("--home", default=HOME, help="the address that the header links to")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or names():
        try:
            page = build(name, chapters=args.chapters, home=args.home)
        except ValueError as error:
            print(f"live.py: {error}", file=sys.stderr)
            return 2
        path = args.out / f"{name}.html"
        path.write_text(page, encoding="utf-8")
        print(f"{path}  {len(page.encode()) / 1e6:.2f} MB")
        try:
            more = page_files(name)
        except FileNotFoundError as error:
            print(f"live.py: {path} needs further files: {error}", file=sys.stderr)
            continue
        for below, content in more.items():
            (args.out / below).parent.mkdir(parents=True, exist_ok=True)
            (args.out / below).write_bytes(content)
        if more:
            print(f"  and {len(more)} files next to it, {sum(map(len, more.values())) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
