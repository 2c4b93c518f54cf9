"""A callback that keeps a running average of a GAN's generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from scratchgen.models.gan.model import GAN
from scratchgen.training.loop import Callback, Trainer

BATCHES = 50    # after so many, 0.9^50 or half a per cent of batch norm's earlier statistics is left


class AveragedGenerator(Callback):
    """A running average of the generator's weights, to sample with instead of the last ones.

        average ← average + (1 − d)·(weights − average),   d = min(decay, t / (t + 10))     after step t

    The smaller d of the first steps makes the average forget the initial weights: with decay = 0.999 it
    applies to the first 9,990 steps. The two players circle around an equilibrium, and the average is nearer
    to its centre (Yazıcı et al. 2019). It has no effect on the training.

    Raises ValueError for a decay outside [0, 1).
    """

    def __init__(self, model: GAN, decay: float = 0.999):
        if not 0 <= decay < 1:
            raise ValueError(f"AveragedGenerator expected a decay in [0, 1), got {decay}")
        self.model, self.decay = model, decay
        self.average = np.zeros(0, np.float32)

    def on_start(self, trainer: Trainer) -> None:
        if not self.average.size:
            self.average = trainer.optimizer["generator"].value.copy()
        self.weights = trainer.optimizer["generator"].value

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        share = 1 - min(self.decay, trainer.step / (trainer.step + 10))
        self.average += np.float32(share) * (self.weights - self.average)

    def state(self) -> dict[str, np.ndarray]:
        return {"average": self.average}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self.average = state["average"].copy()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block the generator has the averaged weights; afterwards it has its own again.

        The running statistics of batch norm belong to the weights, so they are computed again inside the
        block.
        """
        generator, rng = self.model.generator, np.random.default_rng(0)
        own, statistics = self.weights.copy(), {k: b.copy() for k, b in generator.buffers().items()}
        try:
            self.weights[...] = self.average
            for _ in range(BATCHES if statistics else 0):
                generator.forward(self.model.prior_sample(500, rng=rng), training=True)
            yield
        finally:
            self.weights[...] = own
            for name, buffer in generator.buffers().items():
                buffer[...] = statistics[name]
