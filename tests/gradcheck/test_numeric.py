"""The gradient of any function by differences."""

import numpy as np
import pytest

from scratchgen.gradcheck import numeric_gradient


def test_numeric_gradient_of_a_smooth_function_has_ten_digits(rng):
    """(GRAD.2) for f = Σ sin(x)·x², whose gradient is cos(x)·x² + 2·sin(x)·x."""
    x = 3 * rng.standard_normal((4, 3))
    before = x.copy()
    found = numeric_gradient(lambda x: (np.sin(x) * x**2).sum(), x)
    np.testing.assert_allclose(found, np.cos(x) * x**2 + 2 * np.sin(x) * x, rtol=0, atol=1e-9)
    assert (x == before).all()


@pytest.mark.parametrize("x", [np.array(0.7), np.array([0.7]), np.zeros((0, 3))])
def test_numeric_gradient_has_the_shape_of_x(x):
    found = numeric_gradient(lambda x: float((x**3).sum()), x)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, 3 * x**2, rtol=1e-10)


def test_numeric_gradient_takes_smaller_steps_next_to_a_kink():
    x = np.array([2e-5, -2e-5, 0.0])
    np.testing.assert_allclose(numeric_gradient(lambda x: np.abs(x).sum(), x), [1, -1, 0], atol=1e-9)


def test_function_that_changes_its_argument_does_no_harm():
    def squares(x):
        x *= x
        return x.sum()

    np.testing.assert_allclose(numeric_gradient(squares, np.array([1.0, 2.0])), [2, 4], rtol=1e-9)


@pytest.mark.parametrize("value", [None, "a", np.ones(2), 1j, [1.0]])
def test_function_that_returns_no_number_is_refused(value):
    with pytest.raises(TypeError, match="numeric_gradient expected f to return a number, got"):
        numeric_gradient(lambda x: value, np.ones(2))


def test_float32_is_refused():
    with pytest.raises(TypeError, match="numeric_gradient expected x in float64, got float32"):
        numeric_gradient(lambda x: x.sum(), np.ones(2, np.float32))
