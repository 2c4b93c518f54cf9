"""The measures of round trips, for codes that are a linear function of pixels."""

import numpy as np
import pytest

from scratchgen.studies.experiments import round_trips


class Linear:
    """A model whose codes are z = 2·(x − mean)."""

    def __init__(self, mean):
        self.mean = mean

    def inverse_transform(self, z):
        return self.mean + z / 2


def test_between_linear_codes_is_a_blend_of_pixels(rng):
    x = rng.random((40, 9))
    z, pairs = 2 * (x - x.mean(axis=0)), rng.integers(40, size=(7, 2))
    found = round_trips.half_way(Linear(x.mean(axis=0)), x, z, pairs)
    np.testing.assert_allclose(found["codes"], found["linear in pixels"])
    np.testing.assert_allclose(found["pixels"][2], (x[pairs[2, 0]] + x[pairs[2, 1]]) / 2)
    np.testing.assert_array_equal(found["other pixels"][1:], found["pixels"][:-1])
    assert all(images.min() >= 0 and images.max() <= 1 for images in found.values())
    assert np.abs(found["codes"] - found["pixels"]).max() > 0.05


def test_correlation_is_the_mean_over_images(rng):
    a, b = rng.random((2, 5, 30))
    each = [np.corrcoef(rows)[0, 1] for rows in zip(a, b, strict=True)]
    assert round_trips.correlation(a, b) == pytest.approx(np.mean(each))
    assert round_trips.correlation(a, 3 - 2 * a) == pytest.approx(-1)


def test_path_between_typical_codes_has_typical_codes(rng):
    a, b = rng.standard_normal((2, 4000))
    path = round_trips.code_path(a, b, 5)
    np.testing.assert_allclose(path[[0, -1]], [a, b], atol=1e-12)
    np.testing.assert_allclose(path.std(axis=1), 1, rtol=0.05)


def test_orders_are_powers_of_the_step_length():
    np.testing.assert_allclose(round_trips.orders(3 / np.array([5.0, 10, 20, 40]) ** 4), 4)
