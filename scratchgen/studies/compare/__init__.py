"""The four families side by side: one split of the digits, one budget of time, one judge.

    scratchgen compare                  60 seconds of training for each of seven models, then all measures
    scratchgen compare --seconds 10     shorter
    scratchgen compare --full           on all 60,000 training digits
    python -m scratchgen.studies.compare        puts what was measured into docs/comparison.md

Each number says of which kind it is, and two likelihoods that can't be compared are never printed side by
side: compare/likelihood.py. What comes out is discussed in docs/comparison.md. Where BLAS has several
threads, the time of all of them counts: set OPENBLAS_NUM_THREADS=1 for figures that don't depend on how many.
"""

from __future__ import annotations

from pathlib import Path

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.studies.compare.families import FAMILIES, SPACES, train
from scratchgen.studies.compare.measures import Ruler, Split
from scratchgen.studies.compare.report import Comparison
from scratchgen.studies.digit_classifier import trained_judge
from scratchgen.studies.reproduce.record import machine

SECONDS = 60.0


def run(
    seconds: float = SECONDS,
    full: bool = False,
    results: Path = Path("results"),
    pictures: Path = Path("gallery"),
) -> int:
    """Train, measure, print the tables; write compare.json and compare.png. Return the exit code.

    Another budget or the full set gives the files another name ("compare-full-60-seconds"), so that the
    comparison of the chapter stays what it is.

    Raises ValueError for seconds that are not above 0.
    """
    if not seconds > 0:
        raise ValueError(f"compare expected seconds > 0, got {seconds:g}")
    name = "compare" + "-full" * full + f"-{seconds:g}-seconds" * (seconds != SECONDS)
    digits = load_digits("full" if full else "embedded")
    print(digits.source)
    ruler = Ruler(Split.of(digits), trained_judge(digits))
    measured = []
    for family in FAMILIES:
        print(f"{family.name}: {seconds:g} seconds", flush=True)
        trained = train(family, ruler.split.train, ruler.split.held_out, seconds)
        measured.append(ruler.measure(family, trained))
    comparison = Comparison(
        digits.which,
        seconds,
        machine(),
        tuple(measured),
        {space: ruler.true_digits(space) for space in SPACES},
        {space: ruler.beside(space) for space in SPACES},
        ruler.expected,
    )
    print("", *comparison.tables().values(), "", sep="\n\n")
    pictures.mkdir(parents=True, exist_ok=True)
    print(plots.save(comparison.picture(), pictures / f"{name}.png"), "is drawn")
    print(comparison.save(results / f"{name}.json"), "is written")
    return 0
