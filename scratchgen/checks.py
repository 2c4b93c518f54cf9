"""Checks of arguments: names, counts, random generators, labels and data."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.array_hints import array_hint, shape_hint

Array = np.ndarray
MISREAD = (np.ma.MaskedArray, np.matrix)    # arrays that need other rules than np.ndarray
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))   # the dtypes of layers, in native byte order
RENUMBER = "for example with names, y = np.unique(y, return_inverse=True)"


def check_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is one of `known`.

    what : the kind of name, for the message

    Raises ValueError otherwise. The message has the most similar name, if there is one (ignoring case), and
    all known names: "unknown demo 'compres'; did you mean 'compress'? Known names: compress, latent".
    """
    known = list(known)
    if name in known:
        return name
    spelling = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), spelling, n=1)
    hint = f"; did you mean {spelling[near[0]]!r}?" if near else "."
    raise ValueError(f"unknown {what} {name!r}{hint} Known names: {', '.join(known) or 'none'}")


def expect_int(who: str, name: str, number: Any) -> int:
    """Return an argument that must be an integer. Raises TypeError for others, including True and False."""
    if isinstance(number, bool | np.bool_):
        raise TypeError(f"{who} expected {name} to be an int, got {number!r}")
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{who} expected {name} to be an int, got {number!r}") from None


def expect_count(who: str, name: str, count: Any, least: int = 1) -> int:
    """Return an argument that must be an integer of at least `least`.

    Raises TypeError for a count that is not an integer, ValueError for a smaller one.
    """
    number = expect_int(who, name, count)
    if number < least:
        raise ValueError(f"{who} expected {name} of at least {least}, got {count!r}")
    return number


def positive(who: str, **counts: Any) -> None:
    """Check that counts (of channels, features, ...) are integers of at least 1, as expect_count does."""
    for name, count in counts.items():
        expect_count(who, name, count)


