"""The measures of diffusions on digits, for networks whose errors are known in closed form."""

import numpy as np
import pytest

from scratchgen.models import Diffusion
from scratchgen.studies.experiments import digit_diffusion as experiment


@pytest.fixture
def digits(rng):
    return rng.random((300, 784)).astype(np.float32)


class Classifier:
    """Reads an image by its first pixel: class 0 below 1/2 and class 1 above."""

    def features(self, X):
        return X[:, :2]

    def predict(self, X):
        return (X[:, 0] > 0.5).astype(int)


def test_reader_measures_classes_and_their_diversity():
    images = np.array([[0.0, 0], [0, 1], [1, 0], [0.7, 0.4], [1, 1]])
    found = experiment.Reader(Classifier(), images).measure(images, np.array([0, 0, 1, 1, 0]))
    assert found["as ordered"] == 0.8
    assert found["Fréchet"] == pytest.approx(0, abs=1e-7)
    assert found["diversity"] == pytest.approx(((1 + 2**0.5 + 1) / 3 + 0.5) / 2)
    with pytest.raises(ValueError, match=r"^mean_distance expected at least two points, got 1"):
        experiment.mean_distance(images[:1])


def test_mean_distance_is_over_pairs_of_different_points(rng):
    assert experiment.mean_distance(np.array([[0.0, 0], [3, 4], [0, 0]])) == pytest.approx(10 / 3)
    points = rng.standard_normal((9, 3)).astype(np.float32) + 100
    pairs = [np.linalg.norm(points[i] - points[j]) for i in range(9) for j in range(i)]
    assert experiment.mean_distance(points) == pytest.approx(np.mean(pairs), rel=1e-5)


def test_errors_of_an_untrained_network_are_those_of_a_zero_velocity(digits):
    """f = 0: x̂_0 = a·x_t, so x̂_0 − x_0 = a·s·eps − s²·x_0, and the target is a·eps − s·x_0."""
    model = experiment.unet(Diffusion, (8, 8), np.random.default_rng(0), steps=20, classes=10)
    y = np.arange(300) % 10
    power = float(((2 * digits - 1) ** 2).mean())
    errors = experiment.error_by_step(model, digits, [1, 10, 20], 0)
    for t, error in errors.items():
        a, s = model.noise.a[t], model.noise.s[t]
        assert error == pytest.approx((a * s) ** 2 + s**4 * power, rel=0.02)
        loss = experiment.mean_loss(model, digits, y, t)
        assert loss == pytest.approx(a**2 + s**2 * power, rel=0.02)
    assert experiment.mean_loss(model, digits, y) == experiment.mean_loss(model, digits, y) != loss


def test_stopping_at_the_last_step_is_ddim(rng):
    model, y = experiment.dense(np.random.default_rng(0), steps=8, classes=10), np.array([2, 7, 1])
    for p in model.parameters().values():
        p.value += 0.1 * rng.standard_normal(p.shape).astype(np.float32)
    whole = model.sample(3, rng=5, y=y, eta=0.0)
    np.testing.assert_allclose(experiment.stopped(model, 1, y, 5, visits=8), whole, atol=1e-5)
    assert np.abs(experiment.stopped(model, 4, y, 5, visits=8) - whole).max() > 1e-3
