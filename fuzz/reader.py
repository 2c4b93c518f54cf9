"""What a reader to fuzz consists of, and the comparisons that the checks are made of."""

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
    check  : compares what it returned with what the bytes say
    inside : pairs (unpack, pack): unpack(file) returns content that can be changed, and pack(content, file)
             returns the file with this content
    """

    seeds: tuple[bytes, ...]
    read: Callable[[Path], Any]
    check: Callable[[Any, bytes], None]
    inside: tuple[tuple[Callable[[bytes], bytes], Callable[[bytes, bytes], bytes]], ...] = ()


def expect(condition: bool, message: str) -> None:
    """Report a defect: the reader accepted a file and returned something else than the file says."""
    if not condition:
        raise AssertionError(message)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays have the same shape, dtype and bytes."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
