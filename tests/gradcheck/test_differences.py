"""Difference quotients, and the distinction between a kink and a mistake."""

import math

import numpy as np
import pytest
from helpers.planted import SHAPE, Elementwise, abs_layer

from scratchgen.gradcheck.checker import check_layer
from scratchgen.gradcheck.differences import STEPS, central, compare, line, richardson
from scratchgen.layers import LeakyReLU, ReLU


def test_central_difference_has_its_error_of_second_order():
    """(GRAD.1) D(h) of t³ at 0.7 is 3·0.7² + h², exactly."""

    def cube(t):
        return np.array([(0.7 + t) ** 3])

    for h in (0.5, 0.1, 0.01):
        assert central(cube, h) == pytest.approx(3 * 0.7**2 + h**2, rel=1e-12)


def test_richardson_has_its_error_of_fourth_order():
    """(GRAD.2) is exact for t⁴; for t⁵ at 0 its error is -4·h⁴."""
    assert richardson(lambda t: np.array([(0.7 + t) ** 4]), 0.25) == pytest.approx(4 * 0.7**3, rel=1e-13)
    for h in (0.5, 0.1):
        assert richardson(lambda t: np.array([t**5]), h) == pytest.approx(-4 * h**4, rel=1e-12)


def test_directional_derivative_is_the_inner_product_with_the_gradient(rng):
    """(GRAD.3) for f = Σ sin(a·b) and lines through both arrays at once."""
    a, b = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    va, vb = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    expected = (np.cos(a * b) * b * va).sum() + (np.cos(a * b) * a * vb).sum()
    before = a.copy()
    along = line([(a, va), (b, vb)], lambda: np.sin(a * b))
    assert richardson(along, STEPS[0]) == pytest.approx(expected, rel=1e-10)
    assert (a == before).all()


@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU(0.2), abs_layer(1), abs_layer(-0.3)])
@pytest.mark.parametrize("at", [0.0, 2.0**-22, -(2.0**-23)])
def test_kink_is_reported_as_a_kink(layer, at, rng):
    x = rng.standard_normal(SHAPE)
    x[2, 3] = at
    (result,) = check_layer(layer, x, rng=rng)
    assert result.verdict == "kink"
    assert result.ok
    assert result.error < 1e-9


def test_gradient_near_a_kink_passes_with_a_smaller_step(rng):
    x = rng.standard_normal(SHAPE)
    x[2, 3] = 2e-5
    (result,) = check_layer(ReLU(), x, rng=rng)
    assert result.verdict == "ok"


@pytest.mark.parametrize("slope", [1.0001, -1.0001, 3.0])
def test_wrong_gradient_at_a_kink_fails(slope, rng):
    x = rng.standard_normal(SHAPE)
    x[2, 3] = 0
    assert check_layer(abs_layer(slope), x, rng=rng)[0].verdict == "FAIL"


def test_wrong_gradient_near_a_kink_fails(rng):
    """|x| just right of 0: the point is on one side, so a slope between those of both sides is wrong."""
    x = rng.standard_normal(SHAPE)
    x[2, 3] = 2.0**-22
    layer = Elementwise(np.abs, lambda x: np.where(x == 2.0**-22, 0.9999, np.sign(x)))
    assert check_layer(layer, x, rng=rng)[0].verdict == "FAIL"


def test_sharp_bend_is_not_a_kink():
    """√(t² + w²) at t = 0 turns from -1 to 1 within w; slope 0 is right, 1e-3 is wrong."""
    for width in (1e-3, 1e-4):

        def bend(t, w=width):
            return np.array([math.hypot(t, w)])

        assert compare(bend, 0.0, 1.0, 1.0, 1e-6, 1.0)[2] == "ok"
        assert compare(bend, 1e-3, 1.0, 1.0, 1e-6, 1.0)[2] == "FAIL"


def test_noise_is_not_a_kink(rng):
    """A forward that draws new random numbers in each call has no derivative."""
    assert compare(lambda t: rng.standard_normal(3), 0.0, 1.0, 1.0, 1e-6, 1.0)[2] == "FAIL"