def expect_number(
    who: str,
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> None:
    """Check that an argument is a finite number, with least <= value <= most or above < value < below.

    Raises TypeError for anything but a number (True and False are not numbers), and ValueError for a number
    outside the limits.
    """
    if (least is None and above is None) or (most is None and below is None):
        bounds = {">=": least, ">": above, "<=": most, "<": below}
        given = "".join(f" {sign} {bound:g}" for sign, bound in bounds.items() if bound is not None)
        message = f"{who} expected {name} to be a finite number{given}"
    else:
        low = f"[{least:g}" if above is None else f"({above:g}"
        high = f"{most:g}]" if below is None else f"{below:g})"
        message = f"{who} expected {name} to be a number in {low}, {high}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{message}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:       # an int above 1e308
        number = math.inf
    holds = (
        (least is None or number >= least)
        and (above is None or number > above)
        and (most is None or number <= most)
        and (below is None or number < below)
    )
    if not (holds and math.isfinite(number)):
        raise ValueError(f"{message}, got {value}")


def as_number(who: str, name: str, value: Any) -> float:
    """Return what a function of the user has returned as a float. Raises TypeError if it is not a number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{who} expected {name} to be a number, got {type(value).__name__}") from None


def expect_flags(who: str, **flags: Any) -> None:
    """Raise TypeError unless all arguments are True or False."""
    for name, flag in flags.items():
        if not isinstance(flag, bool | np.bool_):
            raise TypeError(f"{who} expected {name} to be True or False, got {flag!r}")


def expect_function(who: str, name: str, function: Any) -> None:
    """Raise TypeError for an argument that cannot be called."""
    if not callable(function):
        raise TypeError(f"{who} expected {name} to be a function, got {function!r}")


def float_dtype(who: str, dtype: DTypeLike) -> np.dtype:
    """Return `dtype` as a NumPy dtype; raise TypeError unless it is float32 or float64."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if dtype is None or found is None or found not in FLOATS:   # np.dtype(None) is float64
        got = repr(dtype) if dtype is None or found is None else found
        raise TypeError(f"{who} expected dtype float32 or float64, got {got}")
    return found


def as_generator(who: str, rng: Any) -> np.random.Generator:
    """Return a random generator: `rng` itself, or ``numpy.random.default_rng(rng)`` for an integer seed.

    Raises TypeError for None, a bool and every other type, and ValueError for a negative seed. The message
    begins with `who`, the name of the caller.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool | np.bool_) or not isinstance(rng, int | np.integer):
        got = "None" if rng is None else f"{type(rng).__name__} {rng!r}"
        raise TypeError(f"{who} expected rng to be a numpy.random.Generator or an integer seed, got {got}")
    if rng < 0:
        raise ValueError(f"{who} expected rng to be a seed of at least 0, got {rng}")
    return np.random.default_rng(int(rng))


def expect_labels(who: str, y: Any, n: int, classes: int | None = None) -> Array:
    """Return labels y as an array (n,) of non-negative integers, in native byte order.

    n : the number of examples
    classes : the number of classes; if given, labels must be below it

    Raises ValueError for missing labels, for a number of labels other than n and for labels out of range,
    TypeError for labels that are not integers.
    """
    if y is None:
        raise ValueError(f"{who} expected labels y, one per example, got none")
    if isinstance(y, np.ma.MaskedArray):
        raise TypeError(f"{who} expected labels y, got {describe(y)}")
    y = np.asarray(y)
    if y.shape != (n,):
        hint = "; pass y.ravel()" if y.shape == (n, 1) else ""
        if y.ndim == 2 and y.shape[1] > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all():
            hint = "; pass y.argmax(axis=1)"        # one-hot rows
        raise ValueError(f"{who} expected {n} integer labels, one per example, got shape {y.shape}{hint}")
    if y.dtype.kind not in "iu":
        hint = f"number the classes, {RENUMBER}"
        raise TypeError(f"{who} expected integer labels, got dtype {y.dtype}; {hint}")
    limit = np.inf if classes is None else classes - 1
    if n and (y.min() < 0 or y.max() > limit):
        wanted = "of at least 0" if classes is None else f"in 0..{classes - 1}"
        from_one = y.min() > 0 and y.max() == classes
        hint = "pass y - 1" if from_one else f"number the classes that occur from 0, {RENUMBER}"
        raise ValueError(f"{who} expected labels {wanted}, got {y.min()}..{y.max()}; {hint}")
    return y.astype(y.dtype.newbyteorder("="), copy=False)


def is_plain_array(x: Any) -> bool:
    """Whether x is a NumPy array, but neither a masked array nor a matrix.

    The mask of a masked array would be ignored, and a matrix has other rules for products and axes.
    """
    return type(x) is np.ndarray or (isinstance(x, np.ndarray) and not isinstance(x, MISREAD))


def describe(x: Any) -> str:
    """What x is, for the end of a message: "dtype int64", "a masked array; fill it with x.filled(...)"."""
    if isinstance(x, np.ma.MaskedArray):
        return "a masked array, whose mask would be ignored; pass x.filled(value) or x.compressed()"
    if isinstance(x, np.matrix):
        return "a matrix; pass np.asarray(x)"
    if isinstance(x, np.ndarray):
        return f"dtype {x.dtype}"
    return type(x).__name__


def expect_float(who: str, x: Any) -> None:
    """Raise TypeError unless x is an array of float32 or float64."""
    if not is_plain_array(x) or x.dtype not in FLOATS:
        got = f"{describe(x)}{array_hint(x)}"
        raise TypeError(f"{who} expected an array of float32 or float64, got {got}")


def expect_pair(who: str, pred: Any, target: Any) -> None:
    """Check the two arrays of a loss: same shape, same dtype (float32 or float64), at least one example.

    Raises TypeError for other types and dtypes, ValueError for other shapes.
    """
    expect_float(who, pred)
    if not is_plain_array(target) or target.dtype != pred.dtype:
        raise TypeError(
            f"{who} expected a target of dtype {pred.dtype}, as the prediction has, got {describe(target)}"
        )
    if pred.shape != target.shape:
        raise ValueError(f"{who} expected two arrays of the same shape, got {pred.shape} and {target.shape}")
    if pred.ndim < 1 or len(pred) == 0:
        raise ValueError(f"{who} expected a batch of at least one example, got shape {pred.shape}")


def expect_within(who: str, name: str, a: Array, low: float, high: float) -> None:
    """Raise ValueError unless all entries are within [low, high]. NaN is not."""
    if a.size and not (a.min() >= low and a.max() <= high):
        raise ValueError(f"{who} expected {name} within [{low}, {high}], got {a.min():g} to {a.max():g}")


def expect_logits_and_labels(who: str, logits: Any, labels: Any) -> Array:
    """Check logits (N, K) with N ≥ 1 and their labels; return the labels as `expect_labels` does."""
    expect_float(who, logits)
    if logits.ndim != 2 or logits.shape[0] == 0:
        raise ValueError(f"{who} expected logits (N, K) with N ≥ 1, got {logits.shape}")
    return expect_labels(who, labels, *logits.shape)


def expect_examples(
    who: str,
    X: np.ndarray,
    *,
    features: int | None = None,
    low: float | None = None,
    high: float | None = None,
    least: int = 1,
    hint: str = "",
) -> None:
    """Check data given to a model: (N, features) floats, finite, N ≥ least, within [low, high].

    hint : what else to do about values outside the range, for the end of the message

    Raises TypeError if X is not an array of float32 or float64, and ValueError if another condition fails.
    The message says what was expected and what was given.
    """
    expect_float(who, X)
    wanted = f"(N, {features})" if features is not None else "(N, D)"
    if X.ndim != 2 or (features is not None and X.shape[1] != features):
        raise ValueError(f"{who} expected data of shape {wanted}, got {X.shape}{shape_hint(X, features)}")
    if len(X) < least:
        examples = "example" if least == 1 else "examples"
        raise ValueError(f"{who} expected at least {least} {examples}, got {len(X)}")
    smallest, largest = X.min(), X.max()  # both are NaN if there is one
    if not (np.isfinite(smallest) and np.isfinite(largest)):
        row = np.argwhere(~np.isfinite(X))[0, 0]
        raise ValueError(f"{who} expected finite numbers, got NaN or infinity (first in row {row})")
    if (low is not None and smallest < low) or (high is not None and largest > high):
        raise ValueError(
            f"{who} expected values within [{low:g}, {high:g}], got {smallest:g} to {largest:g}; "
            f"scale the data to this range{hint}"
        )


def expect_rows(who: str, x: Any, *, features: int, dtype: Any) -> None:
    """Check the shape (N, features) and the dtype of a batch. The values are not checked.

    Raises TypeError for another dtype, ValueError for another shape.
    """
    if not is_plain_array(x) or x.dtype != dtype:
        hint = array_hint(x, dtype)
        if is_plain_array(x) and x.dtype in FLOATS:
            hint += f", or build the model with dtype=np.{x.dtype}"
        raise TypeError(f"{who} expected an array of dtype {dtype}, got {describe(x)}{hint}")
    if x.ndim != 2 or x.shape[1] != features:
        hint = shape_hint(x, features)
        raise ValueError(f"{who} expected data of shape (N, {features}), got {x.shape}{hint}")


def expect_no_labels(who: str, y: Any, hint: str = "the model does not use them") -> None:
    """Raise ValueError for labels that a model cannot use."""
    if y is not None:
        raise ValueError(f"{who} expected no labels y: {hint}")


def as_image_shape(who: str, shape: Any) -> tuple[int, int, int]:
    """Return an image shape (H, W, C) as a tuple of ints. Raises ValueError for any other shape."""
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise ValueError(f"{who} expected shape (H, W, C), got {shape!r}")
    for name, size in zip(("height", "width", "channels"), shape, strict=True):
        expect_count(who, f"the {name} in shape", size)
    return int(shape[0]), int(shape[1]), int(shape[2])


def expect_binary(
    who: str, X: Any, *, features: int | None = None, hint: str = "", range_hint: str = ""
) -> None:
    """Check that X (N, features) is an array of float32 or float64 that contains only zeros and ones.

    hint, range_hint : added to the message for values between 0 and 1, and for values outside

    Raises TypeError for another type or dtype, ValueError for another shape or other values.
    """
    expect_examples(who, X, features=features, low=0, high=1, hint=range_hint)
    if np.any((X != 0) & (X != 1)):
        raise ValueError(
            f"{who} expected pixels that are exactly 0 or 1, but some are in between. "
            f"Binarise them with data.binarise(X, rng=rng){hint}"
        )


def one_hot(y: np.ndarray, classes: int, dtype: Any = np.float64) -> np.ndarray:
    """Return the one-hot rows (N, classes) of labels y (N,): 1 in the column of the label, 0 elsewhere."""
    out = np.zeros((len(y), classes), dtype)
    out[np.arange(len(y)), y] = 1
    return out


def wrong_dtype(who: str, given: np.dtype, own: np.dtype | None) -> str:
    """The message for an input of the wrong dtype, with what to do.

    own : the dtype of the parameters of the layer, or None if it has none
    """
    if own is None:
        return f"{who} expected dtype float32 or float64, got {given}; pass x.astype(np.float32)"
    cast = f"{who} expected dtype {own}, got {given}; pass x.astype(np.{own})"
    return f"{cast}, or build the layer with dtype=np.{given}" if given in FLOATS else cast
