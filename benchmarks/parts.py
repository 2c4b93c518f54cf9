"""Measure the time of each part of a training step, for the dense autoencoder of run.py.

    python benchmarks/parts.py                  with two threads and with one: ten seconds

The parts are timed one after the other within the same step; the result is the median of many steps. The
matrix products alone are timed between the steps. The linear layers take longer than their products, because
of the biases and their gradients, new arrays, and weights that are no longer in the cache.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from limit import Limit
from measured import RESULTS, put, versions
from processes import answer_of
from steps import autoencoder, digits_like

from scratchgen.layers import Linear
from scratchgen.losses import squared_error
from scratchgen.training.optimisers import Adam

BATCH, STEPS = 128, 60


def timed(parts: dict[str, float], name: str, call, *arguments):
    """Call a function, and add its milliseconds to the part `name`."""
    start = time.perf_counter()
    result = call(*arguments)
    parts[name] += (time.perf_counter() - start) * 1e3
    return result


def step_in_parts(model, optimizer: Adam, x: np.ndarray) -> dict[str, float]:
    """The milliseconds of each part of one step, made layer by layer as in `train_step`."""
    parts: dict[str, float] = defaultdict(float)
    layers = [*model.encoder.layers, *model.decoder.layers]
    names = ["linear layers" if isinstance(layer, Linear) else "activations" for layer in layers]
    caches, out = [], x
    timed(parts, "other", optimizer.zero_grad)
    for name, layer in zip(names, layers, strict=True):
        out, cache = timed(parts, name, layer.forward, out, True)
        caches.append(cache)
    _, dout = timed(parts, "loss and its gradient", squared_error, out, x)
    for i in range(len(layers) - 1, -1, -1):
        dout = timed(parts, names[i], layers[i].backward, dout, caches[i], i > 0)
    timed(parts, "Adam", optimizer.step)
    return dict(parts)


def measure(threads: int) -> dict:
    """The median milliseconds of each part, and of the whole step."""
    model = autoencoder.model("float32")
    optimizer = Adam(model.parameters(), 1e-3)
    limit = Limit(autoencoder.products(BATCH), "float32")
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = defaultdict(list)
    for i, (x,) in enumerate(digits_like(BATCH, "float32", 8) * (STEPS // 8)):
        parts: dict[str, float] = defaultdict(float, step_in_parts(model, optimizer, x))
        timed(parts, "matrix products", limit.step)
        timed(parts, "whole step", model.train_step, (x,), optimizer, rng)
        if i >= 5:                  # the first steps compile and warm up
            for name, ms in parts.items():
                found[name].append(ms)
    medians = {name: float(np.median(times)) for name, times in found.items()}
    return {"batch": BATCH, "threads": threads, "parameters": int(optimizer.value.size), "ms": medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", action="store_true", help="measure in this process, print JSON")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(measure(args.threads[0])))
        return
    rows = [answer_of([__file__, "--here", "--threads", str(n)], n) for n in args.threads]
    for r in rows:
        print(r["threads"], "threads:", ", ".join(f"{name} {ms:.2f} ms" for name, ms in r["ms"].items()))
    put(args.out, versions=versions(), parts=rows)


if __name__ == "__main__":
    main()
