"""Causes of a wrong gradient, one function for each.

Most functions assume one mistake, compute the gradient that it would give, and report the cause only if the
claimed gradient equals it in every entry. The others state a fact, such as connections between inputs and
outputs that forward has and backward does not. The first cause in CAUSES that fits is reported. Those that
say more come first.
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
