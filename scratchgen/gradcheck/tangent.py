"""The adjoint test: jvp against backward, without differences."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from scratchgen.gradcheck.arrays import expect_float64, expect_input, expect_settings, generator_of_check
from scratchgen.gradcheck.calls import backward, remember
from scratchgen.gradcheck.differences import EXACT, STEPS, Result, exact_result, line
from scratchgen.gradcheck.evidence import Evidence, layer_sizes
from scratchgen.gradcheck.explain import Explanation, explain, text_only
from scratchgen.layers.base import Layer


def check_jvp(layer: Any, x: np.ndarray, *, rng: np.random.Generator | int, training: bool = False) -> Result:
    """Check jvp against backward, (GRAD.4): jvp multiplies by J and backward by Jᵀ.

    The error is relative to the sum of the absolute products, Σ |J·v|·|u|. Raises TypeError if x or a
    parameter is not float64, and for a layer without a jvp; see `has_jvp`.
    """
    expect_float64("check_jvp", layer)
    expect_input("check_jvp", x)
    expect_settings("check_jvp", training)
    rng = generator_of_check("check_jvp", rng)
    restore = remember(layer)
    out, cache = layer.forward(x, training)
    u, v = rng.standard_normal(out.shape), rng.standard_normal(x.shape)
    dout = layer.jvp(v, cache)
    dx, _ = backward(layer, u, cache)
    restore()
    if dx is None or dx.shape != x.shape or dout.shape != out.shape:
        text = f"jvp gave an array of shape {np.shape(dout)}, expected {out.shape}, the shape of the output."
        if dx is None or dx.shape != x.shape:
            text = f"Backward gave dx of shape {np.shape(dx)}, expected {x.shape}, so jvp cannot be checked."
        return Result("jvp", x.shape, math.inf, 0.0, "FAIL", EXACT, text_only("shape", text))
    forward, back = float((dout * u).sum()), float((v * dx).sum())          # (GRAD.4)
    result = exact_result("jvp", x.shape, abs(forward - back), float(np.abs(dout * u).sum()))
    if result.ok:
        return result
    return replace(result, explanation=_explain_jvp(layer, x, v, dout, training, (forward, back)))


def _explain_jvp(
    layer: Layer, x: np.ndarray, v: np.ndarray, claimed: np.ndarray, training: bool, sums: tuple[float, float]
) -> Explanation:
    """Say which of the two is wrong: jvp's output is compared with the derivative of forward along v."""
    restore, x = remember(layer), x.copy()

    def terms() -> np.ndarray:
        restore()
        return layer.forward(x, training)[0]

    along, h = line([(x, v)], terms), STEPS[2]
    numeric = (along(h) - along(-h)) / (2 * h)
    restore()
    wrong = ~(np.abs(claimed - numeric) <= 1e-6 * np.abs(numeric).max(initial=0.0))
    both = f"⟨jvp(v), u⟩ is {sums[0]:.6g} and ⟨v, backward(u)⟩ is {sums[1]:.6g}; they should be equal."
    if not wrong.any():
        return text_only("backward", f"{both}\njvp agrees with forward, so backward is wrong, not jvp.")
    found = explain(Evidence("jvp", claimed, numeric, wrong, layer_sizes(layer, x, numeric)), ~wrong)
    return replace(found, text=f"{both}\njvp differs from forward. {found.text}")


def has_jvp(layer: Layer) -> bool:
    """Whether the layer and all layers inside it have a jvp."""
    defined = getattr(type(layer), "jvp", Layer.jvp) is not Layer.jvp
    return defined and all(has_jvp(child) for child in layer.children().values())
