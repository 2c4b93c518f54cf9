"""Checks of the arguments of models: counts, numbers, choices, widths, shapes, networks, settings of a run.

Every function returns the value that it checked, in the form that models use. For any other value, it raises
TypeError or ValueError. The message is one line that begins with `who`, the constructor or method that the
user called, and names the argument. `count` is checks.expect_count.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, cast

import numpy as np

from scratchgen.checks import expect_count as count
from scratchgen.checks import expect_flags, expect_function, float_dtype
from scratchgen.layers import Activation, Layer
from scratchgen.training.loop import Callback

Method = TypeVar("Method", bound=Callable[..., Any])
# How the required arguments of `fit` appear in the example of a message.
EXAMPLES = {"epochs": "epochs=10", "rng": "rng=0"}
# Names that other libraries use for the settings of `fit`.
SYNONYMS = {
    "learning_rate": "lr", "random_state": "rng", "seed": "rng", "n_epochs": "epochs", "max_iter": "epochs",
    "clip_grad_norm": "clip", "clipnorm": "clip", "clipvalue": "clip_value", "opt": "optimizer",
    "verbose": "callbacks", "progress": "callbacks", "weight_decay": "optimizer",
}  # fmt: skip
LARGEST = float(np.finfo(np.float32).max)


def finite(
    who: str,
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    hint: str = "",
) -> float:
    """A finite number with least <= value <= most, or above < value < below, in the range of float32."""
    bounds = {">=": least, ">": above, "<=": most, "<": below}
    limits = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds.items() if bound is not None)
    wanted = f"{who} expected a finite {name}{f' {limits}' if limits else ''}{hint}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{wanted}, got {value!r}")
    inside = {
        ">=": least is None or value >= least,
        ">": above is None or value > above,
        "<=": most is None or value <= most,
        "<": below is None or value < below,
    }
    if not (-LARGEST <= value <= LARGEST and all(inside.values())):
        raise ValueError(f"{wanted}, got {value!r}")
    return float(value)


def choice(who: str, name: str, value: Any, known: Collection[str]) -> str:
    """One of the known names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{who} expected {name} to be one of {', '.join(known)}, got {value!r}")
    return value


def flag(who: str, name: str, value: Any) -> bool:
    """True or False."""
    expect_flags(who, **{name: value})
    return bool(value)


def widths(who: str, name: str, value: Any) -> tuple[int, ...]:
    """The widths of layers: a sequence of ints of at least 1, or an int for one layer; 0 means no layer."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        value = () if value == 0 else (value,)
    return tuple(count(who, name, width) for width in _sequence(who, name, value, "a sequence of widths"))


def channels(who: str, value: Any, layers: int) -> tuple[int, ...]:
    """The numbers of channels of the convolutions, a sequence of `layers` ints of at least 1."""
    wanted = f"a sequence of {layers} numbers of channels"
    found = tuple(count(who, "channels", c) for c in _sequence(who, "channels", value, wanted))
    if len(found) != layers:
        raise ValueError(f"{who} expected channels to be {wanted}, got {value!r}")
    return found


def image_shape(who: str, value: Any, least: int = 1) -> tuple[int, int, int]:
    """The shape (H, W, C) of images, with H and W of at least `least`."""
    sizes = _sequence(who, "shape", value, "(H, W, C)")
    if len(sizes) != 3:
        hint = f"; for images with one channel, it is {(*sizes, 1)}" if len(sizes) == 2 else ""
        raise ValueError(f"{who} expected shape to be (H, W, C), got {value!r}{hint}")
    height, width, depth = (
        count(f"{who} with shape {value!r}", name, size)
        for name, size in zip(("H", "W", "C"), sizes, strict=True)
    )
    if min(height, width) < least:
        raise ValueError(f"{who} expected shape (H, W, C) with H and W of at least {least}, got {value!r}")
    return height, width, depth


def value_range(who: str, value: Any) -> tuple[float, float] | None:
    """The range (low, high) of a network's output, or None."""
    if value is None:
        return None
    wanted = "output_range to be (low, high) with low < high, or None"
    bounds = _sequence(who, "output_range", value, "a pair (low, high), or None")
    if len(bounds) != 2:
        raise ValueError(f"{who} expected {wanted}, got {value!r}")
    low, high = bounds
    if not finite(who, "output_range", low) < finite(who, "output_range", high):
        raise ValueError(f"{who} expected {wanted}, got {value!r}")
    return low, high


def layer(who: str, name: str, value: Any) -> Layer:
    """A layer or a network."""
    if not isinstance(value, Layer):
        got = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
        raise TypeError(f"{who} expected {name} to be a layer, such as a Sequential, got {got}")
    return value


