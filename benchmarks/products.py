"""Time the three matrix products of a linear layer against NumPy's BLAS and the library that PyTorch calls.

    python benchmarks/products.py               on one thread: about two minutes

Each contender runs in its own process, in float32. The contenders take turns for several rounds. The rate of
a round is the median over its calls, in GFLOP/s. If a shape has ten weights, a call computes the product for
all ten. So each weight has usually left the core's cache before it is used again, as in a training step.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measured import RESULTS, put, versions
from processes import OURS, answer_of

NUMPY, PYTORCH = "NumPy's BLAS", "PyTorch's library"
ROUNDS, SECONDS = 7, 0.15       # SECONDS: duration of one shape in a round
KINDS = ("xW", "dW", "dx")
# product, rows of x, inputs and outputs of the weight, and how many weights there are
SHAPES = (
    *((kind, 128, 784, 1000, 1) for kind in KINDS),
    *((kind, 128, 784, 1000, 10) for kind in KINDS),
    ("dx", 32, 784, 1000, 10),
    ("xW", 128, 400, 40, 1),
    *((kind, 2048, 512, 512, 1) for kind in KINDS),
    ("dW", 16384, 128, 512, 1),
)
Shape = tuple[str, int, int, int, int]


def factors(shape: Shape) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The matrices (a, b, out) of out = a·b, one triple for each weight."""
    kind, rows, inputs, outputs, weights = shape
    rng = np.random.default_rng(0)
    found = []
    for _ in range(weights):
        x, weight, dout = (
            rng.standard_normal(size, np.float32)
            for size in ((rows, inputs), (inputs, outputs), (rows, outputs))
        )
        a, b = {"xW": (x, weight), "dW": (x.T, dout), "dx": (dout, weight.T)}[kind]
        found.append((a, b, np.empty((len(a), b.shape[1]), np.float32)))
    return found


def multiplier(who: str) -> Callable[[Any, Any, Any], object]:
    """The function of a contender that computes out = a·b."""
    if who == OURS:
        from scratchgen.kernels.products import matmul

        return matmul
    if who == NUMPY:
        return lambda a, b, out: np.matmul(a, b, out=out)
    import torch

    return lambda a, b, out: torch.mm(a, b, out=out)


def rate(who: str, shape: Shape) -> float:
    """The GFLOP/s of one contender for one shape, in this process. Raises SystemExit for wrong results."""
    matrices, multiply = factors(shape), multiplier(who)
    given: list[tuple[Any, ...]] = [*matrices]
    if who == PYTORCH:
        import torch

        given = [tuple(map(torch.from_numpy, each)) for each in matrices]
    for a, b, out in given:
        multiply(a, b, out)
    error = max(np.abs(out - a.astype(np.float64) @ b).max() for a, b, out in matrices)
    _, *sizes, weights = shape
    if not error <= 1e-5 * max(sizes):
        raise SystemExit(f"{who}, {shape}: the product has an error of {error:.1e}")
    times: list[float] = []
    while not times or sum(times) < SECONDS:
        start = time.perf_counter()
        for a, b, out in given:
            multiply(a, b, out)
        times.append(time.perf_counter() - start)
    return 2e-9 * weights * math.prod(sizes) / float(np.median(times))


def measure(threads: int) -> list[dict]:
    """A row for each shape: the median rates, and how many times as fast as the others we are, by round."""
    rates: dict[str, list[list[float]]] = {who: [] for who in (OURS, NUMPY, PYTORCH)}
    for _ in range(ROUNDS):
        for who, found in rates.items():
            found.append(answer_of([__file__, "--here", who], threads, who=who))
    table = {who: np.array(found) for who, found in rates.items()}
    rows = []
    for i, (kind, *sizes, weights) in enumerate(SHAPES):
        against = {
            who: np.percentile(table[OURS][:, i] / table[who][:, i], [25, 50, 75]) for who in (NUMPY, PYTORCH)
        }
        rows.append(
            {
                "product": kind,
                "sizes": sizes,
                "weights": weights,
                "threads": threads,
                "rates": {who: float(np.median(found[:, i])) for who, found in table.items()},
                "against": {who: float(q[1]) for who, q in against.items()},
                "spread": {who: [float(q[0]), float(q[2])] for who, q in against.items()},
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", choices=(OURS, NUMPY, PYTORCH), help="time one contender, print JSON")
    args = parser.parse_args()
    if args.here:
        print(json.dumps([rate(args.here, shape) for shape in SHAPES]))
        return
    rows = [row for threads in args.threads for row in measure(threads)]
    for r in rows:
        rates = ", ".join(f"{who} {value:.0f}" for who, value in r["rates"].items())
        print(f"{r['product']} {r['sizes']}, {r['weights']} weights, {r['threads']} threads: {rates} GFLOP/s")
    put(args.out, versions=versions(), products=rows)


if __name__ == "__main__":
    main()
