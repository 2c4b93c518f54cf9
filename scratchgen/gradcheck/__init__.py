"""Gradient checks: hand-written backward passes compared with finite differences."""

from scratchgen.gradcheck.assertion import (
    assert_gradients,
)
from scratchgen.gradcheck.checker import (
    KINKED,
    SMOOTH,
    Loss,
    backward,
    check_jvp,
    check_layer,
    check_loss,
    check_model,
    has_jvp,
    remember,
    with_upstream,
)
from scratchgen.gradcheck.contract import (
    check_contract,
)
from scratchgen.gradcheck.differences import (
    Result,
)
from scratchgen.gradcheck.explain import (
    Explanation,
)
from scratchgen.gradcheck.numeric import (
    numeric_gradient,
)

__all__ = [
    "Explanation",
    "KINKED",
    "Loss",
    "Result",
    "SMOOTH",
    "assert_gradients",
    "backward",
    "check_contract",
    "check_jvp",
    "check_layer",
    "check_loss",
    "check_model",
    "has_jvp",
    "numeric_gradient",
    "remember",
    "with_upstream",
]
