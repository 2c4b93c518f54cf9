"""The exact field of a noisy mixture, straightness and energy distance, against brute force."""

import math

import numpy as np
import pytest

from scratchgen.data import GaussianMixture
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.studies.experiments.noisy_mixture import ExactVelocity, NoisyMixture
from scratchgen.studies.experiments.paths import (
    Reflow,
    ddim_paths,
    energy_distance,
    excess_length,
    flow_paths,
    straightness,
)

DATA = GaussianMixture([0.7, 0.3], [[-1.0, 0.5], [2.0, -1.0]], [0.4, 0.7])
SHIFT, SCALE = np.array([0.3, -0.2]), np.array([1.5, 0.8])
NOISES = [(0.3, 0.7), (0.8, 0.6), (0.95, 0.05)]     # a and s


def by_quadrature(x, a, s):
    """log p(x) and E[x_data | x] of noisy points x (N, 2), by sums over a fine grid of the data."""
    axis = np.linspace(-6, 6, 481)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    cell = (axis[1] - axis[0]) ** 2
    prior = np.exp(DATA.log_density(grid * SCALE + SHIFT)) * SCALE.prod() * cell
    squared = ((x[:, None] - a * grid) ** 2).sum(axis=2)
    joint = prior * np.exp(-0.5 * squared / s**2) / (2 * math.pi * s**2)
    p = joint.sum(axis=1)
    return np.log(p), joint @ grid / p[:, None]


@pytest.mark.parametrize("a, s", NOISES)
def test_exact_field_is_that_of_sums_over_a_grid(a, s, rng):
    """(MIX.1, MIX.2, MIX.3, MIX.4, MIX.5)."""
    mixture = NoisyMixture(DATA, SHIFT, SCALE)
    data = (DATA.sample(4, rng=rng) - SHIFT) / SCALE
    x = a * data + s * rng.standard_normal((4, 2))
    log_p, mean = by_quadrature(x, a, s)
    np.testing.assert_allclose(mixture.log_density(x, a, s), log_p, atol=1e-8)
    np.testing.assert_allclose(mixture.mean_data(x, a, s), mean, atol=1e-7)
    score = mixture.score(x, a, s)
    for d in range(2):
        step = np.eye(2)[d] * 1e-4
        slope = mixture.log_density(x + step, a, s) - mixture.log_density(x - step, a, s)
        np.testing.assert_allclose(score[:, d], slope / 2e-4, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(x, a * mean - s**2 * score, atol=1e-6)      # x = a·E[data] + s·E[noise]
    if a + s == 1:
        noise = (x - a * mean) / s
        np.testing.assert_allclose(mixture.velocity(x, a), mean - noise, atol=1e-6)


def test_exact_velocity_as_a_network_carries_noise_to_the_mixture():
    """(FM.6) with (MIX.5): its likelihood is the density of the mixture."""
    model = FlowMatching(ExactVelocity(NoisyMixture(DATA)), 2)
    X = DATA.sample(2000, rng=0)
    found = model.sample(2000, rng=1, steps=50)
    assert energy_distance(found, X) < 0.1 < energy_distance(found + 0.5, X)
    assert abs(DATA.log_density(found).mean() - DATA.log_density(X).mean()) < 0.1


def test_straightness_of_lines_and_arcs():
    """(PATH.1): 0 for a line at constant speed; an arc and a line at another speed have closed forms."""
    t = np.linspace(0, 1, 2001)[:, None, None]
    ends = np.array([[1.0, 2.0], [-3.0, 0.5]])
    line = t * ends
    assert straightness(line) < 1e-20 and abs(excess_length(line)) < 1e-12
    late = t**2 * ends                              # ∫ (1 − 2t)² dt = 1/3
    assert math.isclose(straightness(late), (ends**2).sum(axis=1).mean() / 3, rel_tol=1e-5)
    assert abs(excess_length(late)) < 1e-12
    arc = np.concatenate([np.cos(math.pi * t), np.sin(math.pi * t)], axis=2)    # E‖velocity‖² − ‖chord‖²
    assert math.isclose(straightness(arc), math.pi**2 - 4, rel_tol=1e-5)
    assert math.isclose(excess_length(arc), math.pi / 2 - 1, rel_tol=1e-5)


def test_energy_distance_is_that_of_all_pairs(rng):
    """(PATH.2), written out with loops; and of two Normals on a line, in closed form."""
    X, Y = rng.standard_normal((6, 2)), rng.standard_normal((5, 2)) + 2

    def mean(A, B, same):
        pairs = [
            np.linalg.norm(a - b)
            for i, a in enumerate(A)
            for j, b in enumerate(B)
            if not (same and i == j)
        ]
        return sum(pairs) / len(pairs)

    square = 2 * mean(X, Y, False) - mean(X, X, True) - mean(Y, Y, True)
    assert math.isclose(energy_distance(X, Y), math.sqrt(square), rel_tol=1e-12)
    assert energy_distance(X, X) == 0
    X, Y = rng.standard_normal((2, 4000, 1))
    wide = 3 * Y                                    # E|N(0, σ²)| = σ·√(2/π)
    exact = math.sqrt(2 / math.pi) * (2 * math.sqrt(10) - math.sqrt(2) - 3 * math.sqrt(2))
    assert math.isclose(energy_distance(X, wide) ** 2, exact, rel_tol=0.1)


@pytest.mark.slow
def test_reflow_trains_on_the_given_pairs(rng):
    """If each noise is paired with one point of data on the same line, one network can reach a loss of 0."""
    model = Reflow.dense(2, 32, 1, rng=0)
    z = rng.standard_normal((2000, 2)).astype(np.float32)
    history = model.trainer(
        np.concatenate([z, 2 * z + 1], axis=1), epochs=30, lr=lambda done: 5e-3 * (1 - done), rng=0
    ).run()
    assert history.epochs["loss"][-1] < 0.02
    np.testing.assert_allclose(model.inverse_transform(z, steps=1, method="euler"), 2 * z + 1, atol=0.8)
    assert (model.shift == 0).all() and (model.scale == 1).all()
    with pytest.raises(ValueError, match=r"^Reflow\.fit expected "):
        Reflow.dense(2, 8, 1, rng=0).fit(z, epochs=1, rng=0)


def test_paths_end_where_the_models_end(rng):
    flow, diffusion = FlowMatching.dense(2, 8, 1, rng=0), Diffusion.dense(2, 8, 1, steps=20, rng=0)
    z = rng.standard_normal((5, 2)).astype(np.float32)
    for p in (*flow.parameters().values(), *diffusion.parameters().values()):
        p.value += (0.3 * rng.standard_normal(p.shape)).astype(p.dtype)
    ends = flow_paths(flow, z, 7)[-1]
    np.testing.assert_allclose(ends, flow.inverse_transform(z, steps=7), atol=1e-5)
    diffusion.low[...], diffusion.high[...] = -100, 100
    ends = ddim_paths(diffusion, z, 10)[-1]
    np.testing.assert_allclose(ends, diffusion.inverse_transform(z, steps=10), atol=1e-4)
