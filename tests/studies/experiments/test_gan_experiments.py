"""Experiments behind the demos of GANs, against maps, densities and pictures that are known."""

import math

import numpy as np
import pytest

from scratchgen.studies.experiments import (
    alternating_phases,
    discriminator_value,
    gan_moments,
    generator_gradients,
    player_balance,
)
from scratchgen.studies.experiments.gan_on_a_line import plogp


class KnownMap:
    """A GAN whose generator is a given function, and whose discriminator says 1/2 everywhere."""

    def __init__(self, function):
        self.inverse_transform = function
        self.discriminator = self

    def forward(self, x):
        return np.zeros_like(x), None

    def judge(self, x):
        return np.full(len(x), 0.5)

    predict_real = judge


MAPS = [
    (lambda z: 2.5 + 0.5 * z, 2.5, 0.5),
    (np.abs, math.sqrt(2 / math.pi), math.sqrt(1 - 2 / math.pi)),
]


@pytest.mark.parametrize("grid", [m.GRID for m in (gan_moments, alternating_phases, player_balance)])
@pytest.mark.parametrize("function, mean, std", MAPS)
def test_density_of_generated_numbers_is_that_of_a_known_map(grid, function, mean, std):
    """G(z) = 2.5 + 0.5·z gives N(2.5, 0.5²), and G(z) = |z| twice the positive half of N(0, 1)."""
    q = grid.density(KnownMap(function))
    assert q.sum() * grid.width == pytest.approx(1, abs=1e-4)
    assert grid.mean(q, grid.x) == pytest.approx(mean, abs=2e-3)
    assert grid.mean(q, (grid.x - mean) ** 2) == pytest.approx(std**2, abs=5e-3)
    assert grid.moments(q) == pytest.approx((mean, std), abs=4e-3)


@pytest.mark.parametrize("function, mean, std", MAPS)
def test_phases_measure_the_known_map(function, mean, std):
    state = alternating_phases.measure(KnownMap(function), 0)
    assert (state.mean, state.std) == pytest.approx((mean, std), abs=2e-3)
    assert state.d_fake == pytest.approx(0.5, abs=1e-4)
    assert state.gap == pytest.approx(2 * state.jsd, abs=1e-3)     # V(1/2) = −2·log 2


def test_moment_of_a_map_that_folds_says_so():
    straight, folded = (gan_moments.look(KnownMap(function), 0) for function, _, _ in MAPS)
    assert not straight.folds and folded.folds
    assert straight.d_fake == pytest.approx(0.5, abs=1e-4)


def test_jensen_shannon_is_zero_for_equal_densities_and_log_2_for_disjoint_ones():
    grid = player_balance.GRID
    assert grid.jensen_shannon(grid.p) == 0
    far = np.where(grid.x > 6, 1.0, 0.0)
    far /= far.sum() * grid.width
    assert grid.jensen_shannon(far) == pytest.approx(math.log(2), abs=1e-3)
    assert plogp(np.array([0.0, 1.0]), np.array([0.0, 2.0])).tolist() == [0, -math.log(2)]


def test_phase_ends_where_its_player_is_done():
    state = alternating_phases.State(0, 0.1, 3.0, 0.5, 0.6, 0.005)
    ends = alternating_phases.ends
    assert ends("whole phases", "G", 5, state) and ends("whole phases", "D", 5, state)
    assert not ends("G to the end", "G", 5, state) and ends("G to the end", "G", 400, state)
    assert not ends("whole phases", "D", 5, state._replace(gap=0.02))


@pytest.mark.parametrize("jsd, course, left, d_fake, verdict", [
    (0.02, [0.05, 0.02], 0.6, 0.5, "converged"),
    (0.5, [0.5, 0.5], 0.95, 0.05, "one mode"),
    (0.5, [0.5, 0.5], 0.6, 0.05, "D has won"),
    (0.1, [0.05, 0.1], 0.6, 0.5, "oscillates"),
    (0.1, [0.1, 0.1], 0.6, 0.5, "far away"),
])  # fmt: skip
def test_balance_verdict(jsd, course, left, d_fake, verdict):
    assert player_balance.End(jsd, course, left, d_fake, np.zeros(1)).verdict == verdict


def test_generator_gradient_of_the_best_discriminator_is_the_distance_or_the_slope_of_the_jsd():
    g = generator_gradients
    for loss, expected in (
        ("non-saturating", 1.0),
        ("minimax", (g.jensen_shannon(1.001) - g.jensen_shannon(0.999)) / 1e-3),
    ):
        found = g.gradient(g.shifted(1.0, g.BestLinear(1.0), loss))
        assert found == pytest.approx(expected, rel=0.5 if loss == "non-saturating" else 0.1)
    assert g.jensen_shannon(0.0) == pytest.approx(0, abs=1e-12)
    assert g.jensen_shannon(30.0) == pytest.approx(math.log(2), abs=1e-9)


def test_value_of_the_best_discriminator_is_twice_the_jsd_less_two_log_2():
    pair = discriminator_value.PAIRS["2 apart"]
    assert discriminator_value.value_of_best(pair) == pytest.approx(
        discriminator_value.highest_value(pair), abs=1e-4
    )
    assert discriminator_value.highest_value(discriminator_value.PAIRS["q = p"]) == pytest.approx(-2 * math.log(2))
