"""Gradient checks: hand-written backward passes compared with finite differences."""

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

__all__ = [
    "KINKED",
    "Loss",
    "Result",
    "SMOOTH",
    "backward",
    "check_contract",
    "check_jvp",
    "check_layer",
    "check_loss",
    "check_model",
    "has_jvp",
    "remember",
    "with_upstream",
]
