"""Causes of a wrong gradient: one function for each, which compares the claimed gradient with its prediction.

Each function assumes one mistake, computes the gradient that this mistake would give, and reports the cause
only if the claimed gradient equals it in every entry. So a cause is named only if it reproduces the wrong
numbers. The first cause in CAUSES that does is reported: those that say more come first.
"""

from scratchgen.gradcheck.causes import paths, state, sums, values
from scratchgen.gradcheck.evidence import Cause

CAUSES: tuple[Cause, ...] = (
    state.random_forward,
    values.zero,
    state.random_backward,
    state.changed_dout,
    state.other_mode,
    state.overwritten,
    values.sign,
    values.factor,
    values.label_term,
    sums.constant_term,
    state.not_linear,
    values.array_factor,
    values.mask,
    values.rearranged,
    sums.one_example,
    sums.one_position,
    paths.wrong_axis,
    paths.missing_connection,
    sums.last_use,
    sums.other_operand,
    paths.transposed,
    paths.flipped,
    paths.identity,
    paths.slope,
    paths.missing_block,
    paths.extra_connection,
    sums.summed_term,
    values.factor_per_index,
    values.some_entries,
)
