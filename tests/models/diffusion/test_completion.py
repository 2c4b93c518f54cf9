"""Completion: known features come back exactly, and the others follow the exact conditional distribution."""

import numpy as np
import pytest

from scratchgen.layers import TimeNetwork
from scratchgen.models import Diffusion
from scratchgen.models.diffusion.schedule import NoiseSchedule
from scratchgen.module import Parameter

MEAN, CORRELATION = np.array([1.0, -1.0]), 0.8
COVARIANCE = np.array([[1.0, CORRELATION], [CORRELATION, 1.0]])


class BestForNormal(TimeNetwork):
    """E[x_0 | x_t] for data from N(MEAN, COVARIANCE)."""

    def __init__(self, noise):
        self.noise = noise
        self.unused = Parameter(np.zeros(1))        # gives the model its dtype

    def forward(self, x, t, y=None, training=False):
        step = int(np.rint(t[0] * self.noise.steps))
        a, s = self.noise.a[step], self.noise.s[step]
        slope = a * COVARIANCE @ np.linalg.inv(a**2 * COVARIANCE + s**2 * np.eye(2))
        return MEAN + (x - a * MEAN) @ slope.T, None


def best(steps):
    net = BestForNormal(NoiseSchedule(steps, "cosine"))
    return Diffusion(net, 2, steps=steps, predicts="x0", variance="large", clip=False)


def completed(repeats, n=3000, steps=50):
    """The second feature, given that the first one is 2."""
    X = np.tile([[2.0, np.nan]], (n, 1))
    found = best(steps).complete(X, np.array([True, False]), rng=0, repeats=repeats)
    assert (found[:, 0] == 2).all()
    return found[:, 1]


def test_completion_has_the_exact_conditional_moments_and_replacement_alone_has_not():
    """(FILL.1, FILL.2): N(−1 + ρ·(2 − 1), 1 − ρ²). With one repeat, the mean is more than 0.25 off.

    What is left after 40 repeats is about 0.02: the steps with little noise cannot repair it any more.
    """
    mean, variance = MEAN[1] + CORRELATION * (2 - MEAN[0]), 1 - CORRELATION**2
    repeated, replaced = completed(40), completed(1)
    assert abs(repeated.mean() - mean) < 0.05
    assert abs(repeated.var() - variance) < 0.05
    assert abs(replaced.mean() - mean) > 0.25
    assert replaced.var() > variance + 0.08


def test_every_repeat_brings_the_mean_nearer():
    mean = MEAN[1] + CORRELATION
    errors = [abs(completed(repeats, n=2000).mean() - mean) for repeats in (1, 3, 12)]
    assert errors[2] < 0.7 * errors[1] < 0.5 * errors[0]


def test_noised_is_one_jump_of_the_chain(rng):
    """(FILL.2): from u to t as well as from 0 to t."""
    model = best(20)
    x = model._noised(np.full((200_000, 1), 0.7), 0, 5, rng)
    y = model._noised(x, 5, 12, rng)
    for t, values in ((5, x), (12, y)):
        assert abs(values.mean() - 0.7 * model.noise.a[t]) < 0.01
        assert abs(values.std() - model.noise.s[t]) < 0.01
    np.testing.assert_array_equal(model._noised(x, 0, 0, rng), x)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_known_pixels_are_returned_exactly(share, rng):
    model = Diffusion.convolutional((8, 8), shape=(4, 4, 1), steps=10, rng=0)
    X = (rng.integers(0, 256, (5, 16)) / 255).astype(np.float32)
    observed = np.arange(16) < 16 * share
    found = model.complete(X, observed, rng=0, steps=5, repeats=2)
    np.testing.assert_array_equal(found[:, observed], X[:, observed])
    assert found.shape == X.shape and found.dtype == np.float32
    assert (found >= 0).all() and (found <= 1).all()
    ignored = np.where(observed, X, np.float32(7))
    np.testing.assert_array_equal(model.complete(ignored, observed, rng=0, steps=5, repeats=2), found)


def test_completion_uses_the_labels(rng):
    model = Diffusion.dense(3, 6, 1, classes=2, steps=6, rng=0)
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape).astype(np.float32)
    X, observed = np.zeros((4, 3), np.float32), np.array([True, False, False])
    one, other = (model.complete(X, observed, rng=0, y=np.full(4, k), repeats=2) for k in (0, 1))
    assert not np.allclose(one, other)
    guided = model.complete(X, observed, rng=0, y=np.zeros(4, int), guidance=2.0, repeats=2)
    assert not np.allclose(one, guided)


X = np.zeros((3, 4), np.float32)
HALF = np.arange(4) < 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"X": X[:, :3]}, r"data of shape \(N, 4\), got \(3, 3\)"),
        ({"X": X[:0]}, r"at least 1 example, got 0"),
        ({"X": X.astype(str)}, r"an array of dtype float32"),
        ({"X": X.tolist()}, r"an array of dtype float32, got list; pass np.asarray\(x, np.float32\)"),
        ({"X": X + np.float32(np.nan)}, r"finite numbers, got NaN or infinity"),
        ({"observed": HALF[:3]}, r"observed to be \(4,\) bools, got shape \(3,\) of bool"),
        ({"observed": HALF.astype(int)}, r"observed to be \(4,\) bools, got shape \(4,\) of int64"),
        ({"observed": None}, r"observed to be \(4,\) bools, got shape \(\) of object"),
        ({"repeats": 0}, r"repeats of at least 1, got 0"),
        ({"steps": 11}, r"steps of at most 10, got 11"),
        ({"y": np.zeros(3, int)}, r"no labels y"),
        ({"guidance": 1.0}, r"labels y of a model with classes"),
        ({"rng": None}, r"rng to be"),
    ],
)
def test_completion_refuses_wrong_arguments(wrong, message):
    model = Diffusion.dense(4, 4, 1, steps=10, rng=0)
    with pytest.raises((TypeError, ValueError), match=rf"^Diffusion\.complete expected {message}"):
        model.complete(**{"X": X, "observed": HALF, "rng": 0, **wrong})


def test_completion_refuses_pixels_outside_their_range():
    model = Diffusion.convolutional((8,), shape=(4, 4, 1), squeeze=False, steps=10, rng=0)
    with pytest.raises(ValueError, match=r"^Diffusion\.complete expected values within \[0, 1\]"):
        model.complete(np.full((2, 16), 2, np.float32), np.arange(16) < 8, rng=0)
