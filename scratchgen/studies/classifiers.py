"""The textbook's classifiers on all of MNIST: test errors and times, for the table of docs/discriminative.md.

    python -m scratchgen.studies.classifiers

It takes about three minutes of one core, and writes results/classifiers.json and the table.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.data import Digits, load_digits
from scratchgen.models import (
    BernoulliNaiveBayes,
    DecisionTree,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    LinearSVM,
    LogisticRegression,
    NearestNeighbours,
)
from scratchgen.models.classical.base import Classifier
from scratchgen.studies.chapters import fill
from scratchgen.studies.reproduce.record import machine
from scratchgen.training.schedules import Cosine

EPOCHS, BATCH = 10, 128     # of the SVM's run
CHAPTER, RESULTS = Path("docs/discriminative.md"), Path("results/classifiers.json")
COMMAND = "python -m scratchgen.studies.classifiers"
JOINT, CONDITIONAL = "p(x, y)", "P(y given x)"


@dataclass(frozen=True)
class Entry:
    """A classifier: its title, what it models, how it is built, and what its `fit` takes for n examples."""

    title: str
    models: str
    build: Callable[[], Classifier]
    run: Callable[[int], dict[str, Any]] = lambda n: {}


def descent(n: int) -> dict[str, Any]:
    """What the SVM's `fit` takes for n examples: a rate that falls to zero."""
    lr = Cosine(1e-3, EPOCHS * -(-n // BATCH))
    return {"epochs": EPOCHS, "batch_size": BATCH, "lr": lr, "rng": np.random.default_rng(0)}


ENTRIES = (
    Entry("naive Bayes, coins", JOINT, lambda: BernoulliNaiveBayes(threshold=0.5)),
    Entry("naive Bayes, Gaussian, smoothing 0.1", JOINT, lambda: GaussianNaiveBayes(smoothing=0.1)),
    Entry(
        "Gaussians, shared covariance, shrinkage 0.1",
        JOINT,
        lambda: GaussianDiscriminant(shrinkage=0.1),
    ),
    Entry(
        "Gaussians, a covariance each, shrinkage 0.1",
        JOINT,
        lambda: GaussianDiscriminant(shared=False, shrinkage=0.1),
    ),
    Entry("logistic regression", CONDITIONAL, LogisticRegression, lambda n: {"iterations": 100}),
    Entry("linear SVM", "a boundary", LinearSVM, descent),
    Entry("decision tree", CONDITIONAL, DecisionTree),
    Entry("5 nearest neighbours", CONDITIONAL, NearestNeighbours),
)


def measure(entry: Entry, digits: Digits) -> dict[str, Any]:
    """Fit and ask: the test error in % with its standard error, and seconds of the processor for both."""
    start = time.process_time()
    model = entry.build().fit(digits.x_train, digits.y_train, **entry.run(len(digits.x_train)))
    fitted = time.process_time()
    error = 1 - model.score(digits.x_test, digits.y_test)
    asked = time.process_time()
    return {
        "classifier": entry.title,
        "models": entry.models,
        "test error, %": round(100 * error, 2),
        "standard error": round(100 * float(np.sqrt(error * (1 - error) / len(digits.x_test))), 2),
        "seconds to learn": round(fitted - start, 1),
        "seconds to answer": round(asked - fitted, 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| | models | error in test | to learn | to answer |", "|---|---|---|---|---|"]
    for row in rows:
        title, models, error, spread, learn, answer = row.values()
        said = f"{error:.2f} ± {spread:.2f} % | {learn:.1f} s | {answer:.1f} s"
        lines.append(f"| {title} | {models} | {said} |")
    return "\n".join(lines)


def main() -> None:
    """Measure all, write the results and fill the chapter."""
    digits = load_digits("full")
    print(digits.source)
    rows = []
    for entry in ENTRIES:
        rows.append(measure(entry, digits))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    found = {"digits": digits.which, "machine": machine(), "classifiers": rows}
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = fill(CHAPTER.read_text(encoding="utf-8"), {"classifiers": table(rows)}, COMMAND)
    CHAPTER.write_text(text, encoding="utf-8")
    print(f"{RESULTS} is written, {CHAPTER} has the table")


if __name__ == "__main__":
    main()
