"""Batch, layer and group normalisation, whose squares overflow long before their results do."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.layers import group_norm as groups
from scratchgen.layers import normalisation as layer
from sweep.inputs import patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, exact, number, sqrt

EPS = 1e-5


def cases(shape: tuple[int, ...], axis: int) -> Any:
    channels = shape[-1]

    def draw(dtype: Any, rng: np.random.Generator) -> list[tuple]:
        weight, bias = (
            rng.standard_normal(channels).astype(dtype),
            rng.standard_normal(channels).astype(dtype),
        )
        arrays = patterns(dtype, shape, rng)
        arrays += [np.full(shape, v, dtype) for v in (0.1, 1 / 3, 1e4 / 3, 1e30)]
        scaled = [
            (rng.standard_normal(shape) + 3) * 2.0**k for k in np.linspace(0, np.finfo(dtype).maxexp - 4, 12)
        ]
        arrays += [a.astype(dtype) for a in scaled]
        return [(a, weight, bias, EPS) for a in arrays]

    return draw


def normalised(x: Any, eps: float, axis: int, dtype: Any) -> tuple:
    """mean, xc, var and inv, and the sizes of the errors of xc and inv."""
    e, count = exact(x), x.shape[axis]
    mean = e.sum(axis=axis, keepdims=True) / count
    xc = e - mean
    var = (xc**2).sum(axis=axis, keepdims=True) / count
    inv = 1 / sqrt(var + number(float(dtype.type(eps))))
    tiny = number(float(np.finfo(dtype).tiny))
    xc_size = absolute(xc) + absolute(mean) + tiny  # the mean is rounded to the dtype
    spread = (absolute(xc) * xc_size).sum(axis=axis, keepdims=True) / count
    rounded = number(float(np.finfo(dtype).eps)) * absolute(mean)  # a second time, for the variance
    inv_size = inv * (1 + inv**2 * (spread + absolute(mean) * rounded))
    return mean, xc, var, inv, xc_size, inv_size


def norm(x: Any, weight: Any, bias: Any, eps: float, axis: int) -> tuple:
    mean, xc, var, inv, xc_size, inv_size = normalised(x, eps, axis, x.dtype)
    w, b = exact(weight), exact(bias)
    xhat, xhat_size = xc * inv, xc_size * inv + absolute(xc) * inv_size
    out = True_(w * xhat + b, absolute(w) * xhat_size + absolute(b))
    mean_size = absolute(exact(x)).sum(axis=axis, keepdims=True) / x.shape[axis]
    eps_mean = number(float(np.finfo(x.dtype).eps)) * absolute(mean)
    var_size = 2 * (inv_size / inv) * var + absolute(mean) * eps_mean + number(float(np.finfo(x.dtype).tiny))
    if (absolute(xc) > float(np.finfo(x.dtype).max)).any():  # x − mean overflows
        xhat_size = xhat_size + number(10) ** 400
        out, inv_size = True_(out.value, xhat_size), xhat_size.max(axis=axis, keepdims=True)
        var_size = inv_size
    return out, True_(xhat, xhat_size), True_(inv, inv_size), True_(mean, mean_size), True_(var, var_size)


def batch_norm(x: Any, weight: Any, bias: Any, eps: float) -> tuple:
    out, xhat, *columns = norm(x, weight, bias, eps, axis=0)
    return out, xhat, *(True_(c.value[0], c.size[0]) for c in columns)


def layer_norm(x: Any, weight: Any, bias: Any, eps: float) -> tuple:
    return norm(x, weight, bias, eps, axis=1)[:3]


def backward_cases(axis: int) -> Any:
    def draw(dtype: Any, rng: np.random.Generator) -> list[tuple]:
        found = []
        top = float(np.finfo(dtype).max) ** 0.5 / 64
        for dout in patterns(dtype, (5, 3), rng, top):
            for size in (1e-3, 1.0, top / 1e3):
                x = rng.standard_normal((5, 3))
                xc = x - x.mean(axis=axis, keepdims=True)
                spread = np.sqrt((xc**2).mean(axis=axis, keepdims=True))
                xhat, inv = (xc / spread).astype(dtype), (1 / (spread * size)).astype(dtype)
                weight = rng.standard_normal(3).astype(dtype)
                found.append((dout, xhat, inv[0] if axis == 0 else inv, weight))
        return found

    return draw


def backward(dout: Any, xhat: Any, inv: Any, weight: Any, axis: int) -> True_:
    d, h, i, w = map(exact, (dout, xhat, inv, weight))
    g, count = d * w, dout.shape[axis]

    def mean(a: Any) -> Any:
        return a.sum(axis=axis, keepdims=True) / count

    size = i * (absolute(g) + mean(absolute(g)) + (1 + absolute(h)) * mean(absolute(g * h)))
    tiny = number(float(np.finfo(dout.dtype).tiny))
    return True_(i * (g - mean(g) - h * mean(g * h)), size + 8 * tiny * (1 + i))


def scale_shift_backward(dout: Any, xhat: Any) -> tuple:
    d, h = exact(dout), exact(xhat)
    tiny = number(float(np.finfo(dout.dtype).tiny))
    return (
        True_((d * h).sum(axis=0), absolute(d * h).sum(axis=0) + 8 * tiny),
        True_(d.sum(axis=0), absolute(d).sum(axis=0)),
    )


def batch_norm_backward(dout: Any, xhat: Any, inv: Any, weight: Any) -> tuple:
    return backward(dout, xhat, inv, weight, 0), *scale_shift_backward(dout, xhat)


def layer_norm_backward(dout: Any, xhat: Any, inv: Any, weight: Any) -> True_:
    return backward(dout, xhat, inv, weight, 1)


def scale_shift_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    xhat = rng.standard_normal((5, 3)).astype(dtype)
    return [(a, xhat) for a in patterns(dtype, (5, 3), rng)]


GROUPED = (2, 3, 4)     # (N, P, C): with two groups, each has 3 × 2 values


def to_rows(x: Any, g: int) -> Any:
    """(N, P, C) -> (N·G, P·C/G), a row for each group."""
    n, p, c = x.shape
    return x.reshape(n, p, g, c // g).swapaxes(1, 2).reshape(n * g, -1)


def from_rows(rows: Any, shape: tuple[int, ...], g: int) -> Any:
    n, p, c = shape
    return np.asarray(rows).reshape(n, g, p, c // g).swapaxes(1, 2).reshape(shape)


def of_channels(a: Any, shape: tuple[int, ...], g: int) -> Any:
    """The numbers (C,) at the places of their channels in the rows."""
    return to_rows(np.broadcast_to(a, shape), g)


def group_norm_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(a, weight, bias, 2, eps) for a, weight, bias, eps in cases(GROUPED, 2)(dtype, rng)]


def group_norm(x: Any, weight: Any, bias: Any, g: int, eps: float) -> tuple:
    w, b = (of_channels(a, x.shape, g) for a in (weight, bias))
    out, xhat, inv, *_ = norm(to_rows(x, g), w, b, eps, axis=1)
    images = (True_(*(from_rows(a, x.shape, g) for a in part)) for part in (out, xhat))
    return *images, True_(*(np.asarray(a).reshape(len(x), g) for a in inv))


def group_norm_backward_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    top = float(np.finfo(dtype).max) ** 0.5 / 64
    found = []
    for dout in patterns(dtype, GROUPED, rng, top):
        for size in (1e-3, 1.0, top / 1e3):
            rows = to_rows(rng.standard_normal(GROUPED), 2)
            xc = rows - rows.mean(axis=1, keepdims=True)
            spread = np.sqrt((xc**2).mean(axis=1, keepdims=True))
            xhat, inv = from_rows(xc / spread, GROUPED, 2), (1 / (spread * size)).reshape(2, 2)
            weight = rng.standard_normal(GROUPED[2])
            found.append((dout, xhat.astype(dtype), inv.astype(dtype), weight.astype(dtype)))
    return found


def group_norm_backward(dout: Any, xhat: Any, inv: Any, weight: Any) -> tuple:
    g = inv.shape[1]
    w = of_channels(weight, dout.shape, g)
    dx = backward(to_rows(dout, g), to_rows(xhat, g), inv.reshape(-1, 1), w, 1)
    pixels = (-1, dout.shape[2])
    sums = scale_shift_backward(dout.reshape(pixels), xhat.reshape(pixels))
    return True_(*(from_rows(a, dout.shape, g) for a in dx)), *sums


def entry(name: str, cases: Any, truth: Any) -> Entry:
    return Entry(f"layers.normalisation.{name}", getattr(layer, name), cases, truth, twin=True)


ENTRIES = [
    entry("batch_norm", cases((5, 3), 0), batch_norm),
    entry("batch_norm_backward", backward_cases(0), batch_norm_backward),
    entry("scale_shift_backward", scale_shift_cases, scale_shift_backward),
    entry("layer_norm", cases((3, 5), 1), layer_norm),
    entry("layer_norm_backward", backward_cases(1), layer_norm_backward),
    Entry("layers.group_norm.group_norm", groups.group_norm, group_norm_cases, group_norm, twin=True),
    Entry(
        "layers.group_norm.group_norm_backward", groups.group_norm_backward, group_norm_backward_cases,
        group_norm_backward, twin=True,
    ),
]
