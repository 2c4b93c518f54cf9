"""Measure ConditionalGAN, InfoGAN and the objectives of GANs on MNIST, for docs/conditional-gan.md.

    scratchgen study gans                   all three tables, about two hours of one core
    scratchgen study gans conditional       one of them
    scratchgen study gans --write-chapter   put the saved results into the chapter
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.data.files import write_json, write_whole
from scratchgen.data.records import read_json
from scratchgen.data.untrusted import refusing_damage
from scratchgen.metrics.samples import FeatureClassifier, SampleMetrics
from scratchgen.studies.chapters import fill, grid
from scratchgen.studies.experiments import gan_objectives, prescribed_codes
from scratchgen.studies.machine import machine, minutes
from scratchgen.studies.own_digits import digits_of, suffix
from scratchgen.studies.parts import Cell, Parts
from scratchgen.studies.reproduce.quality import SAMPLES, sample_metrics
from scratchgen.studies.source import shared_digits, shared_metrics
from scratchgen.studies.workers import BuiltOnce, Workers
from scratchgen.training.loop import Trainer
from scratchgen.training.runs import run_saved

COMMAND = "scratchgen study gans --write-chapter"
CHAPTER, RESULTS, RUNS = Path("docs/conditional-gan.md"), Path("results"), Path("runs/gans")
SEEDS = range(5)
CONDITIONAL = {
    "convolutional, projection": prescribed_codes.conditional,
    "dense, concatenation": prescribed_codes.dense_conditional,
}
FREE = 10_000       # samples of InfoGAN whose codes are all drawn

Values = dict[str, Any]
Finish = Callable[[Trainer], Any]


@dataclass(frozen=True)
class Table:
    """One table of the chapter, and how its cells are measured.

    cells    : their names, in the order of the measurement
    epochs   : of training
    networks : a description of all settings of the networks. A cell that was measured with others is not used
    measure  : (name of a cell, digits, metrics, epochs, function that runs a trainer) -> cell
    markdown : (cells by name) -> the table
    """

    cells: tuple[str, ...]
    epochs: int
    networks: str
    measure: Callable[[str, Digits, SampleMetrics, int, Finish], Values]
    markdown: Callable[[dict[str, Values]], str]


def conditional(name: str, digits: Digits, metrics: SampleMetrics, epochs: int, finish: Finish) -> Values:
    """How many of a ConditionalGAN's samples are read as ordered. The name is that of its networks."""
    model = CONDITIONAL[name](0)
    finish(prescribed_codes.trainer(model, digits, epochs, 0, labels=True))
    asked = np.arange(SAMPLES) % 10
    samples = model.sample(SAMPLES, y=asked, rng=0)
    read = prescribed_codes.by_class(metrics.classifier.predict(samples), asked)
    return {"read as ordered": read, **gan_objectives.quality(metrics, samples)}


def informed(name: str, digits: Digits, metrics: SampleMetrics, epochs: int, finish: Finish) -> Values:
    """How well an InfoGAN's category matches the digit, and what its codes change. The name is the seed."""
    seed = int(name)
    model = prescribed_codes.informed(seed)
    finish(prescribed_codes.trainer(model, digits, epochs, seed))
    rng = np.random.default_rng(seed)
    read = model.infer_codes(digits.x_test)[:, 0].astype(int)
    matched, assigned = prescribed_codes.match(read, digits.y_test)
    c, category = prescribed_codes.with_category(model, SAMPLES, rng)
    drawn = metrics.classifier.predict(model.sample(SAMPLES, c=c, rng=rng))
    return {
        "test digits": matched,
        "samples": float((drawn == assigned[category]).mean()),
        "assigned": assigned.tolist(),
        "information": model.information(10_000, rng=rng),
        "entropy": model.entropy,
        "effects": prescribed_codes.effects(model, metrics.classifier, 2000, rng),
        **gan_objectives.quality(metrics, model.sample(FREE, rng=rng)),
    }


