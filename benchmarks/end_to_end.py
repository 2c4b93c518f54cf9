"""Measure the time from a fresh process to a validation figure, against what a user would otherwise run.

    SCRATCHGEN_DATA=folder python benchmarks/end_to_end.py          all tasks, about half an hour
    SCRATCHGEN_DATA=folder python benchmarks/end_to_end.py --tasks vae pca

The tasks are in benchmarks/tasks/. The time begins when the process is started, so it includes Python, the
imports, reading MNIST, the kernels from Numba's cache, training, and validation after each epoch. It ends
when the figure is reached. Both libraries use all cores, with their default settings, and take turns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from importlib import import_module, metadata
from pathlib import Path
from statistics import median
from typing import Any

from measured import RESULTS, save_rows
from tasks import NAMES

ROUNDS = 3
PACKAGES = ("torch", "scikit-learn", "mlxtend")


def here(name: str, who: str) -> None:
    """Run a task in this process, and print a line after each epoch."""
    task, epochs = import_module(f"tasks.{name}"), 0

    def reached(figure: float) -> bool:
        nonlocal epochs
        epochs += 1
        done = figure <= task.TARGET if task.LOWER else figure >= task.TARGET
        print(json.dumps({"figure": figure, "epochs": epochs, "reached": bool(done)}), flush=True)
        return bool(done)

    getattr(task, who)(reached)


def run(name: str, who: str) -> dict[str, Any]:
    """Run a task in a fresh process; returns the seconds until the figure was reached.

    Raises SystemExit if the process ends before.
    """
    start = time.perf_counter()
    words = [sys.executable, __file__, "--here", name, who]
    with subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{") and json.loads(line)["reached"]:
                return json.loads(line) | {"seconds": time.perf_counter() - start}
    raise SystemExit(f"{name}, {who}: the process ended with code {process.returncode}, without the figure")


def measure(name: str, rounds: int) -> dict[str, Any]:
    """One row: the seconds of both, and the ratio of theirs to ours, round by round."""
    task = import_module(f"tasks.{name}")
    run(name, "ours")       # compiles the kernels, and reads the files of both into the system's cache
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for who, found in runs.items():
            found.append(run(name, who))
    ratios = sorted(b["seconds"] / a["seconds"] for a, b in zip(runs["ours"], runs["theirs"], strict=True))
    return {
        "task": task.TITLE,
        "figure": task.FIGURE,
        "target": task.TARGET,
        "against": task.THEIRS,
        "rounds": rounds,
        "ratio": median(ratios),
        "spread": [ratios[0], ratios[-1]],
        **{
            who: {key: median(one[key] for one in found) for key in ("seconds", "figure", "epochs")}
            for who, found in runs.items()
        },
        "versions": {package: metadata.version(package) for package in PACKAGES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", nargs=2, metavar=("TASK", "WHO"), help="run one task in this process")
    args = parser.parse_args()
    if args.here:
        here(*args.here)
        return
    for name in args.tasks:
        row = measure(name, args.rounds)
        low, high = row["spread"]
        seconds = f"{row['ours']['seconds']:.1f} s against {row['theirs']['seconds']:.1f} s"
        print(f"{row['task']}: {seconds}, ratio {row['ratio']:.2f} ({low:.2f} to {high:.2f})", flush=True)
        save_rows(args.out, "end_to_end", [row], ("task", "against"))


if __name__ == "__main__":
    main()
