"""Conv2d, forward and backward, beside the convolutions of teaching code in plain NumPy.

    python benchmarks/convolution.py            two threads, then one: about two minutes

First all are shown to compute the same in float64, within 1e-9. The measurement is of float32. All call the
same BLAS, so they share a process, and take turns there, the median of three calls each; the four loops,
which take seconds, run once.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import textbook
from limit import Limit
from measured import RESULTS, put, versions
from processes import answer_of

from scratchgen.layers import Conv2d

BASELINES = {"slices": textbook.slices, "indices": textbook.indices, "loops": textbook.loops}
ONCE = ("loops",)
BATCH, ROUNDS = 64, 15
# in channels, out channels, size of the image; all with a kernel of 4x4, stride 2, padding 1
SHAPES = ((64, 128, 14), (1, 64, 28))
STRIDE, PAD = 2, 1


class Case:
    """A Conv2d and its data in both layouts, NHWC for it and NCHW for the textbook."""

    def __init__(self, channels: int, filters: int, size: int, batch: int, dtype: str):
        rng = np.random.default_rng(0)
        self.layer = Conv2d(channels, filters, 4, STRIDE, PAD, rng=rng, dtype=dtype)
        self.layer.bias.value[:] = rng.standard_normal(filters)
        self.x = rng.standard_normal((batch, size, size, channels)).astype(dtype)
        self.dout = rng.standard_normal(self.layer.output_shape(self.x)).astype(dtype)
        weight = np.ascontiguousarray(self.layer.weight.value.transpose(3, 2, 0, 1))
        x, dout = (np.ascontiguousarray(a.transpose(0, 3, 1, 2)) for a in (self.x, self.dout))
        self.textbook = (x, weight, self.layer.bias.value, dout, STRIDE, PAD)

    def products(self) -> list[tuple[int, int, int]]:
        """The three matrix products, (rows, inner, columns) each."""
        filters = self.layer.out_channels
        places, patch = self.dout.size // filters, self.layer.weight.size // filters
        return [(places, patch, filters), (patch, places, filters), (places, filters, patch)]

    def ours(self) -> textbook.Arrays:
        """Forward and backward, as the textbook's functions return them, but in our layout."""
        self.layer.zero_grad()
        out, cache = self.layer.forward(self.x, training=True)
        dx = self.layer.backward(self.dout, cache)
        return out, dx, self.layer.weight.grad, self.layer.bias.grad


def difference(name: str, case: Case) -> float:
    """The largest difference of a baseline's four arrays from ours, relative to the largest entry of ours."""
    out, dx, dweight, dbias = BASELINES[name](*case.textbook)
    theirs = (out.transpose(0, 2, 3, 1), dx.transpose(0, 2, 3, 1), dweight.transpose(2, 3, 1, 0), dbias)
    pairs = zip(theirs, case.ours(), strict=True)
    return float(np.max([np.abs(a - b).max() / np.abs(b).max() for a, b in pairs]))


def milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def measure(shape: tuple[int, int, int], threads: int) -> dict:
    """One shape, all baselines, in turns; their times over ours, round by round."""
    channels, filters, size = shape
    small = Case(channels, filters, size, 2, "float64")
    differ = max(difference(name, small) for name in BASELINES)
    if not differ <= 1e-9:
        raise SystemExit(f"{shape}: the convolutions do not compute the same, but differ by {differ:.1e}")
    case = Case(channels, filters, size, BATCH, "float32")
    calls: dict[str, Callable[[], object]] = {
        "scratchgen": case.ours,
        "matrix products": Limit(case.products(), "float32").step,
    }
    for name, baseline in BASELINES.items():
        calls[name] = partial(baseline, *case.textbook)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(ROUNDS):
        for name, call in calls.items():
            if name not in ONCE:
                times[name].append(np.median([milliseconds(call) for _ in range(3)]))
            elif turn == 0:
                times[name].append(milliseconds(call))
    own = np.array(times.pop("scratchgen"))
    ratios = {name: np.percentile(np.array(ms) / own[: len(ms)], [25, 50, 75]) for name, ms in times.items()}
    return {
        "shape": f"{channels} to {filters} channels, {size}x{size}",
        "batch": BATCH,
        "threads": threads,
        "ms": float(np.median(own)),
        "all_ms": {name: float(np.median(ms)) for name, ms in times.items()},
        "limit_share": float(ratios.pop("matrix products")[1]),
        "against": {name: float(q[1]) for name, q in ratios.items()},
        "spread": {name: [float(q[0]), float(q[2])] for name, q in ratios.items()},
        "differ": differ,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", action="store_true", help="measure in this process, print JSON")
    args = parser.parse_args()
    if args.here:
        print(json.dumps([measure(shape, args.threads[0]) for shape in SHAPES]))
        return
    rows = []
    for threads in args.threads:
        rows += answer_of([__file__, "--here", "--threads", str(threads)], threads)
    for r in rows:
        against = ", ".join(f"{name} {ratio:.1f}x" for name, ratio in r["against"].items())
        own = f"{r['ms']:.2f} ms, {r['limit_share']:.0%} of it products"
        print(f"{r['shape']}, {r['threads']} threads: {own}; {against}")
    put(args.out, versions=versions(), convolution=rows)


if __name__ == "__main__":
    main()