def objectives(name: str, digits: Digits, metrics: SampleMetrics, epochs: int, finish: Finish) -> Values:
    """The samples of a DCGAN with one objective and seed, "OBJECTIVE SEED"."""
    setting, seed = name.rsplit(" ", 1)
    return gan_objectives.run(digits, metrics, setting, epochs, int(seed), finish)


def conditional_table(cells: dict[str, Values]) -> str:
    """A row for each kind of networks."""
    rows = []
    for name, cell in cells.items():
        shares = dict(cell["read as ordered"])
        mean, worst = shares.pop("all"), min(shares, key=shares.__getitem__)
        rows.append((name, f"**{mean:.2%}**", f"{shares[worst]:.1%} ({worst})", f"{cell['Fréchet']:.1f}",
                     f"{cell['precision']:.2f}", f"{cell['recall']:.2f}", time_of([cell])))  # fmt: skip
    return grid(
        ("networks, label in D", "read as ordered", "worst digit", "Fréchet distance", "precision", "recall",
         "time of one core"), rows,
    )  # fmt: skip


def informed_table(cells: dict[str, Values]) -> str:
    """A row for each seed."""
    rows = []
    for name, cell in cells.items():
        codes = [value for code, value in cell["effects"].items() if code.startswith("continuous")]
        changes = [f"{value['slant']:+.1f} / {value['width']:+.1f}" for value in codes]
        rows.append((name, *(f"{cell[column]:.1%}" for column in ("test digits", "samples")),
                     f"{cell['information']:.2f}", *changes, f"{cell['Fréchet']:.1f}"))  # fmt: skip
    return grid(
        ("seed", "test digits matched", "samples matched", "L in nats", "c₁: slant / width",
         "c₂: slant / width", "Fréchet distance"), rows,
    )  # fmt: skip


def objectives_table(cells: dict[str, Values]) -> str:
    """A row for each objective: mean and range over the seeds."""
    rows = []
    for setting in gan_objectives.SETTINGS:
        runs = [cell for name, cell in cells.items() if name.rsplit(" ", 1)[0] == setting]
        measured = [cell for cell in runs if "Fréchet" in cell]
        columns = [spread([cell[column] for cell in measured]) for column in ("Fréchet", "worst share")]
        columns += [spread([cell[column] for cell in measured], 2) for column in ("precision", "recall")]
        if runs:
            failures = sum(bool(cell["failure"]) for cell in runs)
            rows.append((setting, *columns, f"{failures} of {len(runs)}"))
    return grid(
        ("objective", "Fréchet distance", "error of a share, points", "precision", "recall", "failures"), rows
    )


def time_of(cells: list[Values]) -> str:
    """The mean processor time of the cells that were measured without interruption."""
    seconds = [cell["seconds"] for cell in cells if cell["seconds"]]
    return minutes(float(np.mean(seconds))) if seconds else "—"


def spread(values: list[float], digits: int = 1) -> str:
    """The mean and the range as text."""
    if not values:
        return "—"
    mean, least, most = (f"{value:.{digits}f}" for value in (np.mean(values), min(values), max(values)))
    return f"{mean} ({least} to {most})"


TABLES = {
    "conditional": Table(
        tuple(CONDITIONAL), 20, repr((prescribed_codes.NETWORK, prescribed_codes.DENSE)), conditional,
        conditional_table,
    ),
    "informed": Table(
        tuple(map(str, SEEDS)), 12, repr((prescribed_codes.NETWORK, prescribed_codes.STD)), informed,
        informed_table,
    ),
    "objectives": Table(
        tuple(f"{name} {seed}" for seed in SEEDS for name in gan_objectives.SETTINGS), 5,
        repr((prescribed_codes.SMALL, gan_objectives.SETTINGS, gan_objectives.RATES)), objectives,
        objectives_table,
    ),
}  # fmt: skip


