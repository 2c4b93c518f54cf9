"""What is known about a gradient that failed its check. The functions in causes/ read it.

`Evidence` holds the claimed and the numeric gradient. `Trial` repeats forward and backward of the layer under
other conditions, for example in the other mode or with another dout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from scratchgen.gradcheck.calls import backward, gradients_kept
from scratchgen.layers.base import Layer

LARGEST = 160_000       # entries of the largest Jacobian that is computed
STEP = 2.0**-17         # of the central differences of a Jacobian, near ε^(1/3)
CLOSE = 1e-6            # two gradients are the same up to this part of the largest entry


class Trial:
    """A layer at one input, whose forward and backward can be repeated. The layer is not changed.

    x : the input (N, …)
    u : the gradient of the output, (N, …)
    restore : sets the layer's buffers and generators to their state before the first forward
    """

    def __init__(
        self, layer: Layer, x: np.ndarray, u: np.ndarray, training: bool, restore: Callable[[], None]
    ):
        self.layer, self.x, self.u, self.training = layer, x.copy(), u, training
        self.start = x.copy()       # stays as it is while x is moved
        self.restore = restore
        self._known: dict[Any, np.ndarray | None] = {}

    def out(self, training: bool | None = None) -> np.ndarray:
        """The output for a copy of x, in the mode of the check or in another one.

        The other mode gets the buffers that forward leaves in the mode of the check, as backward does.
        """
        self.restore()
        if self._mode(training) != self.training:
            self.layer.forward(self.start.copy(), self.training)
        out: np.ndarray = self.layer.forward(self.x.copy(), self._mode(training))[0]
        return out.copy()

    def cache(self) -> Any:
        """The cache of forward."""
        self.restore()
        return self.layer.forward(self.x.copy(), self.training)[1]

    def claimed(self, what: str, dout: np.ndarray) -> np.ndarray | None:
        """Backward's gradient of one array, for any dout."""
        dx, gradients = backward(self.layer, dout, self.cache())
        return dx if what == "input" else gradients[what]

    def dout_after_backward(self) -> np.ndarray:
        """The array that was given as dout, after backward."""
        dout, cache = self.u.copy(), self.cache()
        with gradients_kept(self.layer):
            self.layer.backward(dout, cache)
        return dout

    def gradient_after(self, what: str, before: np.ndarray) -> np.ndarray:
        """A parameter's p.grad after backward, if p.grad was `before` when backward began."""
        p, cache = self.layer.parameters()[what], self.cache()
        with gradients_kept(self.layer):
            p.grad[...] = before
            self.layer.backward(self.u.copy(), cache)
            return p.grad.copy()

    def jacobian(self, what: str, training: bool | None = None) -> np.ndarray | None:
        """J (out.size, array.size) by central differences; None if it has more than LARGEST entries."""
        key = ("jacobian", what, self._mode(training))
        if key not in self._known:
            self._known[key] = self._differences(what, self._mode(training))
        return self._known[key]

    def claimed_jacobian(self, what: str) -> np.ndarray | None:
        """The same matrix by backward: row i is the gradient for a dout that is 1 at i and 0 elsewhere."""
        key = ("claimed", what)
        if key not in self._known:
            self._known[key] = self._claimed_rows(what)
        return self._known[key]

    def _claimed_rows(self, what: str) -> np.ndarray | None:
        size = self._array(what).size
        if self.u.size * size > LARGEST:
            return None
        rows = np.zeros((self.u.size, size))
        for i in range(self.u.size):
            one = np.zeros(self.u.size)
            one[i] = 1
            row = self.claimed(what, one.reshape(self.u.shape))
            if row is None or row.size != size:
                return None
            rows[i] = row.reshape(-1)
        return rows

    def _differences(self, what: str, training: bool) -> np.ndarray | None:
        array = self._array(what)
        if self.u.size * array.size > LARGEST:
            return None
        jacobian = np.zeros((self.u.size, array.size))
        for k, index in enumerate(np.ndindex(array.shape)):
            old = array[index]
            h = STEP * max(1.0, abs(float(old)))
            try:
                array[index] = old + h
                above = self.out(training)
                array[index] = old - h
                jacobian[:, k] = (above - self.out(training)).reshape(-1) / (2 * h)
            finally:
                array[index] = old      # also if forward raises in this mode
        return jacobian

    def pair(self, what: str) -> Pair:
        """The claimed and the numeric gradient of one array."""
        claimed, jacobian = self.claimed(what, self.u), self.jacobian(what)
        if claimed is None or jacobian is None:
            raise ValueError(f"there is no gradient of {what}")
        return claimed, (self.u.reshape(-1) @ jacobian).reshape(claimed.shape)

    def smaller(self, what: str) -> Callable[[], Pair] | None:
        """How to compute `pair` for the batch without its last example; None if fewer than two are left."""
        if len(self.x) < 3 or len(self.u) != len(self.x):
            return None
        return lambda: Trial(self.layer, self.x[:-1], self.u[:-1], self.training, self.restore).pair(what)

    def _array(self, what: str) -> np.ndarray:
        return self.x if what == "input" else self.layer.parameters()[what].value

    def _mode(self, training: bool | None) -> bool:
        return self.training if training is None else training


Pair = tuple[np.ndarray, np.ndarray]        # a claimed and a numeric gradient


