"""Complete the lower half of a digit given its upper half, with several models.

MADE has this conditional distribution exactly, by the chain rule. A VAE does not: codes of the prior are
weighted by how well they explain the upper half. NICE has neither: the lower half is changed by Langevin
steps along the gradient of log p(x).
"""

from __future__ import annotations

import numpy as np

from scratchgen.data import binarise, dequantise
from scratchgen.distributions import Bernoulli
from scratchgen.models import MADE, NICE, VAE

UPPER = np.arange(784) < 392
STEP = 0.1      # h of the first Langevin step

Completions = dict[str, tuple[np.ndarray, np.ndarray]]     # name -> mean and one sample, (N, 784) each


def compare(
    made: MADE, vae: VAE, nice: NICE, x: np.ndarray, grey: np.ndarray, test: np.ndarray,
    codes: int, steps: int, rng: np.random.Generator,
) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray], float]:
    """Complete the test digits in five ways.

    x : training digits;  grey, test : test digits (N, 784), as intensities and binarised
    codes : of the VAE's prior;  steps : of Langevin

    Returns a table, by name: the squared error of the mean, wrong pixels of one sample, log p(lower | upper);
    images to draw; and the effective number of codes.
    """  # fmt: skip
    samples = [made.complete(np.where(UPPER, test, 0), UPPER, rng=rng) for _ in range(50)]
    by_code, vae_nats, effective = weighted_codes(vae, test, codes, rng)
    chains = [langevin(nice, x, grey, steps, rng) for _ in range(3)]
    nearest = nearest_lower_halves(binarise(x, rng=rng), test)
    mean = np.clip(x.mean(axis=0), 1e-3, 1 - 1e-3)[None]
    logit = np.log(mean / (1 - mean))
    made_nats = lower_log_prob(test, made.logits(test)[0])
    tiled = np.tile(mean, (len(test), 1))
    rows = {
        "mean of all digits": (tiled, tiled > 0.5, lower_log_prob(test, np.tile(logit, (len(test), 1)))),
        "nearest upper half": (nearest, nearest, None),
        "MADE, exact": (np.mean(samples, axis=0), samples[0], made_nats),
        "VAE, weighted codes": (by_code, binarise(by_code, rng=rng), vae_nats),
        "NICE, Langevin": (np.mean(chains, axis=0), chains[0] > 0.5, None),
    }
    table: dict[str, dict[str, float]] = {}
    for name, (average, sample, nats) in rows.items():
        table[name] = {
            "error of the mean": float(((average - test)[:, ~UPPER] ** 2).sum(axis=1).mean()),
            "wrong pixels, one sample": float((sample != test)[:, ~UPPER].sum(axis=1).mean()),
        }
        if nats is not None:
            table[name]["log p(lower | upper)"] = float(nats.mean())
    images = {
        "digit": test,
        "given": np.where(UPPER, test, 0.35),
        "MADE, a sample": samples[0],
        "MADE, another": samples[1],
        "VAE, mean": np.where(UPPER, test, by_code),
        "NICE, a chain": np.where(UPPER, grey, chains[0]),
        "nearest half": np.where(UPPER, test, nearest),
    }
    return table, images, float(np.median(effective))


def lower_log_prob(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Σ over the lower half of log p(x_d) in nats, (N,)."""
    return Bernoulli.log_prob(x, logits)[:, ~UPPER].sum(axis=1, dtype=np.float64)


def weighted_codes(
    vae: VAE, x: np.ndarray, codes: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate p(lower | upper) from S codes of the prior, weighted by w ∝ p(upper | z).

    Returns the mean image (N, D), log p(lower | upper) (N,), and the effective number of codes (Σw)²/Σw²
    (N,).
    """
    logits = vae.decode(vae.prior_sample(codes, rng=rng))
    free = np.logaddexp(0, logits)                              # (S, D): Σ_d log p = x·l − log(1 + eˡ)
    up, low = (
        x[:, part] @ logits[:, part].T - free[:, part].sum(axis=1) for part in (UPPER, ~UPPER)
    )                                                           # (N, S)
    log_w = up.astype(np.float64)
    log_w -= np.logaddexp.reduce(log_w, axis=1, keepdims=True)
    w = np.exp(log_w)
    nats = np.logaddexp.reduce(log_w + low, axis=1)
    return w @ Bernoulli.mean(logits), nats, 1 / (w**2).sum(axis=1)


def langevin(
    nice: NICE, train: np.ndarray, grey: np.ndarray, steps: int, rng: np.random.Generator
) -> np.ndarray:
    """The lower half by x ← x + ½·h·s²·d log p(x)/dx + √h·s·eps, s each pixel's std, h from STEP to 0.

    It starts at the mean. After so few steps it is near a mode, so the result is not a sample of p(lower |
    upper).
    """
    x, std = dequantise(grey, rng=rng), nice.spread_of(train).astype(np.float32)
    x[:, ~UPPER] = train.mean(axis=0)[~UPPER]
    for step in range(steps):
        h = np.float32(STEP * (1 - step / steps))
        noise = np.sqrt(h) * std * rng.standard_normal(x.shape, np.float32)
        move = 0.5 * h * std**2 * log_density_gradient(nice, x) + noise
        x[:, ~UPPER] += move[:, ~UPPER]
    return np.clip(x, 0, 1)


def log_density_gradient(nice: NICE, x: np.ndarray) -> np.ndarray:
    """d log p(x) / dx of each example, (N, D), from the gradient of the loss −1/N · Σₙ log p(xₙ)."""
    with nice.frozen():
        _, cache = nice.loss(x)
        return -len(x) * nice.backward(cache, input_grad=True)["dx"]


def nearest_lower_halves(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """For each test digit, the training digit whose upper half differs in the fewest pixels, (N, D)."""
    a, b = test[:, UPPER], train[:, UPPER]
    distance = a.sum(axis=1)[:, None] + b.sum(axis=1) - 2 * a @ b.T
    return train[distance.argmin(axis=1)]
