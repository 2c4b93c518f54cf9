"""The steps of the optimisers, the norm of the gradient, and clipping."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.module import Parameter
from scratchgen.training import optimisers
from sweep.inputs import combined, few, numbers, patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, exact, number, sqrt

LR, MOMENTUM, DECAY, BETAS, EPS = 0.01, 0.9, 0.99, (0.9, 0.999), 1e-8


def in_place(step: Any, arrays: int) -> Any:
    """A step as a function that returns the arrays that it changes: value, then the moments."""

    def call(value: Any, grad: Any, *rest: Any) -> tuple:
        step(value, grad, *rest)
        return (value, *rest[: arrays - 1])

    return call


def states(moments: int, *settings: Any) -> Any:
    """(value, grad, moments, settings): all gradients with a few values and moments, which are never < 0."""

    def cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
        values = few(dtype)[[0, 6]]
        positive = np.abs(few(dtype)[[0, 2, 6, 12]])
        given = [(*combined(values, numbers(dtype)[:: 1 + moments], *[positive] * moments), *settings)]
        zero = [np.zeros(7, dtype)] * moments
        pairs = zip(patterns(dtype, (7,), rng), patterns(dtype, (7,), rng), strict=True)
        return given + [(value, grad, *zero, *settings) for value, grad in pairs]

    return cases


def setting(a: np.ndarray, value: float) -> Any:
    """A setting in the dtype of the array."""
    return number(float(a.dtype.type(value)))


def sgd(value: Any, grad: Any, lr: float) -> True_:
    change = setting(value, lr) * exact(grad)
    return True_(exact(value) - change, absolute(exact(value)) + absolute(change))


def momentum(value: Any, grad: Any, velocity: Any, lr: float, factor: float) -> tuple:
    v, g, rate = exact(velocity), exact(grad), setting(value, lr)
    new = setting(value, factor) * v + g
    size = absolute(setting(value, factor) * v) + absolute(g)
    return True_(exact(value) - rate * new, absolute(exact(value)) + size), True_(new, size)


def rmsprop(value: Any, grad: Any, square: Any, lr: float, decay: float, eps: float) -> tuple:
    g, rate, tiny = exact(grad), setting(value, lr), number(float(np.finfo(value.dtype).tiny))
    new = number(decay) * exact(square) + (1 - number(decay)) * g**2
    below = sqrt(new) + setting(value, eps)
    step, size = rate * g / below, (rate * absolute(g) + tiny) / below  # lr·g may be below tiny
    change = absolute(exact(value)) + size + over(g**2, value)
    return True_(exact(value) - step, change), True_(new, new + tiny + over(g**2, value))


def over(square: Any, like: np.ndarray) -> Any:
    """Infinite where the mean square is not representable: then nothing is promised for the step."""
    largest = float(np.finfo(like.dtype).max)
    return np.where(square > largest, number(10) ** 1000, number(0))


def adam(
    value: Any, grad: Any, m: Any, v: Any, lr: float, beta1: float, beta2: float, eps: float, t: int
) -> tuple:
    g, tiny = exact(grad), number(float(np.finfo(value.dtype).tiny))
    b1, b2 = number(beta1), number(beta2)
    first, second = b1 * exact(m) + (1 - b1) * g, b2 * exact(v) + (1 - b2) * g**2
    first_size = b1 * absolute(exact(m)) + (1 - b1) * absolute(g)
    mhat, vhat = first / (1 - b1**t), second / (1 - b2**t)
    below = sqrt(vhat) + setting(value, eps)
    size = (number(lr) * first_size + tiny) / (1 - b1**t) / below
    return (
        True_(exact(value) - number(lr) * mhat / below, absolute(exact(value)) + size + over(g**2, value)),
        True_(first, first_size),
        True_(second, second + tiny + over(g**2, value)),
    )


def optimiser(grad: np.ndarray) -> optimisers.Optimizer:
    p = Parameter(np.zeros_like(grad))
    found = optimisers.SGD({"p": p}, lr=0.1)
    p.grad[...] = grad
    return found


def grad_norm(grad: np.ndarray) -> float:
    return optimiser(grad).grad_norm()


def clip_grad_norm(grad: np.ndarray, most: float) -> tuple[float, np.ndarray]:
    o = optimiser(grad)
    norm = o.clip_grad_norm(most)
    return norm, o.grad.copy()


def clip_grad_value(grad: np.ndarray, most: float) -> tuple[float, np.ndarray]:
    o = optimiser(grad)
    return o.clip_grad_value(most), o.grad.copy()


def limited(grad: Any, most: float) -> tuple:
    limit = exact(grad.dtype.type(most))
    return absolute(exact(grad)).max(), np.minimum(np.maximum(exact(grad), -limit), limit)


def norm(grad: Any) -> Any:
    return sqrt((exact(grad) ** 2).sum())


def clipped(grad: Any, most: float) -> tuple:
    length = norm(grad)
    factor = min(number(1), number(most) / length) if length else number(1)
    return True_(length), True_(
        exact(grad) * factor, absolute(exact(grad) * factor) + over(length, grad.astype(float))
    )


def gradients(*settings: Any) -> Any:
    return lambda dtype, rng: [(a, *settings) for a in patterns(dtype, (7,), rng)]


def step(name: str, arrays: int, cases: Any, truth: Any) -> Entry:
    call = in_place(getattr(optimisers, name), arrays)
    return Entry(f"training.optimisers.{name}", call, cases, truth, twin=True)


def adam_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [
        case
        for t in (1, 10, 100_000)
        for case in states(2, LR, *BETAS, EPS, t)(dtype, rng)[:: 1 if t == 1 else 9]
    ]


ENTRIES = [
    step("sgd_step", 1, states(0, LR), sgd),
    step("momentum_step", 2, states(1, LR, MOMENTUM), momentum),
    step("rmsprop_step", 2, states(1, LR, DECAY, EPS), rmsprop),
    step("adam_step", 3, adam_cases, adam),
    Entry("training.optimisers.Optimizer.grad_norm", grad_norm, gradients(), norm),
    Entry("training.optimisers.Optimizer.clip_grad_norm", clip_grad_norm, gradients(0.5), clipped),
    Entry("training.optimisers.Optimizer.clip_grad_value", clip_grad_value, gradients(0.5), limited),
]
