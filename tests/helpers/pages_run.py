"""Follow a how-to page: apply its edits to a copy of the repository, and run its commands there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.pages import ROOT, Block, blocks

PARTS = ("scratchgen", "tests", "docs", "demos", "tools", "results", "gallery", "benchmarks", "fuzz")
FILES = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "SECURITY.md", "CODE_OF_CONDUCT.md",
    "LICENSE", "MANIFEST.in", "Makefile", "setup.cfg", "setup.py", "pyproject.toml",
)


def copy_repository(to: Path) -> Path:
    """Copy the files that are needed to follow a page, without the caches of tools."""
    unwanted = shutil.ignore_patterns(".*", "*.egg-info")
    for name in PARTS:
        shutil.copytree(ROOT / name, to / name, ignore=unwanted)
    for name in FILES:
        shutil.copy2(ROOT / name, to / name)
    return to


def apply(block: Block, root: Path) -> None:
    """Apply the edit of one block. Raises ValueError unless the lines to edit are found exactly once."""
    assert block.path is not None
    path = root / block.path
    if block.action == "create":
        if path.exists():
            raise ValueError(f"{block.path} exists already")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    if block.action == "append":
        path.write_text(text + block.text, encoding="utf-8")
        return
    for hunk in re.split(r"^@@.*\n", block.text, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        places = [match.start() for match in re.finditer("^" + re.escape(before), text, re.MULTILINE)]
        if len(places) != 1:
            times = f"found them {len(places)} times:\n{before}"
            raise ValueError(f"expected these lines once in {block.path}, {times}")
        text = text[: places[0]] + after + text[places[0] + len(before) :]
    path.write_text(text, encoding="utf-8")


def command(line: str) -> list[str]:
    """Convert a command of a page to one for this Python, without make and without an installed script."""
    words = shlex.split(line, comments=True)
    if words[:2] == ["make", "stubs"]:
        return [sys.executable, "tools/write_stubs.py"]
    return [sys.executable, "-m", *words]


def run(words: list[str], root: Path, **environment: str) -> str:
    """Run a command in the copy, with the package of the copy; return its output."""
    variables = {**os.environ, "PYTHONPATH": str(root), "SCRATCHGEN_DATA": "", **environment}
    done = subprocess.run(words, cwd=root, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def follow(page: str, root: Path) -> dict[str, str]:
    """Follow a page from top to bottom; return the output of each of its commands."""
    printed = {}
    for block in blocks((ROOT / "docs" / page).read_text(encoding="utf-8")):
        if block.path is not None:
            apply(block, root)
        elif block.language == "sh":
            for line in block.text.splitlines():
                printed[line.partition("#")[0].strip()] = run(command(line), root)
    return printed
