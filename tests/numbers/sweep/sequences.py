"""Models of sequences, n-grams, and the likelihood by importance sampling. Paths are enumerated."""

from __future__ import annotations

from itertools import product
from typing import Any
from unittest import mock

import numpy as np

from scratchgen.data import Alphabet
from scratchgen.models import HiddenMarkovModel, NGram
from scratchgen.models.vae import likelihood
from sweep.inputs import patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, context, exact, exp, log_softmax, log_sum_exp, number

NEVER = number(10) ** 1000


def hidden_markov(logits: np.ndarray, x: np.ndarray) -> tuple:
    """log p(x), the expected states and Viterbi's path, for the logits of start, transitions and symbols."""
    model = HiddenMarkovModel.categorical(2, 3, rng=0, dtype=logits.dtype)
    model.start.value[...] = logits[:2]
    model.transition.value[...] = logits[2:6].reshape(2, 2)
    model.emissions.logits.value[...] = logits[6:].reshape(2, 3)
    return model.score_samples(x), model.posterior_counts(x)[0], model.viterbi(x)


def hidden_markov_truth(logits: Any, x: Any) -> tuple:
    """All paths are enumerated."""
    e = exact(logits)
    start, step, emit = (log_softmax(a) for a in (e[None, :2], e[2:6].reshape(2, 2), e[6:].reshape(2, 3)))
    steps, top = x.shape[1], absolute(e).max()
    log_p, states, best, clear = [], [], [], []
    for row in x:
        paths = list(product(range(2), repeat=steps))
        weights = []
        for path in paths:
            total = start[0, path[0]] + emit[path[0], row[0]]
            for t in range(1, steps):
                total += step[path[t - 1], path[t]] + emit[path[t], row[t]]
            weights.append(total)
        w = np.array(weights, object)
        p = exp(log_softmax(w[None]))[0]
        log_p.append(log_sum_exp(w[None])[0])
        states.append([[p[[path[t] == j for path in paths]].sum() for j in range(2)] for t in range(steps)])
        order = sorted(range(len(w)), key=lambda i, w=w: -w[i])
        best.append([number(k) for k in paths[order[0]]])
        clear.append(
            w[order[0]] - w[order[1]] > (6 * top + 8) * 8 * number(float(np.finfo(logits.dtype).eps))
        )
    rough = 6 * top + 3
    kept = rough * number(float(np.finfo(logits.dtype).eps)) < 0.01
    return (
        True_(np.array(log_p, object), rough),
        True_(np.array(states, object), rough if kept else NEVER),
        True_(np.array(best, object), np.where(np.array(clear)[:, None], number(1), NEVER)),
    )


def markov_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    x = rng.integers(0, 3, (3, 4))
    return [(logits, x) for logits in patterns(dtype, (12,), rng, float(np.finfo(dtype).max) ** 0.5)]


TEXT = "abracadabra"
ALPHABET = Alphabet("abcdrz")


def ngram(order: int, strength: float, text: str) -> np.ndarray:
    return NGram(ALPHABET, order, strength).fit(TEXT).log_probabilities(text)


def ngram_truth(order: int, strength: float, text: str) -> True_:
    found = []
    for i, c in enumerate(text):
        p = number(1) / len(ALPHABET)
        for length in range(min(order - 1, i) + 1):
            h = text[i - length : i]
            after = [TEXT[j + length] for j in range(len(TEXT) - length) if TEXT[j : j + length] == h]
            if not after:
                break
            backoff = number(strength) * len(set(after))
            p = (after.count(c) + backoff * p) / (len(after) + backoff)
        found.append(context.log(p))
    value = np.array(found, object)
    return True_(value, 1 + absolute(value))


def ngram_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [
        (n, s, text) for n in (1, 3, 6) for s in (1.0, 1e-12, 1e12) for text in ("zabraz", "cadabra", "zzz")
    ]


def importance(log_weights: np.ndarray) -> np.ndarray:
    """The importance-sampled log p(x) for given weights, log p(x, z) − log q(z | x) of each draw."""

    def draws(*arguments: Any) -> Any:
        for part in np.array_split(log_weights, 2, axis=1):
            yield slice(None), part, np.zeros_like(part)

    X = np.zeros((len(log_weights), 1), log_weights.dtype)
    with mock.patch.object(likelihood, "sample_posterior", draws):
        model: Any = None
        rng = np.random.default_rng(0)
        return likelihood.importance_sampled(model, X, None, (X, X), log_weights.shape[1], rng)


def importance_truth(log_weights: Any) -> True_:
    value = log_sum_exp(exact(log_weights)) - context.log(log_weights.shape[1])
    return True_(value, np.vectorize(lambda v: v if context.isinf(v) else 3 + abs(v), otypes=[object])(value))


def importance_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    infinite = np.array([[-np.inf] * 4, [-np.inf, 2, -np.inf, -3], [-1e30, -np.inf, -1e30, -np.inf]], dtype)
    return [(a,) for a in (*patterns(dtype, (3, 4), rng, float(np.finfo(dtype).max) / 8), infinite)]


ENTRIES = [
    Entry("models.HiddenMarkovModel", hidden_markov, markov_cases, hidden_markov_truth),
    Entry("models.NGram", ngram, ngram_cases, ngram_truth, double=True),
    Entry(
        "models.vae.likelihood.importance_sampled",
        importance,
        importance_cases,
        importance_truth,
        double=True,
    ),
]
