"""The card of the language models, which model characters instead of digits."""

from __future__ import annotations

from scratchgen.studies.cards.card import Card

CARD = Card(title="language model", benchmarks=("characters", "lstm", "translation"))
