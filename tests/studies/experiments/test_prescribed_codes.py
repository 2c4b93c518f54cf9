"""The measures of prescribed codes: the best assignment against all of them, and what codes change."""

from itertools import permutations

import numpy as np
import pytest

from scratchgen.layers import Layer
from scratchgen.models import InfoGAN
from scratchgen.studies.experiments import gan_objectives
from scratchgen.studies.experiments.prescribed_codes import best_assignment, by_class, effects, match
from scratchgen.training.step import TrainingDiverged


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_best_assignment_is_the_best_of_all(size, rng):
    for _ in range(5):
        counts = rng.integers(100, size=(size, size))
        rows = np.arange(size)
        found = best_assignment(counts)
        best = max(counts[rows, list(columns)].sum() for columns in permutations(range(size)))
        assert sorted(found) == list(range(size)) and counts[rows, found].sum() == best


def test_best_assignment_is_not_greedy():
    assert best_assignment(np.array([[9, 8], [8, 0]])).tolist() == [1, 0]


@pytest.mark.parametrize("counts", [np.ones(3), np.ones((2, 3)), np.ones((0, 0)), np.ones((17, 17))])
def test_best_assignment_refuses_other_shapes(counts):
    with pytest.raises(ValueError, match="best_assignment expected counts"):
        best_assignment(counts)


def test_match_finds_renamed_labels(rng):
    y = np.arange(1000) % 10
    names = rng.permutation(10)
    share, assigned = match(names[y], y)
    assert share == 1
    np.testing.assert_array_equal(assigned[names], np.arange(10))
    assert match(np.zeros(1000, int), y)[0] == 0.1


def test_by_class_counts_each_class():
    asked, read = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert by_class(read, asked) == {"all": 0.75, "0": 0.5, "1": 1.0}


class Bar(Layer):
    """A generator of a bar whose slant is a continuous code; the category is in the first pixel."""

    def forward(self, x, training=False):
        images = np.full((len(x), 28, 28), 1e-3, np.float32)
        rows = np.arange(4, 24)
        for image, c in zip(images, x[:, -2], strict=True):
            image[rows, np.round(14 - 0.4 * c * (rows - 14)).astype(int)] = 1
        images[:, 0, 0] = 0.1 * x[:, -12:-2].argmax(axis=1)
        return images.reshape(len(x), -1), None


class FirstPixel:
    """A classifier that reads the category."""

    def predict(self, X):
        return np.round(10 * X[:, 0]).astype(int)


def test_effects_tell_what_each_code_changes(rng):
    found = effects(InfoGAN(Bar(), Layer(), code=12), FirstPixel(), 200, rng)
    assert found["continuous code 1"]["slant"] > 2 and found["continuous code 1"]["same class"] == 1
    assert found["continuous code 2"]["slant"] == 0 and found["continuous code 2"]["width"] == 0
    assert found["next category"]["same class"] == 0


def test_objective_that_diverges_is_a_failure_without_figures():
    def diverges(trainer):
        raise TrainingDiverged("loss became nan")

    class Metrics:
        class classifier:
            @staticmethod
            def predict(X):
                return np.zeros(len(X), int)

    class Digits:
        x_train = x_test = np.random.default_rng(0).random((70, 784)).astype(np.float32)

    found = gan_objectives.run(Digits, Metrics, "hinge, spectral", 1, 0, diverges)
    assert list(found) == ["failure"] and found["failure"].startswith("loss became nan")
