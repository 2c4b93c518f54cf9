"""Compare attention and n-grams on one text, and measure the time that the cache saves."""

from __future__ import annotations

import math
import time

import numpy as np

from scratchgen.data import Alphabet
from scratchgen.models import CharacterModel, NGram
from scratchgen.models.text.base import TextModel

ORDERS = (1, 2, 3, 4, 5)


def scores(model: CharacterModel, train: str, test: str) -> tuple[dict[str, dict[str, float]], str]:
    """Nats, perplexity and bits per character of several models on a text; name of the tuned n-gram."""
    alphabet = model.alphabet
    if not isinstance(alphabet, Alphabet):
        raise TypeError(f"scores expected a model of characters, got {alphabet!r}")
    tuned = NGram.tuned(alphabet, train)
    name = f"n = {tuned.order}, strength {tuned.strength:g}, tuned"
    found = {f"uniform over {len(alphabet)} characters": -math.log(len(alphabet))}
    for order in ORDERS:
        found[f"n = {order}"] = NGram(alphabet, order).fit(train).score(test)
    found |= {name: tuned.score(test), "attention": model.score(test)}
    found["mean of both probabilities"] = score_of_mean(model, tuned, test)
    table = {
        key: {"nats": -score, "perplexity": math.exp(-score), "bits": -score / math.log(2)}
        for key, score in found.items()
    }
    return table, name


def score_of_mean(one: TextModel, other: TextModel, text: str) -> float:
    """log(½·p + ½·q) in nats, mean over characters, where p and q are the probabilities of two models."""
    both = np.logaddexp(one.log_probabilities(text), other.log_probabilities(text)) - math.log(2)
    return float(both.mean())


def seconds_to_write(model: CharacterModel, length: int, cached: bool, seed: int = 1) -> float:
    """The shortest of three measured times to write `length` characters, with or without the cache."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        model.sample(1, rng=np.random.default_rng(seed), length=length, cached=cached)
        times.append(time.perf_counter() - start)
    return min(times)


def attention_weights(model: CharacterModel, phrase: str) -> np.ndarray:
    """The attention weights (H, T, T) of each head of the first block, for a phrase of T characters."""
    _, cache = model.forward(model.alphabet.encode(phrase)[None])
    return cache.blocks[0].attention.p[0]
