"""The digits of a study, which each of its workers loads for itself."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.studies.own_digits import digits_of
from scratchgen.studies.workers import BuiltOnce
from scratchgen.training.model_files import load, save


def shared_digits(digits: Digits, data: str, size: str = "full") -> BuiltOnce:
    """The digits that `digits_of(data, size)` has loaded, for tasks that run on workers.

    A worker needs the data at the same path. It raises ValueError if it loads other digits.
    """
    path = os.path.abspath(data) if os.path.exists(data) else data      # it may also be a name
    return BuiltOnce(digits, same_digits, path, size, fingerprint(digits))


def shared_metrics(make: Callable[[Digits, Any], Any], digits: BuiltOnce, classifier: Any) -> BuiltOnce:
    """What `make` builds from the digits and from a trained classifier, which is sent to the workers.

    make : function (digits, classifier) of a module
    """
    return BuiltOnce(make(digits.value, classifier), _metrics, make, digits.args, _packed(classifier))


def fingerprint(digits: Digits) -> int:
    """A number that differs, almost certainly, between different digits."""
    found = 0
    for array in (digits.x_train, digits.y_train, digits.x_test, digits.y_test):
        found = zlib.crc32(np.ascontiguousarray(array).data, found)
    return found


def same_digits(data: str, size: str, expected: int) -> Digits:
    """Load digits. Raises ValueError if their fingerprint is another one."""
    digits = digits_of(data, size)
    if fingerprint(digits) != expected:
        raise ValueError(
            f"a worker expected the digits of the study, but has loaded others: {digits.source}; give all "
            "machines the same data"
        )
    return digits


def _metrics(make: Callable[[Digits, Any], Any], digits: tuple, classifier: bytes) -> Any:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.safetensors"
        path.write_bytes(classifier)
        return make(same_digits(*digits), load(path))


def _packed(model: Any) -> bytes:
    """A model as the bytes of its file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.safetensors"
        save(model, path)
        return path.read_bytes()
