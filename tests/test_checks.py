"""Checks of arguments that all parts of the library use."""

import numpy as np
import pytest

from scratchgen.checks import as_generator, expect_examples, expect_labels, expect_rows
from scratchgen.models import LogisticRegression


def test_as_generator_returns_the_generator_itself():
    rng = np.random.default_rng(1)
    assert as_generator("f", rng) is rng


@pytest.mark.parametrize("seed", [0, 7, np.int64(7), np.uint8(7)])
def test_as_generator_makes_a_generator_from_an_integer_seed(seed):
    assert as_generator("f", seed).random() == np.random.default_rng(int(seed)).random()


@pytest.mark.parametrize("wrong", [None, True, False, np.True_, 1.0, "7", [1], np.random.RandomState(0)])
def test_as_generator_refuses_other_types(wrong):
    with pytest.raises(TypeError, match="f expected rng to be a numpy.random.Generator or an integer seed"):
        as_generator("f", wrong)


def test_as_generator_refuses_a_negative_seed():
    with pytest.raises(ValueError, match="f expected rng to be a seed of at least 0, got -1"):
        as_generator("f", -1)


X = np.zeros((3, 4))
NUMBERED = "names, y = np.unique(y, return_inverse=True)"
NUMBER_THEM = f"number the classes that occur from 0, for example with {NUMBERED}"


@pytest.mark.parametrize(
    ("check", "hint"),
    [
        (lambda: expect_examples("f", X.tolist()), "pass np.asarray(x, np.float32)"),
        (lambda: expect_examples("f", X.astype(int)), "pass x.astype(np.float32)"),
        (lambda: expect_examples("f", X > 0), "pass x.astype(np.float32)"),
        (lambda: expect_examples("f", X.astype(">f8")), "pass x.astype(np.float32)"),
        (lambda: expect_examples("f", X.reshape(3, 2, 2)), "pass X.reshape(len(X), -1)"),
        (lambda: expect_examples("f", X.reshape(3, 2, 2), features=4), "pass X.reshape(len(X), -1)"),
        (lambda: expect_examples("f", X + 2, low=0, high=1), "scale the data to this range"),
        (
            lambda: expect_rows("f", X, features=4, dtype=np.dtype("f4")),
            "pass x.astype(np.float32), or build the model with dtype=np.float64",
        ),
        (lambda: expect_labels("f", np.zeros((3, 1), int), 3), "pass y.ravel()"),
        (lambda: expect_labels("f", np.array(["a", "b", "c"]), 3), NUMBERED),
        (lambda: expect_labels("f", np.ones(3), 3), NUMBERED),
        (lambda: expect_labels("f", [1, 2, 3], 3, 3), "got 1..3; pass y - 1"),
        (lambda: expect_labels("f", [1, 2, 2], 3, 2), "got 1..2; pass y - 1"),
        (lambda: expect_labels("f", [0, 1, 3], 3, 3), f"got 0..3; {NUMBER_THEM}"),
        (lambda: expect_labels("f", [-1, 1, 1], 3), f"got -1..1; {NUMBER_THEM}"),
        (lambda: LogisticRegression(4, 3).fit(X.astype("f4"), np.array([1, 2, 2])), NUMBERED),
    ],
)
def test_refusal_of_data_says_what_to_do(check, hint):
    with pytest.raises((TypeError, ValueError)) as caught:
        check()
    assert str(caught.value).endswith(hint) and "; " in str(caught.value)


@pytest.mark.parametrize(
    "check",
    [
        lambda: expect_examples("f", X.reshape(3, 2, 2), features=5),
        lambda: expect_examples("f", 3),
        lambda: expect_examples("f", X.astype(complex)),
        lambda: expect_labels("f", np.zeros((3, 2), int), 3),
    ],
)
def test_refusal_has_no_hint_that_does_not_help(check):
    with pytest.raises((TypeError, ValueError)) as caught:
        check()
    assert ";" not in str(caught.value)


def test_linear_classifier_names_loss_and_what_to_do_for_another_dtype():
    message = r"LogisticRegression\.loss expected .* float32, got dtype float64; pass x\.astype\(np\.float"
    with pytest.raises(TypeError, match=message):
        LogisticRegression(4, 3).loss(X, np.array([0, 1, 2]))
