"""Short verses, from English to Spanish: a model for few sentences, and its BLEU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.data import Pairs, Vocabulary, load_verses
from scratchgen.metrics import bleu
from scratchgen.models import Translator
from scratchgen.training.schedules import OneCycle

LENGTH = 40     # tokens of the longest verse, with punctuation, and some room for translations


def parts() -> tuple[Pairs, Pairs]:
    """The verses to train and to test, in small letters, so that a word has one form."""
    train, test = (load_verses(part) for part in ("train", "test"))
    return lower(train), lower(test)


def lower(pairs: Pairs) -> Pairs:
    """The pairs in small letters."""
    return Pairs(*([sentence.lower() for sentence in side] for side in pairs))


def build(
    train: Pairs,
    *,
    rng: np.random.Generator | int,
    least: int = 2,
    dropout: float = 0.3,
    **settings: Any,
) -> Translator:
    """A model whose words occur at least `least` times; all others are one unknown word."""
    source, target = (Vocabulary.from_sentences(side, unit="words", least=least) for side in train)
    return Translator(source, target, length=LENGTH, dropout=dropout, rng=rng, **settings)


def train(
    model: Translator,
    pairs: Pairs,
    *,
    epochs: int,
    rng: np.random.Generator | int,
    lr: float = 3e-3,
    batch_size: int = 32,
    callbacks: Sequence[Any] = (),
) -> float:
    """Train a model, and return the seconds that it took."""
    trainer: Any = model.trainer
    run = trainer(
        *pairs, epochs=epochs, batch_size=batch_size, lr=OneCycle(lr), rng=rng, callbacks=callbacks
    ).run()
    return float(run.seconds)


def tokens(model: Translator, sentences: Sequence[str]) -> list[str]:
    """Sentences of the target's language with spaces around every token, as `bleu` compares them."""
    return [" ".join(model.target.split(sentence)) for sentence in sentences]


def score(model: Translator, pairs: Pairs, *, beam: int = 4) -> float:
    """BLEU of the translations of pairs, with one reference each."""
    return bleu(model.translate(pairs.source, beam=beam), tokens(model, pairs.target))


def without_source(train: Pairs, test: Pairs, model: Translator) -> float:
    """BLEU of a translation that does not read the source: the training verse that scores best for all."""
    references = tokens(model, test.target)
    known = tokens(model, train.target)
    return max(bleu([sentence] * len(references), references) for sentence in known)
