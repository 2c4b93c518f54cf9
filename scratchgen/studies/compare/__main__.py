"""`python -m scratchgen.studies.compare` puts a finished `scratchgen compare` into docs/comparison.md."""

from __future__ import annotations

from pathlib import Path

from scratchgen.studies.compare.chapter import update

CHAPTER, FIGURE = Path("docs/comparison.md"), Path("docs/figures/compare.png")

if __name__ == "__main__":
    update(Path("results/compare.json"), Path("gallery/compare.png"), CHAPTER, FIGURE)
    print(f"{CHAPTER} has the tables and the picture of results/compare.json")
