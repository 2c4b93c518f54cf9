"""Matrix products in blocks, which threads share.

Each number of the output is a sum over k. It is computed in parts of at most DEPTH terms, each from the
first term to the last, and the parts are added in order. So its bits depend neither on the number of threads,
nor on the boundaries of the blocks, nor on the other rows and columns.

Cutting a product into blocks makes OpenBLAS slower, because each block copies all of x again. Here, blocks
cost little. The speeds are in docs/speed.md, section 4.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import types

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.native import address_of, call, keep, load, task
from scratchgen.kernels.panels import (
    BEST,
    DEPTH,
    GROUP,
    HEIGHT,
    copy_groups,
    is_copied,
    multiply,
    multiply_groups,
    multiply_matrix,
    multiply_packed,
    pack,
    part_of,
    product,
)
from scratchgen.kernels.queue import all_asleep, run
from scratchgen.kernels.tiles import BYTES, get, put, size_of, transpose
from scratchgen.runtime import threads

WORK = 3 << 20          # multiplications of a block, about 40 µs
LEAST = 3 << 17         # multiplications of a small block, about 5 µs
TALL = 512              # rows of a block, at most
SMALL = 1 << 16         # multiplications; products with fewer are computed by BLAS, on one thread
LIMITED = 16            # rows, below which memory limits the speed
TURNED_ROWS = 48        # the largest number of rows for which copying a is always faster than transposing b
TURNED_ROWS_OF_LARGE, TURNED_SIZE = 256, 1 << 19    # the same for a b with at least this many numbers
# For _is_packed:
MANY_ROWS, MANY_WORK = 512, 1 << 24     # least rows and multiplications, if the rows of a are contiguous
PACKED_ROWS, PACKED_SIZE, TALL_OUT_SIZE = 96, 1 << 18, 1 << 15  # least rows and numbers of out, otherwise
LONG_ROWS = 48          # least rows, if the sums are long
MOST_PACKED = 16 << 20  # bytes of the panels or groups, at most
STRIP = 16              # the rows of a block are a multiple of this, if the other matrix is in panels
LARGE_PANELS = 1 << 18  # numbers in panels, which do not stay in the core's cache
LARGE_STRIP = 64        # least rows of a block for such panels
PANELS = 4              # panels that are copied in one block


@kernel("contract")
def _add_bias(number, out, out_row, rows, columns, bias, bias_step):
    size = size_of(number)
    for i in range(rows):
        row = out + i * out_row
        for j in range(columns):
            put(row + j * size, get(number, row + j * size) + get(number, bias + j * bias_step))


# How a product out = a·b is computed
USUAL = 0       # with b in panels, if `packed` is not 0, or with panels that each block makes
TURNED = 1      # outᵀ = bᵀ·aᵀ, with aᵀ in panels, and the rows of bᵀ as they are in memory
GROUPED = 2     # with the rows of a in groups, and panels that each block makes


# The numbers that describe a product out = a·b, a (rows, depth), b (depth, columns)
class Product(NamedTuple):
    """Addresses and strides in bytes, sizes, and the division into blocks."""

    a: int
    a_row: int
    a_step: int
    b: int
    b_step: int
    b_column: int
    out: int
    out_row: int
    rows: int
    columns: int
    depth: int
    add: int            # whether to add to out
    bias: int           # its address, or 0
    bias_step: int
    height: int         # of a block
    width: int
    small: int          # the height of a block at the end
    whole: int          # the number of blocks before those
    threads: int        # that may compute blocks
    packed: int         # 0, or the address of the copied matrix
    padded: int         # its columns, rounded up to whole vectors, or rows, rounded up to whole groups
    way: int            # USUAL, TURNED or GROUPED


ZERO = {np.dtype(dtype): dtype(0) for dtype in (np.float32, np.float64)}
ROW_BYTES = 8 * (1 + len(Product._fields))    # bytes of a row of a table: number of the first block, product


@kernel("contract")
def _corner(block, rows, width, height, small, whole, threads):
    """The first row and column of a block, and its height.

    Blocks go down, and then to other columns. Those of small blocks are the last ones. Of the others, each
    thread has a region, and consecutive blocks are in different regions. The threads would otherwise compute
    neighbouring columns at the same time, and write to the same cache lines: xW of 784 x 1,000 took 1.17
    times as long on two threads.
    """
    down = -(-rows // height)
    if block >= whole:
        block -= whole
        first, down = whole // down, -(-rows // small)
        return block % down * small, (first + block // down) * width, small
    column, region = block // down, whole // down // threads
    if column < region * threads:       # the last whole columns may be in no region
        column = column % threads * region + column // threads
    return block % down * height, column * width, height


@kernel("contract")
def _block(
    block, number, code, a, a_row, a_step, b, b_step, b_column, out, out_row, rows, columns, depth, add,
    bias, bias_step, height, width, small, whole, threads, packed, padded, way,
):
    """Compute one block of a product."""
    size = size_of(number)
    top, left, height_here = _corner(block, rows, width, height, small, whole, threads)
    top_then, left_then, _ = _corner(block + threads, rows, width, height, small, whole, threads)
    later = left != left_then and left_then < columns
    height, width = min(height_here, rows - top), min(width, columns - left)
    if way == TURNED:
        _transposed(
            number, code, b + left * b_column, b_column, b_step, packed, padded, out + left * size, out_row,
            width, rows, depth, add, b + left_then * b_column if later else 0,
        )
        return
    out += left * size
    if way == GROUPED:
        multiply_groups(
            number, code, packed, padded, top, b + left * b_column, b_step, b_column, out + top * out_row,
            out_row, height, width, depth, add, b + left_then * b_column if later else 0,
        )
        return
    # If b is packed, the next block's rows of a are read early, or of out if the rows of a are not contiguous
    ahead, ahead_row = (a, a_row) if a_step == size else (out, out_row)
    out += top * out_row
    if packed:
        multiply_packed(
            number, code, a + top * a_row, a_row, a_step, packed, out, out_row, height, columns, depth, add,
            ahead + top_then * ahead_row if top < top_then else 0, height * ahead_row,
        )
    else:
        product(
            number, code, a + top * a_row, a_row, a_step, b + left * b_column, b_step, b_column, out, out_row,
            height, width, depth, add, b + left_then * b_column if later else 0,
        )
    if bias:
        _add_bias(number, out, out_row, height, width, bias + left * bias_step, bias_step)


@kernel("contract")
def _block_of_table(block, number, code, table, count):
    """Compute one block of the products in a table."""
    row = table
    for _ in range(count - 1):
        if block >= load(row + ROW_BYTES):
            row += ROW_BYTES
    _block(
        block - load(row), number, code, load(row + 8), load(row + 16), load(row + 24), load(row + 32),
        load(row + 40), load(row + 48), load(row + 56), load(row + 64), load(row + 72), load(row + 80),
        load(row + 88), load(row + 96), load(row + 104), load(row + 112), load(row + 120), load(row + 128),
        load(row + 136), load(row + 144), load(row + 152), load(row + 160), load(row + 168), load(row + 176),
    )


@kernel("contract")
def _transposed(
    number, code, b, b_row, b_step, packed, padded, out, out_row, rows, columns, depth, add, ahead
):
    """Rows of bᵀ·aᵀ, which are columns of out (columns, rows); aᵀ is packed.

    ahead : 0, or the address of the rows of bᵀ that are probably needed next
    """
    size = size_of(number)
    lanes = BYTES // size
    memory = np.empty(lanes * padded * size + BYTES, np.uint8)
    found = memory.ctypes.data
    found += (-found) % BYTES
    for top in range(0, rows, lanes):       # few, which are written while the next ones are computed
        count, target = min(lanes, rows - top), out + top * size
        multiply_packed(
            number, code, b + top * b_row, b_row, b_step, packed, found, padded * size, count, padded, depth,
            0, ahead + top * b_row if ahead else 0, count * b_row,
        )
        whole = columns // lanes * lanes if count == lanes and not add else 0
        for j in range(0, whole, lanes):
            transpose(number, found + j * size, padded * size, target + j * out_row, out_row)
        for j in range(whole, columns):
            for i in range(count):
                place = target + j * out_row + i * size
                value = get(number, found + (i * padded + j) * size)
                put(place, value + get(number, place) if add else value)
    keep(memory)


@kernel("contract")
def _pack_block(block, number, code, b, b_step, b_column, depth, columns, padded, packed, across):
    """Copy the block-th part of b: PANELS panels of the rows in a part of the sums."""
    terms = part_of(depth)
    k, first = block // across * terms, block % across * PANELS
    call(
        load(code),
        (
            number, b + k * b_step, b_step, b_column, min(terms, depth - k), columns,
            packed + k * padded * size_of(number), first, first + PANELS,
        ),
    )


@kernel("contract")
def _pack_all(queue, helpers, number, code, b, b_step, b_column, depth, columns, padded, packed):
    across = -(-columns // (PANELS * BEST * BYTES // size_of(number)))
    function, data = task(
        _pack_block, (number, code, b, b_step, b_column, depth, columns, padded, packed, across)
    )
    return run(queue, helpers, function, data, -(-depth // part_of(depth)) * across, 0, 1)


@kernel("contract")
def _group_block(block, number, a, a_step, rows, depth, padded, groups):
    """Copy the block-th part of the sums of a to groups."""
    terms = part_of(depth)
    k = block * terms
    place = groups + k * padded * size_of(number)
    copy_groups(number, a + k * a_step, a_step, place, rows, min(terms, depth - k))


@kernel("contract")
def _group_all(queue, helpers, number, a, a_step, rows, depth, padded, groups):
    function, data = task(_group_block, (number, a, a_step, rows, depth, padded, groups))
    return run(queue, helpers, function, data, -(-depth // part_of(depth)), 0, 1)


@kernel("contract")
def _run(
    queue, helpers, number, code, a, a_row, a_step, b, b_step, b_column, out, out_row, rows, columns, depth,
    add, bias, bias_step, height, width, small, whole, threads, packed, padded, way, blocks, wake, large,
):
    if not wake and all_asleep(queue, helpers):
        threads, whole = 1, -(-rows // height) * -(-columns // width)   # small blocks are of no use
        blocks = whole
    function, data = task(
        _block,
        (
            number, code, a, a_row, a_step, b, b_step, b_column, out, out_row, rows, columns, depth, add,
            bias, bias_step, height, width, small, whole, threads, packed, padded, way,
        ),
    )
    return run(queue, helpers, function, data, blocks, wake, large)


@kernel("contract")
def _run_table(queue, helpers, number, code, table, count, blocks, wake, large):
    function, data = task(_block_of_table, (number, code, table, count))
    return run(queue, helpers, function, data, blocks, wake, large)


@functools.cache
def _code(dtype: np.dtype) -> np.ndarray:
    """The addresses of functions of panels.py. They are compiled once, and not as a part of others."""
    number = types.float32 if dtype == np.float32 else types.float64
    word = types.int64
    functions = (pack, 8), (multiply, 13), (multiply_matrix, 16)
    return np.array([address_of(function, number, *(word,) * count) for function, count in functions])


@functools.cache
def code(dtype: np.dtype) -> int:
    """The address of `_code`."""
    return address(_code(dtype))


@kernel("contract")
def _address(array):
    return array.ctypes.data


def address(array: np.ndarray) -> int:
    """Where the numbers of an array are in memory; faster than `array.ctypes.data`."""
    found: int = _address(array)
    return found


def lanes(dtype: np.dtype) -> int:
    """How many numbers of a dtype are in a vector."""
    return BYTES // dtype.itemsize


class Packed(NamedTuple):
    """A copied matrix: b (depth, columns) in panels, or a (rows, depth) in groups of rows."""

    memory: np.ndarray
    address: int
    padded: int         # columns, rounded up to whole vectors, or rows, rounded up to whole groups


def packed(b: np.ndarray) -> Packed:
    """Copy a matrix into panels."""
    depth, columns = b.shape
    step = lanes(b.dtype)
    padded = -(-columns // step) * step
    memory = np.empty(depth * padded * b.itemsize + BYTES, np.uint8)
    start = address(memory)
    start += -start % BYTES
    queue, helpers = threads.helpers()
    _pack_all(
        queue, helpers, b.dtype.type(0), code(b.dtype), address(b), *b.strides, depth, columns, padded, start
    )
    return Packed(memory, start, padded)


def in_groups(a: np.ndarray) -> Packed:
    """Copy a matrix whose columns are contiguous to groups of rows."""
    rows, depth = a.shape
    padded = -(-rows // GROUP) * GROUP
    memory = np.empty(depth * padded * a.itemsize + BYTES, np.uint8)
    start = address(memory)
    start += -start % BYTES
    queue, helpers = threads.helpers()
    _group_all(queue, helpers, a.dtype.type(0), address(a), a.strides[1], rows, depth, padded, start)
    return Packed(memory, start, padded)


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
    """Blocks for this number of threads; the last columns are in small blocks, so that all end together.

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
    """Whether to compute outᵀ and copy a to panels instead of b; for a b with contiguous columns."""
    if add and depth > DEPTH:       # the parts of a sum would have to be added to out one after the other
        return False
    most = TURNED_ROWS_OF_LARGE if columns * depth >= TURNED_SIZE else TURNED_ROWS
    return rows <= most and rows * (columns + depth) < columns * depth


