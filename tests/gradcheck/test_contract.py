"""The contract check: each broken promise is named."""

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


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Overwrites, "gradients add up"),
        (ChangesDout, "dout, x and cache kept"),
        (ChangesCache, "dout, x and cache kept"),
        (KeepsItsInput, "caches travel"),
        (NeverFrozen, "frozen"),
        (AlwaysReturnsDx, "input_grad=False"),
        (SkipsParametersWithoutDx, "input_grad=False"),
        (NotANumberWhenFrozen, "frozen"),
        (NotANumberTheSecondTime, "gradients add up"),
    ],
)
def test_contract_check_names_the_broken_promise(broken, promise, rng):
    results = check_contract(broken(rng), rng.standard_normal(SHAPE), rng=rng)
    assert not next(r for r in results if r.what == promise).ok


def test_contract_check_passes_a_layer_that_keeps_its_promises(rng):
    results = check_contract(Affine(rng), rng.standard_normal(SHAPE), rng=rng)
    assert [r.verdict for r in results] == ["ok"] * 5
