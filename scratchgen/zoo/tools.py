"""Shared parts of the entries: gradient checks of plain functions, training loops of a few lines, data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scratchgen.gradcheck import check_loss
from scratchgen.gradcheck.differences import Result

Array = np.ndarray
Gradient = Callable[..., tuple[float, Sequence[Array]]]


def largest(results: Sequence[Result]) -> float:
    """The largest error; infinity if an array failed without an error that can be compared."""
    errors = [r.error if np.isfinite(r.error) else np.inf for r in results]
    return max([*errors, 0.0]) if all(r.ok for r in results) or max(errors) > 0 else np.inf


def layer_error(code: Any, *arrays: Array) -> float:
    """Check every gradient that code.backward(dout, cache) returns for code.forward(*arrays), entry by entry.

    The largest relative error. forward returns (out, cache); backward a tuple, one gradient for each array.
    """
    out, _ = code.forward(*arrays)
    u = np.random.default_rng(7).standard_normal(np.shape(out))
    results: list[Result] = []
    for i, array in enumerate(arrays):

        def loss(value: Array, _: Array, i: int = i) -> tuple[float, Array]:
            out, cache = code.forward(*arrays[:i], value, *arrays[i + 1 :])
            return float(np.sum(out * u)), np.array(code.backward(np.array(u), cache)[i])

        results += check_loss(loss, array, array)
    return largest(results)


def loss_error(loss: Callable[..., Any], *arrays: Array, fixed: tuple[Any, ...] = ()) -> float:
    """The same for a function loss(*arrays, *fixed) -> (loss, a tuple with one gradient for each array)."""
    results: list[Result] = []
    for i, array in enumerate(arrays):

        def of_one(value: Array, _: Array, i: int = i) -> tuple[float, Array]:
            number, gradients = loss(*arrays[:i], value, *arrays[i + 1 :], *fixed)
            return float(number), np.array(gradients[i])

        results += check_loss(of_one, array, array)
    return largest(results)


def descend(
    gradient: Gradient, parameters: Sequence[Any], *, lr: float, steps: int
) -> tuple[Array, list[Array]]:
    """Gradient descent. gradient(step, *parameters) returns the loss and a gradient for each parameter.

    Returns the loss of each step, (steps,), and the parameters after the last step.
    """
    parameters = [np.array(p, dtype=np.float64) for p in parameters]
    losses = np.full(steps, np.nan)
    for step in range(steps):
        losses[step], gradients = gradient(step, *parameters)
        for p, g in zip(parameters, gradients, strict=True):
            p -= lr * np.asarray(g)
    return losses, parameters


def adam(
    gradient: Gradient, parameters: Sequence[Any], *, lr: float, steps: int
) -> tuple[Array, list[Array]]:
    """Adam with the usual constants; arguments and results are those of `descend`."""
    parameters = [np.array(p, dtype=np.float64) for p in parameters]
    m, v = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    losses = np.full(steps, np.nan)
    for step in range(steps):
        losses[step], gradients = gradient(step, *parameters)
        for p, g, first, second in zip(parameters, gradients, m, v, strict=True):
            first += 0.1 * (g - first)
            second += 0.001 * (np.square(g) - second)
            fast, slow = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
            p -= lr * fast / (np.sqrt(slow) + 1e-8)
    return losses, parameters


def squared_error(pred: Array, target: Array) -> tuple[float, Array]:
    """Summed over features and averaged over the batch: the loss and its gradient."""
    diff = pred - target
    return float((diff**2).sum() / len(pred)), 2 / len(pred) * diff


def sigmoid(logits: Array) -> Array:
    """1 / (1 + e⁻ˡ)."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def softmax(logits: Array) -> Array:
    """Probabilities over the last axis."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """The mean cross-entropy of softmax(logits), and its gradient."""
    n = np.arange(len(labels))
    p = softmax(logits)
    loss = -np.log(p[n, labels]).mean()
    p[n, labels] -= 1
    return float(loss), p / len(labels)


def random_generator() -> np.random.Generator:
    """The generator that runs and checks draw from, the same one for right and wrong code."""
    return np.random.default_rng(0)


def clusters(n: int, k: int = 3, features: int = 2, *, spread: float = 0.4) -> tuple[Array, Array]:
    """n points (n, features) around k centres on a circle of radius 1.5, and their labels (n,)."""
    rng = random_generator()
    labels = rng.integers(k, size=n)
    angle = 2 * np.pi * labels / k
    centre = np.zeros((n, features))
    centre[:, :2] = 1.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centre + spread * rng.standard_normal((n, features)), labels


def curved_data(n: int) -> tuple[Array, Array]:
    """Inputs (n, 2) and targets (n, 1) that no linear function fits."""
    x = random_generator().uniform(-2, 2, (n, 2))
    return x, np.sin(2 * x[:, :1]) + x[:, 1:] ** 2 - 1


def tail(losses: Array, share: float = 0.2) -> float:
    """The mean of the last part of a curve."""
    return float(losses[-max(1, round(share * len(losses))) :].mean())
