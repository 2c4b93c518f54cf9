"""Matrix products in blocks with fixed boundaries, which threads share.

Each number of the output is a sum over k. It is computed in parts of DEPTH terms, each from the first term to
the last, and the parts are added in order. So its bits depend neither on the number of threads, nor on the
boundaries of the blocks, nor on the other rows and columns.

Measured at 128 rows on one thread of a processor with AVX-512, in GFLOP/s: 170 for x·W of 784 x 1000
(OpenBLAS 156), 178 for its dW (177), 168 for its dx (145). In four blocks, OpenBLAS falls to 132, 146 and
120, because each block copies all of x again. Here, blocks cost nothing.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import types

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.native import address_of, call, keep, load, task
from scratchgen.kernels.panels import BEST, DEPTH, SPARE, multiply, pack, product
from scratchgen.kernels.queue import run
from scratchgen.kernels.tiles import BYTES, get, put, size_of
from scratchgen.runtime import threads

WORK = 3 << 20          # multiplications of a block, about 40 µs
TALL = 512              # rows of a block, at most

@kernel("contract")
def _add_bias(number, out, out_row, rows, columns, bias, bias_step):
    size = size_of(number)
    for i in range(rows):
        row = out + i * out_row
        for j in range(columns):
            put(row + j * size, get(number, row + j * size) + get(number, bias + j * bias_step))


# The numbers that describe a product out = a·b, a (rows, depth), b (depth, columns). `packed` is 0, or the
# address of aᵀ in panels; then outᵀ = bᵀ·aᵀ is computed, with the rows of bᵀ as they are in memory.
class Product(NamedTuple):
    """One row of the table of a job: addresses, and bytes from one row or step of k to the next."""

    first: int          # the number of its first block
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
    packed: int
    padded: int         # rows, rounded up to whole vectors


ENTRIES = 8 * len(Product._fields)      # bytes of a row


@kernel("contract")
def _block(block, number, code, table, count):
    """Compute one block of the products in a table."""
    size = size_of(number)
    row = table
    for _ in range(count - 1):
        if block >= load(row + ENTRIES):
            row += ENTRIES
    block -= load(row)
    a, a_row, a_step = load(row + 8), load(row + 16), load(row + 24)
    b, b_step, b_column = load(row + 32), load(row + 40), load(row + 48)
    out, out_row = load(row + 56), load(row + 64)
    rows, columns, depth, add = load(row + 72), load(row + 80), load(row + 88), load(row + 96)
    bias, bias_step, height, width = load(row + 104), load(row + 112), load(row + 120), load(row + 128)
    packed, padded = load(row + 136), load(row + 144)
    across = -(-columns // width)
    top, left = block // across * height, block % across * width
    height, width = min(height, rows - top), min(width, columns - left)
    if packed:
        _transposed(
            number, code, b + left * b_column, b_column, b_step, packed, padded, out + left * size, out_row,
            width, rows, depth, add,
        )
        return
    out = out + top * out_row + left * size
    product(
        number, code, a + top * a_row, a_row, a_step, b + left * b_column, b_step, b_column, out, out_row,
        height, width, depth, add,
    )
    if bias:
        _add_bias(number, out, out_row, height, width, bias + left * bias_step, bias_step)


@kernel("contract")
def _transposed(number, code, b, b_row, b_step, packed, padded, out, out_row, rows, columns, depth, add):
    """Rows of bᵀ·aᵀ, which are columns of out (columns, rows); aᵀ is packed."""
    size = size_of(number)
    memory = np.empty(rows * padded * size + SPARE + BYTES, np.uint8)
    start = memory.ctypes.data
    spare = start + (-start) % BYTES
    found = spare + SPARE
    for k in range(0, depth, DEPTH):
        part = min(DEPTH, depth - k)
        call(
            load(code + 8),
            (
                number, b + k * b_step, b_row, b_step, packed + k * padded * size,
                found, padded * size, rows, padded, part, spare, 1 if k else 0,
            ),
        )
    for j in range(columns):
        source, target = found + j * size, out + j * out_row
        for i in range(rows):
            value = get(number, source + i * padded * size)
            if add:
                value += get(number, target + i * size)
            put(target + i * size, value)
    keep(memory)


@kernel("contract")
def _pack_block(block, number, code, b, b_step, b_column, depth, columns, padded, packed):
    """Pack the block-th DEPTH rows of b."""
    size = size_of(number)
    k = block * DEPTH
    call(
        load(code),
        (
            number, b + k * b_step, b_step, b_column, min(DEPTH, depth - k), columns,
            packed + k * padded * size,
        ),
    )


@kernel("contract")
def _pack_all(queue, helpers, number, code, b, b_step, b_column, depth, columns, padded, packed):
    function, data = task(_pack_block, (number, code, b, b_step, b_column, depth, columns, padded, packed))
    return run(queue, helpers, function, data, -(-depth // DEPTH), 0)


@kernel("contract")
def _run(queue, helpers, number, code, table, count, blocks, wake):
    function, data = task(_block, (number, code, table, count))
    return run(queue, helpers, function, data, blocks, wake)


@functools.cache
def _code(dtype: np.dtype) -> np.ndarray:
    """The addresses of `pack` and `multiply` for a dtype. They are compiled once, not as a part of others."""
    number = types.float32 if dtype == np.float32 else types.float64
    whole = types.int64
    return np.array([address_of(pack, number, *(whole,) * 6), address_of(multiply, number, *(whole,) * 11)])


@functools.cache
def code(dtype: np.dtype) -> int:
    """The address of `_code`."""
    return address(_code(dtype))


def address(array: np.ndarray) -> int:
    """Where the numbers of an array are in memory."""
    found: int = array.__array_interface__["data"][0]
    return found


def lanes(dtype: np.dtype) -> int:
    """How many numbers of a dtype are in a vector."""
    return BYTES // dtype.itemsize


class Packed(NamedTuple):
    """A matrix b (depth, columns) in panels, for `multiply`."""

    memory: np.ndarray
    address: int
    padded: int         # columns, rounded up to whole vectors


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


def block_size(rows: int, columns: int, depth: int, unit: int) -> tuple[int, int]:
    """Rows and columns of the blocks of a product; columns are a multiple of `unit`."""
    height = -(-rows // -(-rows // TALL))
    width = min(max(1, WORK // (height * depth * unit)) * unit, columns)
    while height > 96 and height * width * depth > 2 * WORK:
        height = -(-height // 2)
    return height, width


Factors = tuple[np.ndarray, np.ndarray, np.ndarray, "np.ndarray | None"]


def multiply_all(products: list[Factors], add: bool = False) -> None:
    """Compute out = a·b + bias, or out += a·b, for each (a, b, out, bias), where bias may be None.

    Matrices of the same dtype. The rows of each out are contiguous, and the outs do not overlap.
    """
    table: list[Product] = []
    blocks = work = 0
    kept = []
    for a, b, out, bias in products:
        (rows, depth), columns = a.shape, b.shape[1]
        if not out.size:
            continue
        if not depth:
            if not add:
                out[...] = 0 if bias is None else bias
            continue
        where, padded = 0, 1
        if b.strides[1] != b.itemsize and rows * (columns + depth) < columns * depth and bias is None:
            panels = packed(a.T)
            kept.append(panels)
            where, padded = panels.address, panels.padded
            height, width = rows, max(48, WORK // (padded * depth) // 24 * 24)
        else:
            height, width = block_size(rows, columns, depth, BEST * lanes(a.dtype))
        table.append(
            Product(
                blocks,
                *(address(a), a.strides[0], a.strides[1]),
                *(address(b), b.strides[0], b.strides[1]),
                *(address(out), out.strides[0]),
                *(rows, columns, depth, add),
                *((0, 0) if bias is None else (address(bias), bias.strides[0])),
                *(height, width, where, padded),
            )
        )  # fmt: skip
        blocks += -(-rows // height) * -(-columns // width)
        work += rows * columns * depth
    if table:
        rows_of_table = np.array(table, np.int64)
        dtype = products[0][0].dtype
        queue, helpers = threads.helpers()
        failed = _run(
            queue, helpers, dtype.type(0), code(dtype), address(rows_of_table), len(table), blocks,
            work >= 4 * WORK,
        )
        if failed:
            raise MemoryError("a matrix product found no memory for a block of its work")


SMALL = 1 << 16     # multiplications; BLAS never uses more than one thread for so few


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
