"""One training step, here and in PyTorch, as ratios: make bench

First all contenders are shown to compute the same loss and the same gradients (float64, within 1e-9). Then
each runs in a process of its own, in alternation, a few steps at a time, so that a change in the machine's
speed meets all of them. A round's time is the median of its steps; the table has the median over rounds, and
the ratio of theirs to ours is taken round by round, with its quartiles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
from contenders import CONTENDERS

from scratchgen.reproduce.record import machine

HERE = Path(__file__).parent
MODEL, BATCH = "autoencoder 784-400-20-400-784", 128
ROUNDS, STEPS = 25, 20


class Worker:
    """A contender's process."""

    def __init__(self, name: str, threads: int):
        count = str(threads)
        env = os.environ | {"OPENBLAS_NUM_THREADS": count, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
        command = [sys.executable, str(HERE / "worker.py"), name, str(BATCH)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        self.answer()

    def ask(self, order: str) -> str:
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a contender ended early, with code {self.process.wait()}")
        return line

    def time(self, steps: int) -> float:
        return float(np.median(json.loads(self.ask(f"time {steps}"))))


def same_gradients(workers: dict[str, Worker]) -> float:
    """The largest relative difference between any contender's loss and gradients and ours."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, worker) in enumerate(workers.items()):
            path = Path(folder) / f"{i}.npz"
            worker.ask(f"gradients {path}")
            with np.load(path) as saved:
                found[name] = [saved[key] for key in saved.files]
    own = found["scratchgen"]
    differences = [
        np.abs(a - b).max() / np.abs(b).max()
        for arrays in found.values()
        for a, b in zip(arrays, own, strict=True)
    ]
    return float(np.max(differences))       # Python's max would drop a NaN


def versions() -> dict[str, str]:
    """Of what was measured; our own stands with the machine."""
    return {name: metadata.version(name) for name in ("torch", "numpy", "numba")}


def main() -> None:
    threads = os.cpu_count() or 1
    workers = {name: Worker(name, threads) for name in CONTENDERS}
    difference = same_gradients(workers)
    print(f"same loss and gradients in float64: largest relative difference {difference:.1e}")
    if not difference <= 1e-9:
        raise SystemExit("the contenders do not compute the same")
    rounds = {name: [] for name in workers}
    for _ in range(ROUNDS):
        for name, worker in workers.items():
            rounds[name].append(worker.time(STEPS))
    own = np.array(rounds["scratchgen"])
    print(f"{MODEL}, batch {BATCH}, {threads} threads, {ROUNDS} rounds of {STEPS} steps")
    print(f"{'':28}{'ms':>8}   theirs / ours (quartiles)")
    rows = []
    for name, times in rounds.items():
        ratio = np.array(times) / own
        low, middle, high = np.percentile(ratio, [25, 50, 75])
        print(f"{name:28}{np.median(times):8.2f}   {middle:.2f} ({low:.2f} to {high:.2f})")
        ms = float(np.median(times))
        rows.append({"contender": name, "ms": ms, "ratio": middle, "spread": [low, high]})
    for worker in workers.values():
        worker.process.stdin.close()
        worker.process.wait()
    where = {"machine": machine(), "versions": versions()}
    result = where | {"model": MODEL, "batch": BATCH, "threads": threads, "steps": rows}
    Path("results").mkdir(exist_ok=True)
    Path("results/bench.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
