"""Measure which part of a step is serial, and what more cores can gain (Amdahl's law).

    python benchmarks/scaling.py                    all models, with 1, 2, 4, … threads: about ten minutes
    python benchmarks/scaling.py --models vae gan   some of them

Each step is divided into parts: the layers by class, the update, and the rest (loss, noise, Python). A part
that takes t₁ ms with one thread and tₙ with n has a serial share s, which is the same with any number of
threads, and a share that is divided among them: t(n) = s + (t₁ − s) / n. The sum over the parts gives the
time that 4, 8 and 16 cores would need. The numbers of threads that this machine has are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from measured import RESULTS, save_rows, vectors
from processes import answer_of

BATCH, ROUNDS, SECONDS = 128, 3, 0.6
CORES = (4, 8, 16)          # for which the gain is computed
UPDATE, REST = "update", "rest"


class Parts:
    """Times the calls of layers and of the optimiser during the steps of a model."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = defaultdict(float)

    def watch(self, cls: type, method: str, name: str) -> None:
        """Add the time of each call of a method to the part of that name."""
        original = getattr(cls, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.ms[name] += 1e3 * (time.perf_counter() - start)

        setattr(cls, method, timed)


def here(name: str) -> dict[str, float]:
    """The median milliseconds of the parts of a step, and of the whole step, in this process."""
    from scratchgen.layers import Layer
    from scratchgen.training.optimisers import Optimizer

    module, parts = import_module(f"steps.{name}"), Parts()
    model = module.model("float32")
    for cls in {type(m) for m in model.modules() if isinstance(m, Layer) and not m.children()}:
        for method in ("forward", "backward"):
            parts.watch(cls, method, cls.__name__)
    parts.watch(Optimizer, "step", UPDATE)
    step, data = module.ours("float32").step, module.data(BATCH, "float32")
    found: dict[str, list[float]] = defaultdict(list)
    begun = 0.0
    for i in range(100_000):
        parts.ms.clear()
        start = time.perf_counter()
        step(*data[i % len(data)])
        whole = 1e3 * (time.perf_counter() - start)
        if i == 3:          # the first steps compile and warm up
            begun = time.perf_counter()
        if i >= 3:
            for part, ms in {**parts.ms, REST: whole - sum(parts.ms.values()), "whole": whole}.items():
                found[part].append(ms)
        if i >= 8 and time.perf_counter() - begun > SECONDS:
            break
    return {part: median(ms) for part, ms in found.items()}


def serial(first: float, several: float, threads: int) -> float:
    """The milliseconds of a part that do not depend on the threads, from its times with one and several."""
    return min(first, max(0.0, (threads * several - first) / (threads - 1)))


def expected(parts: dict[str, list[float]], threads: int, cores: int) -> float:
    """The milliseconds of a step on a number of cores, by Amdahl's law for each part."""
    total = 0.0
    for first, several in parts.values():
        s = serial(first, several, threads)
        total += s + (first - s) / cores
    return total


def row(model: str, times: dict[int, dict[str, float]]) -> dict[str, Any]:
    """One row of the results, from the times of the parts by number of threads."""
    threads = max(times)
    alone, most = times[1], times[threads]
    parts = {name: [ms, most.get(name, 0.0)] for name, ms in alone.items() if name != "whole"}
    shares = {name: serial(*pair, threads) for name, pair in parts.items()}
    whole = sum(first for first, _ in parts.values())
    return {
        "model": model.replace("_", "-"),
        "batch": BATCH,
        "vectors": vectors(),
        "ms": {str(n): found["whole"] for n, found in times.items()},
        "parts": parts,
        "serial": {name: s / whole for name, s in shares.items()},
        "serial_share": sum(shares.values()) / whole,
        "gain": {str(n): whole / expected(parts, threads, n) for n in (threads, *CORES)},
    }


def measure(model: str, counts: list[int], rounds: int) -> dict[str, Any]:
    """Measure a model with each number of threads, in turn, each time in a new process."""
    runs: dict[int, list[dict[str, float]]] = {n: [] for n in counts}
    for _ in range(rounds):
        for n, found in runs.items():
            found.append(answer_of([__file__, "--here", model], n))
    times = {n: {part: median(one.get(part, 0.0) for one in found) for part in found[0]}
             for n, found in runs.items()}  # fmt: skip
    return row(model, times)


def thread_counts() -> list[int]:
    """1, 2, 4, … up to the number of cores of this machine, and that number."""
    cores = len(os.sched_getaffinity(0))
    return sorted({*(2**i for i in range(cores.bit_length()) if 2**i <= cores), cores})


def main() -> None:
    from run import step_names

    models = step_names()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=models, default=models)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", choices=models, help="measure in this process, print JSON")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(here(args.here)))
        return
    counts = thread_counts()
    if len(counts) == 1:
        parser.error("expected at least two cores: the serial part shows only with several threads")
    for model in args.models:
        found = measure(model, counts, args.rounds)
        gains = ", ".join(f"{n} cores {gain:.2f}" for n, gain in found["gain"].items())
        print(f"{model}: {found['serial_share']:.0%} serial; {gains}", flush=True)
        save_rows(args.out, "scaling", [found], ("model", "batch"))


if __name__ == "__main__":
    main()
