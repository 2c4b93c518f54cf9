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
    copy_groups,
    multiply,
    multiply_groups,
    multiply_matrix,
    multiply_packed,
    pack,
    part_of,
    product,
)
from scratchgen.kernels.plans import (
    GROUPED,
    PACKED,
    PANELS,
    SMALL,
    TURNED,
    WORK,
    Numbers,
    Plan,
    in_groups,
    in_vectors,
    plan,
)
from scratchgen.kernels.queue import all_asleep, run
from scratchgen.kernels.tiles import BYTES, get, put, size_of, transpose
from scratchgen.runtime import threads

ZERO = {np.dtype(dtype): dtype(0) for dtype in (np.float32, np.float64)}
AT = Numbers(*range(0, 8 * len(Numbers._fields), 8))    # where the numbers of a plan are
ROW_BYTES = 7 * 8       # bytes of a row of a table; see `_block_of_table`


@kernel("contract")
def _add_bias(number, out, out_row, rows, columns, bias, bias_step):
    size = size_of(number)
    for i in range(rows):
        row = out + i * out_row
        for j in range(columns):
            put(row + j * size, get(number, row + j * size) + get(number, bias + j * bias_step))


@kernel("contract")
def _corner(block, rows, width, height, small, whole, threads):
    """The first row and column of a block, and its height.

    Blocks are numbered down the rows first, then across the columns. The small blocks come last. The columns
    of the others are divided into a region for each thread, and consecutive blocks are in different regions.
    Otherwise the threads would compute neighbouring columns at the same time, and write to the same cache
    lines: xW of 784 x 1,000 took 1.15 to 1.34 times as long on two threads.
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
def _block_of_plan(block, number, code, plan, a, b, out, bias, packed, whole, threads):
    """Compute one block of the product with this plan, the address of `plans.Numbers`."""
    _block(
        block, number, code,
        a, load(plan + AT.a_row), load(plan + AT.a_step),
        b, load(plan + AT.b_step), load(plan + AT.b_column),
        out, load(plan + AT.out_row), load(plan + AT.rows), load(plan + AT.columns), load(plan + AT.depth),
        load(plan + AT.add), bias, load(plan + AT.bias_step),
        load(plan + AT.height), load(plan + AT.width), load(plan + AT.small), whole, threads,
        packed, load(plan + AT.padded), load(plan + AT.way),
    )


@kernel("contract")
def _block_of_table(block, number, code, table, count):
    """Compute one block of several products.

    table : rows of the number of the first block, the plan, and a, b, out, bias and packed of a product
    """
    row = table
    for _ in range(count - 1):
        if block >= load(row + ROW_BYTES):
            row += ROW_BYTES
    plan = load(row + 8)
    _block_of_plan(
        block - load(row), number, code, plan, load(row + 16), load(row + 24), load(row + 32),
        load(row + 40), load(row + 48), load(plan + AT.whole), load(plan + AT.threads),
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
def _run_plan(queue, helpers, number, code, plan, a, b, out, bias, packed):
    whole, threads, blocks = load(plan + AT.whole), load(plan + AT.threads), load(plan + AT.blocks)
    wake = load(plan + AT.wake)
    if not wake and all_asleep(queue, helpers):     # small blocks are of no use
        down = -(-load(plan + AT.rows) // load(plan + AT.height))
        blocks = whole = down * -(-load(plan + AT.columns) // load(plan + AT.width))
        threads = 1
    function, data = task(_block_of_plan, (number, code, plan, a, b, out, bias, packed, whole, threads))
    return run(queue, helpers, function, data, blocks, wake, load(plan + AT.large))


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


class Packed(NamedTuple):
    """A copied matrix: b (depth, columns) in panels, or a (rows, depth) in groups of rows."""

    memory: np.ndarray
    address: int


def packed(b: np.ndarray) -> Packed:
    """Copy a matrix into panels."""
    depth, columns = b.shape
    padded = in_vectors(columns, b.itemsize)
    memory = np.empty(depth * padded * b.itemsize + BYTES, np.uint8)
    start = address(memory)
    start += -start % BYTES
    queue, helpers = threads.helpers()
    _pack_all(
        queue, helpers, ZERO[b.dtype], code(b.dtype), address(b), *b.strides, depth, columns, padded, start
    )
    return Packed(memory, start)


def grouped(a: np.ndarray) -> Packed:
    """Copy a matrix whose columns are contiguous to groups of rows."""
    rows, depth = a.shape
    padded = in_groups(rows)
    memory = np.empty(depth * padded * a.itemsize + BYTES, np.uint8)
    start = address(memory)
    start += -start % BYTES
    queue, helpers = threads.helpers()
    _group_all(queue, helpers, ZERO[a.dtype], address(a), a.strides[1], rows, depth, padded, start)
    return Packed(memory, start)


Factors = tuple[np.ndarray, np.ndarray, np.ndarray, "np.ndarray | None"]


def _copied(way: int, a: np.ndarray, b: np.ndarray) -> Packed | None:
    """The matrix that is copied first."""
    if way == PACKED:
        return packed(b)
    if way == TURNED:
        return packed(a.T)
    return grouped(a) if way == GROUPED else None


def multiply_all(products: list[Factors], add: bool = False) -> None:
    """Compute out = a·b + bias, or out += a·b, for each (a, b, out, bias), where bias may be None.

    Matrices of the same dtype. The rows of each out are contiguous, and the outs do not overlap.
    """
    table: list[tuple[int, ...]] = []
    blocks = work = 0
    kept: list[tuple[Plan, Packed | None]] = []
    queue, helpers = threads.helpers()
    for i, (a, b, out, bias) in enumerate(products):
        if not out.size:
            continue
        if not a.shape[1]:
            if not add:
                out[...] = 0 if bias is None else bias
            continue
        step = None if bias is None else bias.strides[0]
        found = plan(
            a.shape, a.strides, b.shape[1], b.strides, out.strides[0], step, a.itemsize, add, helpers + 1,
            i == len(products) - 1, len(products) == 1,
        )
        copied = _copied(found.way, a, b)
        kept.append((found, copied))
        matrices = address(a), address(b), address(out), 0 if bias is None else address(bias)
        table.append((blocks, found.address, *matrices, 0 if copied is None else copied.address))
        blocks, work = blocks + found.blocks, work + found.work
    if table:
        dtype, rows = products[0][0].dtype, np.array(table, np.int64)
        amount = work >= 4 * WORK, work >= SMALL
        failed = _run_table(
            queue, helpers, ZERO[dtype], code(dtype), address(rows), len(table), blocks, *amount
        )
        _expect_memory(failed)


def _multiply(
    a: np.ndarray, b: np.ndarray, out: np.ndarray, bias: np.ndarray | None, add: bool
) -> None:
    """As `multiply_all`, for one product without empty axes."""
    queue, helpers = threads.helpers()
    where, step = (0, None) if bias is None else (address(bias), bias.strides[0])
    found = plan(
        a.shape, a.strides, b.shape[1], b.strides, out.strides[0], step, a.itemsize, add, helpers + 1
    )
    copied = _copied(found.way, a, b)
    failed = _run_plan(
        queue, helpers, ZERO[a.dtype], code(a.dtype), found.address, address(a), address(b), address(out),
        where, 0 if copied is None else copied.address,
    )
    _expect_memory(failed)


def _expect_memory(failed: int) -> None:
    if failed:
        raise MemoryError("a matrix product found no memory for a block of its work")


def matmul(
    a: np.ndarray, b: np.ndarray, out: np.ndarray, bias: np.ndarray | None = None, add: bool = False
) -> None:
    """out = a·b + bias, or out += a·b, for matrices; the rows of out are contiguous."""
    if a.shape[0] * a.shape[1] * b.shape[1] >= SMALL:
        _multiply(a, b, out, bias, add)
    elif add:
        out += a @ b
    else:
        np.matmul(a, b, out=out)
        if bias is not None:
            out += bias
