"""One card for each family, which says how its models take part in the studies.

`cards/FAMILY.py` defines `CARD`. The families are those of `scratchgen.models.FAMILIES`; there is no other
list. The comparison, the out-of-distribution study, the reproductions, the table of classifiers, `scratchgen
train` and the benchmarks read the cards.
"""

from __future__ import annotations

from importlib import import_module

from scratchgen import models
from scratchgen.studies.cards.card import Card, TimedClassifier, Trainable

__all__ = ["Card", "TimedClassifier", "Trainable", "cards"]


def cards() -> dict[str, Card]:
    """The card of each family, in the order of the families.

    Raises ModuleNotFoundError for a family without a card.
    """
    return {family: import_module(f"scratchgen.studies.cards.{family}").CARD for family in models.FAMILIES}
