"""A callback that keeps a running average of a GAN's generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from scratchgen.models.arguments import finite
from scratchgen.models.gan.model import GAN
from scratchgen.training.loop import Callback, Trainer

BATCHES = 50    # batch norm's earlier statistics then have a weight of 0.9^50, half a per cent


class AveragedGenerator(Callback):
    """A running average of the generator's weights, which can replace the last weights in sampling.

        average ← average + (1 − d)·(weights − average),   d = min(decay, t / (t + 10))     after step t

    In the first steps d is smaller than `decay`, so that the average forgets the initial weights. These
    are the first 9,990 steps if decay = 0.999. The weights of the two players circle around an equilibrium,
    and their average is nearer to it (Yazıcı et al. 2019). Averaging has no effect on the training.

    Raises ValueError for a decay outside [0, 1), and, before the first step, for a run of another model.
    """

    def __init__(self, model: GAN, decay: float = 0.999):
        self.model, self.decay = model, finite("AveragedGenerator", "decay", decay, least=0, below=1)
        self.average = np.zeros(0, np.float32)

    def on_start(self, trainer: Trainer) -> None:
        if trainer.model is not self.model:
            raise ValueError("AveragedGenerator expected a run of its own GAN, got another model")
        if not self.average.size:
            self.average = trainer.optimizer["generator"].value.copy()

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        share = 1 - min(self.decay, trainer.step / (trainer.step + 10))
        self.average += np.float32(share) * (trainer.optimizer["generator"].value - self.average)

    def state(self) -> dict[str, np.ndarray]:
        return {"average": self.average}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self.average = state["average"].copy()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """A context manager: inside the block the generator has the averaged weights, afterwards its own.

        The running statistics of batch norm depend on the weights, so they are computed again for the
        averaged weights. Raises ValueError before the first run.
        """
        generator, rng = self.model.generator, np.random.default_rng(0)
        parameters = list(generator.parameters().values())
        if self.average.size != sum(p.size for p in parameters):
            raise ValueError("AveragedGenerator.applied expected an average of this GAN: train it first")
        parts = np.split(self.average, np.cumsum([p.size for p in parameters])[:-1])
        own = [p.value.copy() for p in parameters]
        statistics = {name: buffer.copy() for name, buffer in generator.buffers().items()}
        try:
            for p, part in zip(parameters, parts, strict=True):
                p.value[...] = part.reshape(p.shape)
            for _ in range(BATCHES if statistics else 0):
                generator.forward(self.model.prior_sample(500, rng=rng), training=True)
            yield
        finally:
            for p, value in zip(parameters, own, strict=True):
                p.value[...] = value
            for name, buffer in generator.buffers().items():
                buffer[...] = statistics[name]
