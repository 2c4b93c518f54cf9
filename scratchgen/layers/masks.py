"""Masks of coupling layers: which entries are kept and which are changed.

A mask is named after the entries that are kept:

    "even", "odd"      every second entry of the last axis                                  (Dinh et al. 2014)
    "first", "second"  one half of the last axis: of features, or of an image's channels    (Dinh et al. 2017)
    "dark", "light"    one colour of a checkerboard over the pixels of an image (N, H, W, C)    (the same)
"""

from __future__ import annotations

import numpy as np

from scratchgen.checks import Array


class Strided:
    """Two slices of the last axis. If its size is odd, "even" and "first" are one entry wider."""

    def __init__(self, kept: int, *, interleaved: bool):
        self.kept, self.interleaved = kept, interleaved

    def widths(self, features: int) -> tuple[int, int]:
        """(number of kept features, number of changed features)."""
        sizes = (features - features // 2, features // 2)
        return sizes[self.kept], sizes[1 - self.kept]

    def split(self, who: str, x: Array) -> tuple[Array, Array]:
        """Return (kept, moved), contiguous. Raises ValueError for fewer than two features."""
        if x.ndim < 2 or x.shape[-1] < 2:
            raise ValueError(f"{who} expected a last axis of two or more entries, got shape {x.shape}")
        half = x.shape[-1] - x.shape[-1] // 2
        parts = (x[..., 0::2], x[..., 1::2]) if self.interleaved else (x[..., :half], x[..., half:])
        return np.ascontiguousarray(parts[self.kept]), np.ascontiguousarray(parts[1 - self.kept])

    def merge(self, kept: Array, moved: Array) -> Array:
        """Return the x for which `split` returns (kept, moved)."""
        parts = (kept, moved) if self.kept == 0 else (moved, kept)
        if not self.interleaved:
            return np.concatenate(parts, axis=-1)
        x = np.zeros((*kept.shape[:-1], kept.shape[-1] + moved.shape[-1]), kept.dtype)
        x[..., 0::2], x[..., 1::2] = parts
        return x

    def of_moved(self, a: Array) -> Array:
        """Return `a` itself, since it has entries only for the changed part."""
        return a


class Checkerboard:
    """The two colours of a checkerboard over the pixels. Each part is a full image, zero at the other colour.

    So a convolution can be applied to the kept pixels, which stay at their positions.
    """

    def __init__(self, kept: int):
        self.kept = kept

    def split(self, who: str, x: Array) -> tuple[Array, Array]:
        """Return (kept, moved). Raises ValueError if x is not a batch of images."""
        if x.ndim != 4:
            raise ValueError(f"{who} with a checkerboard mask expected images (N, H, W, C), got {x.shape}")
        is_moved = self._is_moved(x)
        return np.where(is_moved, x.dtype.type(0), x), np.where(is_moved, x, x.dtype.type(0))

    def merge(self, kept: Array, moved: Array) -> Array:
        """Return the x for which `split` returns (kept, moved)."""
        return np.where(self._is_moved(kept), moved, kept)

    def of_moved(self, a: Array) -> Array:
        """Return `a` with zeros at the kept pixels."""
        return np.where(self._is_moved(a), a, a.dtype.type(0))

    def _is_moved(self, a: Array) -> Array:
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
