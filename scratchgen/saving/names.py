"""The names of the classes and functions that a file may contain.

A file names a class of the library as "scratchgen.Linear", and any other class as "MyLayer". Classes of the
library are found in the modules that define layers, models and their components. Types of numbers and
functions such as np.tanh are "python.float", "numpy.float32" and "numpy.tanh". Other classes are known only
if the caller passes them in. So a file can never cause anything else to be constructed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from inspect import isfunction
from typing import Any

import numpy as np

LIBRARY = "scratchgen."
PLACES = ("initializers", "layers", "losses", "models", "data.text", "data.pairs", "training.schedules")


@cache
def library() -> dict[str, Any]:
    """All classes and public functions that are defined in PLACES, and types of numbers, by name."""
    places = tuple(f"{LIBRARY}{place}" for place in PLACES)
    for place in places:
        import_module(place)
    plain = (bool, int, float, complex, str, bytes)
    found: dict[str, Any] = {f"python.{kind.__name__}": kind for kind in plain}
    found |= {f"numpy.{kind.__name__}": kind for kind in np.sctypeDict.values() if kind is not np.object_}
    found |= {f"numpy.{value.__name__}": value for value in vars(np).values() if isinstance(value, np.ufunc)}
    for module_name, module in list(sys.modules.items()):
        inside = any(module_name == place or module_name.startswith(f"{place}.") for place in places)
        if not inside or module_name.endswith(".cases"):        # the cases are only for tests
            continue
        for name, value in vars(module).items():
            is_class = isinstance(value, type) and not issubclass(value, BaseException)
            is_function = isfunction(value) and not name.startswith("_")
            if (is_class or is_function) and value.__module__ == module_name:
                found[f"{LIBRARY}{name}"] = value
    return found


def name_of(value: Any) -> str | None:
    """The name of a class or function in a file; None if it cannot be found by its name, like a lambda."""
    for name in (f"{LIBRARY}{value.__name__}", f"numpy.{value.__name__}", f"python.{value.__name__}"):
        if library().get(name) is value:
            return name
    is_own = not value.__module__.startswith((LIBRARY, "builtins"))
    if is_own and (isinstance(value, type) or (isfunction(value) and "<" not in value.__qualname__)):
        return str(value.__name__)
    return None


def find(name: Any, custom: Sequence[Any]) -> Any:
    """The class or function of that name. Raises ValueError if neither the library nor `custom` has it."""
    known = library() if "." in str(name) else {value.__name__: value for value in custom}
    if not isinstance(name, str) or name not in known:
        shown = str(name)[:80]
        if isinstance(name, str) and name.isidentifier():
            raise ValueError(f"contains {shown}, which is not part of scratchgen: pass custom=[{shown}]")
        raise ValueError(f"contains {shown!r}, which this version of scratchgen does not have")
    return known[name]
