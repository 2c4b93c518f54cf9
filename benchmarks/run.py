"""Compare training steps in scratchgen, PyTorch and JAX: make bench

    python benchmarks/run.py                                      everything, two to three hours
    python benchmarks/run.py --models nice made --batches 128 --threads 2

First, a check ensures that all contenders compute the same losses and gradients (float64, within 1e-9).
Then each runs in a separate process, in alternation, a few steps at a time (or one, if a step is long), so
that a change in the machine's speed affects all of them. Between its turns a process is stopped. A round's
time is the median of its steps, and the table has the median over the rounds. Ratios to our time are computed
round by round, and the table has their median and quartiles.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measured import RESULTS, put, read, vectors, versions
from processes import LIMIT, OURS, environment
from steps import CONVOLUTIONAL

HERE = Path(__file__).parent
PYTORCH = ("PyTorch eager", "PyTorch fused", "PyTorch compiled")
NOT_COMPILED = ("wgan_gp",)     # torch.compile does not support second derivatives
CHANNELS_LAST, JAX = "PyTorch channels-last", "JAX jit"
ROUNDS, SECONDS = 15, 0.25      # rounds per contender, and the duration of each


def command(contender: str, model: str, batch: int) -> list[str]:
    """The command that starts a contender's process."""
    return [sys.executable, str(HERE / "worker.py"), contender, model, str(batch)]


