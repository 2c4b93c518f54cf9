"""The largest error of each function, in units in the last place (ulps) of its result or of its terms.

An error of 1 ulp is eps·|true value|: 1.2e-7·|true value| for float32, 2.2e-16·|true value| for float64. Near zero, an ulp is
the smallest subnormal number. If `reason` is given, the error is compared with another size, or
the bound is above the 4 ulps of a short formula, and the reason says why.
"""

from __future__ import annotations

from typing import NamedTuple


class Bound(NamedTuple):
    """ulps : the bound;  reason : why it is not tight;  flushes : results may be wrong below the smallest
    normal number, by a few times this number."""

    ulps: float
    reason: str = ""
    flushes: bool = False


BOUNDS: dict[str, Bound] = {}
