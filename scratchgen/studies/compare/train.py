"""Train every contender with the same budget of processor time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.studies.compare.contender import Contender
from scratchgen.studies.spaces import SEED
from scratchgen.training.callbacks import EarlyStopping
from scratchgen.training.loop import Callback, Trainer

MANY = 1_000_000        # epochs: more than any budget allows


class Budget(Callback):
    """Ends a run when this process has used `seconds` seconds of processor time.

    On a busy machine, wall-clock time would also include other processes. The run ends after the epoch in
    which the budget is spent.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.start = time.process_time()

    @property
    def spent(self) -> float:
        """Seconds of processor time since the run started."""
        return time.process_time() - self.start

    def over(self, schedule: Callable[[float], float]) -> Callable[[float], float]:
        """The schedule as a function of the fraction of the budget that is spent, instead of the steps."""
        return lambda t: schedule(min(1.0, self.spent / self.seconds))

    def on_start(self, trainer: Trainer) -> None:
        self.start = time.process_time()

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if self.spent >= self.seconds:
            trainer.stop("the budget is spent")


@dataclass(frozen=True)
class Trained:
    """A trained model, its number of epochs, processor seconds per epoch, and the epoch of its weights."""

    model: Any
    epochs: int
    epoch_seconds: float
    kept: int


def train(
    contender: Contender, x: np.ndarray, held_out: np.ndarray, seconds: float, epochs: int | None = None
) -> Trained:
    """Train on grey digits x (N, D) for `seconds` seconds of processor time, or for a number of epochs.

    A model with a likelihood keeps the weights of the epoch with the best score of held-out digits, which
    is a likelihood for all but diffusion and flow matching.
    A model without a likelihood keeps the weights of the last epoch. After every epoch, `contender.adjust`
    fits the parameters that are not trained, on held-out digits.

    Raises ValueError unless seconds > 0.
    """
    if not seconds > 0:
        raise ValueError(f"train expected seconds > 0, got {seconds}")
    batch = contender.settings["batch_size"]
    # Numba compiles a function at its first call. Train a first model briefly, so that this costs no budget.
    contender.seeded().fit(x[:batch], epochs=1, batch_size=batch, rng=np.random.default_rng(SEED))
    rng = np.random.default_rng(SEED)
    model = contender.build(rng)
    budget = Budget(seconds)
    settings: dict[str, Any] = dict(contender.settings)
    callbacks: list[Callback] = []
    if epochs is None:
        for rate in ("lr", "discriminator_lr"):
            if rate in settings:
                settings[rate] = budget.over(settings[rate])
        callbacks.append(budget)
    has_likelihood = model.likelihood is not None
    if has_likelihood:
        x_held_out = contender.space.prepare(held_out)

        def validate() -> float:
            contender.adjust(model, x_held_out)
            return -contender.score(model, x_held_out)

        callbacks.append(EarlyStopping(MANY))
        settings["validate"] = validate
    trainer = model.trainer(x, epochs=epochs or MANY, rng=rng, callbacks=callbacks, **settings)
    budget.on_start(trainer)
    history = trainer.run()
    spent = budget.spent
    if has_likelihood:
        contender.adjust(model, x_held_out)     # again, for the weights of the best epoch
    done = trainer.epoch
    kept = 1 + int(np.argmin(history.epochs["validation"])) if has_likelihood else done
    return Trained(model, done, spent / done, kept)