class Worker:
    """A contender's process. It is stopped between its turns, so that its threads do not spin meanwhile."""

    def __init__(self, contender: str, model: str, batch: int, threads: int | None, pinned: bool = True):
        """With `threads` None, their number is that of the contender's usual settings.

        pinned : whether the process may use only as many cores as threads
        """
        cores = sorted(os.sched_getaffinity(0))[: threads if pinned else None]
        self.process = subprocess.Popen(
            command(contender, model, batch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=environment(contender, threads),
            process_group=0,                                    # so that its child processes stop with it
            preexec_fn=lambda: os.sched_setaffinity(0, cores),  # JAX has no setting for the number of threads
        )
        try:
            self.answer()
            self.steps = max(1, round(SECONDS * 1e3 / self.time(3)))
        except BaseException:
            self.kill()
            raise

    def ask(self, order: str) -> str:
        os.killpg(self.process.pid, signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):                  # it has ended: answer() reports this
            self.process.stdin.write(order + "\n")
            self.process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a contender ended early, with code {self.process.wait()}")
        os.killpg(self.process.pid, signal.SIGSTOP)
        return line

    def time(self, steps: int | None = None) -> float:
        """The median milliseconds of `steps` steps, after one step that is not counted."""
        return float(np.median(json.loads(self.ask(f"time {1 + (steps or self.steps)}"))[1:]))

    def close(self) -> int:
        """End the process; returns its peak memory in bytes."""
        most = int(self.ask("memory"))
        os.killpg(self.process.pid, signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()
        return most

    def kill(self) -> None:
        """Kill the process and its children, if any are left; stopped processes would never end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def gradients(contender: str, model: str, batch: int) -> list[np.ndarray]:
    """The losses and gradients of a contender, in float64."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradients.npz"
        subprocess.run([*command(contender, model, batch), str(path)], check=True)
        with np.load(path) as saved:
            return [saved[key] for key in saved.files]


def largest_difference(found: dict[str, list[np.ndarray]]) -> float:
    """The largest difference of any losses and gradients from ours, relative to our largest entry."""
    own = found[OURS]
    for name, arrays in found.items():
        if [a.shape for a in arrays] != [a.shape for a in own]:
            raise SystemExit(f"the shapes of the gradients of {name} differ from ours")
    differences = [
        np.abs(a - b).max() / max(np.abs(b).max(), np.finfo(np.float64).tiny)   # some gradients are 0
        for arrays in found.values()
        for a, b in zip(arrays, own, strict=True)
    ]
    return float(np.max(differences))       # Python's max would drop a NaN


@functools.cache
def contenders(model: str, batch: int) -> tuple[list[str], float]:
    """The contenders for a model, ours first, and their difference in float64. Raises SystemExit above
    1e-9."""
    ways = PYTORCH[:2] if model in NOT_COMPILED else PYTORCH
    names = [OURS, *ways, *([CHANNELS_LAST] if model in CONVOLUTIONAL else []), JAX]
    difference = largest_difference({name: gradients(name, model, batch) for name in names})
    if not difference <= 1e-9:
        raise SystemExit(f"{model}: the results of the contenders differ by {difference:.1e}")
    return names, difference


def measure(model: str, batch: int, threads: int, rounds: int) -> dict:
    """Measure all contenders for one model, in alternation; returns a row of the results."""
    names, difference = contenders(model, batch)
    names = [*names, LIMIT]
    workers: dict[str, Worker] = {}
    times: dict[str, list[float]] = {name: [] for name in names}
    try:
        for name in names:
            workers[name] = Worker(name, model, batch, threads)
        for i in range(rounds):
            for j in range(len(names)):
                name = names[(i + j) % len(names)]  # rotate the order, one place per round
                times[name].append(workers[name].time())
        memory = {name: worker.close() for name, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.kill()
    return row(times) | {
        "model": model.replace("_", "-"),
        "batch": batch,
        "threads": threads,
        "vectors": vectors(),
        "rounds": rounds,
        "gradients_differ": difference,
        "memory_mb": {name: round(most / 2**20) for name, most in memory.items()},
    }


def row(rounds: dict[str, list[float]]) -> dict:
    """The ratios of the contenders' times to ours, computed round by round: medians and quartiles."""
    own = np.array(rounds[OURS])
    quartiles = {name: np.percentile(np.array(times) / own, [25, 50, 75]) for name, times in rounds.items()}
    best = min((name for name in rounds if name.startswith("PyTorch")), key=lambda name: quartiles[name][1])
    return {
        "ms": float(np.median(own)),
        "against_eager": float(quartiles["PyTorch eager"][1]),
        "against_best": float(quartiles[best][1]),
        "best": best,
        "against_jax": float(quartiles[JAX][1]),
        "limit_share": float(quartiles[LIMIT][1]),
        "spread": {name: [float(q[0]), float(q[2])] for name, q in quartiles.items() if name != OURS},
        "all_ms": {name: float(np.median(times)) for name, times in rounds.items()},
    }


HEADER = (
    "| model | batch | threads | vectors | ms "
    "| against eager | against the best | against JAX | share of the limit |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def line(r: dict) -> str:
    """A row of the Markdown table, each ratio with its quartiles."""

    def ratio(key: str, name: str) -> str:
        low, high = r["spread"][name]
        return f"{r[key]:.2f} ({low:.2f} to {high:.2f})"

    best = f"{ratio('against_best', r['best'])}, {r['best'].removeprefix('PyTorch ')}"
    eager, jax, limit = (
        ratio(*pair) for pair in (("against_eager", PYTORCH[0]), ("against_jax", JAX), ("limit_share", LIMIT))
    )
    what = f"{r['model']} | {r['batch']} | {r['threads']} | {r['vectors']} | {r['ms']:.2f}"
    return f"| {what} | {eager} | {best} | {jax} | {limit} |"


def step_names() -> list[str]:
    """The modules of steps/ that the cards of the families list."""
    from scratchgen.studies.cards import cards

    return [name for card in cards().values() for name in card.benchmarks]


def save(rows: list[dict], path: Path) -> None:
    """Add rows to the results, replacing older ones with the same model, batch, threads and vectors."""
    keys = ("model", "batch", "threads", "vectors")
    new = {tuple(r[key] for key in keys): r for r in [*read(path).get("steps", []), *rows]}
    put(path, versions=versions(), steps=[new[key] for key in sorted(new)])


def main() -> None:
    models = step_names()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=models, default=models)
    parser.add_argument("--batches", nargs="+", type=int, default=[128, 32, 512])
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds per contender (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error(f"expected at least one round, got {args.rounds}")
    print(HEADER, flush=True)
    for threads in args.threads:
        for batch in args.batches:
            for model in args.models:
                found = measure(model, batch, threads, args.rounds)
                print(line(found), flush=True)
                save([found], args.out)


if __name__ == "__main__":
    main()
