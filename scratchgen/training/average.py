"""A running average of the weights, which can replace the last weights of any model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from scratchgen.checks import expect_number
from scratchgen.training.loop import Callback, Trainer

__all__ = ["AveragedWeights"]


class AveragedWeights(Callback):
    """A running average of the weights of all optimisers of a run (exponential moving average).

    (EMA.1)  average ← average + (1 − d)·(weights − average),  d = min(decay, t / (t + 10))     after step t

    In the first steps d is smaller than `decay`, so that the average forgets the initial weights. The weights
    of the last steps jump around a minimum; their average is nearer to it. Averaging has no effect on the
    training. Source: Polyak & Juditsky 1992; Ho et al. 2020, appendix B, for diffusion models.

        averaged = AveragedWeights()
        model.fit(X, epochs=20, rng=0, callbacks=[averaged])
        with averaged.applied():
            model.sample(100, rng=0)

    decay : the largest d; 0.999 averages over about the last 1,000 steps

    Raises ValueError for a decay outside [0, 1).
    """

    def __init__(self, decay: float = 0.999):
        expect_number(type(self).__name__, "decay", decay, least=0, below=1)
        self.decay = decay
        self.averages: dict[str, np.ndarray] = {}
        self._trainer: Trainer | None = None

    def on_start(self, trainer: Trainer) -> None:
        self._trainer = trainer
        for name, weights in self._weights().items():
            self.averages.setdefault(name, weights.copy())

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        share = 1 - min(self.decay, trainer.step / (trainer.step + 10))
        for name, weights in self._weights().items():
            average = self.averages[name]
            average += average.dtype.type(share) * (weights - average)          # (EMA.1)

    def _weights(self) -> dict[str, np.ndarray]:
        """The flat buffers of the optimisers, by name; "weights" if there is only one."""
        if self._trainer is None:
            who = type(self).__name__
            raise RuntimeError(f"{who} has no weights yet: pass it to fit as a callback first")
        optimizer = self._trainer.optimizer
        optimizers = optimizer if isinstance(optimizer, dict) else {"weights": optimizer}
        return {name: each.value for name, each in optimizers.items()}

    def state(self) -> dict[str, np.ndarray]:
        return dict(self.averages)

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self.averages = {name: array.copy() for name, array in state.items()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """A context manager: inside the block the model has the averaged weights, afterwards its own.

        Raises RuntimeError before the first run.
        """
        weights = self._weights()
        own = {name: array.copy() for name, array in weights.items()}
        try:
            for name, array in weights.items():
                array[...] = self.averages[name]
            yield
        finally:
            for name, array in weights.items():
                array[...] = own[name]
