"""A callback that keeps a running average of a GAN's generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from scratchgen.models.arguments import finite
from scratchgen.models.gan.model import GAN
from scratchgen.training.average import AveragedWeights
from scratchgen.training.loop import Trainer

BATCHES = 50    # batch norm's earlier statistics then have a weight of 0.9^50, half a per cent


class AveragedGenerator(AveragedWeights):
    """A running average of the generator's weights, which can replace the last weights in sampling.

    The average is that of AveragedWeights, (EMA.1), without the discriminator. The weights of the two players
    circle around an equilibrium, and their average is nearer to it (Yazıcı et al. 2019).

    Raises ValueError for a decay outside [0, 1), and, before the first step, for a run of another model.
    """

    def __init__(self, model: GAN, decay: float = 0.999):
        super().__init__(finite("AveragedGenerator", "decay", decay, least=0, below=1))
        self.model = model

    @property
    def average(self) -> np.ndarray:
        """The averaged weights, flat; empty before the first run."""
        return self.averages.get("average", np.zeros(0, np.float32))

    @average.setter
    def average(self, value: np.ndarray) -> None:
        self.averages["average"] = value

    def on_start(self, trainer: Trainer) -> None:
        if trainer.model is not self.model:
            raise ValueError("AveragedGenerator expected a run of its own GAN, got another model")
        super().on_start(trainer)

    def _weights(self) -> dict[str, np.ndarray]:
        return {"average": super()._weights()["generator"]}

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
                generator.forward(self.model.random_input(500, rng=rng), training=True)
            yield
        finally:
            for p, value in zip(parameters, own, strict=True):
                p.value[...] = value
            for name, buffer in generator.buffers().items():
                buffer[...] = statistics[name]
