"""Dynamic evaluation: a language model that learns from the text that it has already predicted.

The text is read in segments. The model predicts the characters of a segment first, and only then makes one
step on them, so no character is learnt before it is predicted. Source: Krause et al. 2018, "Dynamic
Evaluation of Neural Sequence Models".
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import expect_count, expect_number
from scratchgen.distributions import Categorical
from scratchgen.layers.recurrent import Recurrent
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models import CharacterModel, NGram
from scratchgen.models.text.characters import CharacterCache
from scratchgen.training.optimisers import SGD, Optimizer


class Segment(NamedTuple):
    """A segment of a text that a model has read."""

    log_probabilities: np.ndarray   # log p of each character given all before it, (T,)
    cache: CharacterCache           # for model.backward


def read_segments(model: CharacterModel, text: str, size: int) -> Iterator[Segment]:
    """Read a text in segments of `size` characters, with the state carried on from each to the next.

    The next segment is read with the weights that the model has at that time. The gradient of a segment does
    not go back into the segments before it.
    """
    ids = model.alphabet.encode(text)
    inputs = np.concatenate([[len(model.alphabet)], ids[:-1]])
    states: list[dict[str, Any]] = [{} for _ in model.blocks.layers]
    for start in range(0, len(ids), size):
        part = slice(start, start + size)
        h, characters = model.characters.forward(inputs[None, part])
        h, drop = model.drop.forward(h)
        blocks: list[Any] = []
        for i, layer in enumerate(model.blocks.layers):
            h, cache = layer.forward(h, **states[i])
            states[i] = {"state": cache.state} if isinstance(layer, Recurrent) else {}
            blocks.append(cache)
        h, norm = model.norm.forward(h)
        logits, head = model.head.forward(h)                            # (1, T, V)
        found = Categorical.log_prob(ids[part], logits[0].astype(np.float64))
        dlogits = softmax_cross_entropy(logits[0], ids[part])[1][None]
        yield Segment(found, CharacterCache(characters, None, drop, blocks, norm, head, dlogits))


def mean_square_gradient(model: CharacterModel, text: str, *, size: int = 64) -> np.ndarray:
    """The mean, over the segments of a text, of the squared gradient of each parameter, (P,)."""
    model = copy.deepcopy(model)
    optimizer = SGD(model.parameters(), lr=0.0)     # only for the flat buffer of the gradients
    total, count = np.zeros(optimizer.value.shape), 0
    for segment in read_segments(model, text, size):
        optimizer.zero_grad()
        model.backward(segment.cache)
        total += np.square(optimizer.grad)
        count += 1
    return total / count


class PulledSteps(Optimizer):
    """Steps on a text that is read once, with a pull back to the trained weights.

    (DYN.1)  value ← value − lr·grad / (r + eps)                r = √(mean square of grad in training)
    (DYN.2)  value ← value + min(pull·r / mean(r), 1)·(trained − value)

    A parameter with large gradients makes smaller steps, and is pulled back more strongly.

    square : the mean square of the gradient of each parameter, (P,), from mean_square_gradient
    """

    def __init__(
        self, parameters: Any, lr: float, square: np.ndarray, *, pull: float = 0.0, eps: float = 1e-3
    ):
        super().__init__(parameters, lr)
        r = np.sqrt(square)
        self.scale = (1 / (r + eps)).astype(self.value.dtype)
        self.pull = np.minimum(pull * r / r.mean(), 1).astype(self.value.dtype)
        self.trained = self.value.copy()

    def _update(self, lr: float) -> None:
        value = self.value
        value -= self._number(lr) * self.scale * self.grad                      # (DYN.1)
        value += self.pull * (self.trained - value)                             # (DYN.2)


def dynamic_log_probabilities(
    model: CharacterModel,
    text: str,
    square: np.ndarray,
    *,
    lr: float = 1e-3,
    pull: float = 0.0,
    eps: float = 1e-3,
    size: int = 64,
) -> np.ndarray:
    """log p of each character of a text, (L,), from a copy of the model that learns while it reads.

    model : with a recurrent body, and an Alphabet
    square : the mean square of the gradient of each parameter on training text
    lr, pull, eps : of PulledSteps
    size : the number of characters in a segment, after which the copy makes one step

    Raises ValueError for a transformer.
    """
    if not model.recurrent:
        raise ValueError(
            f"dynamic_log_probabilities expected a model with a recurrent body, got body={model.body!r}"
        )
    expect_count("dynamic_log_probabilities", "size", size)
    model = copy.deepcopy(model)
    optimizer, found = PulledSteps(model.parameters(), lr, square, pull=pull, eps=eps), []
    for segment in read_segments(model, text, size):
        found.append(segment.log_probabilities)
        optimizer.zero_grad()
        model.backward(segment.cache)
        optimizer.step()
    return np.concatenate(found)


def dynamic_ngram_log_probabilities(model: NGram, text: str, *, weight: float = 1.0) -> np.ndarray:
    """log p of each character of a text, (L,), from a copy of the counts that grows while it reads.

    weight : the amount that is added to the counts of a character after it was predicted
    """
    expect_number("dynamic_ngram_log_probabilities", "weight", weight, above=0)
    model, found = copy.deepcopy(model), []
    for i, c in enumerate(text):
        context = text[max(i - model.order + 1, 0) : i]
        found.append(model.probability(c, context))
        for start in range(len(context) + 1):
            h = context[start:]
            model.counts.setdefault(h, Counter())[c] += weight  # type: ignore[assignment]
            model.totals[h] = model.totals.get(h, 0) + weight   # type: ignore[assignment]
    return np.log(found)
