"""The gradient check as an assertion, for a test suite of your own."""

from __future__ import annotations

import numpy as np

from scratchgen.gradcheck.arrays import SMOOTH
from scratchgen.gradcheck.checker import check_layer
from scratchgen.gradcheck.contract import check_contract
from scratchgen.layers.base import Layer


def assert_gradients(
    layer: Layer,
    x: np.ndarray,
    *,
    rng: np.random.Generator | int = 0,
    training: bool = False,
    tolerance: float = SMOOTH,
) -> None:
    """Raise AssertionError, with an explanation, unless the gradients of a layer are right. For use in tests:

        def test_my_layer():
            assert_gradients(MyLayer(5, 3), np.random.default_rng(0).normal(size=(7, 5)))

    Runs check_layer and check_contract.

    x : the input (N, …), of float64 like the parameters
    training : the mode of forward
    tolerance : the largest relative error of an entry; use KINKED for layers with kinks, such as ReLU

    Raises what check_layer raises for arguments that it cannot check.
    """
    results = check_layer(layer, x, rng=rng, training=training, tolerance=tolerance)
    results += check_contract(layer, x, rng=rng, training=training)
    failed = [str(result) for result in results if not result.ok]
    if failed:
        mode = "training" if training else "evaluation"
        raise AssertionError("\n\n".join([f"{type(layer).__name__} in {mode} mode:", *failed]))
