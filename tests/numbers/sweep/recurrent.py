"""One step of an LSTM and of a GRU: gates that are saturated, and states of all sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.kernels.recurrent import Saved
from scratchgen.layers import gru, lstm
from scratchgen.layers.recurrent import backward_steps, forward_steps
from sweep.inputs import patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, exact, number, sigmoid, tanh

N, H = 2, 2


def flushed(dtype: Any) -> Any:
    """A gate below the smallest normal number has no digits: its error is compared with this size."""
    return number(float(np.finfo(dtype).tiny)) / number(float(np.finfo(dtype).eps))


def opened(z: Any, dtype: Any) -> tuple[Any, Any]:
    """σ(z), and the size of its error: a rounding of z is a relative error of (1 − σ)·|z|."""
    s = sigmoid(z)
    return s, np.maximum(s * (1 + sigmoid(-z) * absolute(z)), flushed(dtype))


def squashed(z: Any, z_size: Any) -> tuple[Any, Any]:
    """tanh z, and the size of its error for an error of that size in z."""
    t = tanh(z)
    return t, np.minimum(absolute(t) + (1 - t**2) * z_size, number(2))


def lstm_cell(a: Any, u: Any, c: Any) -> tuple:
    z, e = exact(a) + exact(u), exact(c)
    (i, i_size), (f, f_size), _, (o, o_size) = (opened(part, a.dtype) for part in np.split(z, 4, axis=1))
    z_g = z[:, 2 * H : 3 * H]
    g, g_size = squashed(z_g, absolute(z_g))
    after = f * e + i * g
    size = f_size * absolute(e) + i_size * absolute(g) + i * g_size
    t, t_size = squashed(after, size)
    gates, sizes = np.concatenate([i, f, g, o], axis=1), [i_size, f_size, g_size, o_size]
    h = True_(o * t, o_size * absolute(t) + o * t_size)
    return h, True_(after, size), True_(gates, np.concatenate(sizes, axis=1)), True_(t, t_size)


def gru_cell(a: Any, u: Any, bias: Any, h: Any) -> tuple:
    e, w, before = exact(a), exact(u), exact(h)
    (r, r_size), (z, z_size) = (
        opened(e[:, k * H : (k + 1) * H] + w[:, k * H : (k + 1) * H], a.dtype) for k in (0, 1)
    )
    a_n, u_n, b = e[:, 2 * H :], w[:, 2 * H :], exact(bias)
    v = u_n + b
    s = absolute(a_n) + r_size * absolute(v)
    n, n_size = squashed(a_n + r * v, s)
    after = (1 - z) * n + z * before
    size = (1 - z) * n_size + (1 + z_size) * absolute(n) + z_size * absolute(before)
    gates, sizes = np.concatenate([r, z, n], axis=1), np.concatenate([r_size, z_size, n_size], axis=1)
    return True_(after, size), True_(gates, sizes), v


def forward_cases(gates: int, extra: tuple[tuple[int, ...], ...]) -> Any:
    def cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
        quarter = float(np.finfo(dtype).max) / 8
        shapes = ((N, gates * H), (N, gates * H), *extra)
        found = list(zip(*(patterns(dtype, shape, rng, quarter) for shape in shapes), strict=True))
        for scale in (1.0, 4.0, 12.0, 40.0, 90.0):       # where the gates are open, half open and shut
            found.append(tuple((scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes))
        return found

    return cases


def saved_gates(dtype: Any, rng: np.random.Generator, gates: int, tanh_at: int) -> np.ndarray:
    """Gates of one step, some of them saturated; those of block `tanh_at` are between −1 and 1."""
    found = rng.random((N, gates * H))
    found[:, tanh_at * H : (tanh_at + 1) * H] = 2 * rng.random((N, H)) - 1
    found.ravel()[rng.integers(found.size)] = 1
    found.ravel()[rng.integers(found.size)] = 1e-30
    return found.astype(dtype)


def lstm_backward_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    root = float(np.finfo(dtype).max) ** 0.25
    dhs, dcs, cs = (patterns(dtype, (N, H), rng, root) for _ in range(3))
    return [
        (dh, dc, saved_gates(dtype, rng, 4, 2), c, np.tanh(c)) for dh, dc, c in zip(dhs, dcs, cs, strict=True)
    ]


def lstm_cell_backward(dh: Any, dc: Any, gates: Any, c: Any, tanh_c: Any) -> tuple:
    e, d, before, t = exact(dh), exact(dc), exact(c), exact(tanh_c)
    i, f, g, o = np.split(exact(gates), 4, axis=1)
    total = d + e * o * (1 - t**2)
    size = absolute(d) + absolute(e * o) * (1 + t**2)
    da = [total * g * i * (1 - i), total * before * f * (1 - f), total * i * (1 - g**2), e * t * o * (1 - o)]
    sizes = [
        size * absolute(g) * i * (1 - i),
        size * absolute(before) * f * (1 - f),
        size * i * (1 + g**2),
        absolute(e * t) * o * (1 - o),
    ]
    least = 16 * number(float(np.finfo(dh.dtype).tiny)) * (1 + absolute(before))
    da_sizes = np.concatenate([s + least for s in sizes], axis=1)
    return True_(np.concatenate(da, axis=1), da_sizes), True_(total * f, size * f + least)


def gru_backward_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    root = float(np.finfo(dtype).max) ** 0.25
    dhs, vs, hs = (patterns(dtype, (N, H), rng, root) for _ in range(3))
    return [(dh, saved_gates(dtype, rng, 3, 2), v, h) for dh, v, h in zip(dhs, vs, hs, strict=True)]


def gru_cell_backward(dh: Any, gates: Any, v: Any, h: Any) -> tuple:
    d, w, before = exact(dh), exact(v), exact(h)
    r, z, n = np.split(exact(gates), 3, axis=1)
    least = 16 * number(float(np.finfo(dh.dtype).tiny)) * (1 + absolute(before)) * (1 + absolute(w))
    da_n = d * (1 - z) * (1 - n**2)
    da_n_size = absolute(d) * (1 - z) * (1 + n**2) + least
    da_r, da_r_size = da_n * w * r * (1 - r), da_n_size * absolute(w) * r * (1 - r) + least
    da_z = d * (before - n) * z * (1 - z)
    da_z_size = absolute(d) * (absolute(before) + absolute(n)) * z * (1 - z) + least
    da = True_(*(np.concatenate(p, axis=1) for p in ((da_r, da_z, da_n), (da_r_size, da_z_size, da_n_size))))
    dv, dv_size = da_n * r, da_n_size * r + least
    du = True_(*(np.concatenate(p, axis=1) for p in ((da_r, da_z, dv), (da_r_size, da_z_size, dv_size))))
    return da, du, True_(d * z, absolute(d * z) + least)


def one_step(a: np.ndarray, u: np.ndarray, c: np.ndarray) -> tuple:
    """forward_steps for one step, called like lstm_cell. With h = I and U = u, the product h·U is u."""
    layer = lstm.LSTM(1, H, rng=0, dtype=a.dtype)
    (h, after), saved = forward_steps(layer, a[None], u, (np.eye(N, dtype=a.dtype), c), None)
    return h[1], after[1], *saved[0]


def one_step_back(
    dh: np.ndarray, dc: np.ndarray, gates: np.ndarray, c: np.ndarray, tanh_c: np.ndarray
) -> tuple:
    """backward_steps for one step with U = 0, called like lstm_cell_backward."""
    layer = lstm.LSTM(1, H, rng=0, dtype=c.dtype)
    weight, zero = np.zeros((H, 4 * H), c.dtype), np.zeros_like(dh)
    states = (np.stack([zero, zero]), np.stack([c, c]))
    saved = Saved(gates[None], tanh_c[None])
    da, _, (_, dc_before) = backward_steps(layer, dh[None], (zero, dc), states, saved, weight, None)
    return da[0], dc_before


ENTRIES = [
    Entry("layers.lstm.lstm_cell", lstm.lstm_cell, forward_cases(4, ((N, H),)), lstm_cell, twin=True),
    Entry(
        "layers.lstm.lstm_cell_backward", lstm.lstm_cell_backward, lstm_backward_cases, lstm_cell_backward,
        twin=True,
    ),
    Entry("layers.gru.gru_cell", gru.gru_cell, forward_cases(3, ((H,), (N, H))), gru_cell, twin=True),
    Entry(
        "layers.gru.gru_cell_backward", gru.gru_cell_backward, gru_backward_cases, gru_cell_backward,
        twin=True,
    ),
    Entry("layers.recurrent.forward_steps", one_step, forward_cases(4, ((N, H),)), lstm_cell, twin=True),
    Entry(
        "layers.recurrent.backward_steps", one_step_back, lstm_backward_cases, lstm_cell_backward, twin=True
    ),
]  # fmt: skip
