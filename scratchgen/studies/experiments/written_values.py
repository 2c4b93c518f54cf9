"""Numbers and dates, from words in English and Chinese to digits: a model, exact match, and attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.data import Pairs, Vocabulary, written_pairs
from scratchgen.metrics import exact_match
from scratchgen.models import Translator
from scratchgen.training.schedules import OneCycle

KINDS = ("english number", "chinese number", "english date", "chinese date")


def build(train: Pairs, *, rng: np.random.Generator | int, **settings: Any) -> Translator:
    """A model that reads words, single digits and Chinese characters, and writes digit by digit."""
    source = Vocabulary.from_sentences(train.source, unit="words")
    target = Vocabulary.from_sentences(train.target)
    return Translator(source, target, length=16, rng=rng, **settings)


def train(
    model: Translator,
    pairs: Pairs,
    *,
    epochs: int,
    rng: np.random.Generator | int,
    lr: float = 2e-3,
    callbacks: Sequence[Any] = (),
) -> float:
    """Train a model in batches of 64, and return the seconds that it took."""
    trainer: Any = model.trainer
    run = trainer(
        pairs.source, pairs.target, epochs=epochs, batch_size=64, lr=OneCycle(lr), rng=rng,
        callbacks=callbacks,
    )  # fmt: skip
    return float(run.run().seconds)


def kind(source: str, target: str) -> str:
    """The kind of a pair, one of KINDS."""
    language = "english" if source.isascii() else "chinese"
    return f"{language} {'date' if '-' in target else 'number'}"


def exact_by_kind(model: Translator, pairs: Pairs, beam: int = 1) -> dict[str, dict[str, float]]:
    """The number of pairs of each kind, and of all, and the share that is translated exactly."""
    found = model.translate(pairs.source, beam=beam)
    kinds = [kind(s, t) for s, t in zip(pairs.source, pairs.target, strict=True)]
    rows = {}
    for name in (*KINDS, "all"):
        chosen = [i for i, k in enumerate(kinds) if name in (k, "all")]
        right = exact_match([found[i] for i in chosen], [pairs.target[i] for i in chosen])
        rows[name] = {"pairs": len(chosen), "exact": right}
    return rows


def looks_at_year(model: Translator, dates: Pairs) -> float:
    """The share of the digits of a year for which the largest weight is at the same digit of the source.

    dates : English dates, which end with the four digits. The weights are averaged over the heads. A token at
        random would be right for a ninth of the digits, as a date such as march 3rd, 1994 has nine tokens
    """
    hits, total = 0, 0
    for source, weights in zip(dates.source, model.attention(dates.source, dates.target), strict=True):
        year = len(model.source.split(source)) - 4 + np.arange(4)
        hits += int((weights.mean(axis=0)[:4].argmax(axis=1) == year).sum())
        total += 4
    return hits / total


def of_kind(pairs: Pairs, name: str, n: int) -> Pairs:
    """The first n pairs of one kind."""
    both = [(s, t) for s, t in zip(pairs.source, pairs.target, strict=True) if kind(s, t) == name][:n]
    return Pairs([s for s, _ in both], [t for _, t in both])


def parts(examples: int, tests: int, seed: int) -> tuple[Pairs, Pairs]:
    """Training pairs, and test pairs whose values do not occur among them in either language."""
    return written_pairs(examples, rng=seed), written_pairs(tests, part="test", rng=seed + 1)
