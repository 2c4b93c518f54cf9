"""Measure the test errors and times of the classifiers on MNIST, for docs/discriminative.md.

    scratchgen study classifiers                   about three minutes of one core
    scratchgen study classifiers --write-chapter   put saved results into the chapter
    scratchgen study classifiers --data fashion-mnist   measure them on other images
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.data.files import write_json, write_whole
from scratchgen.data.records import read_json
from scratchgen.data.untrusted import refusing_damage
from scratchgen.studies.cards import TimedClassifier, cards
from scratchgen.studies.chapters import fill, grid
from scratchgen.studies.machine import machine
from scratchgen.studies.own_digits import digits_of, suffix
from scratchgen.studies.parts import Cell, Parts
from scratchgen.studies.source import shared_digits
from scratchgen.studies.workers import BuiltOnce, Workers

COMMAND = "scratchgen study classifiers --write-chapter"
CHAPTER, RESULTS = Path("docs/discriminative.md"), Path("results/classifiers.json")
RUNS = Path("runs/classifiers")


def entries() -> tuple[TimedClassifier, ...]:
    """The classifiers in the cards of all families."""
    return tuple(entry for card in cards().values() for entry in card.classifiers)


def measure(entry: TimedClassifier, digits: Digits) -> dict[str, Any]:
    """The test error in % with its standard error, and processor seconds of fitting and of predicting."""
    start = time.process_time()
    model = entry.build().fit(digits.x_train, digits.y_train, **entry.settings)
    fitted = time.process_time()
    error = 1 - model.score(digits.x_test, digits.y_test)
    predicted = time.process_time()
    return {
        "classifier": entry.title,
        "models": entry.models,
        "test error, %": round(100 * error, 2),
        "standard error": round(100 * float(np.sqrt(error * (1 - error) / len(digits.x_test))), 2),
        "seconds to fit": round(fitted - start, 1),
        "seconds to predict": round(predicted - fitted, 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    cells = []
    for row in rows:
        title, models, error, spread, fit, predict = row.values()
        cells.append((title, models, f"{error:.2f} ± {spread:.2f} %", f"{fit:.1f} s", f"{predict:.1f} s"))
    return grid(("", "models", "test error", "fit", "predict"), cells)


def file(data: str = "") -> Path:
    """The file of the results: results/classifiers.json for MNIST."""
    return RESULTS.with_stem(RESULTS.stem + suffix(data))


def run(
    results: Path | None = None,
    runs: Path = RUNS,
    data: str = "",
    workers: Workers = Workers(),  # noqa: B008   (frozen)
) -> list[dict[str, Any]]:
    """Measure all classifiers on the full set, write the results, and return the rows.

    data : other images of 28 x 28 in the place of MNIST, a path as for load_dataset
    runs : folder in which the rows are kept until all are measured. If a study is killed, the next one
        continues with these rows. Earlier results are kept until the new ones are complete
    workers : where the classifiers are measured
    """
    digits = shared_digits(digits_of(data), data)
    which = digits.value.which
    print(digits.value.source)
    parts = Parts(runs.with_name(runs.name + suffix(data)), digits=which, machine=machine())
    cells = [Cell(entry.title, partial(_measured, digits, entry.title)) for entry in entries()]
    found = parts.measured(
        cells, workers, lambda name, row, known: print(table([row]).splitlines()[-1], flush=True)
    )
    rows = [*found.values()]
    write_json(results or file(data), {"digits": which, "machine": machine(), "classifiers": rows})
    parts.remove()
    return rows


def _measured(digits: BuiltOnce, title: str) -> dict[str, Any]:
    (entry,) = (entry for entry in entries() if entry.title == title)
    return measure(entry, digits.value)


def write_chapter(results: Path = RESULTS, chapter: Path = CHAPTER) -> None:
    """Put the table of the results into the chapter."""
    with refusing_damage(str(results), f"the results of `{COMMAND}`"):
        made = {"classifiers": table(read_json(results)["classifiers"])}
    write_whole(chapter, fill(chapter.read_text(encoding="utf-8"), made, COMMAND))
