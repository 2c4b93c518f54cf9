"""The distributions: log-densities, their gradients, samples and KL divergences."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen import distributions
from scratchgen.distributions import Bernoulli, Categorical, Logistic, Normal, divide_by_exp
from sweep.inputs import combined, few, numbers, patterns
from sweep.measure import Entry, True_
from sweep.oracle import (
    absolute,
    context,
    exact,
    exp,
    expm1,
    log,
    log1p,
    log_softmax,
    log_sum_exp,
    number,
    sigmoid,
    softplus,
    tanh,
)

LOG_2PI = context.log(2 * context.pi)
NEVER = number(10) ** 1000  # larger than every float, which means that nothing is promised


def tiny(a: np.ndarray) -> Any:
    return number(float(np.finfo(a.dtype).tiny))


def logits(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(numbers(dtype),)]


def binary(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(np.full_like(numbers(dtype), x), numbers(dtype)) for x in (0, 1)]


def bernoulli_log_prob(x: Any, logit: Any) -> Any:
    return -(exact(x) * softplus(-exact(logit)) + (1 - exact(x)) * softplus(exact(logit)))


def bernoulli_gradient(x: Any, logit: Any) -> True_:
    return True_(exact(x) - sigmoid(exact(logit)), exact(x) + sigmoid(exact(logit)))


UNIFORM = (0.0, 1e-30, 0.25, 0.5, 0.75, 1 - 2**-24)


def bernoulli_sample_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    logit = numbers(dtype)
    return [(logit, np.full_like(logit, u)) for u in UNIFORM]


def bernoulli_sample(logit: Any, uniform: Any) -> True_:
    """1 where u < σ(logit). Within rounding of the threshold, both 0 and 1 are right."""
    p, u = sigmoid(exact(logit)), exact(uniform)
    near = absolute(p - u) < 4 * number(float(np.finfo(logit.dtype).eps)) * p
    return True_(np.where(u < p, number(1), number(0)), np.where(near | (p < tiny(logit)), NEVER, number(1)))


def summed_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    found = [((rng.random((2, 5)) < 0.5).astype(dtype), a) for a in patterns(dtype, (2, 3, 5), rng)]
    return found + [(np.full((1, 1), x, dtype), v.reshape(1, 1, 1)) for v in numbers(dtype) for x in (0, 1)]


def summed(x: Any, logit: Any) -> Any:
    return bernoulli_log_prob(np.broadcast_to(x[:, None], logit.shape), logit).sum(axis=2)


def rows(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    """Logits of four categories. Some categories have probability 0."""
    impossible = np.array([[0.5, -np.inf, 1.5, -np.inf], [-np.inf, -np.inf, 3.0, -np.inf]], dtype)
    gaps = np.array([[0, -g, -g, -g] for g in (1, 9, 16, 17, 30, 40, 90, 300, 800)], dtype)
    return [(a,) for a in (*patterns(dtype, (3, 4), rng), impossible, gaps, gaps + dtype(100))]


def log_p(logit: Any) -> True_:
    value = log_softmax(exact(logit))
    small = np.vectorize(lambda v: -context.log(-v) if -1 < v < 0 else number(0), otypes=[object])(value)
    return True_(value, absolute(value) * (1 + small))


def p(logit: Any) -> True_:
    value = log_softmax(exact(logit))
    prob = exp(value)
    gap = np.vectorize(lambda v: number(0) if v == -np.inf else abs(v), otypes=[object])(value)
    return True_(prob, prob * (1 + gap) + tiny(logit))


def drawn_category(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(rng.integers(0, 4, len(logit)), logit) for (logit,) in rows(dtype, rng)]


def chosen(x: Any, logit: Any) -> True_:
    value, n = log_p(logit), np.arange(len(x))
    return True_(value.value[n, x], value.size[n, x])


def chosen_gradient(x: Any, logit: Any) -> True_:
    onehot = np.where(np.arange(logit.shape[1]) == x[:, None], number(1), number(0))
    prob = p(logit)
    return True_(onehot - prob.value, onehot + prob.size)


def with_gradient(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    top = float(np.finfo(dtype).max) / 16
    return [
        (da, logit)
        for (logit,) in rows(dtype, rng)[::3]
        for da in patterns(dtype, logit.shape, rng, top)[::3]
    ]


def log_p_backward(da: Any, logit: Any) -> True_:
    d, prob = exact(da), p(logit)
    total, sizes = d.sum(axis=-1, keepdims=True), absolute(d).sum(axis=-1, keepdims=True)
    return True_(d - prob.value * total, absolute(d) + prob.size * sizes)


def category_sample_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(logit, np.full(len(logit), u, dtype)) for (logit,) in rows(dtype, rng) for u in UNIFORM]


def category_sample(logit: Any, uniform: Any) -> True_:
    """The number of k with p(0) + … + p(k) ≤ u; within rounding of a sum, either neighbour is right."""
    value, size = [], []
    for row, u in zip(exp(log_softmax(exact(logit))), exact(uniform), strict=True):
        sums = np.cumsum(row)
        near = (absolute(sums - u) < 16 * number(float(np.finfo(logit.dtype).eps))).any()
        value.append(number(int((sums[:-1] <= u).sum())))
        size.append(NEVER if near else number(1))
    return True_(np.array(value, object), np.array(size, object))


def sums(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    infinite = np.array([[-np.inf] * 3, [-np.inf, 2, -np.inf], [np.inf, 1, 2]], dtype)
    return [(a,) for a in (*patterns(dtype, (4, 3), rng), infinite)] + [(numbers(dtype)[:, None],)]


def total(a: Any) -> True_:
    value = log_sum_exp(exact(a))
    return True_(value, np.vectorize(lambda v: v if context.isinf(v) else 1 + abs(v), otypes=[object])(value))


LOGVARS = (0, 1e-30, 1e-12, 1e-7, 1e-5, 1e-3, 0.3, 1, 5, 40, 80, 87, 300, 340, 700, 709, 1400, 2800)


def spreads(dtype: Any) -> np.ndarray:
    return np.array([s * v for v in LOGVARS for s in (1, -1)], dtype)


def normal_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    given = [combined(few(dtype)[::2], few(dtype)[::5], spreads(dtype))]
    x = combined(few(dtype), spreads(dtype))
    near = np.nextafter(x[0], dtype(np.inf))
    return [tuple(given[0]), (x[0], x[0].copy(), x[1]), (near, *x)]


def scaled(x: Any, mu: Any, logvar: Any) -> tuple[Any, Any, Any, Any]:
    """x − mu and 1 / std; the relative error of 1 / std; infinite where nothing is promised."""
    diff, lv = exact(x) - exact(mu), exact(logvar)
    largest = float(np.finfo(x.dtype).max)
    # The root of 1 / std must be representable, and x − mu.
    never = np.where(
        (exp(-lv / 4) > largest) | (exp(lv / 4) > largest) | (absolute(diff) > largest), NEVER, number(0)
    )
    return diff, exp(-lv / 2), 1 + absolute(lv) / 2, never


def division_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    a, logvar = combined(few(dtype), spreads(dtype))
    return [(a, logvar / 2)]


def division(a: Any, log_divisor: Any) -> True_:
    diff, inverse, _, never = scaled(a, np.zeros_like(a), 2 * log_divisor)
    return True_(
        diff * inverse, absolute(diff * inverse) + never + tiny(a) * (1 + exp(-exact(log_divisor) / 2))
    )


def normal_log_prob(x: Any, mu: Any, logvar: Any) -> True_:
    diff, inverse, rough, never = scaled(x, mu, logvar)
    square = (diff * inverse) ** 2
    # Rounding of e^(−logvar/4) is relative; that of its argument is not, since a quarter is exact.
    return True_(-(LOG_2PI + exact(logvar) + square) / 2, LOG_2PI + absolute(exact(logvar)) + square + never)


def normal_gradient(x: Any, mu: Any, logvar: Any) -> tuple[True_, True_, True_]:
    diff, inverse, rough, never = scaled(x, mu, logvar)
    dx, square = -diff * inverse**2, (diff * inverse) ** 2
    size = absolute(dx) + never + tiny(x) * (1 + exp(-3 * exact(logvar) / 4))  # products may be below tiny
    return True_(dx, size), True_(-dx, size), True_((square - 1) / 2, 1 + square + never)


def normal_sample(mu: Any, logvar: Any, eps: Any) -> True_:
    std = exp(exact(logvar) / 2)
    change = std * exact(eps)
    never = np.where(std > float(np.finfo(mu.dtype).max), NEVER, number(0))
    return True_(
        exact(mu) + change, absolute(exact(mu)) + absolute(change) + tiny(mu) * absolute(exact(eps)) + never
    )


def sample_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    eps = np.array([-6, -1e-3, 0, 0.5, 6], dtype)
    mu, logvar, noise = combined(few(dtype)[::4], spreads(dtype), eps)
    return [(mu, logvar, noise)]


def kl_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [tuple(combined(few(dtype)[::2], np.concatenate([spreads(dtype), few(dtype)]), few(dtype)[::9]))]


def kl(mu: Any, logvar: Any, prior_mean: Any) -> True_:
    offset, lv = exact(mu) - exact(prior_mean), exact(logvar)
    parts = offset**2, expm1(lv), absolute(lv)
    # eˣ − 1 − x is about x²/2 for small x, and is compared with x.
    return True_((offset**2 + expm1(lv) - lv) / 2, parts[0] + absolute(parts[1]) + parts[2] + tiny(mu))


def kl_grad(mu: Any, logvar: Any, prior_mean: Any) -> tuple[Any, Any]:
    return exact(mu) - exact(prior_mean), expm1(exact(logvar)) / 2


LOG_SCALES = (0, 1e-7, 0.3, 5, 40, 80, 87, 170, 300, 700, 709, 1400)


def logistic_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    scales = np.array([s * v for v in LOG_SCALES for s in (1, -1)], dtype)
    x, s = combined(few(dtype), scales)
    return [
        tuple(combined(few(dtype)[::2], few(dtype)[::6], scales)),
        (x, x.copy(), s),
        (np.nextafter(x, dtype(np.inf)), x, s),
    ]


def standardised(x: Any, mu: Any, log_scale: Any) -> tuple[Any, Any, Any]:
    diff, ls = exact(x) - exact(mu), exact(log_scale)
    largest = float(np.finfo(x.dtype).max)
    outside = (exp(-ls / 2) > largest) | (exp(ls / 2) > largest) | (absolute(diff) > largest)
    return diff * exp(-ls), exp(-ls), np.where(outside, NEVER, number(0))


def logistic_log_prob(x: Any, mu: Any, log_scale: Any) -> True_:
    t, _, never = standardised(x, mu, log_scale)
    a, ls = absolute(t), exact(log_scale)
    return True_(-a - ls - 2 * log1p(exp(-a)), a + absolute(ls) + 2 * log1p(exp(-a)) + never)


def logistic_gradient(x: Any, mu: Any, log_scale: Any) -> tuple[True_, True_, True_]:
    t, inverse, never = standardised(x, mu, log_scale)
    slope = tanh(t / 2)
    # A product may be below tiny before it is multiplied by the rest of 1 / s.
    size = absolute(slope * inverse) + never + tiny(x) * (1 + exp(-3 * exact(log_scale) / 2))
    return (
        True_(-slope * inverse, size),
        True_(slope * inverse, size),
        True_(t * slope - 1, 1 + absolute(t * slope) + never),
    )


def logistic_sample_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    u = np.array(
        [float(np.finfo(dtype).tiny), 1e-10, 0.25, 0.5, 0.7, 1 - float(np.finfo(dtype).epsneg)], dtype
    )
    scales = np.array([s * v for v in LOG_SCALES for s in (1, -1)], dtype)
    return [tuple(combined(few(dtype)[::4], scales, u))]


def logistic_sample(mu: Any, log_scale: Any, u: Any) -> True_:
    s, below, above = exp(exact(log_scale)), log(exact(u)), log1p(-exact(u))
    change = s * (below - above)
    never = np.where(s > float(np.finfo(mu.dtype).max), NEVER, number(0))
    size = absolute(exact(mu)) + s * (absolute(below) + absolute(above)) + never
    return True_(exact(mu) + change, size + 800 * tiny(mu))


def entry(call: Any, cases: Any, truth: Any, twin: bool = False) -> Entry:
    return Entry(f"distributions.{call.__qualname__}", call, cases, truth, twin=twin)


ENTRIES = [
    entry(Bernoulli.mean, logits, lambda logit: sigmoid(exact(logit))),
    entry(Bernoulli.log_prob, binary, bernoulli_log_prob),
    entry(Bernoulli.log_prob_grad, binary, bernoulli_gradient),
    entry(Bernoulli.sample, bernoulli_sample_cases, bernoulli_sample),
    entry(distributions.bernoulli_log_prob, summed_cases, summed, twin=True),
    entry(Categorical.log_probabilities, rows, log_p),
    entry(Categorical.log_probabilities_backward, with_gradient, log_p_backward),
    entry(Categorical.probabilities, rows, p),
    entry(Categorical.log_prob, drawn_category, chosen),
    entry(Categorical.log_prob_grad, drawn_category, chosen_gradient),
    entry(Categorical.sample, category_sample_cases, category_sample),
    entry(distributions.log_sum_exp, sums, total),
    entry(Normal.std, lambda dtype, rng: [(spreads(dtype),)], lambda lv: exp(exact(lv) / 2)),
    entry(divide_by_exp, division_cases, division),
    entry(Normal.log_prob, normal_cases, normal_log_prob),
    entry(Normal.log_prob_grad, normal_cases, normal_gradient),
    entry(Normal.sample, sample_cases, normal_sample),
    entry(Normal.kl, kl_cases, kl),
    entry(Normal.kl_grad, kl_cases, kl_grad),
    entry(Logistic.log_prob, logistic_cases, logistic_log_prob),
    entry(Logistic.log_prob_grad, logistic_cases, logistic_gradient),
    entry(Logistic.sample, logistic_sample_cases, logistic_sample),
]
