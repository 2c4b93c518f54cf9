"""Errors inside backward and jvp: what to say if they were given something else than the cache of forward.

backward unpacks its cache without a check, so anything but the cache of its own forward gives an error from
the middle of a formula. Every class that defines backward or jvp gets these explanations from Module.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

EXPLAINED = ("backward", "jvp")
OF_CLASS = re.compile(r"[A-Z]\w*(\.\w+)? (expected|does not define|has no) ")
FROM_INSIDE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def explain_errors(cls: Any) -> None:
    """Let the methods backward and jvp that a class itself defines explain the errors inside them."""
    for name in EXPLAINED:
        if callable(vars(cls).get(name)):
            setattr(cls, name, explained(vars(cls)[name]))


def explained(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that turns an error from a wrong cache into one that names the class and what it was given.

    An error in the code of a user keeps its type and message, and gets a note with the shapes.
    """

    wanted = _arguments(method)

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            if not _is_from_inside(error):
                raise
            given = (*args, *(value for name, value in kwargs.items() if name != "input_grad"))[:wanted]
            complete = len(given) == wanted
            if complete and error.__traceback__ is not None and error.__traceback__.tb_next is None:
                raise       # the method did not start: an argument has a wrong name
            who = f"{type(self).__name__}.{method.__name__}"
            if _in_code_of_user(error):
                if not getattr(error, "__notes__", None):
                    error.add_note(_note(who, given, error))
                raise
            got = _described(given[-1]) if complete else "none"
            raise TypeError(f"{who} expected the cache that forward returned, got {got}") from error

    return checked


def _arguments(method: Callable[..., Any]) -> int:
    """The number of arguments without a default, of which the cache is the last: 2 for (dout, cache)."""
    parameters = inspect.signature(method).parameters.values()
    return sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) - 1


def _is_from_inside(error: Exception) -> bool:
    """Whether an error is from Python, NumPy, Numba or a function such as silu_backward.

    The others are messages of the checks of a class, such as "Linear expected …".
    """
    if type(error).__module__.startswith("numba."):
        return True
    if "read-only" in str(error):       # a gradient that the caller has locked
        return False
    return isinstance(error, FROM_INSIDE) and not OF_CLASS.match(str(error))


def _in_code_of_user(error: Exception) -> bool:
    """Whether the error passed through a function outside the library, for example a layer of the user."""
    step = error.__traceback__
    while step is not None:
        name = step.tb_frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in ("scratchgen", "numpy", "numba"):
            return True
        step = step.tb_next
    return False


def _note(who: str, given: tuple[Any, ...], error: Exception) -> str:
    shapes = " and ".join(_described(value) for value in given) or "nothing"
    note = f"{who} was given {shapes}"
    several = any(isinstance(value, np.ndarray) and value.ndim > 2 for value in given)
    if several and str(error).startswith("matmul"):
        note += (
            "; .T reverses all axes of an array, so for sequences and images, join all axes but the last: "
            "x.reshape(-1, x.shape[-1]).T @ dout.reshape(-1, dout.shape[-1])"
        )
    return note


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else type(value).__name__