@dataclass(frozen=True)
class Evidence:
    """The claimed and the numeric gradient of one array, and what could explain the difference.

    what : the array
    claimed, numeric : the two gradients, of one shape; equal at kinks
    wrong : which entries are wrong
    sizes : numbers that a gradient may have been divided by, with their names
    arrays : arrays that a gradient may have been multiplied by, with their names
    labels : the target of a loss, if it has integer labels
    trial : the layer, to repeat its forward and backward; None for a loss or a model
    smaller : () -> claimed and numeric for a batch without its last example; None if that is not possible
    complete : False for a sample of the entries, whose positions mean nothing
    """

    what: str
    claimed: np.ndarray
    numeric: np.ndarray
    wrong: np.ndarray
    sizes: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    labels: np.ndarray | None = None
    trial: Trial | None = None
    smaller: Callable[[], Pair] | None = None
    complete: bool = True

    @property
    def scale(self) -> float:
        """The largest entry of the two gradients."""
        return float(max(np.abs(self.claimed).max(initial=0.0), np.abs(self.numeric).max(initial=0.0)))

    @property
    def tolerance(self) -> float:
        """How far two gradients may differ that count as the same. It is far below the mistake itself."""
        mistake = float(np.abs(self.claimed - self.numeric)[self.wrong].max(initial=0.0))
        return min(CLOSE * self.scale, 1e-3 * mistake)

    @property
    def gross(self) -> bool:
        """Whether the mistake is far above the rounding errors of a Jacobian, so that it can be explained."""
        return self.tolerance > 1e-9 * self.scale

    def predicts(self, gradient: np.ndarray) -> bool:
        """Whether a gradient with a supposed mistake equals the claimed one, in every entry."""
        if gradient.shape != self.claimed.shape:
            return False
        return bool((np.abs(gradient - self.claimed) <= self.tolerance).all())

    def at_wrong(self, gradient: np.ndarray) -> np.ndarray:
        """The numeric gradient with its wrong entries replaced by those of another one."""
        return np.where(self.wrong, gradient, self.numeric)


def layer_sizes(layer: Layer, x: np.ndarray, out: np.ndarray) -> dict[str, float]:
    """Numbers that people divide by: the sizes of the input and output, and the settings of the layer."""
    sizes: dict[str, float] = {"the batch size N": len(x)}
    if x.ndim > 2:
        sizes["the number of positions"] = math.prod(x.shape[1:-1])
        sizes["examples times positions"] = math.prod(x.shape[:-1])
    if x.ndim > 1:
        sizes["the number of features of the input"] = x.shape[-1]
    if out.ndim > 1:
        sizes["the number of features of the output"] = out.shape[-1]
    if out.ndim > 2:
        sizes["the number of output positions"] = math.prod(out.shape[1:-1])
    if out.ndim > 1:
        sizes["the number of entries of the output"] = out.size
    return {**sizes, **_settings(layer)}


def loss_sizes(pred: np.ndarray) -> dict[str, float]:
    """The sizes of a prediction (N, …)."""
    sizes: dict[str, float] = {"the batch size N": len(pred)}
    if pred.ndim > 1:
        sizes["the number of features"] = math.prod(pred.shape[1:])
        sizes["the number of entries of the prediction"] = pred.size
    return sizes


def _settings(layer: Layer) -> dict[str, float]:
    """The numbers among the attributes of a layer, such as a dropout rate, and what follows from them."""
    found: dict[str, float] = {}
    for name, value in vars(layer).items():
        if isinstance(value, tuple) and value and all(type(v) is int for v in value) and 0 not in value:
            found[f"the product of {name}"] = math.prod(value)
        if type(value) not in (int, float) or value in (0, 1):
            continue
        found[name] = value
        if 0 < value < 1:
            found[f"1 − {name}"] = 1 - value
        elif value > 1:
            found[f"the square of {name}"] = value**2
            found[f"the square root of {name}"] = math.sqrt(value)
    return found


def layer_arrays(trial: Trial) -> dict[str, np.ndarray]:
    """The arrays that a gradient of a layer may contain: x, out, parameters and the cache."""
    found = {"x": trial.x, "out": trial.out()}
    found |= {name: p.value for name, p in trial.layer.parameters().items()}
    for name, array in _named_arrays("cache", trial.cache()):
        if array.dtype.kind == "f" and not any(_equal(array, other) for other in found.values()):
            found[name] = array
    return found


def _named_arrays(name: str, cache: Any) -> list[tuple[str, np.ndarray]]:
    if isinstance(cache, np.ndarray):
        return [(name, cache)]
    if isinstance(cache, tuple | list):
        return [pair for i, part in enumerate(cache) for pair in _named_arrays(f"{name}[{i}]", part)]
    if isinstance(cache, dict):
        return [pair for key, part in cache.items() for pair in _named_arrays(f"{name}[{key!r}]", part)]
    return []


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool((a == b).all())


def without_kinks(evidence: Evidence, kinks: np.ndarray) -> Evidence:
    """The evidence with the numeric gradient set to the claimed one at kinks, where both slopes are right."""
    return replace(evidence, numeric=np.where(kinks, evidence.claimed, evidence.numeric))


class Found(NamedTuple):
    """A cause that agrees with the evidence: its short name and the sentence that says it."""

    cause: str
    text: str


Cause = Callable[[Evidence], Found | None]
