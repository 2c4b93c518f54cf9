"""Which tokens may be sampled next: temperature, top-k and nucleus sampling. Derived in docs/attention.md."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import Array
from scratchgen.distributions import Categorical
from scratchgen.models.arguments import count, finite


def expect_truncation(who: str, temperature: Any, top_k: Any, top_p: Any) -> None:
    """Check the settings of `truncated`. Raises ValueError or TypeError, in the name of `who`."""
    finite(who, "temperature", temperature, above=0)
    if top_k is not None:
        count(who, "top_k", top_k)
    if top_p is not None:
        finite(who, "top_p", top_p, above=0, most=1)


def truncated(
    logits: Array, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Array:
    """The logits from which a token is sampled, (…, V) in float64: −∞ for tokens that are excluded.

    (TOP.1)  l = logits / temperature
    (TOP.2)  top-k:   l stays for the k largest, else −∞
    (TOP.3)  nucleus: l stays for the largest, p₁ ≥ p₂ ≥ …, as long as p₁ + … + p_{j−1} < top_p, else −∞

    p is softmax(l) after (TOP.1) and (TOP.2). The nucleus is the smallest set of likely tokens whose
    probabilities add up to top_p or more, so it is never empty. Of equal logits, the first are kept. A top_k
    above V excludes nothing, and neither does None.

    Sources: Fan, Lewis & Dauphin 2018, section 5.1 (top-k); Holtzman et al. 2020, section 3.1 (nucleus).

    Raises ValueError for a temperature that is not positive, a top_k below 1 and a top_p outside (0, 1].
    """
    expect_truncation("truncated", temperature, top_k, top_p)
    logits = logits / np.float64(temperature)                               # (TOP.1)
    order = np.argsort(-logits, axis=-1, kind="stable")     # largest first
    if top_k is not None:
        np.put_along_axis(logits, order[..., top_k:], -np.inf, axis=-1)     # (TOP.2)
    if top_p is not None:
        p = np.take_along_axis(Categorical.probabilities(logits), order, axis=-1)
        before = p.cumsum(axis=-1) - p                      # p₁ + … + p_{j−1}
        kept = np.take_along_axis(logits, order, axis=-1)
        np.put_along_axis(logits, order, np.where(before < top_p, kept, -np.inf), axis=-1)  # (TOP.3)
    return logits
