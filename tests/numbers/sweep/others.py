"""Functions outside of layers and losses: warped images, sampled pixels, initial weights, one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen import checks, initializers
from scratchgen.data import augment
from scratchgen.layers import AffineCoupling, Linear, Scaling
from scratchgen.models.autoregressive import made_sampling
from scratchgen.models.gan import gradient_penalty as penalty
from sweep.inputs import patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, context, exact, exp, number, sigmoid, sqrt, tanh

SHARPNESS = 0.75
NEVER = number(10) ** 1000


def warp_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    same = np.array([[1, 0, 0, 1, 0, 0]], dtype)
    top = float(np.finfo(dtype).max) / 100
    maps = [
        same,
        same * 0,
        same + dtype(1e-30),
        same * dtype(top),
        same + np.array([[0, 0, 0, 0, 1, -0.5]], dtype),
    ]
    maps += [
        same + (size * rng.standard_normal((1, 6))).astype(dtype)
        for size in (1e-7, 0.1, 1, 1e3, 1e9, top / 9)
    ]
    images = [rng.random((1, 4, 5)), np.full((1, 4, 5), 1.0), np.full((1, 4, 5), float(np.finfo(dtype).tiny))]
    return [(x.astype(dtype), m, SHARPNESS) for m in maps for x in images]


def cubic(t: Any, a: Any) -> list[Any]:
    s = 1 - t
    return [
        a * t * s * s,
        ((a + 2) * t - (a + 3)) * t * t + 1,
        ((a + 2) * s - (a + 3)) * s * s + 1,
        a * s * t * t,
    ]


def affine_warp(images: Any, maps: Any, sharpness: float) -> True_:
    n, height, width = images.shape
    pixels, value, size = exact(images), exact(np.zeros(images.shape)), exact(np.zeros(images.shape))
    cy, cx = number(height - 1) / 2, number(width - 1) / 2
    for m, i, j in np.ndindex(n, height, width):
        a, b, c, d, ty, tx = exact(maps[m])
        y, x = a * (i - cy) + b * (j - cx) + ty + cy, c * (i - cy) + d * (j - cx) + tx + cx
        rough = absolute(exact(maps[m])).sum() * 4 + 8  # a rounding of the position by eps·rough
        top, left = int(context.floor(y)), int(context.floor(x))
        wy, wx = cubic(y - top, number(-sharpness)), cubic(x - left, number(-sharpness))
        near = False
        for u in range(-1, 5):
            for v in range(-1, 5):
                row, column = top - 1 + u, left - 1 + v
                if 0 <= row < height and 0 <= column < width:
                    near = True
                    if 0 <= u < 4 and 0 <= v < 4:
                        value[m, i, j] += wy[u] * wx[v] * pixels[m, row, column]
        value[m, i, j] = min(max(value[m, i, j], 0), 1)
        lost = rough * number(float(np.finfo(images.dtype).eps)) > number(1) / 1000
        size[m, i, j] = rough * absolute(pixels[m]).max() if near or lost else number(0)
        size[m, i, j] = NEVER if lost and -9 < y < height + 9 else size[m, i, j]
    return True_(value, size)


def pixel_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    places, widths, found = 5, (4, 3), []
    degrees = [np.sort(rng.integers(1, places, width)) for width in widths]
    ends = tuple(np.searchsorted(m, np.arange(places), side="right") for m in degrees)
    top = float(np.finfo(dtype).max) ** 0.2
    shapes = (places, 4), (3, 4), (places, 3)
    for first, second, third in zip(*(patterns(dtype, shape, rng, top) for shape in shapes), strict=True):
        starts = tuple(rng.standard_normal((6, w)).astype(dtype) for w in (*widths, places))
        x = (rng.random((6, places)) < 0.5).astype(dtype)
        found.append((x, rng.random((6, places)).astype(dtype), 1, first, (second, third), ends, starts))
    return found


def fill_pixels(x: Any, uniform: Any, known: int, first: Any, upper: Any, ends: Any, starts: Any) -> True_:
    """Pixel by pixel. After a pixel within rounding of its threshold, nothing is promised in its row."""
    out, size, depth = exact(x), np.full(x.shape, number(1), object), len(ends)
    first, uniform, upper = exact(first), exact(uniform), [exact(w) for w in upper]
    eps = number(float(np.finfo(x.dtype).eps))
    for n in range(len(x)):
        hidden, unclear = [exact(s[n]) for s in starts], False
        rough = [absolute(h) for h in hidden]
        for t in range(x.shape[1]):
            if t > 0:
                old, new = ends[0][t - 1], ends[0][t]
                hidden[0][old:] += out[n, t - 1] * first[t - 1, old:]
                rough[0][old:] += absolute(out[n, t - 1] * first[t - 1, old:])
                hidden[0][old:new] = np.maximum(hidden[0][old:new], number(0))
            for layer in range(1, depth if t > 0 else 1):
                old, new, below = ends[layer][t - 1], ends[layer][t], ends[layer - 1][t]
                w = upper[layer - 1][old:new, :below]
                a = hidden[layer][old:new] + (w @ hidden[layer - 1][:below] if below else 0)
                rough[layer][old:new] += absolute(w) @ rough[layer - 1][:below] if below else 0
                hidden[layer][old:new] = np.maximum(a, number(0))
            if t >= known:
                below = ends[-1][t]
                w = upper[-1][t, :below]
                logit = hidden[depth][t] + (w @ hidden[depth - 1][:below] if below else 0)
                error = rough[depth][t] + (absolute(w) @ rough[depth - 1][:below] if below else 0)
                p = sigmoid(logit)
                unclear |= bool(abs(p - uniform[n, t]) < 64 * eps * (p + p * (1 - p) * error + eps * error))
                out[n, t] = number(1) if uniform[n, t] < p else number(0)
                size[n, t] = NEVER if unclear else number(1)
    return True_(out, size)


FANS = ((1, 1), (3, 5), (784, 1000), (2**40, 2**52))


def drawn(rule: Any) -> Any:
    return lambda fan_in, fan_out, dtype: rule((4, 3), fan_in, fan_out, rng=7, dtype=dtype)


def fans(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(*pair, dtype) for pair in FANS]


def normal_weights(variance: Any) -> Any:
    """Normal numbers from the same seed, times the exact standard deviation."""
    return lambda fan_in, fan_out, dtype: (
        exact(np.random.default_rng(7).standard_normal((4, 3))) * sqrt(variance(fan_in, fan_out))
    )


def uniform_weights(fan_in: int, fan_out: int, dtype: Any) -> True_:
    u, limit = exact(np.random.default_rng(7).random((4, 3))), sqrt(number(6) / (fan_in + fan_out))
    return True_((2 * u - 1) * limit, limit)


def gram(rows: int, columns: int, gain: float, dtype: Any) -> np.ndarray:
    """WᵀW (or W·Wᵀ), summed in float64, of an orthogonal W times gain."""
    w = initializers.orthogonal((rows, columns), gain=gain, rng=3, dtype=dtype).astype(np.float64) / gain
    return (w.T @ w if rows >= columns else w @ w.T).astype(dtype)


def identity(rows: int, columns: int, gain: float, dtype: Any) -> True_:
    return True_(exact(np.eye(min(rows, columns))), number(1))


def coupling(raw: np.ndarray, x: np.ndarray) -> tuple:
    """The z₂, log-determinant and inverse of a coupling with scales of `raw`."""
    layer = AffineCoupling(Linear(1, 2, rng=0, dtype=x.dtype), "first")
    layer.conditioner.weight.value[...] = 0
    layer.conditioner.bias.value[...] = 0
    found = []
    for r, v in zip(raw, x, strict=True):
        layer.conditioner.bias.value[1] = r
        z, cache = layer.forward(np.array([[0, v]], x.dtype))
        found.append((z[0, 1], cache.logdet[0], layer.inverse(np.array([[0, v]], x.dtype))[0, 1]))
    return tuple(np.array(column, x.dtype) for column in zip(*found, strict=True))


def coupling_truth(raw: Any, x: Any) -> tuple:
    s = 2 * tanh(exact(raw) / 2)
    return exact(x) * exp(s), True_(s, absolute(s)), exact(x) * exp(-s)


def coupling_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    columns = patterns(dtype, (12,), rng), patterns(dtype, (12,), rng, float(np.finfo(dtype).max) / 16)
    return list(zip(*columns, strict=True))


def scaling(log_scale: np.ndarray, x: np.ndarray) -> tuple:
    layer = Scaling(len(x), dtype=x.dtype)
    layer.log_scale.value[...] = log_scale
    z, cache = layer.forward(x[None])
    return z[0], cache.logdet[0], layer.inverse(x[None])[0]


def scaling_truth(log_scale: Any, x: Any) -> tuple:
    s, e, info = exact(log_scale), exact(x), np.finfo(x.dtype)
    never = np.where(absolute(s) > float(np.log(info.max)), NEVER, number(0))  # exp(±s) overflows
    tiny = number(float(info.tiny))
    sizes = [absolute(e) * np.maximum(exp(k * s), tiny) + never for k in (1, -1)]
    return True_(e * exp(s), sizes[0]), True_(s.sum(), absolute(s).sum()), True_(e * exp(-s), sizes[1])


def scaling_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(s, x) for s in patterns(dtype, (3,), rng, 1e3)[::2] for x in patterns(dtype, (3,), rng)[::3]]


def penalty_of(slope: np.ndarray, weight: float) -> tuple[float, np.ndarray]:
    """The penalty and its gradient for the critic x·W, whose slope is W everywhere."""
    critic = Linear(len(slope), 1, rng=0, dtype=slope.dtype)
    critic.weight.value[...] = slope[:, None]
    value, _ = penalty.gradient_penalty(critic, np.ones((2, len(slope)), slope.dtype), weight)
    return value, critic.weight.grad[:, 0].copy()


def penalty_truth(slope: Any, weight: float) -> tuple:
    """λ·(‖w‖ − 1)², and 2λ·(1 − 1/‖w‖)·w, which is taken as 0 at w = 0."""
    w, factor = exact(slope), number(weight)
    length = sqrt((w**2).sum())
    gradient = 2 * factor * (1 - 1 / length) * w if length else w
    lost = length * number(float(np.finfo(slope.dtype).tiny))  # w / ‖w‖ may be below tiny
    size = 2 * factor * (1 + 1 / length) * (absolute(w) + lost) if length else w
    # The squares are in the dtype, so that a critic that diverges is found by its infinite penalty.
    over = NEVER if (length + 1) ** 2 > float(np.finfo(slope.dtype).max) else 0
    return True_(factor * (length - 1) ** 2, factor * (length + 1) ** 2 + over), True_(gradient, size)


def slopes(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(a, 10.0) for a in patterns(dtype, (4,), rng, float(np.finfo(dtype).max) / 64)]


def one_hot_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(rng.integers(0, k, 5), k, dtype) for k in (1, 2, 10)]


def one_hot(y: Any, classes: int, dtype: Any) -> Any:
    return exact(np.arange(classes) == y[:, None])


def rule(name: str, truth: Any) -> Entry:
    return Entry(f"initializers.{name}", drawn(getattr(initializers, name)), fans, truth)


ENTRIES = [
    Entry("data.augment.affine_warp", augment.affine_warp, warp_cases, affine_warp, twin=True),
    Entry(
        "models.autoregressive.made_sampling.fill_pixels",
        made_sampling.fill_pixels,
        pixel_cases,
        fill_pixels,
        twin=True,
    ),
    rule("he_normal", normal_weights(lambda fan_in, fan_out: number(2) / fan_in)),
    rule("glorot_normal", normal_weights(lambda fan_in, fan_out: number(2) / (fan_in + fan_out))),
    rule("normal", normal_weights(lambda fan_in, fan_out: number(0.02) ** 2)),
    rule("glorot_uniform", uniform_weights),
    Entry(
        "initializers.orthogonal",
        gram,
        lambda dtype, rng: [
            (r, c, g, dtype) for r, c in ((1, 1), (5, 3), (3, 5)) for g in (1.0, 1e-30, 1e30)
        ],
        identity,
    ),
    Entry("layers.coupling.AffineCoupling", coupling, coupling_cases, coupling_truth),
    Entry("layers.coupling.Scaling", scaling, scaling_cases, scaling_truth),
    Entry("models.gan.gradient_penalty", penalty_of, slopes, penalty_truth),
    Entry("checks.one_hot", checks.one_hot, one_hot_cases, one_hot),
]
