"""The gradient checker: compare a hand-written backward with differences of forward.

The output of a layer is reduced to a number, f = ⟨out, u⟩, with a random u. Backward with dout = u returns
the claimed gradient of f, which is compared with differences of f. u is random because u = 1 hides
mistakes: the sum of a softmax, or of batch norm's output over the batch, is constant, so the true gradient is
zero, and a backward that returns zeros would pass. The output of a loss is already a number.

(GRAD.3)  d/dt f(θ + t·v) at t = 0  =  ⟨∇f, v⟩          so one line checks all parameters at once
(GRAD.4)  ⟨J·v, u⟩ = ⟨v, Jᵀ·u⟩                         jvp against backward, without differences

How differences are taken, and what counts as agreement and as a kink, is described in differences.py of this
package. Derived in docs/gradcheck.md.

All numbers must be float64. In float32 the error is about 1e-5 with the best step and 1e-3 with a step of
1e-4 (`scratchgen gradcheck --plot` plots it), which hides real mistakes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scratchgen.checks import (
    as_generator,
    expect_flags,
    expect_float,
    expect_function,
    expect_int,
    expect_number,
)
from scratchgen.gradcheck.differences import EXACT, Result, compare, exact_result, line, summary
from scratchgen.initializers import orthogonal
from scratchgen.layers.base import Layer, Parameter
from scratchgen.layers.linear import Linear
from scratchgen.layers.sequential import Sequential
from scratchgen.module import Module

SMOOTH = 1e-8       # the tolerance for functions without kinks
KINKED = 1e-6       # the tolerance for the others

Loss = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]


def check_layer(
    layer: Layer,
    x: np.ndarray,
    *,
    rng: np.random.Generator | int,
    training: bool = False,
    tolerance: float = SMOOTH,
) -> list[Result]:
    """Check backward's gradient of ⟨out, u⟩, entry by entry, for the input and for each parameter.

    The layer is not changed: values, gradients, buffers and generators are restored. All evaluations start
    from the same buffers and generator states, so Dropout uses the same mask.

    The check also fails for an array of floats that is neither a Parameter nor a buffer, because it would be
    neither trained nor saved, and for a Parameter or layer inside an object that Module does not search.

    Raises TypeError if x or a parameter is not float64, and if forward does not return (out, cache).
    """
    _expect_float64("check_layer", layer)
    _expect_input("check_layer", x)
    _expect_settings("check_layer", training, tolerance)
    unlearned = [
        Result(f"{name} (neither a Parameter nor in buffer_names)", a.shape, math.inf, 0.0, "FAIL", tolerance)
        for name, a in layer.unlearned_arrays().items()
    ]
    unlearned += [
        Result(f"{name} (inside another object)", (), math.inf, 0.0, "FAIL", tolerance)
        for name in layer.overlooked()
    ]
    rng = as_generator("check_layer", rng)
    x = x.copy()
    restore = remember(layer)
    out, cache = layer.forward(x, training)
    u = rng.standard_normal(out.shape)

    def terms() -> np.ndarray:
        restore()
        return layer.forward(x, training)[0] * u

    dx, gradients = backward(layer, u, cache)
    results = [_check_array("input", x, dx, terms, tolerance)]
    for name, p in layer.parameters().items():
        results.append(_check_array(name, p.value, gradients[name], terms, tolerance))
    restore()
    return results + unlearned


def with_upstream(
    layer: Layer, x: np.ndarray, *, rng: np.random.Generator | int
) -> tuple[Sequential, np.ndarray]:
    """Put a Linear before `layer`; return both, and the input for which the layer's input is still x.

    A wrong dx then makes the weight gradient of the Linear wrong, as in a network. W is orthogonal, so the
    input is (x − b)·Wᵀ, and the values that reach `layer` are as far from kinks as those of x.
    """
    _expect_float64("with_upstream", layer)
    _expect_input("with_upstream", x)
    rng = as_generator("with_upstream", rng)
    width = x.shape[-1]
    linear = Linear(width, width, rng=rng, dtype=np.float64)
    linear.weight.value[...] = orthogonal((width, width), rng=rng, dtype=np.float64)
    bias = rng.standard_normal(width)
    linear.parameters()["bias"].value[...] = bias
    return Sequential(linear, layer), (x - bias) @ linear.weight.value.T


def check_loss(
    loss: Loss, pred: np.ndarray, target: np.ndarray, *, tolerance: float = SMOOTH
) -> list[Result]:
    """Check the gradient that a loss f(pred, target) -> (loss, dpred) returns, entry by entry.

    Raises TypeError if pred is not float64.
    """
    expect_function("check_loss", "loss", loss)
    expect_float("check_loss (its pred)", pred)
    _expect_settings("check_loss", tolerance=tolerance)
    if pred.dtype != np.float64:
        raise TypeError(_not_float64("check_loss", "the prediction", pred.dtype))
    pred = pred.copy()
    dpred = loss(pred, target)[1].copy()
    return [_check_array("pred", pred, dpred, lambda: np.array([loss(pred, target)[0]]), tolerance)]


def check_model(
    model: Module,
    loss: Callable[[], tuple[float, Any]],
    *,
    rng: np.random.Generator | int,
    directions: int = 4,
    tolerance: float = SMOOTH,
) -> list[Result]:
    """Check a whole model along random lines, (GRAD.3): for each parameter array, and for all together.

    loss : () -> (loss, cache), e.g. ``lambda: model.loss(x)``. A loss that uses random numbers must use the
        same ones each time: ``lambda: model.loss(x, rng=1)``.
    directions : lines for each array: one along the claimed gradient, where the signal is strongest, and
        random ones, which find entries that are wrongly zero. All are unit vectors.

    Raises TypeError for parameters that are not float64, ValueError for directions < 2.
    """
    _expect_float64("check_model", model)
    _expect_settings("check_model", tolerance=tolerance)
    if expect_int("check_model", "directions", directions) < 2:
        raise ValueError(f"check_model expected at least 2 directions, got {directions}")
    rng = as_generator("check_model", rng)
    restore = remember(model)
    _, cache = loss()
    _, gradients = backward(model, None, cache)

    def terms() -> np.ndarray:
        restore()
        return np.array([loss()[0]])

    parameters = model.parameters()
    groups = [(name, {name: p}) for name, p in parameters.items()]
    results = []
    for what, group in [*groups, ("all parameters", parameters)]:
        results.append(_check_lines(what, group, gradients, terms, rng, directions, tolerance))
    restore()
    return results


def check_jvp(layer: Any, x: np.ndarray, *, rng: np.random.Generator | int, training: bool = False) -> Result:
    """Check jvp against backward, (GRAD.4): jvp multiplies by J and backward by Jᵀ.

    The error is relative to the sum of the absolute products, Σ |J·v|·|u|. Raises TypeError if x or a
    parameter is not float64, and for a layer without a jvp; see `has_jvp`.
    """
    _expect_float64("check_jvp", layer)
    _expect_input("check_jvp", x)
    _expect_settings("check_jvp", training)
    rng = as_generator("check_jvp", rng)
    restore = remember(layer)
    out, cache = layer.forward(x, training)
    u, v = rng.standard_normal(out.shape), rng.standard_normal(x.shape)
    dout = layer.jvp(v, cache)
    dx, _ = backward(layer, u, cache)
    restore()
    if dx is None or dx.shape != x.shape or dout.shape != out.shape:
        return Result("jvp", x.shape, math.inf, 0.0, "FAIL", EXACT)
    forward, back = float((dout * u).sum()), float((v * dx).sum())          # (GRAD.4)
    return exact_result("jvp", x.shape, abs(forward - back), float(np.abs(dout * u).sum()))


def has_jvp(layer: Layer) -> bool:
    """Whether the layer and all layers inside it have a jvp."""
    defined = getattr(type(layer), "jvp", Layer.jvp) is not Layer.jvp
    return defined and all(has_jvp(child) for child in layer.children().values())


def backward(layer: Any, dout: np.ndarray | None, cache: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Call backward. Return its result and the parameters' gradients by name; p.grad does not change.

    dout : the gradient of the output of a layer; None for a model, whose backward takes only the cache
    """
    parameters = layer.parameters()
    before = {name: p.grad.copy() for name, p in parameters.items()}
    layer.zero_grad()
    returned = layer.backward(cache) if dout is None else layer.backward(dout.copy(), cache)
    gradients = {name: p.grad.copy() for name, p in parameters.items()}
    for name, p in parameters.items():
        p.grad[...] = before[name]
    return returned, gradients


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


