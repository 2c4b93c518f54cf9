"""Mistakes that were written after the causes, which had therefore not been made for them."""

import numpy as np
from helpers.mistakes import Mistake, Written, elementwise, softmax
from helpers.mistakes_dense import full, norm
from helpers.mistakes_shapes import conv

FAMILY = "written later"


def forward_in_time(self, x, training):
    h = np.zeros((len(x), 3))
    states = [h]
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ self.W.value + h @ self.U.value)
        states.append(h)
    return h, (x, states)


def back_in_time(through_U=True, shift=0, steps=4):
    """Backward of the last state; the right one has all defaults."""

    def backward(self, dout, cache):
        x, states = cache
        dx, dh = np.zeros_like(x), dout
        for t in list(reversed(range(x.shape[1])))[:steps]:
            da = dh * (1 - states[t + 1] ** 2)
            dx[:, t] = da @ self.W.value.T
            self.W.grad += x[:, t].T @ da
            self.U.grad += states[t + shift].T @ da
            dh = da @ self.U.value.T if through_U else da
        return dx

    return lambda rng: (
        Written(forward_in_time, backward, W=rng.standard_normal((4, 3)), U=rng.standard_normal((3, 3))),
        rng.standard_normal((3, 4, 4)),
    )


def written(forward, backward, shape):
    """A layer without parameters, from forward(x) -> (out, cache) and backward(dout, cache)."""
    return lambda rng: (
        Written(lambda self, x, training: forward(x), lambda self, d, cache: backward(d, cache)),
        rng.standard_normal(shape),
    )


def group_norm(x):
    groups = x.reshape(len(x), 2, 3)
    inv = 1 / np.sqrt(groups.var(-1, keepdims=True) + 1e-5)
    h = (groups - groups.mean(-1, keepdims=True)) * inv
    return h.reshape(x.shape), (h, inv)


def mean_over_all_groups(d, cache):
    h, inv = cache
    d = d.reshape(h.shape)
    d = d - d.mean((1, 2), keepdims=True) - h * (d * h).mean((1, 2), keepdims=True)
    return (inv * d).reshape(len(d), -1)


def rms(x):
    r = np.sqrt((x**2).mean(-1, keepdims=True))
    return x / r, (x, r)


def length(x):
    r = np.sqrt((x**2).sum(-1, keepdims=True))
    return x / r, (x, r)


def along(d, x):
    """x times the part of d along it, without its normalisation."""
    return x * (d * x).sum(-1, keepdims=True)


def fourier(x):
    return np.concatenate([np.sin(x), np.cos(x)], axis=1), x


def film(x):
    """h·(1 + a) + b, for x = (a, b, h)."""
    a, b, h = x[:, :2], x[:, 2:4], x[:, 4:]
    return h * (1 + a) + b, (a, h)


def film_backward(order, scale):
    def backward(d, cache):
        a, h = cache
        parts = {"a": d * h, "b": d, "h": d * scale(a)}
        return np.concatenate([parts[name] for name in order], axis=1)

    return backward


def loss_of(value, gradient, target):
    """A loss Σ value / N with a wrong gradient."""

    def loss(pred, t):
        return float(value(pred, t).sum()) / len(pred), gradient(pred, t) / len(pred)

    return lambda rng: (loss, rng.standard_normal((7, 5)), target(rng))


def cross_entropy(pred, labels):
    return -np.log(softmax(pred)[np.arange(len(pred)), labels])


def softmax_minus(pred, labels):
    return softmax(pred) - np.eye(5)[labels]


def normal(rng):
    return rng.standard_normal((7, 5))


def signs(rng):
    return np.sign(normal(rng))


def labels(rng):
    return rng.integers(5, size=7)


