"""`python -m scratchgen.anomaly` puts the tables of a finished `scratchgen anomaly` into docs/anomaly.md."""

from __future__ import annotations

from pathlib import Path

from scratchgen.anomaly import FOLDER, collect
from scratchgen.anomaly.cells import Plan
from scratchgen.anomaly.report import fill

CHAPTER = Path("docs/anomaly.md")

if __name__ == "__main__":
    found = collect(Plan(), FOLDER)
    CHAPTER.write_text(fill(CHAPTER.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(f"{CHAPTER} has the tables of {len(found.cells)} cells")
