"""Data at the entry of a model: numbers of other types are cast, with a warning, and then checked."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from scratchgen.checks import FLOATS, expect_examples, is_plain_array
from scratchgen.training.earlier import level_of_caller


class CastData(UserWarning):
    """The data of a call had another dtype than the model and were cast to that of the model."""


def as_examples(who: str, X: Any, dtype: Any = None, **expected: Any) -> np.ndarray:
    """X (N, D) in the dtype of a model, checked.

    dtype : as for `cast`, with its errors and its warning;  expected : features, low, high and others, as for
        `expect_examples`, with its errors
    """
    found = _converted(who, X, dtype)
    expect_examples(who, found, **expected)
    _warn_of_cast(who, X, found)
    return found


def cast(who: str, X: Any, dtype: Any = None) -> Any:
    """An array of numbers in the given dtype, with the warning CastData if it had another.

    dtype : that of the model; None for a model that takes both float32 and float64, for which integers become
        float64

    Anything but an array of integers or floats is returned as it is, for the check that refuses it. Raises
    ValueError for finite numbers beyond the range of the dtype.
    """
    found = _converted(who, X, dtype)
    _warn_of_cast(who, X, found)
    return found


def cast_to_integers(who: str, X: Any) -> Any:
    """An array of floats that are whole numbers as int64, with the warning CastData; others as they are."""
    if not is_plain_array(X) or X.dtype.kind != "f" or not (np.trunc(X) == X).all() or np.isinf(X).any():
        return X
    found = X.astype(np.int64)
    warnings.warn(
        f"{who} casts data of {X.dtype} to int64. To avoid this warning, pass X.astype(np.int64)",
        CastData,
        stacklevel=level_of_caller(),
    )
    return found


def expect_weights(who: str, sample_weight: Any, n: int) -> np.ndarray:
    """Return the weights of n examples, (n,) of float64.

    Raises TypeError for weights that are not numbers, ValueError for weights that are negative or not finite.
    """
    weights = np.asarray(sample_weight)
    if weights.dtype.kind not in "biuf":
        raise TypeError(f"{who} expected sample_weight to be numbers, got dtype {weights.dtype}")
    if weights.shape != (n,):
        raise ValueError(f"{who} expected sample_weight of shape ({n},), got {weights.shape}")
    weights = weights.astype(np.float64)
    if not (weights.min() >= 0 and np.isfinite(weights.sum())):
        raise ValueError(
            f"{who} expected a finite sample_weight >= 0, got {weights.min():g} to {weights.max():g}"
        )
    if not weights.any():
        raise ValueError(f"{who} expected a sample_weight above zero, got only zeros")
    return weights


def _converted(who: str, X: Any, dtype: Any) -> Any:
    if not is_plain_array(X) or X.dtype.kind not in "iuf":
        return X
    if dtype is None:
        dtype = X.dtype if X.dtype in FLOATS else np.dtype(np.float64)
    if X.dtype == dtype:
        return X
    with np.errstate(over="ignore"):
        found = X.astype(dtype)
    if (np.isfinite(found) != np.isfinite(X)).any():
        raise ValueError(
            f"{who} expected numbers within the range of {dtype}, got {X.min():g} to {X.max():g}; "
            "change the unit of the data"
        )
    return found


def _warn_of_cast(who: str, X: Any, found: Any) -> None:
    if found is X:
        return
    model = f", or build the model with dtype=np.{X.dtype}" if X.dtype in FLOATS else ""
    warnings.warn(
        f"{who} casts data of {X.dtype} to {found.dtype}. To avoid this warning, pass "
        f"X.astype(np.{found.dtype}){model}",
        CastData,
        stacklevel=level_of_caller(),
    )
