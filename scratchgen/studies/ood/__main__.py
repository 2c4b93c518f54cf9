"""`python -m scratchgen.studies.ood` puts the tables of a finished run into docs/anomaly.md."""

from __future__ import annotations

from pathlib import Path

from scratchgen.studies.chapters import fill
from scratchgen.studies.ood import FOLDER, collect
from scratchgen.studies.ood.cells import Plan

CHAPTER = Path("docs/anomaly.md")

if __name__ == "__main__":
    found = collect(Plan(), FOLDER)
    tables = {"tables": found.tables()}
    text = fill(CHAPTER.read_text(encoding="utf-8"), tables, "python -m scratchgen.studies.ood")
    CHAPTER.write_text(text, encoding="utf-8")
    print(f"{CHAPTER} has the tables of {len(found.cells)} cells")
