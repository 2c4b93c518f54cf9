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
from collections.abc import Callable

import numpy as np

from scratchgen.checks import as_generator, describe, expect_float, expect_function
from scratchgen.gradcheck.arrays import (
    KINKED,
    SMOOTH,
    check_array,
    expect_float64,
    expect_input,
    expect_output,
    expect_settings,
    generator_of_check,
    not_float64,
)
from scratchgen.gradcheck.calls import backward, remember
from scratchgen.gradcheck.differences import Result
from scratchgen.gradcheck.evidence import Evidence, Pair, Trial, layer_arrays, layer_sizes, loss_sizes
from scratchgen.gradcheck.explain import text_only
from scratchgen.gradcheck.lines import check_model
from scratchgen.gradcheck.numeric import numeric_gradient
from scratchgen.gradcheck.tangent import check_jvp, has_jvp
from scratchgen.initializers import orthogonal
from scratchgen.layers.base import Layer
from scratchgen.layers.linear import Linear
from scratchgen.layers.sequential import Sequential

__all__ = [
    "KINKED",
    "Loss",
    "SMOOTH",
    "backward",
    "check_jvp",
    "check_layer",
    "check_loss",
    "check_model",
    "has_jvp",
    "remember",
    "with_upstream",
]

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

    Raises TypeError if x, a parameter or the output is not float64, and if forward does not return
    (out, cache).
    """
    expect_float64("check_layer", layer)
    expect_input("check_layer", x)
    expect_settings("check_layer", training, tolerance)
    unlearned = _unlearned(layer, tolerance)
    rng = generator_of_check("check_layer", rng)
    x = x.copy()
    before = x.copy()
    restore = remember(layer)
    layer.forward(x[::-1].copy(), training)     # a layer that keeps what it saw first fails below
    restore()
    out, cache = layer.forward(x, training)
    expect_output("check_layer", out)
    u = rng.standard_normal(out.shape)

    def terms() -> np.ndarray:
        restore()
        return layer.forward(x, training)[0] * u

    def evidence(what: str, claimed: np.ndarray, numeric: np.ndarray, wrong: np.ndarray) -> Evidence:
        trial = Trial(layer, before, u, training, restore)
        sizes, arrays = layer_sizes(layer, x, out), layer_arrays(trial)
        return Evidence(
            what, claimed, numeric, wrong, sizes, arrays, trial=trial, smaller=trial.smaller(what)
        )

    if not np.array_equal(x, before, equal_nan=True):
        text = "Forward changes its input x in place, as in x[x < 0] = 0. Work on a copy."
        return [Result("input", x.shape, math.inf, 0.0, "FAIL", tolerance, text_only("x changed", text))]
    dx, gradients = backward(layer, u, cache)
    results = [check_array("input", x, dx, terms, tolerance, evidence)]
    for name, p in layer.parameters().items():
        results.append(check_array(name, p.value, gradients[name], terms, tolerance, evidence))
    restore()
    return results + unlearned


def _unlearned(layer: Layer, tolerance: float) -> list[Result]:
    """A failure for each array that would be neither trained nor saved."""
    found = [
        (f"{name} (neither a Parameter nor in buffer_names)", a.shape, "It would not be trained or saved.")
        for name, a in layer.unlearned_arrays().items()
    ]
    text = "Parameters inside this object would not be trained or saved: keep them in a layer, list or dict."
    found += [(f"{name} (inside another object)", (), text) for name in layer.overlooked()]
    return [
        Result(what, shape, math.inf, 0.0, "FAIL", tolerance, text_only("not a Parameter", text))
        for what, shape, text in found
    ]


def with_upstream(
    layer: Layer, x: np.ndarray, *, rng: np.random.Generator | int
) -> tuple[Sequential, np.ndarray]:
    """Put a Linear before `layer`; return both, and the input for which the layer's input is still x.

    A wrong dx then makes the weight gradient of the Linear wrong, as in a network. W is orthogonal, so the
    input is (x − b)·Wᵀ, and the values that reach `layer` are as far from kinks as those of x.
    """
    expect_float64("with_upstream", layer)
    expect_input("with_upstream", x)
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

    Raises TypeError if pred is not float64, and if the loss does not return a number and an array.
    """
    expect_function("check_loss", "loss", loss)
    expect_float("check_loss (its pred)", pred)
    expect_settings("check_loss", tolerance=tolerance)
    if pred.dtype != np.float64:
        raise TypeError(not_float64("check_loss", "the prediction", pred.dtype))
    pred = pred.copy()
    dpred = _gradient_of_loss(loss, pred, target)
    dpred = None if dpred is None else dpred.copy()

    target = np.asarray(target)

    def evidence(what: str, claimed: np.ndarray, numeric: np.ndarray, wrong: np.ndarray) -> Evidence:
        labels = target if target.dtype.kind in "iu" else None
        arrays = {"pred": pred, "target": target} if labels is None else {"pred": pred}
        smaller = _smaller_loss(loss, pred, target)
        return Evidence(
            what, claimed, numeric, wrong, loss_sizes(pred), arrays, labels, smaller=smaller
        )

    return [check_array("pred", pred, dpred, lambda: np.array([loss(pred, target)[0]]), tolerance, evidence)]


def _gradient_of_loss(loss: Loss, pred: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    returned = loss(pred, target)
    name = getattr(loss, "__name__", "check_loss")
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(f"{name} expected to return (loss, dpred), got {describe(returned)}")
    if np.ndim(returned[0]) != 0:
        raise TypeError(f"{name} expected the loss to be one number, got shape {np.shape(returned[0])}")
    return returned[1]


def _smaller_loss(loss: Loss, pred: np.ndarray, target: np.ndarray) -> Callable[[], Pair] | None:
    """How to compute both gradients without the last example; None if fewer than two examples are left."""
    if len(pred) < 3 or len(target) != len(pred):
        return None
    return lambda: (
        loss(pred[:-1], target[:-1])[1], numeric_gradient(lambda p: loss(p, target[:-1])[0], pred[:-1])
    )


