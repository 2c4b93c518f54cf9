"""The activations, on all numbers; the backward passes, on combinations of gradients and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.layers import activations as layer
from sweep.inputs import combined, few, numbers
from sweep.measure import Entry, True_
from sweep.oracle import absolute, exact, expm1, number, sigmoid, softplus, tanh

SLOPE, ALPHA = 0.2, 0.7
GELU_A = (number(2) / number("3.14159265358979323846264338327950288419716939937510582097494459")) ** number(
    0.5
)
GELU_B = number("0.044715")


def one(*settings: float) -> Any:
    return lambda dtype, rng: [(numbers(dtype), *settings)]


def with_gradient(*settings: float) -> Any:
    """(dout, x): every x with a few gradients."""
    return lambda dtype, rng: [(*combined(few(dtype)[::3], numbers(dtype)), *settings)]


def with_output(low: float, high: float, *settings: float) -> Any:
    """(dout, out) for a function whose results are between low and high."""

    def cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
        ends = [
            v * (1 - k * np.finfo(dtype).eps)
            for v in (low, high)
            for k in (0, 1, 2, 5, 1000)
            if np.isfinite(v)
        ]
        out = np.concatenate([numbers(dtype), np.array(ends, dtype)])
        return [(*combined(few(dtype)[::3], out[(out >= low) & (out <= high)]), *settings)]

    return cases


def setting(x: np.ndarray, value: float) -> Any:
    """A setting, rounded to the dtype of x, as a 60-digit number."""
    return number(float(x.dtype.type(value)))


def tiny(x: np.ndarray) -> Any:
    """The smallest normal number: a smaller factor may be rounded to zero before it is multiplied."""
    return number(float(np.finfo(x.dtype).tiny))


def flushed(x: np.ndarray) -> Any:
    """A factor below the smallest normal number has no digits: its error is compared with this size."""
    return tiny(x) / number(float(np.finfo(x.dtype).eps))


def leaky_relu(x: Any, slope: float) -> Any:
    return np.where(x < 0, setting(x, slope) * exact(x), exact(x))


def leaky_relu_backward(dout: Any, x: Any, slope: float) -> Any:
    return np.where(x > 0, exact(dout), setting(x, slope) * exact(dout))


def elu(x: Any, alpha: float) -> Any:
    return np.where(x < 0, setting(x, alpha) * expm1(exact(np.minimum(x, 0))), exact(x))


def elu_backward(dout: Any, out: Any, alpha: float) -> True_:
    alpha, d, e = setting(out, alpha), exact(dout), exact(out)
    low = np.where(out > 0, d, d * (e + alpha))
    return True_(low, np.where(out > 0, d, absolute(d) * (absolute(e) + alpha)))


def sigmoid_backward(dout: Any, out: Any) -> Any:
    return exact(dout) * exact(out) * (1 - exact(out))


def tanh_backward(dout: Any, out: Any) -> True_:
    return True_(exact(dout) * (1 - exact(out) ** 2), absolute(exact(dout)) * (1 + exact(out) ** 2))


def silu(x: Any) -> tuple:
    s = sigmoid(exact(x))
    return True_(exact(x) * s, absolute(exact(x)) * np.maximum(s, flushed(x))), s


def silu_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    dout, x = combined(few(dtype)[::3], numbers(dtype))
    return [(dout, *layer.silu.__wrapped__(x))]


def silu_backward(dout: Any, out: Any, sig: Any) -> True_:
    d, o, s = exact(dout), exact(out), exact(sig)
    return True_(d * (s + o * (1 - s)), absolute(d) * (s + absolute(o) * (1 - s) + absolute(o) * s))


def gelu(x: Any) -> True_:
    e = exact(x)
    u = GELU_A * (e + GELU_B * e**3)
    value = e * sigmoid(2 * u)
    # σ(2u) = e^(2u) for u ≪ 0, so a rounding of u is multiplied by 2|u|.
    return True_(value, absolute(value) * (1 + np.where(x < 0, 2 * absolute(u), 0)))


def gelu_backward(dout: Any, x: Any) -> True_:
    d, e = exact(dout), exact(x)
    u, du = GELU_A * (e + GELU_B * e**3), GELU_A * (1 + 3 * GELU_B * e**2)
    s, rest = sigmoid(2 * u), sigmoid(-2 * u)
    second = 2 * e * s * rest * du
    size = s + (2 * absolute(u) * s * rest) + absolute(second) * (1 + 2 * absolute(u))
    size = size + absolute(2 * e * s * du) * _half(x)
    return True_(d * (s + second), absolute(d) * np.maximum(size, 1000 * tiny(x)))


def _half(x: Any) -> Any:
    """1 − σ is rounded to a multiple of eps when σ is near 1."""
    return np.where(np.abs(x) < 10, number(1), number(0))


def softplus_backward(dout: Any, x: Any) -> True_:
    s = sigmoid(exact(x))
    return True_(exact(dout) * s, absolute(exact(dout)) * np.maximum(s, flushed(x)))


def entry(name: str, cases: Any, truth: Any) -> Entry:
    return Entry(f"layers.activations.{name}", getattr(layer, name), cases, truth, twin=True)


ENTRIES = [
    entry("relu", one(), lambda x: np.where(x > 0, exact(x), number(0))),
    entry("relu_backward", with_gradient(), lambda d, o: np.where(o > 0, exact(d), number(0))),
    entry("leaky_relu", one(SLOPE), leaky_relu),
    entry("leaky_relu_backward", with_gradient(SLOPE), leaky_relu_backward),
    entry("elu", one(ALPHA), elu),
    entry("elu_backward", with_output(-ALPHA, np.inf, ALPHA), elu_backward),
    entry("sigmoid", one(), lambda x: sigmoid(exact(x))),
    entry("sigmoid_backward", with_output(0, 1), sigmoid_backward),
    entry("tanh", one(), lambda x: tanh(exact(x))),
    entry("tanh_backward", with_output(-1, 1), tanh_backward),
    entry("silu", one(), silu),
    entry("silu_backward", silu_cases, silu_backward),
    entry("gelu", one(), gelu),
    entry("gelu_backward", with_gradient(), gelu_backward),
    entry("softplus", one(), lambda x: softplus(exact(x))),
    entry("softplus_backward", with_gradient(), softplus_backward),
]
