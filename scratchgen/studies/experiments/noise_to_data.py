"""Learn a map from noise to data on a line, and estimate a KL divergence from two sets of samples."""

from __future__ import annotations

import numpy as np

from scratchgen.data import Density, GaussianMixture1D
from scratchgen.layers import LeakyReLU, Sequential
from scratchgen.losses import squared_error
from scratchgen.models.networks import dense
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import OneCycle


def fit_map(
    data: Density, updates: int, rng: np.random.Generator, batch_size: int = 2048
) -> tuple[Sequential, float]:
    """Train a net 1-64-64-1 to match the sorted samples of the data. Returns it, and the gap before training.

    Of all pairings of two sets of numbers, the one that sorts both has the least squared error. So the loss
    is the squared Wasserstein distance of the two samples. Batches are large, because few samples lie between
    the modes.
    """
    net = dense((1, 64, 64, 1), rng=rng, activation=LeakyReLU, dtype=np.float64)
    before = largest_gap(net.forward(rng.standard_normal((20_000, 1)))[0], data)
    optimizer = Adam(net.parameters(), OneCycle(1e-2, updates))
    for _ in range(updates):
        made, cache = net.forward(rng.standard_normal((batch_size, 1)))
        target = np.empty_like(made)
        target[np.argsort(made[:, 0])] = np.sort(data.sample(batch_size, rng=rng), axis=0)
        _, dmade = squared_error(made, target)
        optimizer.zero_grad()
        net.backward(dmade, cache, input_grad=False)
        optimizer.step()
    return net, before


def largest_gap(x: np.ndarray, data: Density) -> float:
    """The largest distance between the distribution functions of samples x (N, 1) and of the data."""
    grid = np.linspace(-8, 8, 4001)
    cdf = np.cumsum(np.exp(data.log_density(grid[:, None]))) * (grid[1] - grid[0])
    return float(np.abs(np.searchsorted(np.sort(x[:, 0]), grid) / len(x) - cdf).max())


def kl_by_quadrature(p: Density, q: Density, reach: float = 12.0) -> float:
    """KL(p ‖ q) = ∫ p·(log p − log q) dx in nats, over [−reach, reach]."""
    grid = np.linspace(-reach, reach, 20_001)
    log_p, log_q = (density.log_density(grid[:, None]) for density in (p, q))
    return float(np.trapezoid(np.exp(log_p) * (log_p - log_q), grid))


def kernel_log_density(samples: np.ndarray, bandwidth: float, x: np.ndarray) -> np.ndarray:
    """log of the mean over samples (N,) of N(x; sample, bandwidth²), for each x (M,) -> (M,)."""
    weights = np.full(len(samples), 1 / len(samples))
    mixture = GaussianMixture1D(weights, samples, np.full(len(samples), bandwidth))
    return mixture.log_density(x[:, None])


def kernel_kl(p: np.ndarray, q: np.ndarray, bandwidth: float) -> float:
    """KL in nats of the kernel densities of two sets of samples (N,) and (M,), by quadrature."""
    reach = 6 * bandwidth
    grid = np.linspace(min(p.min(), q.min()) - reach, max(p.max(), q.max()) + reach, 10_001)
    log_p, log_q = kernel_log_density(p, bandwidth, grid), kernel_log_density(q, bandwidth, grid)
    return float(np.trapezoid(np.exp(log_p) * (log_p - log_q), grid))


def histogram_kl(p: np.ndarray, q: np.ndarray, bins: int) -> float:
    """KL in nats of two histograms over the same bins; infinite if a bin has samples of p and none of q."""
    edges = np.linspace(min(p.min(), q.min()), max(p.max(), q.max()), bins + 1)
    share_p, share_q = (np.histogram(x, edges)[0] / len(x) for x in (p, q))
    some = share_p > 0
    if np.any(share_q[some] == 0):
        return float("inf")
    return float((share_p[some] * np.log(share_p[some] / share_q[some])).sum())
