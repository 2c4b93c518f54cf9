"""The contract check names each guarantee that a layer breaks."""

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


def test_contract_check_passes_a_correct_layer(rng):
    results = check_contract(Affine(rng), rng.standard_normal(SHAPE), rng=rng)
    assert [r.verdict for r in results] == ["ok"] * 5