LATER = [
    Mistake("recurrent: dh is not taken through U", FAMILY, back_in_time(through_U=False),
            "input", "some entries", "input[:, :3, :]"),
    Mistake("recurrent: dh is not taken through U, dW", FAMILY, back_in_time(through_U=False), "W", ""),
    Mistake("recurrent: dU from the next state", FAMILY, back_in_time(shift=1), "U", ""),
    Mistake("recurrent: the last step alone", FAMILY, back_in_time(steps=1),
            "input", "zero", "input[:, :3, :]"),
    Mistake("group norm: means over all groups", FAMILY, written(group_norm, mean_over_all_groups, (5, 6)),
            "input", ""),
    Mistake("RMS norm: a constant scale", FAMILY, written(rms, lambda d, c: d / c[1], (5, 6)),
            "input", "missing connection", "other features"),
    Mistake("RMS norm: a sum for a mean", FAMILY,
            written(rms, lambda d, c: d / c[1] - along(d, c[0]) / c[1] ** 3, (5, 6)),
            "input", "summed term", "the features"),
    Mistake("unit length: another power", FAMILY,
            written(length, lambda d, c: d / c[1] - along(d, c[0]) / c[1] ** 2, (5, 6)),
            "input", "summed term", "the features"),
    Mistake("sin and cos: the sign of one", FAMILY,
            written(fourier, lambda d, x: d[:, :4] * np.cos(x) + d[:, 4:] * np.sin(x), (6, 4)), "input", ""),
    Mistake("sin and cos: one is lost", FAMILY,
            written(fourier, lambda d, x: d[:, :4] * np.cos(x), (6, 4)),
            "input", "missing connection", "out[0, 4] to input[0, 0]"),
    Mistake("batch norm: dscale is a mean", FAMILY,
            norm(0, lambda d, h, inv, w, x: full(d, h, inv, 0), scale=lambda d, h, x: (d * h).mean(axis=0)),
            "weight", "factor", "divided by the batch size N (7)"),
    Mistake("batch norm: dscale without dout", FAMILY,
            norm(0, lambda d, h, inv, w, x: full(d, h, inv, 0), scale=lambda d, h, x: h.sum(axis=0) + h[0]),
            "weight", "not linear"),
    Mistake("½·x·(1 + tanh x): no ½", FAMILY,
            elementwise(lambda x: 0.5 * x * (1 + np.tanh(x)),
                        lambda x, out: 1 + np.tanh(x) + x * (1 - np.tanh(x) ** 2)),
            "input", "factor", "twice"),
    Mistake("FiLM: a for 1 + a", FAMILY, written(film, film_backward("abh", lambda a: a), (7, 6)),
            "input", "some entries", "input[:, 4:]"),
    Mistake("FiLM: parts in another order", FAMILY,
            written(film, film_backward("bah", lambda a: 1 + a), (7, 6)), "input", "rearranged"),
    Mistake("cross-entropy: no 1/N", FAMILY,
            loss_of(cross_entropy, lambda p, t: softmax_minus(p, t) * len(p), labels),
            "pred", "factor", "multiplied by the batch size N (7)"),
    Mistake("cross-entropy: labels moved by 1", FAMILY,
            loss_of(cross_entropy, lambda p, t: softmax_minus(p, (t + 1) % 5), labels), "pred", ""),
    Mistake("Huber: not clipped", FAMILY,
            loss_of(lambda p, t: np.where(abs(p - t) < 1, 0.5 * (p - t) ** 2, abs(p - t) - 0.5),
                    lambda p, t: p - t, normal), "pred", ""),
    Mistake("hinge: beyond the margin too", FAMILY,
            loss_of(lambda p, t: np.maximum(0, 1 - p * t), lambda p, t: -t, signs), "pred", "mask"),
    Mistake("log cosh: sinh", FAMILY,
            loss_of(lambda p, t: np.log(np.cosh(p - t)), lambda p, t: np.sinh(p - t), normal), "pred", ""),
    Mistake("convolution: one row of the kernel is 0", FAMILY,
            conv(dw=lambda dw: dw * np.array([0, 1, 1])[:, None, None, None]),
            "weight", "zero", "weight[0, "),
    Mistake("convolution: the kernel's gradient is moved", FAMILY,
            conv(dw=lambda dw: np.roll(dw, 1, axis=0)), "weight", "rearranged"),
    Mistake("convolution: channels of the kernel moved", FAMILY,
            conv(kernel=lambda w: np.roll(w, 1, axis=3)), "input", ""),
]  # fmt: skip
