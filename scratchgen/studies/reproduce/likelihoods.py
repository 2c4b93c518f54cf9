"""What runs share whose figure is a likelihood: the curve they write down, and digits moved for a while."""

from __future__ import annotations

import numpy as np

from scratchgen.data import Jitter
from scratchgen.training.loop import Callback


class Curve(Callback):
    """The mean of log p(x) of the test set, and of training digits, every few epochs; kept with the run.

    test, train : digits, made black and white or continuous once and for all
    sign : −1 where the figure is −log p(x)
    """

    def __init__(self, test: np.ndarray, train: np.ndarray, every: int, sign: int = 1):
        self.test, self.train, self.every, self.sign = test, train, every, sign
        self.rows: list[tuple[int, float, float, float]] = []

    def on_epoch(self, trainer, values):
        if trainer.epoch % self.every == 0 or trainer.epoch == trainer.epochs:
            means = (self.sign * trainer.model.score_samples(x).mean() for x in (self.test, self.train))
            self.rows.append((trainer.epoch, values["seconds"], *map(float, means)))

    def state(self):
        return {"rows": np.array(self.rows, np.float64).reshape(-1, 4)}

    def load_state(self, state):
        self.rows = [(int(epoch), *figures) for epoch, *figures in state["rows"]]

    def points(self) -> list[dict[str, float]]:
        """The curve as a Record keeps it."""
        return [
            {"epoch": epoch, "seconds": round(seconds, 1), "figure": round(test, 3), "train": round(train, 3)}
            for epoch, seconds, test, train in self.rows
        ]


class MoveUntil(Callback):
    """Move digits up to an epoch, and leave them as they are from there on.

    Moved digits keep the net from learning the training set by heart, but the density that is asked for in
    the end is that of digits that stayed where they were.
    """

    def __init__(self, jitter: Jitter | None, epoch: int):
        self.jitter, self.epoch = jitter, epoch

    def on_start(self, trainer):
        trainer.augment = self.jitter if trainer.epoch < self.epoch else None

    def on_epoch(self, trainer, values):
        self.on_start(trainer)
