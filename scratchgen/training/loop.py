"""The loop: batches in, updates out, and a record of what happened.

One update is the model's own business: `model.train_step(batch, optimizer, rng)` makes it and returns the
scalars to record, "loss" first. For most models that is `plain_step` below; a model with two optimisers
brings its own. The loop adds what all of them need: a history, callbacks, an early end, a stop at the first
nan, and a Ctrl-C that waits for the end of the step.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from scratchgen.layers.base import Parameter

_NOWHERE = "that number itself (every parameter and gradient is finite)"


class Stateful(Protocol):
    """What has weights and buffers: every layer and every model."""

    def parameters(self) -> dict[str, Parameter]: ...
    def buffers(self) -> dict[str, np.ndarray]: ...


class Trainable(Stateful, Protocol):
    """What the loop knows of a model: a step, and the state that a checkpoint keeps."""

    def train_step(self, batch: tuple, optimizer: Any, rng: np.random.Generator) -> dict[str, float]: ...
    def generators(self) -> dict[str, np.random.Generator]: ...


class TrainingDiverged(ArithmeticError):
    """Something became nan or infinite: what, where, and in which step and epoch (both count from 1)."""

    def __init__(self, what: str, where: str):
        super().__init__(what, where)
        self.what, self.where = what, where
        self.step = self.epoch = 0

    def __str__(self) -> str:
        when = f" at step {self.step} (epoch {self.epoch})" if self.step else ""
        return f"{self.what}{when}: first seen in {self.where}; try a smaller learning rate"


def plain_step(model: Any, batch: tuple, optimizer: Any, rng: np.random.Generator) -> dict[str, float]:
    """Make one update of a model with one loss and one optimiser; return {"loss": loss}.

    Raises TrainingDiverged, before any update, where the loss is nan or infinite.
    """
    optimizer.zero_grad()
    loss, cache = model.loss(*batch, rng=rng, training=True)
    expect_finite(model, loss, lambda: model.backward(cache))
    model.backward(cache)
    optimizer.step()
    return {"loss": loss}


def expect_finite(model: Stateful, loss: float, backward: Callable[[], object], name: str = "loss") -> None:
    """Raise TrainingDiverged for a loss that is nan or infinite; call it before backward.

    Names the first parameter whose value is not finite, in the order of parameters(); where all values are
    finite, `backward` is called on gradients of zero to find the first gradient that is not.
    """
    if math.isfinite(loss):
        return
    where = first_not_finite(model)
    if where is None:
        for p in model.parameters().values():
            p.zero_grad()
        with np.errstate(all="ignore"):
            backward()
        where = first_not_finite(model, gradients=True)
    raise TrainingDiverged(f"{name} became {loss}", where or _NOWHERE)


def first_not_finite(model: Stateful, gradients: bool = False) -> str | None:
    """Name the first parameter or buffer that is not finite (or the first such gradient), if there is one."""
    for name, p in model.parameters().items():
        if not np.isfinite(p.grad if gradients else p.value).all():
            return f"{name} (its {'gradient' if gradients else 'value'})"
    if not gradients:
        for name, b in model.buffers().items():
            if not np.isfinite(b).all():
                return f"{name} (a buffer)"
    return None


@dataclass
class History:
    """What a run recorded. Lists of one length, so any two can be plotted against each other.

    steps  : name -> one value an update ("loss", and what else the model's step returns)
    epochs : name -> one value an epoch: the mean over the epoch's updates of everything in `steps`,
             "validation" where there is one, "step" (updates so far), "seconds" (training time so far)
    ended  : a sentence saying how the run ended; empty while it goes on, or where an error broke it off
    """

    steps: dict[str, list[float]] = field(default_factory=dict)
    epochs: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False
    ended: str = ""

    def add(self, table: dict[str, list[float]], values: dict[str, float]) -> None:
        """Append one row. Raises ValueError where its names are not those of the rows before."""
        if table and table.keys() != values.keys():
            raise ValueError(f"History expected the scalars {', '.join(table)}, got {', '.join(values)}")
        for name, value in values.items():
            table.setdefault(name, []).append(float(value))

    def epoch_means(self) -> dict[str, float]:
        """The mean of every step scalar since the last epoch that was recorded."""
        start = int(self.epochs["step"][-1]) if self.epochs else 0
        return {name: float(np.mean(column[start:])) for name, column in self.steps.items()}


class Callback:
    """Something told of a run's progress. Override what you need; `trainer` shows the rest.

    A callback between two calls of train_step sees, and may save, a state that no half-made update is in.
    """

    def on_start(self, trainer: Trainer) -> None:
        """Before the first step of a call of run()."""

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        """After every update, with its scalars."""

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        """After every epoch, with its row of `history.epochs`."""

    def on_stop(self, trainer: Trainer) -> None:
        """The run ends in good order: finished, stopped early or interrupted (`trainer.history.ended`)."""

    def on_end(self, trainer: Trainer) -> None:
        """The last call, after on_stop and after an error alike: close what is open."""

    def state(self) -> dict[str, np.ndarray]:
        """Arrays that a resumed run needs of this callback."""
        return {}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Take back what state() gave."""


class Trainer:
    """A run: a model, its batches, its optimiser (or a dict of them, by name), and where the run stands.

    `epochs` is the total: a run of 5 that is resumed with epochs=8 makes 3 more, and one that had its 5
    already makes none. `validate`, called after every epoch, gives the number that EarlyStopping watches.
    `rng` is what the model's step draws from.

    trainer.step, trainer.epoch : updates and whole epochs so far; trainer.history : a History.
    """

    def __init__(
        self,
        model: Trainable,
        batches: Any,
        optimizer: Any,
        *,
        epochs: int,
        rng: np.random.Generator,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
    ):
        if epochs < 0:
            raise ValueError(f"Trainer expected epochs >= 0, the total number of them, got {epochs}")
        if len(batches) == 0:
            raise ValueError("Trainer expected at least one batch an epoch, got none")
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"Trainer expected a numpy.random.Generator as rng, got {type(rng).__name__}")
        self.model, self.batches, self.optimizer = model, batches, optimizer
        self.epochs, self.rng, self.validate = epochs, rng, validate
        self.callbacks = list(callbacks)
        self.history = History()
        self.step = self.epoch = 0
        self._stop_reason = ""
        self._interrupted = False

    def run(self) -> History:
        """Train until `epochs` epochs are done, someone calls stop(), or Ctrl-C; return the history.

        Ctrl-C takes effect after the step it falls into: callbacks get their on_stop (a Checkpointer saves),
        history.interrupted is set and KeyboardInterrupt is raised, whose text says where the run stands. A
        second Ctrl-C breaks off at once, and nothing is saved.
        Raises TrainingDiverged at the first nan or infinity.
        """
        self._stop_reason, self._interrupted = "", False
        self.history.ended, self.history.interrupted = "", False
        steps_before, epochs_before = self.step, self.epoch
        self._clock = time.perf_counter() - self.history.seconds
        with self._interruptible():
            try:
                for callback in self.callbacks:
                    callback.on_start(self)
                while self.epoch < self.epochs and not (self._stop_reason or self._interrupted):
                    self._run_epoch()
                self.history.interrupted = self._interrupted
                self.history.ended = self._how_it_ended(self.step - steps_before, self.epoch - epochs_before)
                for callback in self.callbacks:
                    callback.on_stop(self)
            finally:
                for callback in self.callbacks:
                    callback.on_end(self)
        if self._interrupted:
            raise KeyboardInterrupt(self.history.ended)
        return self.history

    def stop(self, reason: str) -> None:
        """End the run in good order after the current epoch; `reason` goes into history.ended."""
        self._stop_reason = reason

    def expect_finite(self) -> None:
        """Raise TrainingDiverged where a parameter or buffer holds a nan or an infinity."""
        where = first_not_finite(self.model)
        if where is not None:
            raise self._placed(TrainingDiverged("an update left a number that is not finite", where))

    def _run_epoch(self) -> None:
        for batch in self.batches:
            self.step += 1
            values = self._train_step(batch)
            self.history.add(self.history.steps, values)
            self.history.seconds = time.perf_counter() - self._clock
            for callback in self.callbacks:
                callback.on_step(self, values)
            if self._interrupted:
                # The loop over this epoch is left for good: the next one is to enter where it was left.
                self.batches.load_state(self.batches.state())
                return
        self.expect_finite()
        row = self.history.epoch_means()
        if self.validate is not None:
            row["validation"] = float(self.validate())
            self._expect_finite_values(row)
        self.history.seconds = time.perf_counter() - self._clock
        row |= {"step": self.step, "seconds": self.history.seconds}
        self.history.add(self.history.epochs, row)
        self.epoch += 1
        for callback in self.callbacks:
            callback.on_epoch(self, row)

    def _train_step(self, batch: tuple) -> dict[str, float]:
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # said once, below
                values = self.model.train_step(batch, self.optimizer, self.rng)
        except TrainingDiverged as error:
            raise self._placed(error) from None
        self._expect_finite_values(values)
        return values

    def _expect_finite_values(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                where = first_not_finite(self.model) or first_not_finite(self.model, gradients=True)
                raise self._placed(TrainingDiverged(f"{name} became {value}", where or _NOWHERE))

    def _placed(self, error: TrainingDiverged) -> TrainingDiverged:
        error.step, error.epoch = self.step, self.epoch + 1
        return error

    def _how_it_ended(self, new_steps: int, new_epochs: int) -> str:
        place = f"after step {self.step}, {self.epoch} of {self.epochs} epochs done"
        if self._interrupted:
            return f"interrupted {place}"
        if self.epoch < self.epochs:
            return f"stopped {place}: {self._stop_reason}"
        if new_steps == new_epochs == 0:
            return f"nothing left to do: {self.epoch} epochs are done, {self.epochs} in total were asked for"
        return f"finished {place}"

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C set a flag that is looked at between two steps; where it is ignored it stays so."""
        before = signal.getsignal(signal.SIGINT)
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not in_main_thread or before in (signal.SIG_IGN, None):
            yield
            return

        def remember(signum: int, frame: object) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        signal.signal(signal.SIGINT, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
