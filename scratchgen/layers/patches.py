"""Patches of images: what lies under a window at each of its places, as rows of a matrix.

Three walks over them are all that convolutions are made of. In each, every thread walks its own part of the
examples, a few at a time.

    correlate        cols·W            Conv2d forward, ConvTranspose2d's dx
    patch_product    colsᵀ·dout        the weight's gradient of both
    scatter          x·Vᵀ, put back    ConvTranspose2d forward, Conv2d's dx
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scratchgen import kernels
from scratchgen.layers.windows import Window
from scratchgen.runtime import threads

# Patches are made for a few examples at a time, in scratch of this many bytes that stays in the CPU's cache,
# and backward gathers them again. What lost, for Conv2d(64, 128, 4, stride=2, padding=1) on 64 float32 images
# of 14x14, forward and backward on one core, where the three matrix products alone take 22.3 ms and this
# takes 23.5: the whole matrix of patches (12.8 MB), gathered in forward and again in backward, 26.4; gathered
# once and kept in the cache, 30.8, for fresh memory costs more than gathering (0.6). Keeping it wins only
# where images have one channel: Conv2d(1, 64, 4, stride=2, padding=1) on 28x28 takes 1.35 ms, and this 1.6.
SCRATCH_BYTES = 2 << 20


def rows(a: np.ndarray) -> np.ndarray:
    """An image batch as a matrix of pixels, (N·H·W, C)."""
    return a.reshape(-1, a.shape[-1])


def correlate(
    image: np.ndarray, matrix: np.ndarray, window: Window, out: np.ndarray, bias: np.ndarray | None = None
) -> None:
    """out = cols·matrix + bias: image (N, H, W, C), matrix (KH·KW·C, M), bias (M,), out (N, OH, OW, M)."""

    def work(part: slice) -> None:
        for block, cols in gather(image[part], window, out.shape[1:3]):
            np.matmul(cols, matrix, out=rows(out[part][block]))
            if bias is not None:
                out[part][block] += bias

    threads.share(work, len(image), products_enough(out, matrix.size))


def patch_product(image: np.ndarray, dout: np.ndarray, window: Window) -> np.ndarray:
    """colsᵀ·dout, (KH·KW·C, M): image (N, H, W, C), dout (N, OH, OW, M)."""
    shape, size = (window.kernel[0] * window.kernel[1] * image.shape[-1], dout.shape[-1]), dout.shape[1:3]

    def work(part: slice) -> np.ndarray:
        total = None
        for block, cols in gather(image[part], window, size):
            product = cols.T @ rows(dout[part][block])
            total = product if total is None else np.add(total, product, out=total)
        return np.zeros(shape, image.dtype) if total is None else total

    first, *others = threads.share(work, len(image), products_enough(dout, shape[0] * shape[1]))
    for other in others:
        first += other
    return first


def scatter(x: np.ndarray, matrix: np.ndarray, window: Window, image: np.ndarray) -> None:
    """Write x·matrix, patches, back to the places in `image` where they belong, adding where they overlap.

    x (N, OH, OW, M), matrix (M, KH·KW·C), image (N, H, W, C)
    """

    def work(part: slice) -> None:
        for block, scratch in blocks(len(x[part]), window, x.shape[1:3], image):
            patches = scratch.reshape(-1, matrix.shape[1])
            np.matmul(rows(x[part][block]), matrix, out=patches)                        # (CONV.5, CONVT.1)
            kernels.convolution.col2im(scratch, *window.steps, image[part][block])      # (CONV.6, CONVT.2)

    threads.share(work, len(x), products_enough(x, matrix.size))


Blocks = Iterator[tuple[slice, np.ndarray]]


def gather(image: np.ndarray, window: Window, size: tuple[int, int]) -> Blocks:
    """Yield the patches of an image batch block by block, each a matrix (block·OH·OW, KH·KW·C).

    The matrix is scratch: the next block overwrites it.
    """
    for part, scratch in blocks(len(image), window, size, image):
        kernels.convolution.im2col(image[part], *window.steps, scratch)                 # (CONV.1)
        yield part, scratch.reshape(-1, np.prod(scratch.shape[3:]))


def blocks(n: int, window: Window, size: tuple[int, int], image: np.ndarray) -> Blocks:
    """Cut n examples into blocks; yield which they are, and scratch (block, OH, OW, KH, KW, C) for them."""
    shape = (*size, *window.kernel, image.shape[-1])
    step = max(1, SCRATCH_BYTES // (int(np.prod(shape)) * image.itemsize))
    scratch = np.empty((min(step, n), *shape), image.dtype)
    for start in range(0, n, step):
        part = slice(start, min(start + step, n))
        yield part, scratch[: part.stop - part.start]


def products_enough(image: np.ndarray, each: int) -> int:
    """How many examples are worth a thread, where every pixel of `image` takes `each` multiplications."""
    return threads.enough(image.shape[1] * image.shape[2] * each, threads.PRODUCTS)
