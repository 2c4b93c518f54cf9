"""Markdown pages: their links, headings, and the code blocks that name a file."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(```+).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block of a how-to page: the language, the file that it belongs to, what to do, and the text.

    action : "create" (the block is the whole file), "append" (the block is added at the end of the file) or
        "edit" (the block shows lines after the change; the page describes the change)
    """

    language: str
    path: str | None
    action: str | None
    text: str


def pages(root: Path = ROOT) -> list[Path]:
    """All Markdown pages of the repository."""
    folders = ("docs", "gallery", "scratchgen", "demos", "benchmarks", "tests")
    return sorted([*root.glob("*.md"), *(path for name in folders for path in (root / name).rglob("*.md"))])


def without_code(text: str) -> str:
    """A page without code blocks, formulas and inline code, where brackets are not links."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "", _FENCE.sub("", text), flags=re.DOTALL)
    return re.sub(r"`[^`\n]*`", lambda match: "x" * len(match.group()), text)


def links(text: str) -> list[str]:
    """The targets of a page's links and images."""
    text = without_code(text)
    return re.findall(r"\]\(\s*<?([^)>\s]+)>?\s*\)", text) + re.findall(r'<img [^>]*src="([^"]+)"', text)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, in the form that GitHub uses."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", _FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number, name = 0, slug
        while name in found:
            number += 1
            name = f"{slug}-{number}"
        found.add(name)
    return found


def blocks(text: str) -> list[Block]:
    """The code blocks of a page, in order.

    A block belongs to a file if the paragraph above it ends with a line such as "Create `path`:", "Append to
    `path`:" or "Edit `path`:".
    """
    found = []
    pattern = r"(?:^(Create|Append to|Edit) `([^`]+)`[^\n]*:\n\n)?^(```+)(\w*)\n(.*?)^\3[ \t]*$"
    for verb, path, _, language, code in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
        action = verb.split()[0].lower() if verb else None
        found.append(Block(language, path or None, action, code))
    return found