def run(
    name: str,
    results: Path = RESULTS,
    runs: Path = RUNS,
    data: str = "",
    workers: Workers = Workers(),  # noqa: B008   (frozen)
) -> dict[str, Any]:
    """Measure the cells of one table on the full set, and return them with the settings.

    data : other images of 28 x 28 in the place of MNIST, a path as for load_dataset
    workers : where the cells are measured. A worker on another machine continues a training run only if
        `runs` is in a file system that they share

    The file results/gan_NAME.json is written after each cell. The training runs and the finished cells are
    kept in `runs`, so that a study that was killed continues there. "seconds" is the processor time of a
    cell, or None if its training was continued.
    """
    table, digits = TABLES[name], shared_digits(digits_of(data), data)
    print(digits.value.source)
    metrics = shared_metrics(_metrics, digits, sample_metrics(digits.value).classifier)
    settings = {"digits": digits.value.which, "machine": machine(), "epochs": table.epochs}
    folder = (runs / f"{name}{suffix(data)}").resolve()
    networks = {"networks": table.networks}
    cells = [
        Cell(cell, partial(_measured, name, cell, digits, metrics, folder, settings | networks), networks)
        for cell in table.cells
    ]

    def report(cell: str, value: Values, known: dict[str, Values]) -> None:
        print(f"{name}, {cell}: {value}", flush=True)
        write_json(file(name, results, data), {**settings, "cells": known})

    found = Parts(folder, **settings).measured(cells, workers, report)
    write_json(file(name, results, data), {**settings, "cells": found})
    return {**settings, "cells": found}


def _measured(
    name: str, cell: str, digits: BuiltOnce, metrics: BuiltOnce, folder: Path, settings: dict[str, Any]
) -> Values:
    """Train and measure one cell. Its training is continued if its file exists."""
    path = folder / f"{cell.replace(', ', '-').replace(' ', '-')}.safetensors"
    start, continued = time.process_time(), path.is_file()
    config = {"cell": cell, **settings}
    found = TABLES[name].measure(
        cell, digits.value, metrics.value, TABLES[name].epochs,
        lambda trainer: run_saved(trainer, path, resume=continued, config=config),
    )  # fmt: skip
    return {**found, "seconds": None if continued else round(time.process_time() - start, 1)}


def _metrics(digits: Digits, classifier: FeatureClassifier) -> SampleMetrics:
    return SampleMetrics(classifier, digits.x_test, digits.y_test)


def file(name: str, results: Path = RESULTS, data: str = "") -> Path:
    """The file of the results of a table."""
    return results / f"gan_{name}{suffix(data)}.json"


def write_chapter(results: Path = RESULTS, chapter: Path = CHAPTER) -> None:
    """Put the tables of the results into the chapter. A table that is not complete says so."""
    made = {f"gans {name}": chapter_table(name, results) for name in TABLES}
    write_whole(chapter, fill(chapter.read_text(encoding="utf-8"), made, COMMAND))


def chapter_table(name: str, results: Path = RESULTS) -> str:
    """The table of the results in the file, or a line that says that there are none."""
    path = file(name, results)
    if not path.exists():
        return f"**Not measured yet:** `scratchgen study gans {name}`, {len(TABLES[name].cells)} runs."
    with refusing_damage(str(path), f"the results of `{COMMAND}`"):
        return text(name, read_json(path))


def text(name: str, found: dict[str, Any]) -> str:
    """A table, and below it a line with what was run."""
    table, cells = TABLES[name], found["cells"]
    mean = time_of([*cells.values()])
    line = f"Trained on {found['digits']}; {found['epochs']} epochs, {mean} of one core a run."
    if len(cells) < len(table.cells):
        line = f"**Not complete: {len(cells)} of {len(table.cells)} runs.** {line}"
    return f"{table.markdown(cells)}\n\n{line}"
