"""Measure data-parallel training on two MPI processes against one process with one and with two threads.

    python benchmarks/mpi.py            about three minutes; needs mpirun and mpi4py

Each is a run of `fit`. The three take turns, and the table has the median over the rounds of the time of a
step, which includes the shuffling of batches. Every process computes with one thread, except for the one with
two.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np
from measured import RESULTS, save_rows
from processes import OURS, environment

from scratchgen.training.loop import Callback

MODELS = ("autoencoder", "vae", "gan", "made", "dcgan")
BATCHES = (128, 512)
ROUNDS, EXAMPLES = 5, 4096
WAYS = {"one thread": (1, 1), "two threads": (1, 2), "two ranks": (2, 1)}       # ranks, threads of each


class Clock(Callback):
    """The time after each step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step(self, trainer, values):
        self.times.append(time.perf_counter())


def here(model: str, batch: int) -> float:
    """The median milliseconds of a step of a run in this process or these ranks."""
    module = import_module(f"steps.{model}")
    rng = np.random.default_rng(0)
    X = (rng.random((EXAMPLES, 784), np.float32) < 0.2).astype(np.float32)
    clock = Clock()
    steps = EXAMPLES // batch
    module.model("float32").fit(X, epochs=max(2, 24 // steps), rng=0, batch_size=batch, callbacks=[clock])
    return 1e3 * median(np.diff(clock.times[4:]).tolist())      # the first steps compile, and are checked


def run(model: str, batch: int, ranks: int, threads: int) -> float:
    """Start a run in new processes; returns what `here` measured."""
    words = [sys.executable, __file__, "--here", model, str(batch)]
    if ranks > 1:
        as_root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        words = ["mpirun", *as_root, "-n", str(ranks), *words, "--mpi"]
    env = environment(OURS, threads)
    cores = sorted(os.sched_getaffinity(0))[: ranks * threads]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, encoding="utf-8", env=env, check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure(model: str, batch: int, rounds: int) -> dict:
    """One row: the milliseconds of each way, and how much faster two ranks are than one thread."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, (ranks, threads) in WAYS.items():
            times[name].append(run(model, batch, ranks, threads))
    gain = np.array(times["one thread"]) / np.array(times["two ranks"])
    low, middle, high = np.percentile(gain, [25, 50, 75])
    return {
        "model": model, "batch": batch, "ms": {name: median(each) for name, each in times.items()},
        "gain": float(middle), "spread": [float(low), float(high)], "efficiency": float(middle) / 2,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", nargs=2, metavar=("MODEL", "BATCH"), help="measure here, print JSON")
    parser.add_argument("--mpi", action="store_true", help="with --here: divide the batches over the ranks")
    args = parser.parse_args()
    if args.here:
        model, batch = args.here[0], int(args.here[1])
        if not args.mpi:
            print(json.dumps(here(model, batch)))
            return
        from scratchgen.training import mpi

        with mpi.data_parallel() as ranks:
            found = here(model, batch)
        if ranks.rank == 0:
            print(json.dumps(found))
        return
    for model in args.models:
        for batch in args.batches:
            row = measure(model, batch, args.rounds)
            print(row, flush=True)
            save_rows(args.out, "mpi", [row], ("model", "batch"))


if __name__ == "__main__":
    main()
