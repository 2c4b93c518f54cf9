"""Callbacks: a progress bar, early stopping and a time limit."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import numpy as np

from scratchgen.checks import expect_count, expect_number
from scratchgen.training.loop import Callback, Trainer

__all__ = ["EarlyStopping", "ProgressBar", "TimeLimit"]

IMPORTANT = ("validation", "loss")
REST_OF_BAR = 34        # columns for the bar, the number of steps and the time


class ProgressBar(Callback):
    """A bar on stderr with the loss and the remaining time; one line per epoch if stderr is not a terminal.

    During an epoch, the bar shows the loss of the last step. After an epoch, it shows the validation value,
    if there is one, and the mean loss of the epoch. These values come first. Values that do not fit into the
    terminal are left out.
    """

    def __init__(self) -> None:
        self._bar: Any = None

    def on_start(self, trainer: Trainer) -> None:
        if sys.stderr is None or not sys.stderr.isatty():      # None without a console, as in pythonw
            return
        from tqdm import tqdm

        self._bar = tqdm(
            desc=_epoch_shown(trainer),
            bar_format="{desc} {percentage:3.0f} %|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]",
            total=trainer.epochs * len(trainer.batches),
            initial=trainer.step,
            unit="step",
            file=sys.stderr,
            dynamic_ncols=True,
        )

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if self._bar is not None:
            self._bar.set_description_str(_shown(trainer, values), refresh=False)
            self._bar.update()

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        shown = _readable({name: v for name, v in values.items() if name not in ("step", "seconds")})
        if self._bar is None:
            line = f"epoch {trainer.epoch}/{trainer.epochs}: {shown} ({values['seconds']:.1f} s)"
            print(line, file=sys.stderr, flush=True)
            return
        self._bar.set_description_str(_shown(trainer, values))

    def on_stop(self, trainer: Trainer) -> None:
        self.on_end(trainer)
        print(trainer.history.ended, file=sys.stderr, flush=True)

    def on_end(self, trainer: Trainer) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class EarlyStopping(Callback):
    """Stop the run when the validation value has not reached a new minimum for `patience` epochs.

    At the end of the run, the weights and buffers of the best epoch are restored. An interrupted run keeps
    its last weights instead, so that it can be resumed. A checkpoint contains both. Every new run starts
    anew, so one EarlyStopping can be passed to several runs, one after the other.

    best : the lowest validation value so far;  waited : epochs since then
    Raises ValueError for patience < 1, and for a Trainer without `validate`.
    """

    def __init__(self, patience: int):
        expect_count("EarlyStopping", "patience", patience)
        self.patience = patience
        self.best, self.waited = float("inf"), 0
        self._kept: dict[str, np.ndarray] = {}

    def on_start(self, trainer: Trainer) -> None:
        if trainer.validate is None:
            raise ValueError("EarlyStopping expected a Trainer with a validate function, got none")
        if trainer.step == 0:       # a new run, with nothing of an earlier one that had the same callback
            self.best, self.waited, self._kept = float("inf"), 0, {}
        self._stop_if_due(trainer)

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        self.waited += 1
        if values["validation"] < self.best:
            self.best, self.waited = values["validation"], 0
            self._kept = {name: array.copy() for name, array in _arrays(trainer).items()}
        self._stop_if_due(trainer)

    def on_end(self, trainer: Trainer) -> None:
        if self._kept and not trainer.history.interrupted:
            for name, array in _arrays(trainer).items():
                array[...] = self._kept[name]

    def state(self) -> dict[str, np.ndarray]:
        return {"best": np.array(self.best), "waited": np.array(self.waited), **self._kept}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self.best, self.waited = float(state["best"]), int(state["waited"])
        self._kept = {name: array.copy() for name, array in state.items() if "." in name}

    def _stop_if_due(self, trainer: Trainer) -> None:
        if self.waited >= self.patience:
            trainer.stop(f"the validation value was not below {self.best:.6g} for {self.waited} epochs")


class TimeLimit(Callback):
    """Stop the run after the first step at which it has trained for `seconds`.

    The time is that of one call of run(), so a run that is resumed may take as long again. A schedule of the
    learning rate knows the number of epochs and not the time: it is stopped before it reaches its end.

    Raises ValueError for seconds <= 0.
    """

    def __init__(self, seconds: float):
        expect_number("TimeLimit", "seconds", seconds, above=0)
        self.seconds = seconds
        self._before = 0.0

    def on_start(self, trainer: Trainer) -> None:
        self._before = trainer.history.seconds

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.history.seconds - self._before >= self.seconds:
            trainer.stop(f"the time limit of {self.seconds:g} s is reached", now=True)


def _arrays(trainer: Trainer) -> dict[str, np.ndarray]:
    values = {f"model.{name}": p.value for name, p in trainer.model.parameters().items()}
    return values | {f"buffer.{name}": b for name, b in trainer.model.buffers().items()}


def _epoch_shown(trainer: Trainer) -> str:
    return f"epoch {min(trainer.epoch + 1, trainer.epochs)}/{trainer.epochs}"


def _shown(trainer: Trainer, values: dict[str, float]) -> str:
    """The epoch and the values, the important ones first, as far as there is room for them beside the bar."""
    room = shutil.get_terminal_size((80, 24)).columns - REST_OF_BAR
    text = _epoch_shown(trainer)
    for name in [*(n for n in IMPORTANT if n in values), *(n for n in values if n not in IMPORTANT)]:
        if name not in ("step", "seconds"):
            longer = f"{text}, {_readable({name: values[name]})}"
            if len(longer) > room:
                break
            text = longer
    return text


def _readable(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