def _is_packed(a: np.ndarray, columns: int, alone: bool) -> bool:
    """Whether to copy all of b to panels first. `alone`: whether it is the only product."""
    rows, depth = a.shape
    padded = -(-columns // lanes(a.dtype)) * lanes(a.dtype)
    if depth * padded * a.itemsize > MOST_PACKED:
        return False
    if a.strides[1] == a.itemsize:
        return rows >= MANY_ROWS and rows * columns * depth >= MANY_WORK
    if a.strides[0] != a.itemsize:
        return False
    # With contiguous columns of a, it is faster for long sums, and if out is large or much taller than wide
    if depth > 4 * DEPTH:
        return rows >= LONG_ROWS
    least = TALL_OUT_SIZE if alone and rows >= 2 * columns else PACKED_SIZE
    return rows >= PACKED_ROWS and rows * columns >= least


def _is_grouped(a: np.ndarray, columns: int) -> bool:
    """Whether to copy all of a to groups first, and not a part in each block; for an a that is copied.

    A copy of a that is used for one panel stays in the cache of its core. If out is tall, b is smaller.
    """
    rows, depth = a.shape
    if columns <= BEST * lanes(a.dtype) or rows >= 4 * columns:
        return False
    return depth * rows * a.itemsize <= MOST_PACKED


Factors = tuple[np.ndarray, np.ndarray, np.ndarray, "np.ndarray | None"]


def multiply_all(products: list[Factors], add: bool = False) -> None:
    """Compute out = a·b + bias, or out += a·b, for each (a, b, out, bias), where bias may be None.

    Matrices of the same dtype. The rows of each out are contiguous, and the outs do not overlap.
    """
    described: list[Product] = []
    first = [0]         # the number of the first block of each product
    work = 0
    kept: list[Packed] = []
    queue, helpers = threads.helpers()
    for i, (a, b, out, bias) in enumerate(products):
        (rows, depth), columns = a.shape, b.shape[1]
        if not out.size:
            continue
        if not depth:
            if not add:
                out[...] = 0 if bias is None else bias
            continue
        (a_row, a_step), (b_step, b_column) = a.strides, b.strides
        where, padded, way = 0, 1, USUAL
        turned = bias is None and b_column != b.itemsize and _is_turned(rows, columns, depth, add)
        copied = is_copied(a_row, rows, depth, a.itemsize)
        grouped = copied and bias is None and _is_grouped(a, columns)
        if turned or (not grouped and _is_packed(a, columns, len(products) == 1)):
            kept.append(packed(a.T if turned else b))
            _, where, padded = kept[-1]
            division = _strips(rows, columns, depth, turned, helpers + 1)
            way = TURNED if turned else USUAL
        else:
            if grouped:
                kept.append(in_groups(a))
                (_, where, padded), way = kept[-1], GROUPED
            number = helpers + 1 if i == len(products) - 1 else 1
            division = divide(
                rows, columns, depth, BEST * lanes(a.dtype), number, copied and not grouped, grouped
            )
        described.append(
            Product(
                address(a), a_row, a_step, address(b), b_step, b_column, address(out), out.strides[0],
                rows, columns, depth, add,
                0 if bias is None else address(bias), 0 if bias is None else bias.strides[0],
                *division[:4], helpers + 1, where, padded, way,
            )
        )  # fmt: skip
        first.append(first[-1] + division.blocks)
        work += max(rows, LIMITED) * columns * depth
    if described:
        amount = work >= 4 * WORK, work >= SMALL
        failed = _compute(queue, helpers, described, first, amount, products[0][0].dtype)
        if failed:
            raise MemoryError("a matrix product found no memory for a block of its work")


def _compute(
    queue: int, helpers: int, products: list[Product], first: list[int], amount: tuple[bool, bool],
    dtype: np.dtype,
) -> int:
    """Compute products.

    first : the number of the first block of each product, and then the number of all blocks
    amount : whether there is enough work to wake helpers, and whether it is large; see `run`

    Returns how many blocks found no memory.
    """
    settings = queue, helpers, ZERO[dtype], code(dtype)
    if len(products) == 1:
        return int(_run(*settings, *products[0], first[-1], *amount))
    rows = [(start, *product) for start, product in zip(first, products, strict=False)]
    table = np.array(rows, np.int64)
    return int(_run_table(*settings, address(table), len(products), first[-1], *amount))


def matmul(
    a: np.ndarray, b: np.ndarray, out: np.ndarray, bias: np.ndarray | None = None, add: bool = False
) -> None:
    """out = a·b + bias, or out += a·b, for matrices; the rows of out are contiguous."""
    if a.shape[0] * a.shape[1] * b.shape[1] >= SMALL:
        multiply_all([(a, b, out, bias)], add)
    elif add:
        out += a @ b
    else:
        np.matmul(a, b, out=out)
        if bias is not None:
            out += bias
