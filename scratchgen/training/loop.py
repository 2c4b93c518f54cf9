"""The training loop.

`Trainer` repeats the training step of a model (training/step.py) over batches and epochs. It also handles
augmentation, the history, callbacks, early stopping, numbers that are not finite, and Ctrl-C, which takes
effect between two steps.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from scratchgen.checks import as_generator, as_number, describe, is_plain_array
from scratchgen.runtime.ranks import ONE, Ranks, one_step, run_ranks
from scratchgen.training import parallel
from scratchgen.training.earlier import mark_as_trained, remember_history, warn_of_earlier_training
from scratchgen.training.exclusive import only_run_of
from scratchgen.training.history import History as History
from scratchgen.training.history import is_result as is_result
from scratchgen.training.step import Stateful, first_not_finite
from scratchgen.training.step import TrainingDiverged as TrainingDiverged


class Trainable(Stateful, Protocol):
    """What the Trainer needs from a model: a training step, and the state that a checkpoint saves."""

    def train_step(self, batch: tuple, optimizer: Any, rng: np.random.Generator) -> dict[str, float]: ...
    def generators(self) -> dict[str, np.random.Generator]: ...


class Augment(Protocol):
    """A function that returns augmented examples for a batch, (N, D) -> (N, D), such as data.Jitter."""

    def __call__(self, x: np.ndarray, *, rng: np.random.Generator) -> np.ndarray: ...


class Callback:
    """Base class of callbacks, which the trainer calls during a run. Override the methods that you need.

    Callbacks are called between two updates, never in the middle of one, so they may save the run.

    writes : whether the callback writes files or prints; in a data-parallel run, only rank 0 calls those
    """

    writes = False

    def on_start(self, trainer: Trainer) -> None:
        """Called before the first step of each call of run()."""

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        """Called after every update, with the numbers that it returned."""

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        """Called after every epoch, with its row of `history.epochs`."""

    def on_stop(self, trainer: Trainer) -> None:
        """Called when the run is finished, stopped early or interrupted (see `trainer.history.ended`)."""

    def on_end(self, trainer: Trainer) -> None:
        """Called last, after on_stop or after an error. Close open files and other resources here."""

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that a resumed run needs from this callback."""
        return {}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Restore what state() returned."""


class Trainer:
    """A training run: a model, its batches, its optimiser (or a dict of them by name), and its progress.

    epochs : the total number of epochs. A run of 5 epochs that is resumed with epochs=8 trains for 3 more.
    rng : a Generator or an integer seed, for the random numbers of the training steps
    augment : called on the inputs of every batch, ``augment(x, rng=rng)``. A callback may assign another
        one, or None, during a run.
    callbacks : a sequence of Callback
    validate : function () -> float, called after every epoch; its value is recorded and used by EarlyStopping
    warm_start : whether to continue the training of a model without the warning ContinuedTraining

    trainer.step, trainer.epoch : updates and whole epochs so far
    trainer.history : a History

    Raises ValueError for epochs < 0 and for batches without a batch, TypeError for epochs that are not an int
    and for callbacks that are not Callbacks.
    """

    def __init__(
        self,
        model: Trainable,
        batches: Any,
        optimizer: Any,
        *,
        epochs: int,
        rng: np.random.Generator | int,
        augment: Augment | None = None,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
        warm_start: bool = False,
    ):
        if isinstance(epochs, bool) or not hasattr(epochs, "__index__"):
            raise TypeError(f"Trainer expected epochs to be an int, got {epochs!r}")
        for callback in callbacks:
            if isinstance(callback, type):
                got = f"the class {callback.__name__}; pass {callback.__name__}(...)"
                raise TypeError(f"Trainer expected callbacks to be instances of Callback, got {got}")
            if not isinstance(callback, Callback):
                raise TypeError(f"Trainer expected callbacks to be instances of Callback, got {callback!r}")
        if epochs < 0:
            raise ValueError(f"Trainer expected epochs >= 0, the total number of epochs, got {epochs}")
        if len(batches) == 0:
            raise ValueError("Trainer expected at least one batch per epoch, got none")
        self.rng = as_generator("Trainer", rng)
        self.model, self.batches, self.optimizer = model, batches, optimizer
        self.epochs, self.validate, self.warm_start = epochs, validate, warm_start
        self.augment = augment
        self.callbacks = list(callbacks)
        self.history = History()
        self.step = self.epoch = 0
        self.saved_in: Path | None = None       # the file of this run, once it is saved or loaded
        self._stop_reason = ""
        self._stop_now = self._interrupted = False
        self._ranks: Ranks = ONE
        self._step_rng = self.rng

    @property
    def augment(self) -> Augment | None:
        """The augmentation that is applied to the inputs of every batch, or None."""
        return self._augment

    @augment.setter
    def augment(self, augment: Augment | None) -> None:
        check = getattr(self.model, "check_augment", None)
        if augment is not None and check is not None:
            check()
        self._augment = augment

    def run(self) -> History:
        """Train until `epochs` epochs are done or the run is stopped; return the history.

        Ctrl-C takes effect after the current step. Then on_stop of the callbacks is called (a Checkpointer
        saves the run), history.interrupted is set, and a KeyboardInterrupt is raised, whose message has the
        number of steps and epochs. A second Ctrl-C ends the run at once without saving.

        Raises TrainingDiverged at the first nan or infinity. Before the first step, raises ValueError for an
        optimiser with parameters that are not the model's, and RuntimeError if another run is training the
        model.
        """
        self._expect_own_parameters()
        if self.step == 0 and not self.warm_start:
            warn_of_earlier_training(self.model)
        self._stop_reason, self._stop_now, self._interrupted = "", False, False
        self.history.ended, self.history.interrupted = "", False
        steps_before, epochs_before = self.step, self.epoch
        self._clock, self._ranks = time.perf_counter(), run_ranks()
        self._first = self._ranks.size > 1
        remember_history(self.model, self.history)
        with only_run_of(self.model), self._interruptible(), ExitStack() as at_end:
            self._step_rng = at_end.enter_context(parallel.divided(self, self._ranks))
            for callback in reversed(self._own_callbacks()):    # the stack calls the last one first
                at_end.callback(callback.on_end, self)      # also if the on_end of another raises an error
            try:
                for callback in self._own_callbacks():
                    callback.on_start(self)
                while self.epoch < self.epochs and not (self._stop_reason or self._interrupted):
                    self._run_epoch()
                self.history.interrupted = self._interrupted
                self.history.ended = self._how_it_ended(self.step - steps_before, self.epoch - epochs_before)
                for callback in self._own_callbacks():
                    callback.on_stop(self)
            finally:
                if self.step > steps_before:
                    mark_as_trained(self.model)
        if self._interrupted:
            raise KeyboardInterrupt(self.history.ended)
        return self.history

    def stop(self, reason: str, *, now: bool = False) -> None:
        """End the run after the current epoch; `reason` is recorded in history.ended.

        now : end it after the current step instead. A run that is resumed continues with the next batch.
        """
        self._stop_reason, self._stop_now = reason, now

    def expect_finite(self) -> None:
        """Raise TrainingDiverged if a parameter or buffer holds a nan or an infinity."""
        where = first_not_finite(self.model)
        if where is not None:
            raise self._with_position(TrainingDiverged("an update gave a number that is not finite", where))

    def _expect_own_parameters(self) -> None:
        """Check that the optimisers train this model: not another one, nor a copy of it."""
        own = {id(p): name for name, p in self.model.parameters().items()}
        several = self.optimizer.values() if isinstance(self.optimizer, Mapping) else [self.optimizer]
        left = dict(own)
        for optimizer in several:
            for name, p in getattr(optimizer, "parameters", {}).items():
                if id(p) not in own:
                    raise ValueError(
                        f"Trainer expected an optimiser of parameters of this {type(self.model).__name__}, "
                        f"but {name} belongs to another model or to a copy; copy model and optimiser together"
                    )
                left.pop(id(p), None)
        if 0 < len(left) < len(own):
            names, who = ", ".join(left.values()), type(self.model).__name__
            logging.getLogger("scratchgen").warning("no optimiser trains %s of the %s", names, who)

    def _run_epoch(self) -> None:
        for batch in self.batches:
            self.step += 1
            values = self._train_step(batch)
            self.history.add(self.history.steps, values)
            self._count_seconds()
            for callback in self._own_callbacks():
                callback.on_step(self, values)
            self._agree_on_the_end()
            if self._interrupted or self._stop_now:
                # The epoch is not complete. The next call of run() continues with the next batch.
                self.batches.load_state(self.batches.state())
                return
        self.expect_finite()
        row = self.history.epoch_means()
        if self.validate is not None:
            value = as_number(f"{type(self.model).__name__}.fit", "validate()", self.validate())
            row["validation"] = self._ranks.first(value)
            self._expect_finite_values(row)
        self._count_seconds()
        row |= self._learning_rates()
        row |= {"step": self.step, "seconds": self.history.seconds}
        self.history.add(self.history.epochs, row)
        self.epoch += 1
        parallel.copy_first(self, self._ranks)
        for callback in self._own_callbacks():
            callback.on_epoch(self, row)
        self._agree_on_the_end()

    def _own_callbacks(self) -> list[Callback]:
        """The callbacks of this rank: those that write belong to rank 0."""
        return [callback for callback in self.callbacks if self._ranks.rank == 0 or not callback.writes]

    def _agree_on_the_end(self) -> None:
        """Stop this rank if another one stops, by Ctrl-C or by a callback such as TimeLimit."""
        if self._ranks.size > 1:
            wishes = np.array([self._interrupted, self._stop_now, bool(self._stop_reason)], np.float64)
            self._ranks.sum(wishes)
            self._interrupted, self._stop_now = bool(wishes[0]), bool(wishes[1])
            if wishes[2] and not self._stop_reason:
                self._stop_reason = "another rank stopped the run"

    def _learning_rates(self) -> dict[str, float]:
        """The learning rates of the last update. A resumed run whose file has none records none."""
        several = isinstance(self.optimizer, Mapping)
        named = {f"{name}_lr": o for name, o in self.optimizer.items()} if several else {"lr": self.optimizer}
        rates = {name: o.last_rate for name, o in named.items() if hasattr(o, "last_rate")}
        known = self.history.epochs
        return {name: rate for name, rate in rates.items() if not known or name in known}

    def _count_seconds(self) -> None:
        """Add the time since the last call to the history. If the clock jumped back, add nothing."""
        now = time.perf_counter()
        self.history.seconds += max(0.0, now - self._clock)
        self._clock = now

    def _train_step(self, batch: tuple) -> dict[str, float]:
        try:
            if self.augment is not None:
                batch = (self._augmented(self.augment, batch[0]), *batch[1:])
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # reported once, below
                values = self._step_on_all_ranks(batch)
        except TrainingDiverged as error:
            raise self._with_position(error) from None
        self._expect_finite_values(values)
        return values

    def _step_on_all_ranks(self, batch: tuple) -> dict[str, float]:
        ranks, first, self._first = self._ranks, self._first, False
        alone = parallel.step_of_one_process(self, batch) if first and ranks.rank == 0 else None
        with one_step(ranks):
            values = self.model.train_step(batch, self.optimizer, self._step_rng)
        if first:
            parallel.expect_same_step(self, alone, ranks)
        return ranks.mean(values)

    def _augmented(self, augment: Augment, x: np.ndarray) -> np.ndarray:
        found = augment(x, rng=self.rng)
        if not is_plain_array(found) or found.shape[:1] != x.shape[:1]:
            got = found.shape if is_plain_array(found) else describe(found)
            raise ValueError(f"Trainer expected augment to return an array of {len(x)} examples, got {got}")
        return found

    def _expect_finite_values(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                where = first_not_finite(self.model) or first_not_finite(self.model, gradients=True)
                raise self._with_position(TrainingDiverged(f"{name} became {value}", where))

    def _with_position(self, error: TrainingDiverged) -> TrainingDiverged:
        error.step, error.epoch = self.step, self.epoch + 1
        return error

    def _how_it_ended(self, new_steps: int, new_epochs: int) -> str:
        place = f"after step {self.step}, {self.epoch} of {self.epochs} epochs done"
        if self._interrupted:
            return f"interrupted {place}"
        if self.epoch < self.epochs:
            return f"stopped {place}: {self._stop_reason}"
        if new_steps == new_epochs == 0:
            return f"nothing left to do: {self.epoch} epochs are done, and epochs={self.epochs} is the total"
        return f"finished {place}"

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Make Ctrl-C set a flag that is read between two steps, unless the process ignores Ctrl-C."""
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
