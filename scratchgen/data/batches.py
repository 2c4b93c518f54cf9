"""Batches of examples, in an order that is determined by a seed and can be resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from scratchgen.array_hints import array_hint
from scratchgen.checks import as_generator, describe, expect_count, expect_flags, is_plain_array


class Batches:
    """Divide the examples of X (and their y) into batches. One iteration returns each example once: an epoch.

        for x, y in Batches(X, Y, batch_size=128, rng=rng): ...
        for (x,) in Batches(X, batch_size=128, rng=rng): ...
        for x, y, w in Batches(X, Y, weights, batch_size=128, rng=rng): ...

    X (N, ...), y (N, ...), weights (N,); x (batch_size, ...) has X's dtype, is contiguous, and is a new array
    each time, so it may be kept in a cache. If batch_size does not divide N, the last batch is smaller;
    drop_last skips it. `rng`, a Generator or an integer seed, is used once, to seed a separate generator. The
    order of the batches therefore does not depend on other uses of `rng`. With shuffle=False, the examples
    are in the order of X.

    Raises TypeError if X, y or weights is not an array of numbers, batch_size is not an integer, or rng is
    neither a Generator nor an integer. Raises ValueError for no examples, NaN or infinity, arrays of
    different lengths, weights without y, batch_size < 1, and if drop_last would leave no batch.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        *,
        batch_size: int,
        rng: np.random.Generator | int,
        shuffle: bool = True,
        drop_last: bool = False,
    ):
        expect_flags("Batches", shuffle=shuffle, drop_last=drop_last)
        self.X = _checked("X", X)
        self.y = None if y is None else _checked("y", y)
        self.weights = None if weights is None else _checked("weights", weights)
        for name, array in (("y", self.y), ("weights", self.weights)):
            if array is not None and len(array) != len(self.X):
                raise ValueError(
                    f"Batches expected X and {name} of the same length, got {len(self.X)} and {len(array)}"
                )
        if self.y is None and self.weights is not None:
            raise ValueError("Batches expected weights only together with y")
        self.batch_size = expect_count("Batches", "batch_size", batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        if len(self) == 0:
            raise ValueError(
                f"Batches expected batch_size <= {len(self.X)} (the number of examples) with drop_last, "
                f"got {self.batch_size}"
            )
        rng = as_generator("Batches", rng)
        self._rng = np.random.default_rng(rng.integers(2**63, size=2))
        self._epoch_start = self._rng.bit_generator.state
        self._position = 0          # number of batches of this epoch that have been returned
        self._resume_at = 0         # first batch of the next epoch; nonzero only after load_state

    def __len__(self) -> int:
        """The number of batches per epoch."""
        n = len(self.X)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        first, self._resume_at = self._resume_at, 0
        self._epoch_start = self._rng.bit_generator.state
        n = len(self.X)
        order = self._rng.permutation(n) if self.shuffle else np.arange(n)
        for i in range(first, len(self)):
            index = order[i * self.batch_size : (i + 1) * self.batch_size]
            arrays = (array for array in (self.X, self.y, self.weights) if array is not None)
            batch = tuple(np.ascontiguousarray(array[index]) for array in arrays)
            self._position = i + 1
            yield batch
        self._epoch_start = self._rng.bit_generator.state
        self._position = 0

    @cached_property
    def _fingerprint(self) -> str:
        """A checksum of about 1,000 examples, evenly spaced, with the shapes and dtypes of the arrays."""
        digest = hashlib.sha256()
        for array in (self.X, self.y, self.weights):
            if array is not None:
                part = np.ascontiguousarray(array[:: max(1, len(array) // 1000)])
                digest.update(f"{array.shape} {array.dtype.str}".encode() + part.tobytes())
        return digest.hexdigest()[:16]

    def state(self) -> dict[str, Any]:
        """The current position, as a dict that can be stored as JSON.

        After a batch, this is the position after that batch. After the last batch, no batch of the epoch is
        left. After the end of the iteration, it is the start of the next epoch.
        """
        return {
            "generator": self._epoch_start,
            "position": self._position,
            "examples": len(self.X),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "data": self._fingerprint,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the position in `state`: the next iteration returns the rest of its epoch.

        Raises ValueError if the state belongs to batches with other settings or of other data.
        """
        own = self.state()
        state = {"data": own["data"]} | state       # states of earlier versions have no fingerprint
        if set(state) != set(own):
            raise ValueError(f"Batches expected a state with keys {', '.join(own)}, got {', '.join(state)}")
        for key in ("examples", "batch_size", "shuffle", "drop_last"):
            if state[key] != own[key]:
                raise ValueError(
                    f"Batches expected a state with {key} {own[key]}, got {state[key]}; to resume a run, "
                    "pass the same data and settings as at its start"
                )
        if state["data"] != own["data"]:
            raise ValueError(
                "Batches expected a state of the same data, but X or y has other values or rows; to resume a "
                "run, pass the data of its start, in the same order"
            )
        position = state["position"]
        if not isinstance(position, int) or not 0 <= position <= len(self):
            raise ValueError(f"Batches expected a state with a position in 0..{len(self)}, got {position}")
        self._rng.bit_generator.state = state["generator"]
        self._epoch_start = self._rng.bit_generator.state
        self._position = self._resume_at = position


def _checked(name: str, array: np.ndarray) -> np.ndarray:
    if not is_plain_array(array) or array.dtype.kind not in "fiub":
        got = f"{describe(array)}{array_hint(array)}"
        raise TypeError(f"Batches expected {name} to be a NumPy array of numbers, got {got}")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"Batches expected {name} to have at least one example, got shape {array.shape}")
    # Minimum and maximum propagate NaN and infinity, and need no temporary array.
    if array.dtype.kind == "f" and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        row = np.argwhere(~np.isfinite(array))[0, 0]
        raise ValueError(f"Batches expected {name} to be finite, got NaN or infinity (first in row {row})")
    return array
