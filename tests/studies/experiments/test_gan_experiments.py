"""Experiments behind the demos of GANs, tested with known maps, densities and pictures."""

import math

import numpy as np
import pytest

from scratchgen.data import load_digits
from scratchgen.studies.experiments import (
    alternating_phases,
    code_directions,
    digit_gans,
    discriminator_value,
    gan_moments,
    generator_gradients,
    player_balance,
    single_pixels,
)
from scratchgen.studies.experiments.gan_on_a_line import plogp


class KnownMap:
    """A GAN whose generator is a given function, and whose discriminator says 1/2 everywhere."""

    def __init__(self, function):
        self.inverse_transform = function
        self.discriminator = self

    def forward(self, x):
        return np.zeros_like(x), None

    def predict_real(self, x):
        return np.full(len(x), 0.5)


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
    straight, folded = (gan_moments.evaluate(KnownMap(function), 0) for function, _, _ in MAPS)
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
    equal = discriminator_value.PAIRS["q = p"]
    assert discriminator_value.highest_value(equal) == pytest.approx(-2 * math.log(2))


def bar(width: int, lean: int = 0) -> np.ndarray:
    """A stroke of 20 rows whose top is `lean` columns to the right of its bottom, (1, 784)."""
    image = np.zeros((28, 28))
    for i in range(20):
        start = 12 + round(lean * (9.5 - i) / 20)
        image[4 + i, start : start + width] = 1
    return image.reshape(1, -1)


def test_width_is_intensity_over_half_the_outline():
    corner = 2 - 2**0.5     # where the outline turns, one slope of √2 replaces two of 1
    for width in (2, 3, 5):
        total, outline = 20 * width, 2 * (20 + width) - corner
        assert code_directions.widths(bar(width)) == pytest.approx([total / (outline / 2)], rel=1e-12)
    assert code_directions.widths(0.5 * bar(3)) == pytest.approx(code_directions.widths(bar(3)))


def test_slant_is_zero_upright_and_follows_the_lean():
    assert code_directions.slants(bar(3)) == pytest.approx([0], abs=1e-12)
    assert code_directions.slants(bar(3, lean=10)) == pytest.approx([0.5], abs=0.02)
    assert code_directions.slants(bar(3, lean=-10)) == pytest.approx([-0.5], abs=0.02)


def test_directions_are_the_true_ones():
    rng = np.random.default_rng(0)
    truth = code_directions.unit(rng.standard_normal((3, 7)))
    z = rng.standard_normal((20_000, 7))
    found = code_directions.directions(z, np.tanh(z @ truth.T) + 0.1 * rng.standard_normal((20_000, 3)))
    assert (found * truth).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-3)

    rest = code_directions.without(truth[0], [truth[1], truth[2], truth[1] + truth[2]])
    assert truth[1:] @ rest == pytest.approx(np.zeros(2), abs=1e-12)
    assert np.linalg.norm(rest) == pytest.approx(1) and rest @ truth[0] > 0
    moved = code_directions.with_component(z, truth[0], 1.5)
    assert moved @ truth[0] == pytest.approx(np.full(len(z), 1.5))
    assert moved @ rest != pytest.approx(z @ rest)
    aside = code_directions.without(truth[1], [truth[0]])
    assert moved @ aside == pytest.approx(z @ aside)


def test_arc_keeps_the_length_of_codes():
    a, b = np.random.default_rng(0).standard_normal((2, 500, 64))
    lengths = [np.linalg.norm(digit_gans.arc(a, b, t), axis=1).mean() for t in (0, 0.25, 0.5, 1)]
    assert np.ptp(lengths) < 0.02 * lengths[0]
    assert digit_gans.arc(a, b, 0) == pytest.approx(a) and digit_gans.arc(a, b, 1) == pytest.approx(b)


def test_damages_have_the_documented_sizes():
    digits = load_digits("embedded")
    x, y = digits.x_test[:60], digits.y_test[:60]
    intact, speck, hole, swell, label = single_pixels.damage(x, y, np.random.default_rng(0))
    assert len(intact) > 50 and set(label) <= set(y)
    changed = [(part - intact).reshape(-1, 28, 28) for part in (speck, hole, swell)]
    assert [(part != 0).sum(axis=(1, 2)).tolist() for part in changed] == [
        [count] * len(intact) for count in (1, 1, 6)
    ]
    assert (changed[0] ** 2).sum(axis=(1, 2)) == pytest.approx(np.ones(len(intact)))
    assert (changed[2] ** 2).sum(axis=(1, 2)) == pytest.approx(np.full(len(intact), 1.5))
    assert (hole.max(axis=1) <= 1).all() and (swell.max(axis=1) <= 1).all()
    for image, dot in zip(intact.reshape(-1, 28, 28), changed[0], strict=True):
        i, j = np.argwhere(dot)[0]
        assert image[i - 2 : i + 3, j - 2 : j + 3].max() == 0
    assert single_pixels.isolated(speck).all() and single_pixels.isolated(intact).mean() < 0.1


def test_isolated_pixels_are_brighter_than_all_around():
    images = np.zeros((3, 28, 28))
    images[0, 0, 0] = 0.3
    images[1, 5, 5:7] = 1
    images[2, 5, 5], images[2, 6, 6] = 1, 0.8
    assert single_pixels.isolated(images.reshape(3, -1)).tolist() == [True, False, False]
