"""A running average of a GAN's generator, to draw from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from scratchgen.models.gan.model import GAN
from scratchgen.training.loop import Callback

WARM = 50   # batches after which 0.9^50, half a per cent, is left of what batch norm remembered before


class AveragedGenerator(Callback):
    """A running average of the generator's weights, to draw from instead of the last ones.

        average ← average + (1 − decay)·(weights − average)           after every step

    The two players circle each other, and the average lies nearer to the middle of the circle (Yazıcı et al.
    2019). Training itself never sees it.
    """

    def __init__(self, model: GAN, decay: float = 0.999):
        self.model, self.decay = model, decay
        self.average = np.zeros(0, np.float32)

    def on_start(self, trainer):
        if not self.average.size:
            self.average = trainer.optimizer["generator"].value.copy()
        self.weights = trainer.optimizer["generator"].value

    def on_step(self, trainer, values):
        share = 1 - min(self.decay, trainer.step / (trainer.step + 10))
        self.average += np.float32(share) * (self.weights - self.average)

    def state(self):
        return {"average": self.average}

    def load_state(self, state):
        self.average = state["average"].copy()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The generator holds the average inside the block, and its own weights again behind it.

        Batch norm's statistics belong to the weights that they were gathered with, so they are gathered anew.
        """
        generator, rng = self.model.generator, np.random.default_rng(0)
        own, statistics = self.weights.copy(), {k: b.copy() for k, b in generator.buffers().items()}
        try:
            self.weights[...] = self.average
            for _ in range(WARM if statistics else 0):
                generator.forward(self.model.prior_sample(500, rng=rng), training=True)
            yield
        finally:
            self.weights[...] = own
            for name, buffer in generator.buffers().items():
                buffer[...] = statistics[name]
