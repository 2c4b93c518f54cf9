"""Shared code of the reproductions of likelihoods: the measured digits, and temporary augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scratchgen.data import Digits, Jitter
from scratchgen.studies.curve import Point
from scratchgen.studies.spaces import Space
from scratchgen.training.loop import Callback, Trainer


def mean_log_prob(trainer: Trainer, digits: Digits, space: Space, sign: int = 1) -> Callable[[], Point]:
    """A point of the curve: mean log p(x) of the test digits ("figure") and of as many training digits
    ("train").

    The digits are prepared once. sign : −1 for −log p(x)
    """
    test, train = (space.prepare(x) for x in (digits.x_test, digits.x_train[: len(digits.x_test)]))

    def point() -> Point:
        model: Any = trainer.model
        of_test, of_train = (sign * float(model.score_samples(x).mean()) for x in (test, train))
        return {"figure": of_test, "train": of_train}

    return point


def training_figure(digits: Digits, points: list[Point]) -> dict[str, float]:
    """The figure of the training digits, as an entry of a record's other figures."""
    n = min(len(digits.x_test), len(digits.x_train))
    return {f"the first {n:,} training digits": round(points[-1]["train"], 3)}


class JitterUntil(Callback):
    """Move the training digits up to an epoch, and leave them unchanged after it.

    Moving the digits prevents the network from memorising the training set. The reported likelihood is that
    of digits that are not moved, so the last epochs use those.
    """

    def __init__(self, jitter: Jitter | None, epoch: int):
        self.jitter, self.epoch = jitter, epoch

    def on_start(self, trainer: Trainer) -> None:
        trainer.augment = self.jitter if trainer.epoch < self.epoch else None

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        self.on_start(trainer)
