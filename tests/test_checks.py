"""Checks of arguments that all parts of the library use."""

import numpy as np
import pytest

from scratchgen.checks import as_generator


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
