"""The loss on data that a run does not train on."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.data.batches import Batches


class HeldOutLoss:
    """A function () -> float: the mean loss of a model on held-out data, in evaluation mode.

        loss = Σ_b n_b · loss_b / N         over batches b of n_b examples, N in total

    Every call uses the same random numbers, so that the values of two epochs differ only by the weights.
    """

    def __init__(self, model: Any, X: np.ndarray, y: np.ndarray | None, batch_size: int):
        X = model.before_training(X, np.random.default_rng(0))      # binarises pixels that are binarised once
        self.model, self.seed = model, 0
        self.batches = Batches(X, y, batch_size=batch_size, rng=0, shuffle=False)

    def __call__(self) -> float:
        rng = np.random.default_rng(self.seed)
        total = 0.0
        for batch in self.batches:
            loss, _ = self.model.loss(*self.model.prepare(batch, rng), rng=rng)
            total += len(batch[0]) * float(loss)
        return total / len(self.batches.X)
