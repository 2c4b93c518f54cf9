"""Wrong backward passes of the kind that people write, and what the gradient checker should say of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen import kernels
from scratchgen.gradcheck import KINKED, check_layer, check_loss
from scratchgen.layers import Layer, Parameter


@dataclass(frozen=True)
class Mistake:
    """A wrong backward pass.

    name : what is wrong
    family : the kind of layer or loss
    build : rng -> (layer, x), or (loss, pred, target)
    array : the array whose gradient is to be explained
    cause : the cause that should be named
    says : words that its explanation has to contain
    """

    name: str
    family: str
    build: Callable[[np.random.Generator], tuple[Any, ...]]
    array: str
    cause: str
    says: str = ""
    training: bool = False

    def explanation(self, seed: int = 0) -> Any:
        """What the checker says of `array`, for random numbers of one seed."""
        rng = np.random.default_rng(seed)
        thing, *arrays = self.build(rng)
        with kernels.use("reference"):
            if isinstance(thing, Layer):
                results = check_layer(thing, *arrays, rng=rng, training=self.training, tolerance=KINKED)
            else:
                results = check_loss(thing, *arrays, tolerance=KINKED)
        return next(r for r in results if r.what == self.array).explanation


class Written(Layer):
    """A layer from two functions, forward(self, x, training) and backward(self, dout, cache) -> dx.

    Arrays of floats become Parameters; other settings become attributes.
    """

    def __init__(self, forward: Any, backward: Any, **settings: Any):
        self._forward, self._backward = forward, backward
        for name, value in settings.items():
            is_array = isinstance(value, np.ndarray) and value.dtype.kind == "f"
            setattr(self, name, Parameter(value) if is_array else value)

    def forward(self, x, training=False):
        return self._forward(self, x, training)

    def backward(self, dout, cache, input_grad=True):
        return self._backward(self, dout, cache)


def elementwise(f: Any, slope: Any) -> Callable[[np.random.Generator], tuple[Layer, np.ndarray]]:
    """A layer out = f(x) whose backward is dout·slope(x, out)."""

    def forward(self, x, training):
        out = f(x)
        return out, (x, out)

    def backward(self, dout, cache):
        return dout * slope(*cache)

    return lambda rng: (Written(forward, backward), rng.standard_normal((7, 5)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def every_mistake() -> list[Mistake]:
    """All mistakes of the four files."""
    from helpers import mistakes_dense, mistakes_later, mistakes_losses, mistakes_shapes

    first = [*mistakes_dense.MISTAKES, *mistakes_shapes.MISTAKES, *mistakes_losses.MISTAKES]
    return [*first, *mistakes_later.LATER]


def table() -> str:
    """The table of docs/gradcheck.md: of each family, how many mistakes are planted and named."""
    mistakes = every_mistake()
    lines = ["| layer or loss | planted | named | misleading |", "|---|---|---|---|"]
    for family in dict.fromkeys(m.family for m in mistakes):
        own = [m for m in mistakes if m.family == family]
        lines.append(f"| {family} | {len(own)} | {sum(bool(m.cause) for m in own)} | 0 |")
    named = sum(bool(m.cause) for m in mistakes)
    return "\n".join([*lines, f"| **all** | **{len(mistakes)}** | **{named}** | **0** |"])
