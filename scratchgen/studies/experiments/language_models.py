"""Language models that were trained for the same processor time: what each part of a model brings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from scratchgen.data import BytePairTokenizer
from scratchgen.models import CharacterModel
from scratchgen.studies.experiments.dynamic_evaluation import dynamic_log_probabilities, mean_square_gradient
from scratchgen.training import AveragedWeights
from scratchgen.training.muon import Muon
from scratchgen.training.optimisers import Adam, AdamW
from scratchgen.training.schedules import OneCycle

DECAY = 0.998       # of the averaged weights: about the last 500 steps

# The best single net that was found for four minutes of training.
GRU: dict[str, Any] = {
    "body": "gru", "features": 256, "depth": 2, "window": 128, "batch_size": 8, "dropout": 0.3,
    "lr": 5e-3, "optimizer": partial(AdamW, weight_decay=0.4),
}  # fmt: skip
# Two of them to train side by side, and settings of dynamic evaluation that were chosen on the ninth tenth.
DYNAMIC: dict[str, Any] = {"lr": 4e-4, "pull": 0.003, "eps": 1e-3, "size": 32}
PAIR: list[dict[str, Any]] = [
    GRU | {"dropout": dropout, "seed": seed, "dynamic": DYNAMIC} for dropout, seed in ((0.3, 1), (0.4, 2))
]
TRANSFORMER = GRU | {"body": "transformer", "features": 128, "lr": 3e-3}

# For a table of what each part brings: all of them have to be trained for the same time.
VARIANTS: dict[str, dict[str, Any]] = {
    "GRU": GRU,
    "no weight decay": GRU | {"optimizer": Adam},
    "no dropout": GRU | {"dropout": 0.0},
    "neither of them": GRU | {"dropout": 0.0, "optimizer": Adam},
    "Muon in place of AdamW": GRU | {"optimizer": Muon},
    "also a weight dropout of 0.2": GRU | {"weight_dropout": 0.2},
    "the same mask at all steps": GRU | {"shared_dropout": True},
    "400 byte-pair tokens, window 64": GRU | {"tokens": 400, "window": 64},
    "LSTM": GRU | {"body": "lstm"},
    "transformer, rotary positions": TRANSFORMER | {"rotary": True},
    "transformer, learnt positions": TRANSFORMER,
}


class Predictions(NamedTuple):
    """log p of each character (or token) of two texts that a model was not trained on."""

    held_out: np.ndarray    # to choose the weights of a mixture; empty if there is no such text
    test: np.ndarray


class Trained(NamedTuple):
    """A trained model, and its measures in nats per character."""

    model: CharacterModel
    test: float             # on the test text, with the last weights
    averaged: float         # the same, with averaged weights
    train: float            # on the end of the training text, as long as the test text
    epochs: int
    seconds: float          # processor time of the training alone
    static: Predictions     # with averaged weights
    dynamic: Predictions | None = None  # the same from dynamic evaluation, if it was asked for


def train_within(
    seconds: float,
    train: str,
    test: str,
    *,
    alphabet: Any,
    tokens: int | None = None,
    seed: int = 1,
    batch_size: int = 16,
    lr: float = 3e-3,
    optimizer: Callable[..., Any] = Adam,
    held_out: str = "",
    dynamic: dict[str, Any] | None = None,
    **settings: Any,
) -> Trained:
    """Train a CharacterModel for about `seconds` of processor time, with as many epochs as fit.

    The time of an epoch is measured on a part of the text first. The learning rate rises and falls once.
    tokens : the size of a BytePairTokenizer of the training text, which then replaces the alphabet
    held_out : a text to score besides the test text, for the weights of a mixture
    dynamic : settings of dynamic_log_probabilities, with which both texts are scored once more
    settings : of CharacterModel
    """
    if tokens is not None:
        alphabet = BytePairTokenizer.train(train, tokens)
    how: dict[str, Any] = {"batch_size": batch_size, "lr": OneCycle(lr), "optimizer": optimizer}
    epochs = max(round(seconds / seconds_per_epoch(train, alphabet, settings, how)), 1)
    model, averaged = CharacterModel(alphabet, rng=seed, **settings), AveragedWeights(DECAY)
    start = time.process_time()
    model.fit(train, epochs=epochs, rng=seed, callbacks=[averaged], **how)
    taken = time.process_time() - start
    last, end = -model.score(test), -model.score(train[-len(test) :])
    with averaged.applied():
        static, learning = _predictions(model.log_probabilities, held_out, test), None
        if dynamic is not None:
            square = mean_square_gradient(model, train[-len(test) :])
            learns = partial(dynamic_log_probabilities, model, square=square, **dynamic)
            learning = _predictions(learns, held_out, test)
    return Trained(model, last, -float(static.test.sum()) / len(test), end, epochs, taken, static, learning)


def _predictions(predict: Callable[[str], np.ndarray], held_out: str, test: str) -> Predictions:
    return Predictions(predict(held_out) if held_out else np.empty(0), predict(test))


def train_together(
    seconds: float, train: str, test: str, members: Sequence[dict[str, Any]], *, processes: int = 2
) -> list[Trained]:
    """Train each member for `seconds` of processor time, `processes` of them at a time, with one thread each.

    A small recurrent net cannot use two threads well, because its steps wait for each other. Two nets can.
    members : the keyword arguments of train_within for each of them
    """
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return list(pool.map(partial(_train_member, seconds, train, test), members))


def _train_member(seconds: float, train: str, test: str, member: dict[str, Any]) -> Trained:
    with threadpool_limits(1):
        return train_within(seconds, train, test, **member)


def nats_of_mean(log_probabilities: Sequence[np.ndarray]) -> float:
    """Nats per character of the mean of several models' probabilities, which is a distribution as well.

    log_probabilities : log p of each character of the same text, (L,) for each model
    """
    log_sum = np.logaddexp.reduce(np.stack(log_probabilities), axis=0)      # (L,)
    return math.log(len(log_probabilities)) - float(log_sum.mean())


def seconds_per_epoch(train: str, alphabet: Any, settings: dict[str, Any], how: dict[str, Any]) -> float:
    """The processor time of an epoch, from a tenth of one. A first, shorter run compiles what is needed."""
    part = train[: max(len(train) // 10, 4 * settings.get("window", 64))]
    model = CharacterModel(alphabet, rng=0, **settings)
    model.fit(part[: len(part) // 2], epochs=1, rng=0, **how)
    start = time.process_time()
    model.fit(part, epochs=1, rng=0, warm_start=True, **how)
    return (time.process_time() - start) * len(train) / len(part)
