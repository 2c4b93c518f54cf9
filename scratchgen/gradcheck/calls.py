"""Calls of a layer that leave it as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from scratchgen.module import Module


def backward(layer: Any, dout: np.ndarray | None, cache: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Call backward. Return its result and the parameters' gradients by name; p.grad does not change.

    dout : the gradient of the output of a layer; None for a model, whose backward takes only the cache
    """
    with gradients_kept(layer):
        layer.zero_grad()
        returned = layer.backward(cache) if dout is None else layer.backward(dout.copy(), cache)
        return returned, {name: p.grad.copy() for name, p in layer.parameters().items()}


@contextmanager
def gradients_kept(layer: Module) -> Iterator[None]:
    """Restore p.grad of every parameter at the end of the block."""
    before = {name: p.grad.copy() for name, p in layer.parameters().items()}
    try:
        yield
    finally:
        for name, p in layer.parameters().items():
            p.grad[...] = before[name]


def remember(layer: Module) -> Callable[[], None]:
    """Return a function that restores the buffers and random generators to their current state."""
    if not isinstance(layer, Module):
        raise TypeError(f"remember expected layer to be a Layer or Model, got {layer!r}")
    buffers = {name: b.copy() for name, b in layer.buffers().items()}
    states = {name: g.bit_generator.state for name, g in layer.generators().items()}

    def restore() -> None:
        for name, b in layer.buffers().items():
            b[...] = buffers[name]
        for name, g in layer.generators().items():
            g.bit_generator.state = states[name]

    return restore
