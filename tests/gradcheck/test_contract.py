"""The contract check names each guarantee that a layer breaks."""

import numpy as np
import pytest
from helpers.planted import (
    SHAPE,
    Affine,
    AlwaysReturnsDx,
    ChangesCache,
    ChangesDout,
    KeepsItsInput,
    NeverFrozen,
    NotANumberTheSecondTime,
    NotANumberWhenFrozen,
    Overwrites,
    SkipsParametersWithoutDx,
)

from scratchgen.gradcheck.contract import check_contract
from scratchgen.layers import Layer


@pytest.mark.parametrize(
    ("broken", "guarantee"),
    [
        (Overwrites, "gradients add up"),
        (ChangesDout, "dout, x and cache kept"),
        (ChangesCache, "dout, x and cache kept"),
        (KeepsItsInput, "cache is complete"),
        (NeverFrozen, "frozen"),
        (AlwaysReturnsDx, "input_grad=False"),
        (SkipsParametersWithoutDx, "input_grad=False"),
        (NotANumberWhenFrozen, "frozen"),
        (NotANumberTheSecondTime, "gradients add up"),
    ],
)
def test_contract_check_names_the_broken_guarantee(broken, guarantee, rng):
    results = check_contract(broken(rng), rng.standard_normal(SHAPE), rng=rng)
    assert not next(r for r in results if r.what == guarantee).ok


class DrawsInBackward(Layer):
    def __init__(self, rng):
        self.rng = rng

    def forward(self, x, training=False):
        return x.copy(), None

    def backward(self, dout, cache, input_grad=True):
        return dout * self.rng.standard_normal(dout.shape) if input_grad else None


def test_random_backward_is_named_and_frozen_is_not_blamed(rng):
    results = check_contract(DrawsInBackward(rng), rng.standard_normal(SHAPE), rng=0)
    causes = {r.what: r.explanation.cause for r in results if not r.ok}
    assert causes.pop("frozen") == "random" and set(causes.values()) <= {"random"}


class Infinite(Affine):
    def backward(self, dout, x, input_grad=True):
        dx = super().backward(dout, x, input_grad)
        return None if dx is None else np.where(dx > 0, np.inf, np.nan)


def test_infinite_gradient_breaks_no_guarantee(rng):
    """It is the same in every call. The check of the gradient itself reports it."""
    assert all(r.ok for r in check_contract(Infinite(rng), rng.standard_normal(SHAPE), rng=rng))


def test_contract_check_passes_a_correct_layer(rng):
    results = check_contract(Affine(rng), rng.standard_normal(SHAPE), rng=rng)
    assert [r.verdict for r in results] == ["ok"] * 5
