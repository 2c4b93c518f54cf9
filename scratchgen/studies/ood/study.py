"""Run the whole study and write its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scratchgen import plots
from scratchgen.data import Digits
from scratchgen.data.files import write_whole
from scratchgen.data.untrusted import refusing_damage
from scratchgen.studies.chapters import fill, save_with_few_colours
from scratchgen.studies.machine import machine
from scratchgen.studies.ood.cells import FULL_EFFORT, Key, Plan, cell_of
from scratchgen.studies.ood.report import Result, read, rows_of
from scratchgen.studies.own_digits import digits_of, suffix
from scratchgen.studies.parts import Cell, Parts
from scratchgen.studies.source import shared_digits
from scratchgen.studies.workers import Workers

FOLDER = Path("runs/ood")
COMMAND = "scratchgen study ood --write-chapter"
CHAPTER, FIGURE = Path("docs/out-of-distribution.md"), Path("docs/figures/ood.png")


def detect(
    plan: Plan,
    runs: Path = FOLDER,
    results: Path = Path("results"),
    pictures: Path = Path("gallery"),
    workers: Workers = Workers(),  # noqa: B008   (frozen)
) -> Result:
    """Measure the cells that are missing, write ood.json and ood.png, and return the result.

    workers : where the cells are measured; the result does not depend on it

    With a plan other than the default, the files get another name ("ood-part"), so that the results of the
    chapter are not overwritten.
    """
    digits, cells, parts = _prepare(plan, runs)
    print(digits.source)

    def report(name: str, value: dict[str, Any], known: dict[str, Any]) -> None:
        found = ", ".join(f"{score} {value:.3f}" for score, value in value["auroc"].items())
        print(f"[{len(known)}/{len(cells)}] {name}: AUROC {found} ({value['seconds']:.1f} s)", flush=True)

    parts.measured([*cells.values()], workers, report)
    result = collect(plan, runs)
    name = file_name(plan)
    result.save(results / f"{name}.json")
    pictures.mkdir(parents=True, exist_ok=True)
    plots.save(result.figure(), pictures / f"{name}.png")
    return result


def file_name(plan: Plan) -> str:
    """The name of the result files, without the ending."""
    full = "-full" if plan.full else ""
    part = "" if plan.usual else "-part"
    return f"ood{full}{suffix(plan.data)}{part}"


def collect(plan: Plan, runs: Path) -> Result:
    """Read the saved cells. Raises ValueError, with the number of missing cells, if any are missing."""
    digits, cells, parts = _prepare(plan, runs)
    values = parts.known([*cells.values()])
    known = {key: values[cell.name] for key, cell in cells.items() if cell.name in values}
    if len(known) < len(cells):
        missing = f"{len(cells) - len(known)} of {len(cells)} cells are missing in {parts.folder}"
        raise ValueError(f"ood: {missing}; `scratchgen study ood` measures them")
    with refusing_damage(str(parts.folder), "the cells that this study measured"):
        return Result(
            source=digits.which,
            machine=machine(),
            seconds=float(sum(cell["seconds"] for cell in known.values())),
            digits=plan.digits,
            seeds=plan.seeds,
            effort=plan.effort,
            rows={protocol: rows_of(plan, protocol, known) for protocol in plan.protocols},
        )


def write_chapter(results: Path, chapter: Path = CHAPTER, figure: Path = FIGURE) -> None:
    """Put the tables of ood.json into the chapter and plot its figure.

    Raises ValueError if the chapter lacks a mark, OSError for a missing file.
    """
    result = read(results)
    text = fill(chapter.read_text(encoding="utf-8"), {"tables": result.tables()}, COMMAND)
    save_with_few_colours(plots.save(result.figure(), figure), figure)
    write_whole(chapter, text)


def _prepare(plan: Plan, runs: Path) -> tuple[Digits, dict[Key, Cell], Parts]:
    """The digits of a plan, its cells, and their files."""
    size = "full" if plan.full else "embedded"
    digits = shared_digits(digits_of(plan.data, size), plan.data, size)
    size += suffix(plan.data)
    effort = plan.effort * (FULL_EFFORT if plan.full else 1)
    cells = {key: cell_of(digits, key, effort) for key in plan.cells()}
    some: Digits = digits.value
    source = f"{size}, {len(some.x_train):,} + {len(some.x_test):,}"
    return some, cells, Parts(runs / size, digits=source)
