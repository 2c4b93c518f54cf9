"""The `grad` attribute of a Parameter, whose zeros are written only when it is read."""

from __future__ import annotations

from typing import Any, overload

import numpy as np


class Gradient:
    """An array attribute for which setting it to zero costs nothing until the next use.

    `set_zero` only marks the array as zero. The zeros are written when the attribute is read, and what `add`
    is given is written over the old numbers instead. (One step of the autoencoder 784-1000-500-250-30 at
    batch size 128 on two threads: 9.3 ms with zeros written and added to, 8.7 ms this way.)
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
        """The array as it is in memory: if it is marked as zero, it holds old numbers."""
        array: np.ndarray = getattr(instance, self.array)
        return array

    def set_zero(self, instance: object) -> None:
        """Mark the array as zero."""
        setattr(instance, self.is_zero, True)

    def write_zeros(self, instance: object) -> None:
        """Write the zeros that `set_zero` left unwritten."""
        if getattr(instance, self.is_zero):
            self.stored(instance)[...] = 0
            setattr(instance, self.is_zero, False)

    def add(self, instance: Any, a: np.ndarray, b: np.ndarray | None) -> None:
        """Add an array of the same shape, or a matrix product a·b, with the array seen as a matrix.

        The matrix has one row for each entry of all axes but the last.
        """
        array = self.stored(instance)
        if not getattr(instance, self.is_zero):
            array += a if b is None else (a @ b).reshape(array.shape)
        elif b is None:
            array[...] = a
        else:
            np.matmul(a, b, out=array.reshape(-1, array.shape[-1]))
        setattr(instance, self.is_zero, False)
