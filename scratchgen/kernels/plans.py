"""How a product is computed: which matrix is copied first, and how the output is divided into blocks.

A plan depends on everything but the numbers and the addresses of the matrices. Training computes the same few
products again and again, so plans are kept.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from scratchgen.kernels.panels import BEST, DEPTH, GROUP, HEIGHT, is_copied
from scratchgen.kernels.tiles import BYTES

KEPT = 1000             # the largest number of plans that are kept
WORK = 3 << 20          # multiplications of a block, about 40 µs
LEAST = 3 << 17         # multiplications of a small block, about 5 µs
TALL = 512              # rows of a block, at most
SMALL = 1 << 16         # multiplications; products with fewer are computed by BLAS, on one thread
LIMITED = 16            # rows, below which memory limits the speed
TURNED_ROWS = 48        # the largest number of rows for which copying a is always faster than transposing b
TURNED_ROWS_OF_LARGE, TURNED_SIZE = 256, 1 << 19    # the same for a b with at least this many numbers
# For `_is_packed`, `_is_grouped` and `_strips`:
MANY_ROWS, MANY_WORK = 512, 1 << 24     # least rows and multiplications, if the rows of a are contiguous
PACKED_ROWS, PACKED_SIZE, TALL_OUT_SIZE = 96, 1 << 18, 1 << 15  # least rows and numbers of out, otherwise
LONG_ROWS = 48          # least rows, if the sums are long
MOST_PACKED = 16 << 20  # bytes of the panels or groups, at most
STRIP = 16              # the rows of a block are a multiple of this, if the other matrix is in panels
LARGE_PANELS = 1 << 18  # numbers in panels, which do not stay in the core's cache
LARGE_STRIP = 64        # least rows of a block for such panels
PANELS = 4              # panels that are copied in one block

# How a product out = a·b is computed
USUAL = 0       # each block copies the columns of b that it needs to panels
PACKED = 1      # all of b is copied to panels first
TURNED = 2      # outᵀ = bᵀ·aᵀ, with aᵀ copied to panels first, and the rows of bᵀ as they are in memory
GROUPED = 3     # as USUAL, with the rows of a copied to groups first


class Plan(NamedTuple):
    """How a product out = a·b + bias is computed, a (rows, depth), b (depth, columns)."""

    way: int
    numbers: np.ndarray     # those of `Numbers`, for the kernels
    address: int            # of `numbers`
    blocks: int
    work: int               # multiplications


class Numbers(NamedTuple):
    """What kernels read from a plan: distances in bytes, sizes, and the division into blocks."""

    a_row: int
    a_step: int
    b_step: int
    b_column: int
    out_row: int
    rows: int
    columns: int
    depth: int
    add: int            # whether to add to out
    bias_step: int
    height: int         # of a block
    width: int
    small: int          # the height of a block at the end
    whole: int          # the number of blocks before those
    threads: int        # that may compute blocks
    padded: int         # the columns of the matrix in panels, or the rows of the one in groups
    way: int
    blocks: int
    wake: int           # whether there is enough work to wake helpers
    large: int          # whether helpers may take part; see `queue.run`


class Division(NamedTuple):
    """How a product is divided into blocks, column by column.

    width : columns of a block: those of a number of whole panels, or all columns
    """

    height: int
    width: int
    small: int
    whole: int
    blocks: int


def divide(
    rows: int, columns: int, depth: int, unit: int, number: int, copied: bool = False, grouped: bool = False
) -> Division:
    """Blocks for this number of threads; the last columns are in small blocks.

    So all threads finish at about the same time.

    copied : whether each block copies a
    grouped : whether a is in groups of rows
    """
    step = GROUP if grouped else 8      # the rows of a block are a multiple of this, if it is a part of out
    height = -(-rows // -(-rows // (HEIGHT if copied or grouped else TALL)))
    if grouped:
        height = -(-height // GROUP) * GROUP
    # With fewer rows, a block takes as long as with this many: reading b from memory is the limit
    width = min(max(1, WORK // (max(height, LIMITED) * depth * unit)) * unit, columns)
    if grouped:     # two panels, for which the groups are read from memory once
        width = min(2 * unit, columns)
    elif copied:    # wide blocks, so that a is copied less often (see panels.py), but three for each thread
        width = max(1, -(-columns // unit) * -(-rows // height) // (3 * number)) * unit
    while not (copied or grouped) and height > 96 and height * width * depth > 2 * WORK:
        height = -(-height // 2)
    down, across = -(-rows // height), -(-columns // width)
    if number == 1:
        return Division(height, width, height, down * across, down * across)
    small, last = height, min(across, number)
    least = max(LEAST, rows * columns * depth // (32 * number))
    # Each small block copies its columns of b again, so blocks of less than half the rows must be large
    while small >= 64 and small * width * depth >= (2 if small == height else 4) * least:
        small = -(-small // (2 * step)) * step
    whole = down * (across - last)
    return Division(height, width, small, whole, whole + -(-rows // small) * last)


def _strips(rows: int, columns: int, depth: int, turned: bool, number: int) -> Division:
    """Blocks of some rows of out, or of columns if the product is turned; the other matrix is in panels."""
    length, across = (columns, rows) if turned else (rows, columns)
    size = max(1, WORK // 2 // (across * depth * STRIP)) * STRIP
    if across * depth >= LARGE_PANELS:      # larger blocks, but at least three for each thread
        size = max(size, min(LARGE_STRIP, length // (3 * number * STRIP) * STRIP))
    blocks = -(-length // size)
    if turned:
        return Division(rows, size, rows, blocks, blocks)
    return Division(size, columns, size, blocks, blocks)


def _is_turned(rows: int, columns: int, depth: int, add: bool) -> bool:
    """Whether to compute outᵀ and copy a to panels instead of b; for a b whose rows are not contiguous."""
    if add and depth > DEPTH:       # the parts of a sum would have to be added to out one after the other
        return False
    most = TURNED_ROWS_OF_LARGE if columns * depth >= TURNED_SIZE else TURNED_ROWS
    return rows <= most and rows * (columns + depth) < columns * depth


def _is_packed(
    rows: int, columns: int, depth: int, strides: tuple[int, int], size: int, alone: bool
) -> bool:
    """Whether to copy all of b to panels first.

    strides : of a;  size : bytes of a number
    alone : whether it is the only product
    """
    if depth * in_vectors(columns, size) * size > MOST_PACKED:
        return False
    if strides[1] == size:
        return rows >= MANY_ROWS and rows * columns * depth >= MANY_WORK
    if strides[0] != size:
        return False
    # With contiguous columns of a, it is faster for long sums, and if out is large or much taller than wide
    if depth > 4 * DEPTH:
        return rows >= LONG_ROWS
    least = TALL_OUT_SIZE if alone and rows >= 2 * columns else PACKED_SIZE
    return rows >= PACKED_ROWS and rows * columns >= least


def _is_grouped(rows: int, columns: int, depth: int, size: int) -> bool:
    """Whether to copy all of a to groups first, and not a part in each block; for an a that is copied.

    With one panel, each block's own copy of a stays in the cache. If out is tall, b is the smaller matrix,
    and copying it is cheaper.
    """
    if columns <= BEST * BYTES // size or rows >= 4 * columns:
        return False
    return depth * rows * size <= MOST_PACKED


def in_vectors(columns: int, size: int) -> int:
    """A number of columns, rounded up to whole vectors; `size` is the bytes of a number."""
    lanes = BYTES // size
    return -(-columns // lanes) * lanes


def in_groups(rows: int) -> int:
    """A number of rows, rounded up to whole groups."""
    return -(-rows // GROUP) * GROUP


@functools.lru_cache(maxsize=KEPT)
def plan(
    shape: tuple[int, int], strides: tuple[int, int], columns: int, b_strides: tuple[int, int], out_row: int,
    bias_step: int | None, size: int, add: bool, number: int, last: bool = True, alone: bool = True,
) -> Plan:
    """The plan of a product.

    shape, strides : of a;  columns, b_strides : of b
    out_row : bytes from one row of out to the next
    bias_step : bytes from one number of the bias to the next; None without a bias
    size : bytes of a number;  number : of threads
    last, alone : whether it is the last, or the only one, of the products that are computed together
    """
    rows, depth = shape
    copied = is_copied(strides[0], rows, depth, size)
    way, padded = USUAL, 1
    if bias_step is None and b_strides[1] != size and _is_turned(rows, columns, depth, add):
        way, padded = TURNED, in_vectors(rows, size)
    elif bias_step is None and copied and _is_grouped(rows, columns, depth, size):
        way, padded = GROUPED, in_groups(rows)
    elif _is_packed(rows, columns, depth, strides, size, alone):
        way, padded = PACKED, in_vectors(columns, size)
    if way in (TURNED, PACKED):
        division = _strips(rows, columns, depth, way == TURNED, number)
    else:
        unit, usual = BEST * BYTES // size, way == USUAL
        division = divide(rows, columns, depth, unit, number if last else 1, copied and usual, not usual)
    work = max(rows, LIMITED) * columns * depth
    described = Numbers(
        *strides, *b_strides, out_row, rows, columns, depth, add, bias_step or 0, *division[:4],
        number, padded, way, division.blocks, work >= 4 * WORK, work >= SMALL,
    )  # fmt: skip
    numbers = np.array(described, np.int64)
    return Plan(way, numbers, numbers.ctypes.data, division.blocks, work)
