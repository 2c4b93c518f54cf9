"""Time Conv2d, forward and backward, against textbook convolutions in plain NumPy.

    python benchmarks/convolution.py            two threads, then one: about three minutes

First, a check ensures that all give the same results in float64, within 1e-9. Then each contender runs in a
separate process in float32, for several rounds in turn; a round's time is the median of its calls. The
version with four loops takes seconds and runs once.
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
from processes import LIMIT, OURS, answer_of

from scratchgen.layers import Conv2d

BASELINES = {"slices": textbook.slices, "indices": textbook.indices, "loops": textbook.loops}
ONCE = ("loops",)
BATCH, ROUNDS, SECONDS = 64, 7, 0.5     # SECONDS: duration of a round
# input channels, output channels, image size; all with a kernel of 4x4, stride 2, padding 1
SHAPES = ((64, 128, 14), (1, 64, 28))
STRIDE, PAD = 2, 1


class Case:
    """A Conv2d and its data in two layouts, NHWC for Conv2d and NCHW for the textbook functions."""

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
        """The three matrix products, each as (rows, inner, columns)."""
        filters = self.layer.out_channels
        places, patch = self.dout.size // filters, self.layer.weight.size // filters
        return [(places, patch, filters), (patch, places, filters), (places, filters, patch)]

    def ours(self) -> textbook.Arrays:
        """Forward and backward, with the results of the textbook functions, but in our layout."""
        self.layer.zero_grad()
        out, cache = self.layer.forward(self.x, training=True)
        dx = self.layer.backward(self.dout, cache)
        return out, dx, self.layer.weight.grad, self.layer.bias.grad


def difference(name: str, case: Case) -> float:
    """The largest difference between a baseline's four arrays and ours, relative to our largest entry."""
    out, dx, dweight, dbias = BASELINES[name](*case.textbook)
    theirs = (out.transpose(0, 2, 3, 1), dx.transpose(0, 2, 3, 1), dweight.transpose(2, 3, 1, 0), dbias)
    pairs = zip(theirs, case.ours(), strict=True)
    return float(np.max([np.abs(a - b).max() / np.abs(b).max() for a, b in pairs]))


def here(who: str, shape: tuple[int, int, int]) -> float:
    """Time one contender in this process: the median milliseconds of its forward and backward."""
    case = Case(*shape, BATCH, "float32")
    call: Callable[[], object] = case.ours
    if who == LIMIT:
        call = Limit(case.products(), "float32").step
    elif who in BASELINES:
        call = partial(BASELINES[who], *case.textbook)
    times: list[float] = []
    if who not in ONCE:
        call()
    while not times or (who not in ONCE and sum(times) < SECONDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def measure(shape: tuple[int, int, int], threads: int) -> dict:
    """Time all contenders on one shape, in turn; ratios to our time are computed round by round."""
    small = Case(*shape, 2, "float64")
    differ = max(difference(name, small) for name in BASELINES)
    if not differ <= 1e-9:
        raise SystemExit(f"{shape}: the results of the convolutions differ by {differ:.1e}")
    times: dict[str, list[float]] = {who: [] for who in (OURS, LIMIT, *BASELINES)}
    for turn in range(ROUNDS):
        for who, found in times.items():
            if turn == 0 or who not in ONCE:
                arguments = [__file__, "--here", who, "--shape", *map(str, shape)]
                found.append(answer_of(arguments, threads, who=who))
    own = np.array(times.pop(OURS))
    ratios = {who: np.percentile(np.array(ms) / own[: len(ms)], [25, 50, 75]) for who, ms in times.items()}
    return {
        "shape": "{} to {} channels, {}x{}".format(*shape, shape[-1]),
        "batch": BATCH,
        "threads": threads,
        "ms": float(np.median(own)),
        "all_ms": {who: float(np.median(ms)) for who, ms in times.items()},
        "limit_share": float(ratios.pop(LIMIT)[1]),
        "against": {who: float(q[1]) for who, q in ratios.items()},
        "spread": {who: [float(q[0]), float(q[2])] for who, q in ratios.items()},
        "differ": differ,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", choices=(OURS, LIMIT, *BASELINES), help="time one contender, print JSON")
    parser.add_argument("--shape", nargs=3, type=int, default=SHAPES[0])
    args = parser.parse_args()
    if args.here:
        print(json.dumps(here(args.here, args.shape)))
        return
    rows = []
    for threads in args.threads:
        for shape in SHAPES:
            r = measure(shape, threads)
            rows.append(r)
            against = ", ".join(f"{who} {ratio:.1f}x" for who, ratio in r["against"].items())
            own = f"{r['ms']:.2f} ms, {r['limit_share']:.0%} of it matrix products"
            print(f"{r['shape']}, {threads} threads: {own}; {against}", flush=True)
    put(args.out, versions=versions(), convolution=rows)


if __name__ == "__main__":
    main()
