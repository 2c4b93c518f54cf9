"""Whether a model was trained before, so that a run continues from its weights; and its last history."""

from __future__ import annotations

import inspect
import warnings
from typing import Any
from weakref import WeakKeyDictionary

_histories: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()   # model -> History of its last run


class ContinuedTraining(UserWarning):
    """A run does not start anew: the model was trained before."""


def warn_of_earlier_training(model: Any) -> None:
    """Warn if the model was trained before, so that a run continues from these weights."""
    if is_trained(model):
        warnings.warn(
            f"{type(model).__name__}.fit continues from the weights of an earlier run: build a new model to "
            "start anew, or pass warm_start=True to continue without this warning",
            ContinuedTraining,
            stacklevel=level_of_caller(),
        )


def mark_as_trained(model: Any) -> None:
    """Remember that the weights of a model are not its initial ones.

    The mark is on the parameters, so copies of the model have it, too.
    """
    for p in model.parameters().values():
        p.trained = True


def remember_history(model: Any, history: Any) -> None:
    """Keep the history of the last run of a model, outside of the model, so that it is not saved with it."""
    _histories[model] = history


def last_history(model: Any) -> Any:
    """The history of the last run of a model in this process, or None."""
    return _histories.get(model)


def is_trained(model: Any) -> bool:
    """Whether the weights of a model are not its initial ones."""
    parameters = model.parameters().values()
    return bool(parameters) and all(p.trained for p in parameters)


def level_of_caller() -> int:
    """The `stacklevel` with which a warning names the line that called the library."""
    package, _, _ = __name__.partition(".")
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level
