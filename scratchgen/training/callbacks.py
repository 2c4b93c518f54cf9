"""Callbacks: a progress bar, early stopping, a time limit, and a learning rate that falls on a plateau."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchgen.checks import expect_count, expect_number
from scratchgen.training.history import is_result
from scratchgen.training.loop import Callback, Trainer

__all__ = ["EarlyStopping", "ProgressBar", "ReduceOnPlateau", "TimeLimit"]

IMPORTANT = ("validation", "loss")
REST_OF_BAR = 34        # columns for the bar, the number of steps and the time


class ProgressBar(Callback):
    """A bar on stderr with the loss and the remaining time; one line per epoch if stderr is not a terminal.

    In a notebook, it is the bar of tqdm.auto: a widget if ipywidgets is installed, and text otherwise.

    During an epoch, the bar shows the loss of the last step. After an epoch, it shows the validation value,
    if there is one, and the mean loss of the epoch. These values come first. Values that do not fit into the
    terminal are left out.
    """

    writes = True

    def __init__(self) -> None:
        self._bar: Any = None

    def on_start(self, trainer: Trainer) -> None:
        if in_notebook():
            from tqdm.auto import tqdm as bar
        elif sys.stderr is None or not sys.stderr.isatty():     # None without a console, as in pythonw
            return
        else:
            from tqdm import tqdm as bar

        self._bar = bar(
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
        shown = _readable({name: v for name, v in values.items() if is_result(name)})
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


def in_notebook() -> bool:
    """Whether the code runs in a notebook or another front end of IPython with a kernel of its own."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


class EarlyStopping(Callback):
    """Stop the run when the validation value has not fallen by more than `min_delta` for `patience` epochs.

    At the end of the run, the weights and buffers of the best epoch are restored. An interrupted run keeps
    its last weights instead, so that it can be resumed. A checkpoint contains both. Every new run starts
    anew, so one EarlyStopping can be passed to several runs, one after the other.

    min_delta : a value counts only if it is below best - min_delta
    monitor : the column of `history.epochs` to watch; lower is better
    best : the lowest value that counted so far;  waited : epochs since then
    Raises ValueError for patience < 1 and min_delta < 0. During the run, raises ValueError if `monitor` is
    "validation" and the Trainer has no `validate`, and KeyError for a name that the run does not record.
    """

    def __init__(self, patience: int, *, min_delta: float = 0.0, monitor: str = "validation"):
        expect_count("EarlyStopping", "patience", patience)
        expect_number("EarlyStopping", "min_delta", min_delta, least=0)
        _expect_name("EarlyStopping", monitor)
        self.patience, self.min_delta, self.monitor = patience, min_delta, monitor
        self.best, self.waited = float("inf"), 0
        self._kept: dict[str, np.ndarray] = {}

    def on_start(self, trainer: Trainer) -> None:
        _expect_validate("EarlyStopping", self.monitor, trainer)
        if trainer.step == 0:       # a new run, with nothing of an earlier one that had the same callback
            self.best, self.waited, self._kept = float("inf"), 0, {}
        self._stop_if_due(trainer)

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        self.waited += 1
        value = _watched("EarlyStopping", self.monitor, values)
        if value < self.best - self.min_delta:
            self.best, self.waited = value, 0
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
            what = "the validation value" if self.monitor == "validation" else self.monitor
            limit = f"{self.best - self.min_delta:.6g}"
            trainer.stop(f"{what} was not below {limit} for {self.waited} epochs")


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


class ReduceOnPlateau(Callback):
    """Multiply the learning rate by `factor` when the watched value has not fallen for `patience` epochs.

        lr ← factor · lr

    min_delta, monitor : as in EarlyStopping;  scale : the product of all factors so far

    The rate can be a number or a schedule, and that of each optimiser of a GAN is reduced. At the end of a
    call of run(), the optimisers have their own rates again; a checkpoint contains the scale.

    Raises ValueError for a factor that is not between 0 and 1, and as EarlyStopping does.
    """

    def __init__(
        self, factor: float = 0.1, patience: int = 5, *, min_delta: float = 0.0, monitor: str = "validation"
    ):
        expect_number("ReduceOnPlateau", "factor", factor, above=0, below=1)
        expect_count("ReduceOnPlateau", "patience", patience)
        expect_number("ReduceOnPlateau", "min_delta", min_delta, least=0)
        _expect_name("ReduceOnPlateau", monitor)
        self.factor, self.patience, self.min_delta, self.monitor = factor, patience, min_delta, monitor
        self.best, self.waited, self.scale = float("inf"), 0, 1.0
        self._own: list[tuple[Any, Any]] = []

    def on_start(self, trainer: Trainer) -> None:
        _expect_validate("ReduceOnPlateau", self.monitor, trainer)
        if trainer.step == 0:
            self.best, self.waited, self.scale = float("inf"), 0, 1.0
        several = isinstance(trainer.optimizer, Mapping)
        optimizers = trainer.optimizer.values() if several else (trainer.optimizer,)
        self._own = [(optimizer, optimizer.lr) for optimizer in optimizers]
        for optimizer, lr in self._own:
            optimizer.lr = self._scaled(lr)

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        value = _watched("ReduceOnPlateau", self.monitor, values)
        self.waited += 1
        if value < self.best - self.min_delta:
            self.best, self.waited = value, 0
        elif self.waited >= self.patience:
            self.scale, self.waited = self.scale * self.factor, 0

    def on_end(self, trainer: Trainer) -> None:
        for optimizer, lr in self._own:
            optimizer.lr = lr
        self._own = []

    def state(self) -> dict[str, np.ndarray]:
        return {name: np.array(getattr(self, name)) for name in ("best", "waited", "scale")}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self.best, self.scale, self.waited = float(state["best"]), float(state["scale"]), int(state["waited"])

    def _scaled(self, lr: Any) -> Any:
        """The rate as a function of the step that reads the current scale."""
        return lambda step: self.scale * (lr(step) if callable(lr) else lr)


def _expect_name(who: str, monitor: Any) -> None:
    if not isinstance(monitor, str) or not monitor:
        raise TypeError(f"{who} expected monitor to be the name of a column of the history, got {monitor!r}")


def _expect_validate(who: str, monitor: str, trainer: Trainer) -> None:
    if monitor == "validation" and trainer.validate is None:
        raise ValueError(f"{who} expected a Trainer with a validate function, got none")


def _watched(who: str, monitor: str, values: dict[str, float]) -> float:
    if monitor not in values:
        names = ", ".join(name for name in values if is_result(name))
        raise KeyError(f"{who} expected monitor to be one of {names}, got {monitor!r}")
    return values[monitor]


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
        if is_result(name):
            longer = f"{text}, {_readable({name: values[name]})}"
            if len(longer) > room:
                break
            text = longer
    return text


def _readable(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
