"""Dynamic evaluation: what is predicted before a step, after it, and without it."""

import numpy as np
import pytest

from scratchgen.data import Alphabet
from scratchgen.models import CharacterModel, NGram
from scratchgen.module import Parameter
from scratchgen.studies.experiments.dynamic_evaluation import (
    PulledSteps,
    dynamic_log_probabilities,
    dynamic_ngram_log_probabilities,
    mean_square_gradient,
    read_segments,
)

TRAIN = "the cat sat on the mat, the hat sat on the cat, " * 4
TEST = "that man has a tan hat on a mat and that man " * 3
ALPHABET = Alphabet(TRAIN + TEST)
SIZE = 16


@pytest.fixture(scope="module")
def model():
    settings = {"window": 16, "features": 8, "depth": 2, "dropout": 0.3, "input_dropout": 0.2}
    return CharacterModel(ALPHABET, body="gru", rng=0, **settings).fit(TRAIN, epochs=2, rng=0)


@pytest.fixture(scope="module")
def square(model):
    return mean_square_gradient(model, TRAIN, size=SIZE)


def test_without_a_step_the_scores_are_the_static_ones(model, square):
    found = dynamic_log_probabilities(model, TEST, square, lr=0.0, size=SIZE)
    np.testing.assert_allclose(found, model.log_probabilities(TEST), rtol=2e-6)


def test_only_characters_after_the_first_step_have_other_scores(model, square):
    weights = {name: p.value.copy() for name, p in model.parameters().items()}
    static = model.log_probabilities(TEST)
    found = dynamic_log_probabilities(model, TEST, square, lr=1e-2, size=SIZE)
    np.testing.assert_allclose(found[:SIZE], static[:SIZE], rtol=2e-6)
    assert np.all(abs(found - static)[SIZE:] > 1e-4)        # far above the rounding of float32
    assert found.mean() > static.mean() + 0.1   # the text repeats itself, and the model was hardly trained
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.value, weights[name])


@pytest.mark.parametrize("changed", [0, 20, 31, 32, 50])
def test_no_score_depends_on_a_later_character(model, square, changed):
    other = TEST[:changed] + "," + TEST[changed + 1 :]
    each = [dynamic_log_probabilities(model, text, square, lr=1e-2, size=SIZE) for text in (TEST, other)]
    np.testing.assert_array_equal(each[0][:changed], each[1][:changed])
    assert np.all(each[0][changed : changed + 2] != each[1][changed : changed + 2])
    counted = [dynamic_ngram_log_probabilities(NGram(ALPHABET, 3).fit(TRAIN), t) for t in (TEST, other)]
    np.testing.assert_array_equal(counted[0][:changed], counted[1][:changed])
    assert counted[0][changed] != counted[1][changed]


def test_mean_square_gradient_of_one_segment_is_the_square_of_its_gradient(model):
    copied = CharacterModel(ALPHABET, body="gru", window=16, features=8, depth=2, rng=0)
    for name, p in copied.parameters().items():
        p.value[...] = model.parameters()[name].value
    x = ALPHABET.encode(TEST[:SIZE])[None]
    copied.backward(copied.loss(x)[1])
    expected = np.concatenate([p.grad.reshape(-1) ** 2 for p in copied.parameters().values()])
    found = mean_square_gradient(model, TEST[:SIZE], size=SIZE)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-12)


def test_steps_divide_by_the_root_and_pull_back():
    """(DYN.1, DYN.2) r = 2 and 4: the pulls are 0.2·r/3, towards the value of 1 that both had."""
    p = Parameter(np.ones(2))
    optimizer = PulledSteps({"p": p}, lr=0.5, square=np.array([4.0, 16.0]), pull=0.2, eps=0.0)
    p.grad += np.array([1.0, -4.0])
    optimizer.step()
    pull = 0.2 * np.array([2.0, 4.0]) / 3
    np.testing.assert_allclose(p.value, [1 - 0.25 * (1 - pull[0]), 1 + 0.5 * (1 - pull[1])], rtol=1e-13)


def test_segments_continue_the_state(model):
    found = [s.log_probabilities for s in read_segments(model, TEST, 10)]
    assert [len(each) for each in found] == [10] * 13 + [5]
    np.testing.assert_allclose(np.concatenate(found), model.log_probabilities(TEST), rtol=2e-6)


def test_a_transformer_is_refused(square):
    model = CharacterModel(ALPHABET, window=16, features=8, rng=0)
    with pytest.raises(ValueError, match="recurrent body, got body='transformer'"):
        dynamic_log_probabilities(model, TEST, square)


def test_counts_of_the_text_are_added_after_each_prediction():
    """After "abab", with order 1, p(a) = (2 + 2/2) / (4 + 2). After one more a, p(a) = (3 + 1) / (5 + 2)."""
    model = NGram(Alphabet("ab"), 1).fit("abab")
    found = dynamic_ngram_log_probabilities(model, "aa")
    np.testing.assert_allclose(np.exp(found), [3 / 6, 4 / 7], rtol=1e-13)
    assert model.counts[""]["a"] == 2
    with pytest.raises(ValueError, match="expected weight to be .* got 0"):
        dynamic_ngram_log_probabilities(model, "aab", weight=0)
