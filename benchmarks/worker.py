"""Run one contender in a separate process that reads commands from stdin and answers on stdout.

    time N      make N steps; the answer is the milliseconds of each
    memory      the answer is the peak resident size so far, in bytes

With a file as an additional argument, it computes losses and gradients in float64, saves them there, and
ends. This needs its own process, because float64 arrays would count towards the memory, and because JAX has
one global switch for float64 that also changes its random numbers.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import import_module

import numpy as np
from limit import Limit
from pytorch_side import Way

WAYS = {
    "PyTorch eager": Way(),
    "PyTorch fused": Way(fused=True),
    "PyTorch compiled": Way(fused=True, compiled=True),
    "PyTorch channels-last": Way(fused=True, channels_last=True),
}


def build(contender: str, model: str, batch: int, dtype: str):
    """The Step of a contender for a model."""
    module = import_module(f"steps.{model}")
    if contender == "scratchgen":
        return module.ours(dtype)
    if contender == "matrix products":
        return Limit(module.products(batch), dtype)
    return module.jax(dtype) if contender == "JAX jit" else module.pytorch(dtype, WAYS[contender])


def save_gradients(contender: str, model: str, batch: int, path: str) -> None:
    """Save the losses and gradients of one batch, in float64."""
    module = import_module(f"steps.{model}")
    exact = build(contender, model, batch, "float64")
    losses, gradients = exact.gradients(*module.data(batch, "float64")[0], *module.noise(batch, "float64"))
    np.savez(path, np.array(losses), *gradients)


def main(contender: str, model: str, batch: int) -> None:
    """Make steps in float32 until there are no more commands."""
    data = import_module(f"steps.{model}").data(batch, "float32")
    step = build(contender, model, batch, "float32").step
    for x in data:  # compile, allocate, warm up
        step(*x)
    print("ready", flush=True)
    for line in sys.stdin:
        order, *argument = line.split()
        if order == "time":
            times = []
            for i in range(int(argument[0])):
                start = time.perf_counter()
                step(*data[i % len(data)])
                times.append((time.perf_counter() - start) * 1e3)
            print(json.dumps(times), flush=True)
        elif order == "memory":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)


if __name__ == "__main__":
    contender, model, batch, *path = sys.argv[1:]
    if path:
        save_gradients(contender, model, int(batch), *path)
    else:
        main(contender, model, int(batch))
