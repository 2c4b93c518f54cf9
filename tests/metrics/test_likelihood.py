import math

import numpy as np
import pytest

from scratchgen.data import dequantise
from scratchgen.distributions import Bernoulli, Logistic
from scratchgen.metrics import bits_per_dim


def test_bits_per_dim_of_known_densities():
    """(DEQ.2): the uniform density costs 8 bits; 1980.50 nats on 784 pixels are 4.356 bits."""
    np.testing.assert_allclose(bits_per_dim(np.zeros(3), 784), 8, rtol=1e-12)
    np.testing.assert_allclose(bits_per_dim(np.array([1980.50]), 784), 4.3555, atol=1e-4)
    np.testing.assert_allclose(bits_per_dim(np.array([0.0, 2 * math.log(2)]), 2, levels=None), [0, -1])


def test_bits_per_dim_bound_the_probability_of_the_levels(rng):
    """(DEQ.3) for a logistic density, whose probability of every cell is known, with samples within cells."""
    levels, mean, log_scale = 8, 0.4, -3.5
    x = np.repeat(np.arange(levels) / (levels - 1), 20_000)[:, None]
    y = dequantise(x, rng=rng, levels=levels)
    bits = bits_per_dim(Logistic.log_prob(y, mean, log_scale)[:, 0], 1, levels=levels)
    edges = Bernoulli.mean((np.arange(levels + 1) / levels - mean) * math.exp(-log_scale))
    exact = -np.log2(np.diff(edges))
    gap = bits.reshape(levels, -1).mean(axis=1) - exact
    assert (gap > -0.01).all() and gap.max() > 0.3


def test_bits_per_dim_error_messages():
    with pytest.raises(ValueError, match="bits_per_dim expected finite numbers"):
        bits_per_dim(np.array([np.inf]), 3)
    with pytest.raises(ValueError, match="features of at least 1, got 0"):
        bits_per_dim(np.zeros(2), 0)
