"""Measure training steps beside other busy processes: scratchgen with its usual settings and with fixed
numbers of threads, and PyTorch with its usual ones.

    python benchmarks/load.py                                   every model of run.py, about an hour
    python benchmarks/load.py --models autoencoder --busy 0 1

The other processes run an empty loop in Python. The contenders take turns, as in run.py. Here, a round's time
is the mean of its steps, not the median, because a run takes as long as all of its steps together.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measured import RESULTS, put, read, vectors, versions
from processes import OURS
from run import PYTORCH, Worker, step_names

BATCH, ROUNDS, SECONDS = 128, 5, 1.0
USUAL = "usual"


@contextlib.contextmanager
def busy(count: int) -> Iterator[list[subprocess.Popen]]:
    """Processes that do nothing but use a core each."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def mean_ms(worker: Worker, seconds: float) -> float:
    """The mean milliseconds of the steps of about so many seconds, after one step that is not counted."""
    one = float(np.mean(json.loads(worker.ask("time 3"))[1:]))
    steps = max(2, round(seconds * 1e3 / one))
    return float(np.mean(json.loads(worker.ask(f"time {1 + steps}"))[1:]))


def measure(model: str, loads: list[int], threads: list[int], rounds: int, seconds: float) -> list[dict]:
    """A row of the results for each number of busy processes."""
    workers: dict[str, Worker] = {}
    rows = []
    try:
        workers[USUAL] = Worker(OURS, model, BATCH, None)
        for number in threads:
            workers[str(number)] = Worker(OURS, model, BATCH, number, pinned=False)
        for name in PYTORCH[:2]:
            workers[name] = Worker(name, model, BATCH, None)
        for count in loads:
            times: dict[str, list[float]] = {name: [] for name in workers}
            with busy(count):
                for i in range(rounds):
                    order = list(workers)
                    for name in order[i % len(order) :] + order[: i % len(order)]:
                        times[name].append(mean_ms(workers[name], seconds))
            rows.append({"model": model.replace("_", "-"), "busy": count} | row(times))
            print(line(rows[-1]), flush=True)
        for worker in workers.values():
            worker.close()
    finally:
        for worker in workers.values():
            worker.kill()
    return rows


def row(times: dict[str, list[float]]) -> dict:
    """The times as medians over the rounds, and the ratios, computed round by round, with quartiles."""
    own = np.array(times[USUAL])
    medians = {name: float(np.median(found)) for name, found in times.items()}
    fixed = min((name for name in times if name.isdigit()), key=medians.__getitem__)
    pytorch = min((name for name in times if name.startswith("PyTorch")), key=medians.__getitem__)
    found = {"batch": BATCH, "vectors": vectors(), "rounds": len(own), "ms": medians[USUAL]}
    found["all_ms"] = medians
    for key, name in (("fixed", fixed), ("pytorch", pytorch)):
        low, middle, high = np.percentile(np.array(times[name]) / own, [25, 50, 75])
        found |= {key: name, f"against_{key}": float(middle), f"spread_{key}": [float(low), float(high)]}
    return found


HEADER = (
    "| model | busy processes | ms | against the best fixed number of threads | against PyTorch |\n"
    "|---|---|---|---|---|"
)


def line(r: dict) -> str:
    """A row of the Markdown table."""
    cells = []
    for key in ("fixed", "pytorch"):
        low, high = r[f"spread_{key}"]
        name = r[key].removeprefix("PyTorch ")
        cells.append(f"{r[f'against_{key}']:.2f} ({low:.2f} to {high:.2f}), {name}")
    return f"| {r['model']} | {r['busy']} | {r['ms']:.1f} | {' | '.join(cells)} |"


def main() -> None:
    models = step_names()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=models, default=models)
    parser.add_argument("--busy", nargs="+", type=int, default=[0, 1, 2, 4])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="the fixed numbers")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    print(HEADER, flush=True)
    for model in args.models:
        rows = measure(model, args.busy, args.threads, args.rounds, args.seconds)
        keys = ("model", "busy", "vectors")
        kept = {tuple(r[key] for key in keys): r for r in [*read(args.out).get("load", []), *rows]}
        put(args.out, versions=versions(), load=[kept[key] for key in sorted(kept)])


if __name__ == "__main__":
    main()
