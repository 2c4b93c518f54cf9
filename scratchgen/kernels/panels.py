"""Matrix products of one thread: panels of b, and the tiles that go through them.

As in BLAS, DEPTH rows of b are copied into panels that are as wide as a tile (tiles.py). Unlike BLAS, the
numbers of a are not copied, because a tile reads them one by one.

All addresses and distances are in bytes. a_row is the distance from one row of a to the next, a_step from one
number of a row to the next. `number` has the dtype, and any value.
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.native import call, keep, load
from scratchgen.kernels.tiles import BYTES, ROWS, TILES, copy_vectors, get, put, size_of

DEPTH = 256             # terms of a sum that are added before the result is written
HEIGHT = 128            # rows of a whose DEPTH numbers stay in the cache

WIDEST = max(TILES)     # vectors
BEST = WIDEST - 1       # the number of vectors of most panels
TILE4 = TILES[WIDEST]
TILE3, TILE2, TILE1 = (TILES.get(v, TILES[1]) for v in (3, 2, 1))
HEIGHTS = np.array([ROWS.get(v, 0) for v in range(WIDEST + 1)])
TILE = max(ROWS[v] * v for v in ROWS) * BYTES       # bytes of a tile
SPARE = TILE + max(ROWS.values()) * DEPTH * 8


@kernel("contract")
def _tile(number, vectors, a, a_row, a_step, b, depth, out, out_row, add):
    """A full tile with this number of vectors."""
    if vectors == WIDEST:
        TILE4(number, a, a_row, a_step, b, depth, out, out_row, add)
    elif vectors == 3:
        TILE3(number, a, a_row, a_step, b, depth, out, out_row, add)
    elif vectors == 2:
        TILE2(number, a, a_row, a_step, b, depth, out, out_row, add)
    else:
        TILE1(number, a, a_row, a_step, b, depth, out, out_row, add)


@kernel("contract")
def _next_panel(vectors):
    """The number of vectors of the first panel, if this number of vectors is left."""
    if vectors <= WIDEST:
        return vectors
    left = vectors % BEST
    if left == 1 or (left == 2 and BEST == 3 and vectors >= 8):
        return WIDEST
    return BEST


@kernel("contract")
def pack(number, b, b_step, b_column, depth, columns, packed):
    """Copy b (depth, columns) to `packed`, panel by panel, with zeros after the last column."""
    size = size_of(number)
    lanes = BYTES // size
    vectors, first = -(-columns // lanes), 0
    while vectors:
        panel = _next_panel(vectors)
        width = panel * lanes
        used = min(width, columns - first)
        if used == width and b_column == size:
            for k in range(depth):
                copy_vectors(number, b + k * b_step + first * size, packed + k * width * size, panel)
        else:
            for j in range(width):
                source, target = b + (first + j) * b_column, packed + j * size
                if j < used:
                    for k in range(depth):
                        put(target + k * width * size, get(number, source + k * b_step))
                else:
                    for k in range(depth):
                        put(target + k * width * size, number)
        packed += depth * width * size
        first += width
        vectors -= panel


@kernel("contract")
def multiply(number, a, a_row, a_step, packed, out, out_row, rows, columns, depth, spare, add):
    """out (rows, columns) = or += a (rows, depth) · b (depth, columns), with b in panels.

    spare : memory of SPARE bytes. A tile that extends beyond the output is computed there
    """
    size = size_of(number)
    lanes = BYTES // size
    for top in range(0, rows, HEIGHT):
        bottom = min(top + HEIGHT, rows)
        vectors, first, panel_at = -(-columns // lanes), 0, packed
        while vectors:
            panel = _next_panel(vectors)
            width = panel * lanes
            height = HEIGHTS[panel]
            used = min(width, columns - first)
            i = top
            while i < bottom:
                count = min(height, bottom - i)
                source, source_row, source_step = a + i * a_row, a_row, a_step
                target, target_row, accumulate, skip = out + i * out_row + first * size, out_row, add, 0
                inside = count == height and used == width
                if not inside:
                    target, target_row, accumulate = spare, width * size, 0
                if count < height:
                    if bottom >= height:        # a full tile, of which only the last rows are new
                        skip = height - count
                        source = a + (bottom - height) * a_row
                    else:                       # the rows, and any numbers below them
                        source, source_row, source_step = spare + TILE, depth * size, size
                        for r in range(count):
                            for k in range(depth):
                                put(
                                    source + r * source_row + k * size,
                                    get(number, a + (i + r) * a_row + k * a_step),
                                )
                _tile(
                    number, panel, source, source_row, source_step, panel_at, depth,
                    target, target_row, accumulate,
                )
                if not inside:
                    _copy_rows(
                        number, spare + skip * width * size, width * size,
                        out + i * out_row + first * size, out_row, count, used, add,
                    )
                i += count
            panel_at += depth * width * size
            first += width
            vectors -= panel


@kernel("contract")
def _copy_rows(number, source, source_row, target, target_row, rows, columns, add):
    """target (rows, columns) = or += source."""
    size = size_of(number)
    for i in range(rows):
        for j in range(0, columns * size, size):
            value = get(number, source + i * source_row + j)
            if add:
                value += get(number, target + i * target_row + j)
            put(target + i * target_row + j, value)


@kernel("contract")
def product(number, code, a, a_row, a_step, b, b_step, b_column, out, out_row, rows, columns, depth, add):
    """out = or += a·b for whole matrices, in the calling thread."""
    size = size_of(number)
    lanes = BYTES // size
    padded = -(-columns // lanes) * lanes
    memory = np.empty(min(depth, DEPTH) * padded * size + SPARE + BYTES, np.uint8)
    start = memory.ctypes.data
    spare = start + (-start) % BYTES
    packed = spare + SPARE
    for k in range(0, depth, DEPTH):
        part = min(DEPTH, depth - k)
        call(load(code), (number, b + k * b_step, b_step, b_column, part, columns, packed))
        call(
            load(code + 8),
            (
                number, a + k * a_step, a_row, a_step, packed, out, out_row, rows, columns, part, spare,
                1 if add or k else 0,
            ),
        )
    keep(memory)


@kernel("contract")
def multiply_packed(number, code, a, a_row, packed, out, out_row, rows, columns, depth):
    """out = a·b for a (rows, depth) with contiguous rows and b in panels, in the calling thread."""
    size = size_of(number)
    lanes = BYTES // size
    padded = -(-columns // lanes) * lanes
    memory = np.empty(SPARE + BYTES, np.uint8)
    spare = memory.ctypes.data
    for k in range(0, depth, DEPTH):
        part = min(DEPTH, depth - k)
        call(
            load(code + 8),
            (
                number, a + k * size, a_row, size, packed + k * padded * size, out, out_row, rows, columns,
                part, spare + (-spare) % BYTES, 1 if k else 0,
            ),
        )
    keep(memory)
