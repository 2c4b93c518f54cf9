"""All entries of the sweep, by name."""

from __future__ import annotations

from sweep import (
    activations,
    distributions,
    estimators,
    intervals,
    losses,
    metrics,
    normalisation,
    optimisers,
    others,
    products,
    recurrent,
    sequences,
)
from sweep.measure import Entry

MODULES = (
    activations,
    products,
    normalisation,
    losses,
    distributions,
    intervals,
    optimisers,
    metrics,
    others,
    estimators,
    sequences,
    recurrent,
)
ENTRIES: dict[str, Entry] = {entry.name: entry for module in MODULES for entry in module.ENTRIES}
