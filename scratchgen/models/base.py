"""What every model is: a layer with a loss, and scikit-learn's verbs around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

import numpy as np

from scratchgen.data.batches import Batches
from scratchgen.layers.base import Layer
from scratchgen.training.loop import Callback, Trainer, plain_step
from scratchgen.training.optimisers import Adam, Schedule


class Augment(Protocol):
    """A function that makes new examples from old ones, (N, D) -> (N, D), such as data.Jitter."""

    def __call__(self, x: np.ndarray, *, rng: np.random.Generator) -> np.ndarray: ...


class NoLikelihood(TypeError):
    """A density was asked of a model that has none."""


class Model(Layer):
    """A model: `loss` and `backward` for those who step through it, `fit` and other verbs to use it.

        loss, cache = model.loss(x)
        grads = model.backward(cache)       named intermediate gradients; p.grad of each parameter is added to

    likelihood : what score_samples means: "exact", "lower bound", "importance-sampled", or None
    augment : where it is set, every batch goes through ``augment(x, rng=rng)`` on its way into training

    A subclass defines loss, backward and the verbs that it has; the others say here why it hasn't.
    """

    likelihood: str | None = None
    augment: Augment | None = None

    def loss(self, x: np.ndarray, *, rng: np.random.Generator | None = None, training: bool = False) -> Any:
        """Return (loss, cache): a float averaged over the batch, and what backward will need."""
        raise TypeError(f"{type(self).__name__} has no loss to be trained with")

    def train_step(self, batch: tuple, optimizer: Any, rng: np.random.Generator) -> dict[str, float]:
        """Make one update; return the scalars to record."""
        if self.augment is not None:
            batch = (self.augment(batch[0], rng=rng), *batch[1:])
        return plain_step(self, batch, optimizer, rng)

    def trainer(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        epochs: int,
        rng: np.random.Generator,
        batch_size: int = 128,
        drop_last: bool = False,
        lr: float | Schedule = 1e-3,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
    ) -> Trainer:
        """Set up the run that `fit` makes: Adam on shuffled batches.

        lr : a float, or a schedule such as OneCycle, a function of the step
        drop_last : leave the last batch out where it would be smaller, as batch norm may need
        validate : called after every epoch; its value goes into the history, and EarlyStopping watches it

        The order of the batches, and what the model draws, come from `rng` alone.
        """
        batches = Batches(X, y, batch_size=batch_size, rng=rng, drop_last=drop_last)
        optimizer = Adam(self.parameters(), lr)
        return Trainer(
            self, batches, optimizer, epochs=epochs, rng=rng, callbacks=callbacks, validate=validate
        )

    def fit(self, X: np.ndarray, y: np.ndarray | None = None, **run: Any) -> Self:
        """Train with Adam and return the model; takes what `trainer` takes. X (N, D)."""
        self.trainer(X, y, **run).run()
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """log p(x) in nats, one per example, (N,); `likelihood` says of which kind."""
        raise NoLikelihood(f"{type(self).__name__} has no likelihood{self._because('score_samples')}")

    def sample(self, n: int, *, rng: np.random.Generator) -> np.ndarray:
        """n new examples, (n, D)."""
        raise TypeError(f"{type(self).__name__} cannot sample{self._because('sample')}")

    def _because(self, verb: str) -> str:
        return ""
