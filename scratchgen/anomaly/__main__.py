"""`python -m scratchgen.anomaly` puts the tables of a finished `scratchgen anomaly` into docs/anomaly.md."""

from __future__ import annotations

from pathlib import Path

from scratchgen.anomaly import FOLDER, collect
from scratchgen.anomaly.cells import Plan
from scratchgen.chapters import fill

CHAPTER = Path("docs/anomaly.md")

if __name__ == "__main__":
    found = collect(Plan(), FOLDER)
    tables = {"tables": found.tables()}
    text = fill(CHAPTER.read_text(encoding="utf-8"), tables, "python -m scratchgen.anomaly")
    CHAPTER.write_text(text, encoding="utf-8")
    print(f"{CHAPTER} has the tables of {len(found.cells)} cells")
