"""Compare three Monte Carlo estimators of the gradient of E[f(z)], z ~ N(mu, std²), in mu and logvar.

Each is a mean over S samples z = mu + std·eps of

    reparameterised   f'(z) · dz/dmu = f'(z),             f'(z) · dz/dlogvar = f'(z) · ½·eps·std
    score function    f(z) · dlog q/dmu = f(z) · eps/std,  f(z) · dlog q/dlogvar = f(z) · ½·(eps² − 1)
    with a baseline   (f(z) − b) in place of f(z), where b is the mean of f over the other S − 1 samples
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scratchgen.data import binarise
from scratchgen.distributions import Bernoulli, Normal
from scratchgen.models import VAE

NAMES = ("reparameterised", "score function", "score, baseline")
SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)    # S, samples of an estimate
MANY = 16                                       # S in the table: enough for a baseline

Function = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]       # z (S, K) -> f (S,), f' (S, K)
Estimators = dict[str, Callable[[int], np.ndarray]]


class Case(NamedTuple):
    """Estimators of one gradient; the gradient and its standard error, (2K,) each."""

    estimators: Estimators
    truth: np.ndarray
    truth_error: np.ndarray


def quadratic(width: int, draws: int, rng: np.random.Generator) -> Case:
    """f(z) = Σ (z − c)² at mu = 0 and logvar = −1, whose gradient is known in closed form."""
    centre = np.linspace(-1, 1, width)
    mu, logvar = np.zeros(width), np.full(width, -1.0)
    known = np.concatenate([-2 * centre, np.exp(logvar)])       # of E[f] = Σ (mu − c)² + std²
    found = estimators(
        lambda z: (((z - centre) ** 2).sum(axis=1), 2 * (z - centre)), mu, logvar, draws, rng
    )
    return Case(found, known, np.zeros_like(known))


def decoder(f: Function, mu: np.ndarray, logvar: np.ndarray, draws: int, rng: np.random.Generator) -> Case:
    """Any f. The true gradient is estimated by reparameterisation, from the same number of other samples."""
    apart = estimators(f, mu, logvar, draws, rng)[NAMES[0]](1)
    error = apart.std(axis=0) / draws**0.5
    return Case(estimators(f, mu, logvar, draws, rng), apart.mean(axis=0), error)


def estimators(
    f: Function, mu: np.ndarray, logvar: np.ndarray, draws: int, rng: np.random.Generator
) -> Estimators:
    """Name -> a function S -> estimates of the gradient by mu and logvar, (draws/S, 2K)."""
    eps = rng.standard_normal((draws, len(mu)))
    std = Normal.std(logvar)
    z = Normal.sample(mu, logvar, eps)
    value, slope = f(z)                                         # (draws,), (draws, K)
    path = np.concatenate([slope, 0.5 * slope * eps * std], axis=1)
    score = np.concatenate(Normal.log_prob_grad(z, mu, logvar)[1:], axis=1)

    def mean(each: np.ndarray, samples: int) -> np.ndarray:
        return each.reshape(-1, samples, each.shape[1]).mean(axis=1)

    def with_baseline(samples: int) -> np.ndarray:
        group = value.reshape(-1, samples)
        others = (group.sum(axis=1, keepdims=True) - group) / (samples - 1)
        return mean((group - others).reshape(-1, 1) * score, samples)

    return {
        NAMES[0]: lambda samples: mean(path, samples),
        NAMES[1]: lambda samples: mean(value[:, None] * score, samples),
        NAMES[2]: with_baseline,
    }


def reconstruction(
    vae: VAE, grey: np.ndarray, rng: np.random.Generator
) -> tuple[Function, np.ndarray, np.ndarray]:
    """f(z) = −log p(x | z) in nats of one digit x (1, D), and mu and logvar (K,) of its q(z | x)."""
    x = binarise(grey, rng=rng)
    mu, logvar = (head[0].astype(np.float64) for head in vae.posterior(x))

    def f(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, slopes = [], []
        with vae.decoder.frozen():
            for part in np.split(z.astype(x.dtype), range(1024, len(z), 1024)):
                logits, cache = vae.decoder.forward(part)
                values.append(-Bernoulli.log_prob(x, logits).sum(axis=1))
                slopes.append(vae.decoder.backward(-Bernoulli.log_prob_grad(x, logits), cache))
        return np.concatenate(values).astype(np.float64), np.concatenate(slopes).astype(np.float64)

    return f, mu, logvar


def compare(cases: list[Case]) -> dict[str, dict[str, float]]:
    """By name: bias, variance of one sample, and samples needed for the variance of a reparameterised one."""
    variance = {name: np.empty(len(cases)) for name in NAMES}
    table = {}
    for name in NAMES:
        off: list[float] = []
        for i, case in enumerate(cases):
            each = case.estimators[name](MANY)
            error = np.hypot(each.std(axis=0) / len(each) ** 0.5, case.truth_error)
            off += list((each.mean(axis=0) - case.truth) / error)
            variance[name][i] = MANY * each.var(axis=0).sum()
        ratios = variance[name] / variance[NAMES[0]]
        table[name] = {
            "bias in standard errors": float(np.square(off).mean() ** 0.5),
            "variance per sample": float(variance[name].mean()),
            "samples needed: least": float(ratios.min()),
            "all": float(variance[name].mean() / variance[NAMES[0]].mean()),
            "most": float(ratios.max()),
        }
    return table


def relative_error(cases: list[Case], name: str, samples: int) -> float:
    """The root of the mean squared error of an estimate from S samples, over the length of the gradient."""
    squared = [((c.estimators[name](samples) - c.truth) ** 2).sum(axis=1).mean() for c in cases]
    return float((np.mean(squared) / np.mean([(c.truth**2).sum() for c in cases])) ** 0.5)