def activation_class(who: str, value: Any) -> type[Activation]:
    """The class of an activation, such as SiLU. It is called once for each place in the network."""
    if not (isinstance(value, type) and issubclass(value, Activation)):
        raise TypeError(f"{who} expected activation to be a class such as SiLU, got {value!r}")
    return value


def function(who: str, name: str, value: Any) -> Any:
    """A function or another callable object."""
    expect_function(who, name, value)
    return value


def as_dtype(who: str, value: Any) -> np.dtype:
    """float32 or float64, as a NumPy dtype."""
    try:
        return float_dtype(who, value if value is not None else object)
    except TypeError:
        raise TypeError(f"{who} expected dtype to be float32 or float64, got {value!r}") from None


def expect_run(
    who: str,
    *,
    epochs: Any,
    batch_size: Any,
    examples: int,
    drop_last: Any,
    augment: Any,
    callbacks: Any,
    validate: Any,
    warm_start: Any,
    clip: Any = None,
    clip_value: Any = None,
) -> None:
    """Check the settings of `fit` that all models share."""
    count(who, "epochs", epochs, least=0)
    count(who, "batch_size", batch_size)
    flag(who, "drop_last", drop_last)
    flag(who, "warm_start", warm_start)
    for name, limit in (("clip", clip), ("clip_value", clip_value)):
        if limit is not None:
            finite(who, name, limit, above=0)
    if clip is not None and clip_value is not None:
        raise ValueError(f"{who} expected clip, for the norm, or clip_value, for each number, got both")
    if drop_last and batch_size > examples:
        raise ValueError(
            f"{who} expected batch_size of at most {examples} with drop_last, the number of examples, "
            f"got {batch_size}"
        )
    for name, f in (("augment", augment), ("validate", validate)):
        if f is not None:
            function(who, name, f)
    for callback in _sequence(who, "callbacks", callbacks, "a sequence of callbacks"):
        if not isinstance(callback, Callback):
            name = callback.__name__ if isinstance(callback, type) else ""
            got = f"the class {name}; pass {name}(...)" if name else repr(callback)
            raise TypeError(f"{who} expected callbacks to be instances of Callback, got {got}")


def named_settings(method: Method) -> Method:
    """Let `fit` or `trainer` raise a TypeError that names the model for a call with the wrong arguments.

    Python's own message names the class that defines the method, such as Model, and gives no example.
    """
    parameters = inspect.signature(method).parameters.values()
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return method
    data = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][1:]     # without self
    names = [*data, *(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)]
    required = [p.name for p in parameters if p.default is p.empty][1:]
    example = ", ".join(EXAMPLES.get(name, name) for name in required)

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **settings: Any) -> Any:
        who = f"{type(self).__name__}.{method.__name__}"
        if len(args) > len(data):
            raise TypeError(
                f"{who} expected {' and '.join(data)}, and all settings by name, such as epochs=10, "
                f"got {len(args)} arguments without a name"
            )
        unknown = next((name for name in settings if name not in names), None)
        if unknown is not None:
            near = [SYNONYMS.get(unknown), *get_close_matches(unknown, names, n=1)]
            hint = next((f"; did you mean {name}?" for name in near if name in names), "")
            raise TypeError(f"{who} expected settings among {', '.join(names)}, got {unknown}{hint}")
        missing = [name for name in required if name not in settings and name not in data[: len(args)]]
        if missing:
            values = " and ".join(missing)
            raise TypeError(f"{who} expected {values}, got none; for example {method.__name__}({example})")
        return method(self, *args, **settings)

    return cast(Method, checked)


def learning_rate(who: str, name: str, value: Any) -> Any:
    """A finite number >= 0, or a function of the fraction of training completed."""
    return value if callable(value) and not isinstance(value, type) else finite(who, name, value, least=0)


def expect_betas(who: str, value: Any) -> None:
    """The decay rates of Adam, two numbers in [0, 1)."""
    betas = _sequence(who, "betas", value, "a pair of numbers in [0, 1)")
    if len(betas) != 2:
        raise ValueError(f"{who} expected betas to be a pair of numbers in [0, 1), got {value!r}")
    for beta in betas:
        finite(who, "betas", beta, least=0, below=1)


def one_or_more(who: str, name: str, value: Any) -> Sequence[Any]:
    """A sequence that is not empty."""
    found = _sequence(who, name, value, "a sequence of one or more values")
    if not found:
        raise ValueError(f"{who} expected {name} to be a sequence of one or more values, got none")
    return found


def _sequence(who: str, name: str, value: Any, wanted: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple | range | np.ndarray) or (
        isinstance(value, np.ndarray) and value.ndim != 1
    ):
        raise TypeError(f"{who} expected {name} to be {wanted}, got {value!r}")
    return tuple(value)
