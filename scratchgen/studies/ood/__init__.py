"""How well models tell what is foreign: two protocols, every model, every score it has.

    scratchgen anomaly                              both protocols, ten digits, two seeds: about ten minutes
    scratchgen anomaly --protocol without --digits 1 7 --models made vae
    scratchgen anomaly --full                       on all of MNIST, and four times as long a fit

Each cell (protocol, digit, model, seed) is written to runs/anomaly/ as soon as it is measured, and a run that
was broken off goes on there. What comes out is discussed in docs/anomaly.md.
"""

from __future__ import annotations

from pathlib import Path

from scratchgen import plots
from scratchgen.data import Digits, load_digits
from scratchgen.studies.ood.cells import FULL_EFFORT, Plan, Store, measure
from scratchgen.studies.ood.report import Found
from scratchgen.studies.ood.scores import detector
from scratchgen.studies.reproduce.record import machine

FOLDER = Path("runs/anomaly")


def run(
    plan: Plan,
    runs: Path = FOLDER,
    results: Path = Path("results"),
    pictures: Path = Path("gallery"),
) -> int:
    """Measure what isn't measured yet, print the tables; write anomaly.json and anomaly.png; return 0.

    A part of the usual plan gives the files another name ("anomaly-part"), so that the figures of the chapter
    stay what they are.
    """
    digits, store = _prepare(plan, runs)
    print(digits.source)
    todo = plan.cells()
    for i, (protocol, digit, model, seed) in enumerate(todo, start=1):
        key = protocol, digit, model, seed
        if store.load(*key) is None:
            cell = measure(digits, protocol, digit, detector(model), seed, store.effort)
            store.save(cell, *key)
            found = ", ".join(f"{kind} {value:.3f}" for kind, value in cell["auroc"].items())
            place = f"[{i}/{len(todo)}] {protocol} {digit}, {model}, seed {seed}"
            print(f"{place}: AUROC {found} ({cell['seconds']:.1f} s)", flush=True)
    result = collect(plan, runs)
    print(f"\n{result.tables()}\n\n{result.seconds():.0f} seconds of the processor for {len(todo)} cells")
    name = "anomaly" + "-full" * plan.full + "-part" * (not plan.usual)
    pictures.mkdir(parents=True, exist_ok=True)
    print(plots.save(result.picture(), pictures / f"{name}.png"), "is drawn")
    print(result.save(results / f"{name}.json"), "is written")
    return 0


def collect(plan: Plan, runs: Path) -> Found:
    """What was measured before. Raises ValueError where cells are missing, saying how many."""
    digits, store = _prepare(plan, runs)
    cells = {key: store.load(*key) for key in plan.cells()}
    known = {key: cell for key, cell in cells.items() if cell is not None}
    if len(known) < len(cells):
        missing = f"{len(cells) - len(known)} of {len(cells)} cells are missing in {store.folder}"
        raise ValueError(f"anomaly: {missing}; `scratchgen anomaly` measures them")
    return Found(plan, digits.which, machine(), known)


def _prepare(plan: Plan, runs: Path) -> tuple[Digits, Store]:
    """The digits of a plan, and where its cells are kept."""
    size = "full" if plan.full else "embedded"
    digits = load_digits(size)
    effort = plan.effort * (FULL_EFFORT if plan.full else 1)
    return digits, Store(runs / size, f"{size}, {len(digits.x_train):,} + {len(digits.x_test):,}", effort)
