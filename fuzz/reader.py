"""The parts of a reader to fuzz, and comparisons for the checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Reader:
    """A reader to fuzz.

    seeds  : valid files
    read   : calls the reader
    check  : compares its result with the bytes of the file
    inside : pairs (unpack, pack): unpack(file) returns content that can be changed, and pack(content, file)
             returns the file with this content
    """

    seeds: tuple[bytes, ...]
    read: Callable[[Path], Any]
    check: Callable[[Any, bytes], None]
    inside: tuple[tuple[Callable[[bytes], bytes], Callable[[bytes, bytes], bytes]], ...] = ()


def expect(condition: bool, message: str) -> None:
    """Report a defect: the reader accepted a file and returned something that differs from its content."""
    if not condition:
        raise AssertionError(message)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays have the same shape, dtype and bytes."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