def _check_array(
    what: str,
    array: np.ndarray,
    claimed: np.ndarray | None,
    terms: Callable[[], np.ndarray],
    tolerance: float,
) -> Result:
    """Compare the claimed gradient of every entry with differences along it."""
    if claimed is None or claimed.shape != array.shape:
        return Result(what, array.shape, math.inf, 0.0, "FAIL", tolerance)
    largest, size = float(np.abs(claimed).max(initial=0.0)), float(np.linalg.norm(terms()))
    entries = []
    for index in np.ndindex(array.shape):
        entry = array[tuple(slice(i, i + 1) for i in index)]         # a view of one entry
        along = line([(entry, np.ones_like(entry))], terms)
        unit = max(1.0, abs(float(array[index])))
        entries.append(compare(along, float(claimed[index]), largest, size, tolerance, unit))
    return summary(what, array.shape, entries, tolerance)


def _check_lines(
    what: str,
    parameters: Mapping[str, Parameter],
    gradients: Mapping[str, np.ndarray],
    terms: Callable[[], np.ndarray],
    rng: np.random.Generator,
    directions: int,
    tolerance: float,
) -> Result:
    """Compare ⟨∇f, v⟩ with differences along unit vectors v that span the given parameters."""
    gradient = np.concatenate([gradients[name].reshape(-1) for name in parameters])
    largest, size = float(np.linalg.norm(gradient)), float(np.linalg.norm(terms()))
    ends = np.cumsum([p.size for p in parameters.values()])[:-1]
    entries = []
    for i in range(directions):
        v = gradient if i == 0 and largest > 0 else rng.standard_normal(gradient.shape)
        v = v / np.linalg.norm(v)
        parts = zip(parameters.values(), np.split(v, ends), strict=True)
        along = line([(p.value, part.reshape(p.shape)) for p, part in parts], terms)
        claimed = float(gradient @ v)                                       # (GRAD.3)
        entries.append(compare(along, claimed, largest, size, tolerance, 1.0))
    return summary(what, gradient.shape, entries, tolerance)


def _expect_float64(who: str, layer: Module) -> None:
    if not isinstance(layer, Module):
        raise TypeError(f"{who} expected layer to be a Layer or Model, got {layer!r}")
    for name, p in layer.parameters().items():
        if p.dtype != np.float64:
            raise TypeError(_not_float64(who, name, p.dtype))


def _expect_input(who: str, x: np.ndarray) -> None:
    expect_float(f"{who} (its input x)", x)
    if x.ndim < 1:
        raise ValueError(f"{who} expected an input x of shape (N, …), got ()")
    if x.dtype != np.float64:
        raise TypeError(_not_float64(who, "the input", x.dtype))


def _expect_settings(who: str, training: bool = False, tolerance: float = SMOOTH) -> None:
    expect_flags(who, training=training)
    expect_number(who, "tolerance", tolerance, above=0)


def _not_float64(who: str, what: str, dtype: np.dtype) -> str:
    return f"{who} expected {what} in float64, got {dtype}: differences would be dominated by rounding"
