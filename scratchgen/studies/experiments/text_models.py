"""Compare networks, an n-gram model and mixtures of them on one text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from scratchgen.data import Alphabet
from scratchgen.models import CharacterModel, NGram, TextMixture
from scratchgen.models.text.base import TextModel
from scratchgen.studies.language import Texts


class Compared(NamedTuple):
    """Networks, the n-gram model and mixtures of them, measured on one text."""

    mixtures: dict[str, TextMixture]        # of a network and the n-gram model, by the name of the network
    counts: str                             # the name of the n-gram model in the table
    table: dict[str, dict[str, float]]      # nats, perplexity and bits per character of the test text


def compare(nets: Mapping[str, CharacterModel], alphabet: Alphabet, texts: Texts) -> Compared:
    """Mix each network with the tuned n-gram model, and measure all of them on the test text.

    The weights of a mixture are fitted to the held-out text. Then the n-gram model counts this text as well.
    """
    counts = NGram.tuned(alphabet, texts.train)
    mixtures = {name: TextMixture([net, counts]).fit(texts.held_out) for name, net in nets.items()}
    counts.fit(texts.held_out + texts.train)
    counted = f"n = {counts.order}, strength {counts.strength:g}, tuned"
    models: dict[str, TextModel] = {counted: counts, **nets}
    models |= {f"{name} and n-gram": mixture for name, mixture in mixtures.items()}
    scores = {f"uniform over {len(alphabet)} characters": -math.log(len(alphabet))}
    scores |= {name: model.score(texts.test) for name, model in models.items()}
    table = {
        name: {"nats": -score, "perplexity": math.exp(-score), "bits": -score / math.log(2)}
        for name, score in scores.items()
    }
    return Compared(mixtures, counted, table)


def attention_weights(model: CharacterModel, phrase: str) -> np.ndarray:
    """The attention weights (H, T, T) of each head of the first block, for a phrase of T characters."""
    _, cache = model.forward(model.alphabet.encode(phrase)[None])
    return cache.blocks[0].attention.p[0]
