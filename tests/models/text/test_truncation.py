"""Temperature, top-k and nucleus sampling on known distributions."""

import numpy as np
import pytest

from scratchgen.data import Alphabet
from scratchgen.distributions import Categorical
from scratchgen.models import CharacterModel
from scratchgen.models.text.truncation import truncated

P = np.array([0.1, 0.4, 0.05, 0.3, 0.15])     # sorted: 0.4, 0.3, 0.15, 0.1, 0.05


def probabilities(**settings):
    return Categorical.probabilities(truncated(np.log(P), **settings))


def test_temperature_is_a_power_of_the_probabilities():
    """(TOP.1): exp(log p / T) = p^(1/T), normalised."""
    for temperature in (0.5, 1.0, 2.0):
        power = P ** (1 / temperature)
        np.testing.assert_allclose(probabilities(temperature=temperature), power / power.sum(), rtol=1e-13)


@pytest.mark.parametrize(
    ("k", "kept"), [(1, [1]), (2, [1, 3]), (3, [1, 3, 4]), (5, range(5)), (99, range(5)), (None, range(5))]
)
def test_top_k_keeps_the_k_likeliest(k, kept):
    """(TOP.2)"""
    expected = np.where(np.isin(np.arange(5), kept), P, 0)
    np.testing.assert_allclose(probabilities(top_k=k), expected / expected.sum(), rtol=1e-13)


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(1e-9, [1]), (0.39, [1]), (0.41, [1, 3]), (0.69, [1, 3]), (0.71, [1, 3, 4]), (0.94, [0, 1, 3, 4]),
     (0.96, range(5)), (1.0, range(5))],
)  # fmt: skip
def test_nucleus_is_the_smallest_set_that_reaches_top_p(top_p, kept):
    """(TOP.3)"""
    expected = np.where(np.isin(np.arange(5), list(kept)), P, 0)
    np.testing.assert_allclose(probabilities(top_p=top_p), expected / expected.sum(), rtol=1e-13)


def test_nucleus_is_taken_after_temperature_and_top_k():
    """Of 0.4 and 0.3, the first has 4/7 of the probability; at T = ½ it has 16/25."""
    assert np.count_nonzero(probabilities(top_k=2, top_p=0.56)) == 1
    assert np.count_nonzero(probabilities(top_k=2, top_p=0.6)) == 2
    assert np.count_nonzero(probabilities(top_k=2, top_p=0.6, temperature=0.5)) == 1


def test_equal_logits_keep_exactly_k():
    assert np.isfinite(truncated(np.zeros((3, 6)), top_k=2)).sum(axis=1).tolist() == [2, 2, 2]
    assert np.isfinite(truncated(np.zeros((3, 6)), top_p=0.5)).sum(axis=1).tolist() == [3, 3, 3]


def test_rows_are_independent_and_the_input_is_unchanged(rng):
    logits = rng.standard_normal((4, 3, 9)).astype(np.float32)
    copy = logits.copy()
    found = truncated(logits, 0.7, 5, 0.8)
    np.testing.assert_array_equal(logits, copy)
    for index in np.ndindex(4, 3):
        np.testing.assert_array_equal(found[index], truncated(logits[index], 0.7, 5, 0.8))


def test_samples_have_the_truncated_frequencies():
    """20,000 samples of a model whose next character does not depend on the text: 5 standard errors."""
    model, n = CharacterModel(Alphabet("abcde"), window=2, features=4, heads=1, depth=1, rng=0), 20_000
    model.head.weight.value[...], model.head.bias.value[...] = 0, np.log(P)
    found = np.bincount(model.sample(n, rng=1, length=1, top_p=0.8, temperature=2.0)[:, 0], minlength=5) / n
    expected = probabilities(top_p=0.8, temperature=2.0)
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / n)).all()
    assert set(model.write(200, rng=2, top_k=2)) == {"b", "d"}
    assert model.write(20, rng=2, top_k=1) == 20 * "b"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"temperature": 0}, ValueError, "finite temperature > 0, got 0"),
        ({"temperature": np.nan}, ValueError, "finite temperature > 0, got nan"),
        ({"top_k": 0}, ValueError, "top_k of at least 1, got 0"),
        ({"top_k": 2.5}, TypeError, "top_k to be an int, got 2.5"),
        ({"top_p": 0}, ValueError, "finite top_p > 0 and <= 1, got 0"),
        ({"top_p": 1.5}, ValueError, "finite top_p > 0 and <= 1, got 1.5"),
        ({"top_p": "x"}, TypeError, "finite top_p > 0 and <= 1, got 'x'"),
    ],
)
def test_settings_are_checked_before_sampling(settings, error, message):
    model = CharacterModel(Alphabet("ab"), window=2, features=4, heads=1, depth=1, rng=0)
    with pytest.raises(error, match="CharacterModel.sample expected .*" + message):
        model.sample(1, rng=0, **settings)
    with pytest.raises(error, match="CharacterModel.write expected .*" + message):
        model.write(1, rng=0, **settings)
    with pytest.raises(error, match="truncated expected .*" + message):
        truncated(np.log(P), **settings)
