"""Checks of arguments: names, counts, random generators, labels and data."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Array = np.ndarray
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))   # the dtypes of layers, in native byte order


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


def positive(who: str, **counts: int) -> None:
    """Check that counts (of channels, features, ...) are integers of at least 1.

    Raises TypeError for a count that is not an integer, ValueError for one below 1.
    """
    for name, count in counts.items():
        try:
            number = operator.index(count)
        except TypeError:
            raise TypeError(f"{who} expected {name} to be an int, got {count!r}") from None
        if number < 1:
            raise ValueError(f"{who} expected {name} of at least 1, got {count!r}")


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
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(f"{who} expected {n} integer labels, one per example, got shape {y.shape}")
    if y.dtype.kind not in "iu":
        raise TypeError(f"{who} expected integer labels, got dtype {y.dtype}")
    limit = np.inf if classes is None else classes - 1
    if n and (y.min() < 0 or y.max() > limit):
        wanted = "of at least 0" if classes is None else f"in 0..{classes - 1}"
        raise ValueError(f"{who} expected labels {wanted}, got {y.min()}..{y.max()}")
    return y.astype(y.dtype.newbyteorder("="), copy=False)


def expect_float(who: str, x: Any) -> None:
    """Raise TypeError unless x is an array of float32 or float64."""
    if not isinstance(x, np.ndarray) or x.dtype not in FLOATS:
        got = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"{who} expected an array of float32 or float64, got {got}")


def expect_pair(who: str, pred: Any, target: Any) -> None:
    """Check the two arrays of a loss: same shape, same dtype (float32 or float64), at least one example.

    Raises TypeError for other types and dtypes, ValueError for other shapes.
    """
    expect_float(who, pred)
    if not isinstance(target, np.ndarray) or target.dtype != pred.dtype:
        got = f"dtype {target.dtype}" if isinstance(target, np.ndarray) else type(target).__name__
        raise TypeError(f"{who} expected a target of dtype {pred.dtype}, as the prediction has, got {got}")
    if pred.shape != target.shape:
        raise ValueError(f"{who} expected two arrays of the same shape, got {pred.shape} and {target.shape}")
    if pred.ndim < 1 or len(pred) == 0:
        raise ValueError(f"{who} expected a batch of at least one example, got shape {pred.shape}")


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
) -> None:
    """Check data given to a model: (N, features) floats, finite, N ≥ least, within [low, high].

    Raises TypeError if X is not an array of float32 or float64, and ValueError if another condition fails.
    The message says what was expected and what was given.
    """
    if not isinstance(X, np.ndarray) or X.dtype not in (np.float32, np.float64):
        got = f"dtype {X.dtype}" if isinstance(X, np.ndarray) else type(X).__name__
        raise TypeError(f"{who} expected an array of float32 or float64, got {got}")
    wanted = f"(N, {features})" if features is not None else "(N, D)"
    if X.ndim != 2 or (features is not None and X.shape[1] != features):
        raise ValueError(f"{who} expected data of shape {wanted}, got {X.shape}")
    if len(X) < least:
        examples = "example" if least == 1 else "examples"
        raise ValueError(f"{who} expected at least {least} {examples}, got {len(X)}")
    smallest, largest = X.min(), X.max()  # both are NaN if there is one
    if not (np.isfinite(smallest) and np.isfinite(largest)):
        row = np.argwhere(~np.isfinite(X))[0, 0]
        raise ValueError(f"{who} expected finite numbers, got NaN or infinity (first in row {row})")
    if (low is not None and smallest < low) or (high is not None and largest > high):
        raise ValueError(f"{who} expected values within [{low}, {high}], got {smallest:g} to {largest:g}")


def expect_rows(who: str, x: Any, *, features: int, dtype: Any) -> None:
    """Check the shape (N, features) and the dtype of a batch. The values are not checked.

    Raises TypeError for another dtype, ValueError for another shape.
    """
    if not isinstance(x, np.ndarray) or x.dtype != dtype:
        got = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"{who} expected an array of dtype {dtype}, got {got}")
    if x.ndim != 2 or x.shape[1] != features:
        raise ValueError(f"{who} expected data of shape (N, {features}), got {x.shape}")


def expect_no_labels(who: str, y: Any, hint: str = "the model does not use them") -> None:
    """Raise ValueError for labels that a model cannot use."""
    if y is not None:
        raise ValueError(f"{who} expected no labels y: {hint}")


def expect_binary(who: str, X: Any, *, features: int | None = None, hint: str = "") -> None:
    """Check that X (N, features) is an array of float32 or float64 that contains only zeros and ones.

    hint : text that is added to the end of the message

    Raises TypeError for another type or dtype, ValueError for another shape or other values.
    """
    expect_examples(who, X, features=features, low=0, high=1)
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


def returns_pair(forward: Callable[..., Any]) -> Callable[..., tuple[Array, Any]]:
    """Let a layer's forward raise TypeError unless it returns (out, cache).

    Without this check, an array of two rows would be taken for the pair.
    """

    @functools.wraps(forward)
    def checked(self: Any, *args: Any, **kwargs: Any) -> tuple[Array, Any]:
        returned = forward(self, *args, **kwargs)
        if isinstance(returned, tuple) and len(returned) == 2:
            return returned
        if isinstance(returned, np.ndarray):
            got = f"an array of shape {returned.shape}"
        elif isinstance(returned, tuple):
            got = f"a tuple of {len(returned)}"
        else:
            got = "None" if returned is None else f"a {type(returned).__name__}"
        raise TypeError(f"{type(self).__name__}.forward expected to return (out, cache), got {got}")

    return checked
