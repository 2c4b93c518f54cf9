"""How a coupling layer divides its input: which entries it keeps as they are, and which it moves.

A mask is named after the entries that are kept:

    "even", "odd"      every second feature, of the last axis                               (Dinh et al. 2014)
    "first", "second"  one half of the last axis: of features, or of an image's channels    (Dinh et al. 2017)
    "dark", "light"    one colour of a checkerboard over the pixels of an image (N, H, W, C)    (the same)
"""

from __future__ import annotations

import numpy as np


class Strided:
    """Two slices of the last axis, of one size: `kept` and `moved` are both half as wide as x."""

    def __init__(self, kept: int, *, interleaved: bool):
        self.kept, self.interleaved = kept, interleaved

    def split(self, who: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(kept, moved), contiguous. Raises ValueError, in the name of `who`, for a last axis of odd size."""
        if x.ndim < 2 or x.shape[-1] % 2:
            raise ValueError(
                f"{who} expected a last axis of even size to split in two, got shape {x.shape}; "
                "leave one feature out, or pad one"
            )
        kept, moved = self._views(x)
        return np.ascontiguousarray(kept), np.ascontiguousarray(moved)

    def merge(self, kept: np.ndarray, moved: np.ndarray) -> np.ndarray:
        x = np.empty((*kept.shape[:-1], 2 * kept.shape[-1]), kept.dtype)
        kept_view, moved_view = self._views(x)
        kept_view[...], moved_view[...] = kept, moved
        return x

    def of_moved(self, a: np.ndarray) -> np.ndarray:
        """`a`, made for the moved entries, with zeros where there are none: here it has none."""
        return a

    def _views(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        half = x.shape[-1] // 2
        pair = (x[..., 0::2], x[..., 1::2]) if self.interleaved else (x[..., :half], x[..., half:])
        return pair[self.kept], pair[1 - self.kept]


class Checkerboard:
    """The two colours of a board over the pixels; both parts stay full images, with zeros at the other.

    So a convolution that reads the kept pixels finds them where they are.
    """

    def __init__(self, kept: int):
        self.kept = kept

    def split(self, who: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(kept, moved). Raises ValueError, in the name of `who`, for what is no batch of images."""
        if x.ndim != 4:
            raise ValueError(f"{who} on a checkerboard expected images of shape (N, H, W, C), got {x.shape}")
        is_moved = self._is_moved(x)
        return np.where(is_moved, x.dtype.type(0), x), np.where(is_moved, x, x.dtype.type(0))

    def merge(self, kept: np.ndarray, moved: np.ndarray) -> np.ndarray:
        return np.where(self._is_moved(kept), moved, kept)

    def of_moved(self, a: np.ndarray) -> np.ndarray:
        """`a` with zeros at the pixels that are kept."""
        return np.where(self._is_moved(a), a, a.dtype.type(0))

    def _is_moved(self, a: np.ndarray) -> np.ndarray:
        rows, columns = np.ogrid[: a.shape[1], : a.shape[2]]
        return ((rows + columns) % 2 != self.kept)[:, :, None]  # (H, W, 1)


MASKS: dict[str, Strided | Checkerboard] = {
    "even": Strided(0, interleaved=True),
    "odd": Strided(1, interleaved=True),
    "first": Strided(0, interleaved=False),
    "second": Strided(1, interleaved=False),
    "dark": Checkerboard(0),
    "light": Checkerboard(1),
}
