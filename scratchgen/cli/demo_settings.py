"""The settings of a demo: their defaults, values from the command line, and values for a shorter run."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# What a whole number among the settings of a demo is. A name may have a prefix, as in dense_shown.
TRAINING = ("shown", "updates", "rounds", "epochs")     # how long a model is trained
MEASURED = (                                            # how much is generated, measured or simulated
    "points", "draws", "simulations", "tested", "samples", "pairs", "generated", "frames", "count", "moved",
    "cells", "searched", "steps", "codes", "chains", "chain", "repeats", "largest", "bounded", "tests",
)  # fmt: skip
KEPT = (                                                # what a shorter run does not change
    "seed", "seeds", "hidden", "width", "orderings", "characters", "written", "measured", "sequences",
    "examples",
)  # fmt: skip
LEAST_MEASURED = 0.25   # the share of MEASURED that even the shortest run keeps


def shortened(defaults: Mapping[str, Any], share: float) -> dict[str, Any]:
    """The settings that change in a run with `share` of the usual training, by name.

    Training is shortened to `share` of its length. What is measured is reduced by as much, but not below a
    quarter, so that tables and figures still say something.
    """
    found = {}
    for name, value in defaults.items():
        kind = name.rpartition("_")[2]
        if share < 1 and type(value) is int and value > 0 and kind not in KEPT:
            least = 0.0 if kind in TRAINING else LEAST_MEASURED
            found[name] = max(1, round(value * max(share, least)))
    return {name: value for name, value in found.items() if value != defaults[name]}


def settings_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The settings of a demo with their defaults: every argument of main after `out`."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def parse_settings(function: Callable[..., Any], given: Sequence[str]) -> dict[str, Any]:
    """Settings from words such as epochs=3, each with the type of its default.

    Raises ValueError for a word without "=", an unknown setting, and a value of another type.
    """
    from scratchgen.checks import check_name

    defaults = settings_of(function)
    settings = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--set expected KEY=VALUE, got {word!r}")
        settings[key] = parse_value(key, value, defaults[check_name("setting", key, defaults)])
    return settings


def parse_value(key: str, text: str, default: Any) -> Any:
    """The text as a value of the type of the default: 3, 1e-3, True, (2, 10) or 2,10, or plain text.

    Raises ValueError for a value of another type, a negative seed, and a count below 1 (below 0 if its
    default is 0).
    """
    if isinstance(default, str | Path):
        return type(default)(text)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, tuple | list):
        value = type(default)(value if isinstance(value, tuple | list) else (value,))
        right = not any(isinstance(v, str) for v in value) or any(isinstance(v, str) for v in default)
    elif isinstance(default, float):
        right = isinstance(value, int | float) and not isinstance(value, bool)
        value = float(value) if right else value
    else:
        right = default is None or type(value) is type(default)
    if not right:
        raise ValueError(f"{key} expected a value like {default!r}, got {text!r}")
    least = 0 if key == "seed" or default == 0 else 1       # other whole numbers are counts
    if type(value) is int and value < least:
        raise ValueError(f"{key} expected a whole number of at least {least}, got {text!r}")
    return value
