"""The digits of a study, which each of its workers loads for itself."""

from __future__ import annotations

import os
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.studies.workers import BuiltOnce


def shared_digits(load: Callable[[str, bool], Digits], data: str, full: bool) -> BuiltOnce:
    """The digits, for tasks that run on workers.

    load : function (data, full) -> Digits of a module
    data : a path as for load_dataset, or ""; a worker needs it at the same place

    A worker raises ValueError if it loads other digits than this process did.
    """
    digits = load(data, full)
    return BuiltOnce(digits, _same_digits, load, _absolute(data), full, checksum(digits))


def shared_metrics(
    make: Callable[[Digits, Any], Any], digits: BuiltOnce, classifier: Any
) -> BuiltOnce:
    """What `make` builds from the digits and from a trained classifier, which is sent to the workers.

    make : function (digits, classifier) of a module
    """
    return BuiltOnce(make(digits.value, classifier), _metrics, make, digits.args, pickle.dumps(classifier))


def checksum(digits: Digits) -> int:
    """A number that differs, almost certainly, between different digits."""
    found = 0
    for array in (digits.x_train, digits.y_train, digits.x_test, digits.y_test):
        found = zlib.crc32(np.ascontiguousarray(array).data, found)
    return found


def _same_digits(load: Callable[[str, bool], Digits], data: str, full: bool, expected: int) -> Digits:
    digits = load(data, full)
    if checksum(digits) != expected:
        raise ValueError(
            f"a worker expected the digits of the study, but has loaded others: {digits.source}; give all "
            "machines the same data"
        )
    return digits


def _metrics(make: Callable[[Digits, Any], Any], digits: tuple, classifier: bytes) -> Any:
    return make(_same_digits(*digits), pickle.loads(classifier))


def _absolute(data: str) -> str:
    return os.path.abspath(data) if os.path.exists(data) else data      # it may also be a name
