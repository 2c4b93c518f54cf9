"""Digits on their way to noise and back, by a model that follows an equation between the two.

A step of length h of a method of order p has an error c·hᵖ⁺¹ plus higher powers, and the same step backwards
has c·(−h)ᵖ⁺¹. If p is even, the two cancel in a round trip, and its error has the order p + 1. If p is odd,
they add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.layers.time_embedding import frequencies
from scratchgen.models import FlowMatching
from scratchgen.models.diffusion.ode import SOLVERS


def root_mean_square(difference: np.ndarray) -> float:
    """√ of the mean square of all entries."""
    return float(np.sqrt((difference.astype(np.float64) ** 2).mean()))


def in_double_precision(model: FlowMatching, hidden: int, blocks: int) -> FlowMatching:
    """The same dense model in float64, so that errors of the solver are not hidden by rounding."""
    wide = FlowMatching.dense(
        model.features, hidden, blocks, levels=model.levels, rng=0, dtype=np.float64
    )
    for name, p in wide.parameters().items():
        p.value[...] = model.parameters()[name].value
    return wide


def with_slow_waves_only(model: FlowMatching, hidden: int, blocks: int, fastest: float) -> FlowMatching:
    """A copy in float64 whose network ignores the waves of the time embedding above `fastest` radians.

    It is another velocity field, which changes slowly with the time.
    """
    slow = in_double_precision(model, hidden, blocks)
    weight: Any = slow.net.parameters()["condition.time.1.weight"].value    # a row for each sine and cosine
    waves = frequencies(len(weight), weight.dtype)
    weight[np.tile(waves > fastest, 2)] = 0
    return slow


def code_errors(model: FlowMatching, X: np.ndarray, steps: Sequence[int]) -> dict[str, np.ndarray]:
    """For each method, the error of the codes of X by the number of steps.

    They are compared with codes by RK4 with twice as many steps as the largest number.
    """
    exact = model.transform(X, steps=2 * max(steps), method="rk4")
    return {
        method: np.array(
            [root_mean_square(model.transform(X, steps=n, method=method) - exact) for n in steps]
        )
        for method in SOLVERS
    }


def trip_errors(model: Any, X: np.ndarray, steps: Sequence[int], **how: Any) -> np.ndarray:
    """The error of X → codes → X for each number of steps; how : method= for flow matching.

    It is √ of the mean squared error of a pixel.
    """
    return np.array([root_mean_square(model.reconstruct(X, steps=n, **how) - X) for n in steps])


def orders(errors: np.ndarray) -> np.ndarray:
    """log₂(error / error of twice as many steps), where each number of steps is twice the one before."""
    return np.log2(errors[:-1] / errors[1:])


def code_path(z_a: np.ndarray, z_b: np.ndarray, count: int) -> np.ndarray:
    """`count` codes from z_a (D,) to z_b, cos(φ)·z_a + sin(φ)·z_b for φ from 0 to π/2, (count, D).

    If z_a and z_b are from N(0, I), all of them are. On a straight line, the code in the middle would be
    shorter by a factor of √2, and so not a typical code.
    """
    angle = np.linspace(0, np.pi / 2, count, dtype=z_a.dtype)[:, None]
    return np.cos(angle) * z_a + np.sin(angle) * z_b


def different_pairs(y: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` random pairs of examples with different labels y (N,), as indices (count, 2)."""
    pairs = rng.integers(len(y), size=(20 * count, 2))
    return pairs[y[pairs[:, 0]] != y[pairs[:, 1]]][:count]


def half_way(model: Any, x: np.ndarray, z: np.ndarray, pairs: np.ndarray) -> dict[str, np.ndarray]:
    """Images in the middle between pairs of digits, each (P, D), in [0, 1].

    x, z : digits and their codes, (N, D);  pairs : indices of digits, (P, 2)

    "linear in pixels" is what the middle between two codes would be if codes were a linear function of
    pixels: m + (x_a − m + x_b − m)/√2 with the mean digit m, clipped to [0, 1]. "other pixels" are in the
    middle between the pixels of another pair.
    """
    m = x.mean(axis=0)
    middle = np.stack([code_path(z[a], z[b], 3)[1] for a, b in pairs])
    pixels = x[pairs].mean(axis=1)
    images = {
        "codes": model.inverse_transform(middle),
        "pixels": pixels,
        "linear in pixels": m + np.sqrt(2).astype(x.dtype) * (pixels - m),
        "other pixels": np.roll(pixels, 1, axis=0),
    }
    return {name: image.clip(0, 1) for name, image in images.items()}


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """The correlation of two images over their pixels, averaged over the rows of a and b (N, D)."""
    a, b = (images - images.mean(axis=1, keepdims=True) for images in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / lengths).mean())
