"""The losses and their gradients, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen import losses
from sweep.inputs import few, numbers, patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, context, exact, exp, log_softmax, number, sigmoid, softplus


def pairs(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    """(pred, target): every number with a few others, pairs of equal numbers, and rows of one pattern."""
    values = numbers(dtype)
    found = [(values[:, None], np.full((len(values), 1), t, dtype)) for t in few(dtype)]
    found += [(v.reshape(1, 1), t.reshape(1, 1)) for v in values[::5] for t in few(dtype)[::4]]
    found += [
        (values[:, None], values[:, None].copy()),
        (values[:, None], np.nextafter(values, dtype(0))[:, None]),
    ]
    found += list(zip(patterns(dtype, (4, 3), rng), patterns(dtype, (4, 3), rng), strict=True))
    return found


def squared_error(pred: Any, target: Any) -> tuple[True_, True_]:
    diff, n = exact(pred) - exact(target), len(pred)
    # Rows are summed in the dtype, so squares below its smallest number are lost.
    lost = diff.size * number(float(np.finfo(pred.dtype).tiny))
    loss = (diff**2).sum() / n
    return (
        True_(loss, n * loss + lost + _overflow(diff, pred).max()),
        True_(2 * diff / n, 2 * absolute(diff) / n + _overflow(diff, pred)),
    )


def absolute_error(pred: Any, target: Any) -> tuple[True_, True_]:
    diff, n = exact(pred) - exact(target), len(pred)
    sign = np.where(diff > 0, number(1), np.where(diff < 0, number(-1), number(0)))
    loss = absolute(diff).sum() / n
    return True_(loss, n * loss + _overflow(diff, pred).max()), True_(sign / n)


def _overflow(diff: Any, pred: Any) -> Any:
    """Infinite where a difference is not representable: then nothing is promised."""
    largest = float(np.finfo(pred.dtype).max)
    return np.where(absolute(diff) > largest, number(10) ** 1000, number(0))


def bernoulli_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    values = numbers(dtype)[:, None]
    binary = [(values, np.full_like(values, t)) for t in (0, 1)]
    binary += [(a, (rng.random((4, 3)) < 0.5).astype(dtype)) for a in patterns(dtype, (4, 3), rng)]
    grey = [(values, np.full_like(values, t)) for t in (0.25, 1 - 1e-6, 1e-30)]
    single = [(v.reshape(1, 1), np.full((1, 1), t, dtype)) for v in numbers(dtype)[::2] for t in (0, 1)]
    return [*binary, *grey, *single]


def bce_with_logits(logits: Any, target: Any) -> tuple[True_, True_]:
    x, t, n = exact(logits), exact(target), len(logits)
    loss = (t * softplus(-x) + (1 - t) * softplus(x)) / n
    # For targets between 0 and 1, l − l·t cancels with log(1 + e^−|l|). For 0 and 1, nothing cancels.
    size = loss + np.where((t > 0) & (t < 1), absolute(x) / n, 0)
    gradient = (sigmoid(x) - t) / n
    return True_(loss.sum(), n * size.sum()), True_(gradient, (sigmoid(x) + absolute(t)) / n)


def category_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    values = few(dtype)
    rows = np.stack([a.ravel() for a in np.meshgrid(values, values[::3], values[::5], indexing="ij")], axis=1)
    found = [(row[None], np.array([k])) for row in rows[::7] for k in range(3)]
    found += [(a, np.array([0, 1, 2, 0])) for a in patterns(dtype, (4, 3), rng)]
    impossible = np.array([[1.5, -np.inf, 2.5], [-np.inf, 0.25, -np.inf]], dtype)
    found += [(impossible, np.array([0, 1])), (impossible, np.array([2, 1]))]
    found += [(np.array([[0, -gap, -gap]], dtype), np.array([0])) for gap in (1, 9, 17, 30, 40, 90, 300, 800)]
    return found


def softmax_cross_entropy(logits: Any, labels: Any) -> tuple[True_, True_]:
    n = np.arange(len(labels))
    log_p = log_softmax(exact(logits))
    p = np.array([[sigmoid_of_log(v) for v in row] for row in log_p], object)
    onehot = np.where(np.arange(logits.shape[1]) == labels[:, None], number(1), number(0))
    loss = -log_p[n, labels].sum() / len(labels)
    least = number(float(np.finfo(logits.dtype).tiny)) / number(float(np.finfo(logits.dtype).eps))
    gradient = True_(
        (p - onehot) / len(labels), (onehot + p * (1 + absolute_finite(log_p)) + least) / len(labels)
    )
    # A small loss is e^(−gap) for the gap to the next logit, whose rounding is a relative error of it.
    gap = -context.log(loss) if 0 < loss < 1 else number(0)
    return True_(loss, len(labels) * loss * (1 + gap)), gradient


def smoothed_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    cases = category_cases(dtype, rng)[::3]
    return [(*given, smoothing) for given in cases for smoothing in (0.0, 0.125, 0.3)]


def smoothed_cross_entropy(logits: Any, labels: Any, smoothing: float) -> tuple[True_, True_]:
    log_p = log_softmax(exact(logits))
    p = np.array([[sigmoid_of_log(v) for v in row] for row in log_p], object)
    onehot = np.where(np.arange(logits.shape[1]) == labels[:, None], number(1), number(0))
    q = (1 - number(smoothing)) * onehot + number(smoothing) / logits.shape[1]
    least = number(float(np.finfo(logits.dtype).tiny)) / number(float(np.finfo(logits.dtype).eps))
    terms = np.array([a * -b if a else number(0) for a, b in zip(q.ravel(), log_p.ravel(), strict=True)])
    # As for softmax_cross_entropy, a small |log p| = e^(−gap) has the rounding of the gap.
    gaps = [-context.log(-v) if -1 < v < 0 else number(0) for v in log_p.ravel()]
    gradient = True_(
        (p - q) / len(labels), (q + p * (1 + absolute_finite(log_p)) + least) / len(labels)
    )
    return True_(terms.sum() / len(labels), (terms * (1 + np.array(gaps, object))).sum()), gradient


def absolute_finite(log_p: Any) -> Any:
    """|log p|, and 0 for log 0: a rounding of the logit changes p by eps·|log p|·p."""
    return np.vectorize(lambda v: 0 if v == -np.inf else abs(v), otypes=[object])(log_p)


def sigmoid_of_log(v: Any) -> Any:
    return exp(v) if v != -np.inf else number(0)


def entry(name: str, cases: Any, truth: Any) -> Entry:
    return Entry(f"losses.{name}", getattr(losses, name), cases, truth, twin=True)


ENTRIES = [
    entry("squared_error", pairs, squared_error),
    entry("absolute_error", pairs, absolute_error),
    entry("bce_with_logits", bernoulli_cases, bce_with_logits),
    entry("softmax_cross_entropy", category_cases, softmax_cross_entropy),
    Entry(
        "losses.smoothed_cross_entropy", losses.smoothed_cross_entropy, smoothed_cases, smoothed_cross_entropy
    ),
]
