"""Matrix products of one thread: panels of b, and the tiles that go through them.

As in BLAS, at most DEPTH rows of b at a time are copied into panels that are as wide as a tile (tiles.py).
Unlike BLAS, the numbers of a are usually not copied, because a tile reads them one by one. They are copied if
the columns of a are contiguous and several panels use them, or if sums are long. Otherwise, a tile would read
only a few numbers from each of many cache lines.

All addresses and distances are in bytes. a_row is the distance from one row of a to the next, a_step from one
number of a row to the next. `number` is a zero of the dtype of the matrices. It tells a kernel which dtype to
use.
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.native import call, keep, load
from scratchgen.kernels.tiles import (
    BYTES,
    COPYING,
    LINE,
    ROWS,
    TILES,
    copy_vectors,
    get,
    put,
    size_of,
    transpose,
)

DEPTH = 256             # terms of a sum, at most, that are added before the result is written
GROUP = 16              # rows of a that are copied together, a multiple of the rows of each tile
FEW = 8                 # rows of a, at most, for which copying b would take longer than the product
AHEAD = 12              # rows of b that the cache fetches early, if b is not copied
HEIGHT = 128            # rows of a that pass through all panels before the next rows do, in `multiply`

BEST, WIDE = 3, 6       # the number of vectors of most panels, and of those of products with few rows
TILE6, TILE3, TILE2, TILE1 = TILES[WIDE], TILES[BEST], TILES[2], TILES[1]
HEIGHTS = np.array([ROWS.get(v, 0) for v in range(WIDE + 1)])
TILE = max(ROWS[v] * v for v in ROWS) * BYTES       # bytes of a tile
SPARE = TILE + max(ROWS.values()) * DEPTH * 8
PANEL = DEPTH * BEST * BYTES                        # bytes of a panel


@kernel("contract")
def _tile(
    number, vectors, a, a_row, a_step, b, b_row, depth, out, out_row, add, used, ahead, ahead_step, shift
):
    """A tile with this number of vectors."""
    if vectors == 3:
        TILE3(number, a, a_row, a_step, b, b_row, depth, out, out_row, add, used, ahead, ahead_step, shift, 0)
    elif vectors == WIDE:
        TILE6(number, a, a_row, a_step, b, b_row, depth, out, out_row, add, used, ahead, ahead_step, shift, 0)
    elif vectors == 2:
        TILE2(number, a, a_row, a_step, b, b_row, depth, out, out_row, add, used, ahead, ahead_step, shift, 0)
    else:
        TILE1(number, a, a_row, a_step, b, b_row, depth, out, out_row, add, used, ahead, ahead_step, shift, 0)


@kernel("contract")
def part_of(depth):
    """How many terms are in each part of a sum, except for the last one, which may have fewer."""
    parts = max(1, -(-depth // DEPTH))
    return max(8, -(-depth // (8 * parts)) * 8)


@kernel("contract")
def _next_panel(vectors):
    """The number of vectors in the next panel, if this number of vectors is left."""
    if vectors <= BEST:
        return vectors
    return BEST if vectors % BEST != 1 else 2


@kernel("contract")
def pack(number, b, b_step, b_column, depth, columns, packed, start, stop):
    """Copy the panels start … stop − 1 of b (depth, columns) to `packed`, with zeros after the last column.

    packed : the address of panel 0
    """
    size = size_of(number)
    lanes = BYTES // size
    vectors, index = -(-columns // lanes), 0
    while vectors and index < stop:
        panel = _next_panel(vectors)
        width = panel * lanes
        if index >= start:
            _pack_panel(number, b, b_step, b_column, depth, min(width, columns), panel, packed)
        index += 1
        b += width * b_column
        packed += depth * width * size
        columns -= width
        vectors -= panel


@kernel("contract")
def _pack_panel(number, b, b_step, b_column, depth, used, panel, packed):
    """Copy b (depth, used) to one panel."""
    size = size_of(number)
    lanes = BYTES // size
    row = panel * BYTES
    if b_column == size:
        whole = used // lanes
        for k in range(depth):
            copy_vectors(number, b + k * b_step, packed + k * row, whole)
        _pack_rest(number, b, b_step, b_column, whole * lanes, used, 0, depth, row, packed)
    elif b_step == size:
        columns, steps = used // lanes * lanes, depth // lanes * lanes
        for j in range(0, columns, lanes):
            for k in range(0, steps, lanes):
                transpose(number, b + j * b_column + k * size, b_column, packed + k * row + j * size, row)
        _pack_rest(number, b, b_step, b_column, 0, columns, steps, depth, row, packed)
        _pack_rest(number, b, b_step, b_column, columns, used, 0, depth, row, packed)
    else:
        _pack_rest(number, b, b_step, b_column, 0, used, 0, depth, row, packed)
    for k in range(depth):
        for j in range(used * size, row, size):
            put(packed + k * row + j, number)


@kernel("contract")
def _pack_rest(number, b, b_step, b_column, left, right, top, bottom, row, packed):
    """Copy the columns left … right − 1 of the rows top … bottom − 1, number by number."""
    size = size_of(number)
    for j in range(left, right):
        for k in range(top, bottom):
            put(packed + k * row + j * size, get(number, b + k * b_step + j * b_column))


@kernel("contract")
def _shift(tiles, lines):
    """The largest shift for which this number of tiles is enough to fetch all lines; see `_strip`."""
    shift = 0
    while 0 < lines << (shift + 1) <= tiles:
        shift += 1
    return shift


@kernel("contract")
def _strip(
    number, panel, a, a_row, a_step, a_group, b, b_row, out, out_row, rows, used, depth, spare, add,
    ahead, ahead_step, ahead_line, lines, shift=0, original=0, original_row=0,
):
    """The tiles of one panel, of which the first `used` columns are written.

    b, b_row : the panel, or the first of its columns in b itself
    a_group : bytes from GROUP rows of a to the next. In a copied a, the last group has GROUP rows, too
    original, original_row : 0, or the panel's first column in b, and bytes from row to row. Then the panel is
        empty, and the first tile fills it
    lines, shift : the tiles also prefetch the cache lines at ahead + i·ahead_line + k·ahead_step, for
        i < lines and k < depth. Each tile prefetches a new line every 2**shift steps
    """
    size = size_of(number)
    height = HEIGHTS[panel]
    row = panel * BYTES
    i = fetched = 0
    if original:
        COPYING(
            number, a, a_row, a_step, original, original_row, depth, out, out_row, add, used, b, 0, 0, b
        )
        i = height
    while i < rows:
        count = min(height, rows - i)
        source, source_row, source_step = a + i // GROUP * a_group + i % GROUP * a_row, a_row, a_step
        target, target_row, skip, accumulate = out + i * out_row, out_row, 0, add
        if count < height:
            target, target_row, accumulate = spare, row, 0
            if a_group != GROUP * a_row:
                pass                    # the copied group has rows of zeros
            elif rows >= height:        # a full tile, of which only the last rows are new
                skip = height - count
                source = a + (rows - height) * a_row
            elif rows == 1:     # the same row again and again
                source_row = 0
            else:       # the rows, and zeros below them: old memory may have denormal numbers, which are slow
                source, source_row, source_step = spare + TILE, depth * size, size
                for r in range(height):
                    for k in range(depth):
                        value = get(number, a + r * a_row + k * a_step) if r < count else number
                        put(source + r * source_row + k * size, value)
        fetches = fetched < lines * depth
        line = ahead + fetched // depth * ahead_line + fetched % depth * ahead_step
        _tile(
            number, panel, source, source_row, source_step, b, b_row, depth, target, target_row, accumulate,
            used, line if fetches else b, ahead_step if fetches else 0, shift,      # b is in the cache
        )
        if count < height:
            _copy_rows(number, spare + skip * row, row, out + i * out_row, out_row, count, used, add)
        fetched += -(-depth >> shift)
        i += count


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
def copy_groups(number, a, a_step, copied, rows, part):
    """Copy a (rows, part), whose columns are contiguous, in groups of GROUP rows, with zeros below the last.

    In a group, the numbers of each column of a are next to each other.
    """
    size = size_of(number)
    for k in range(part):
        source, target = a + k * a_step, copied + k * GROUP * size
        for i in range(0, rows // GROUP * GROUP, GROUP):
            copy_vectors(number, source + i * size, target + i * part * size, GROUP * size // BYTES)
        for i in range(rows // GROUP * GROUP, -(-rows // GROUP) * GROUP):
            value = get(number, source + i * size) if i < rows else number
            put(target + (i // GROUP * GROUP * part + i % GROUP) * size, value)


@kernel("contract")
def bytes_of_copy(a_row, a_step, rows, columns, depth, size):
    """The size in bytes of the copy of a that `multiply` makes, or 0 if it makes none.

    It copies a if the columns of a are contiguous, because the numbers of a row are then in different cache
    lines. A copy for one panel of b alone would take longer than it saves.
    """
    if a_row != size or a_step == size or rows < GROUP or columns * size <= BEST * BYTES:
        return 0
    return -(-min(rows, HEIGHT) // GROUP) * GROUP * depth * size


@kernel("contract")
def multiply(
    number, a, a_row, a_step, packed, out, out_row, rows, columns, depth, spare, add, ahead, ahead_step
):
    """out (rows, columns) = or += a (rows, depth) · b (depth, columns), with b in panels.

    spare : memory of SPARE bytes for tiles with fewer rows, and then of `bytes_of_copy` bytes for a copy of a
    ahead : 0, or the address of memory that is needed soon. For each k of each tile, the processor fetches a
        line of the cache, ahead_step bytes after the one before
    """
    size = size_of(number)
    lanes = BYTES // size
    copied = bytes_of_copy(a_row, a_step, rows, columns, depth, size) > 0
    for top in range(0, rows, HEIGHT):
        source, source_row, source_step, group = a + top * a_row, a_row, a_step, GROUP * a_row
        if copied:
            source, source_row, source_step, group = spare + SPARE, size, GROUP * size, depth * GROUP * size
            copy_groups(number, a + top * a_row, a_step, source, min(HEIGHT, rows - top), depth)
        vectors, first, panel_at = -(-columns // lanes), 0, packed
        while vectors:
            panel = _next_panel(vectors)
            width = panel * lanes
            height = min(HEIGHT, rows - top)
            _strip(
                number, panel, source, source_row, source_step, group, panel_at, panel * BYTES,
                out + top * out_row + first * size, out_row, height, min(width, columns - first), depth,
                spare, add, ahead, ahead_step, depth * ahead_step, height if ahead_step else 0,
            )
            ahead += -(-height // HEIGHTS[panel]) * depth * ahead_step
            panel_at += depth * width * size
            first += width
            vectors -= panel


@kernel("contract")
def multiply_matrix(
    number, a, a_row, a_step, b, b_step, b_column, out, out_row, rows, columns, depth, spare, add, then,
    grouped, above,
):
    """out (rows, columns) = or += a (rows, depth) · b (depth, columns).

    spare : memory of SPARE bytes, for one panel, and, if a is copied, for DEPTH terms of a
    then : 0, or the address of the part of b that is probably needed next, with the same distances
    grouped : 0, or the padded number of rows of the matrix in groups that starts at address a; see
        `copy_groups`. The product then uses its rows from `above` on, a multiple of GROUP
    """
    size = size_of(number)
    if grouped:
        a_row, a_step = size, GROUP * size
    elif copies(a_row, rows, depth, size):
        _multiply_copied(
            number, a, a_step, b, b_step, b_column, out, out_row, rows, columns, depth, spare, add
        )
        return
    if rows <= FEW and b_column == size and not grouped:
        whole = columns // (BYTES // size) * (BYTES // size)
        _multiply_in_place(number, a, a_row, a_step, b, b_step, out, out_row, rows, whole, depth, spare, add)
        b, out, columns = b + whole * size, out + whole * size, columns - whole
    lanes = BYTES // size
    terms = part_of(depth)
    packed = spare + SPARE
    for k in range(0, depth, terms):
        part = min(terms, depth - k)
        source_a, group = a + k * a_step, GROUP * a_row
        if grouped:
            source_a, group = a + k * grouped * size, part * GROUP * size
            source_a += above * part * size
        vectors, first = -(-columns // lanes), 0
        while vectors:
            panel = _next_panel(vectors)
            width = panel * lanes
            used = min(width, columns - first)
            source = b + k * b_step + first * b_column
            by_tile = b_column == size and used == BEST * lanes and rows >= HEIGHTS[BEST]
            if not by_tile:
                _pack_panel(number, source, b_step, b_column, part, used, panel, packed)
            ahead, lines = 0, 0
            if vectors > panel:
                following = source + width * b_column
            else:
                following = b + (k + part) * b_step if k + part < depth else then
            if following and b_column == size:
                ahead, lines = following, used * size // LINE + 1
            _strip(
                number, panel, source_a, a_row, a_step, group, packed, panel * BYTES,
                out + first * size, out_row, rows, used, part, spare, 1 if add or k else 0,
                ahead, b_step, LINE, lines, _shift(rows // HEIGHTS[panel] - 1, lines),
                source if by_tile else 0, b_step,
            )
            first += width
            vectors -= panel


@kernel("contract")
def _multiply_in_place(number, a, a_row, a_step, b, b_step, out, out_row, rows, columns, depth, spare, add):
    """As `multiply_matrix` for few rows of a: b, whose rows are contiguous, is not copied.

    columns : of whole vectors
    """
    size = size_of(number)
    lanes = BYTES // size
    terms = part_of(depth)
    vectors, first = columns // lanes, 0
    while vectors:
        panel = WIDE if vectors >= WIDE else _next_panel(vectors)
        for k in range(0, depth, terms):
            source = b + k * b_step + first * size
            _strip(
                number, panel, a + k * a_step, a_row, a_step, GROUP * a_row, source, b_step,
                out + first * size, out_row, rows, panel * lanes, min(terms, depth - k), spare,
                1 if add or k else 0, source + AHEAD * b_step, b_step, LINE, 1,
            )
        first += panel * lanes
        vectors -= panel


def is_copied(a_row: int, rows: int, depth: int, size: int) -> bool:
    """Whether `multiply_matrix` copies a, unless it is in groups already."""
    return a_row == size and depth > 4 * DEPTH and rows >= GROUP


copies = kernel("contract")(is_copied)


@kernel("contract")
def _multiply_copied(number, a, a_step, b, b_step, b_column, out, out_row, rows, columns, depth, spare, add):
    """As `multiply_matrix`, for an a whose columns are contiguous. It is copied in groups of rows."""
    size = size_of(number)
    lanes = BYTES // size
    terms = part_of(depth)
    packed = spare + SPARE
    copied = packed + PANEL
    for k in range(0, depth, terms):
        part = min(terms, depth - k)
        copy_groups(number, a + k * a_step, a_step, copied, rows, part)
        vectors, first = -(-columns // lanes), 0
        while vectors:
            panel = _next_panel(vectors)
            width = panel * lanes
            used = min(width, columns - first)
            source = b + k * b_step + first * b_column
            _pack_panel(number, source, b_step, b_column, part, used, panel, packed)
            _strip(
                number, panel, copied, size, GROUP * size, part * GROUP * size, packed, panel * BYTES,
                out + first * size, out_row, rows, used, part, spare, 1 if add or k else 0, packed, 0, 0, 0,
            )
            first += width
            vectors -= panel


@kernel("contract")
def product(
    number, code, a, a_row, a_step, b, b_step, b_column, out, out_row, rows, columns, depth, add, then=0
):
    """out = or += a·b for whole matrices, in the calling thread; see `multiply_matrix`."""
    size = size_of(number)
    lanes = BYTES // size
    copied = copies(a_row, rows, depth, size)
    tall = rows > HEIGHT and columns > BEST * lanes and not copied
    padded = -(-columns // lanes) * lanes
    extra = PANEL
    if tall:
        terms = part_of(depth)
        copy_size = bytes_of_copy(a_row, a_step, rows, columns, terms, size)
        extra = terms * padded * size + copy_size
    elif copied:
        extra += -(-rows // GROUP) * GROUP * DEPTH * size
    memory = np.empty(SPARE + BYTES + extra, np.uint8)
    start = memory.ctypes.data
    spare = start + (-start) % BYTES
    if tall:    # all panels first, so that the rows of a that are in the cache pass through all of them
        packed = spare + SPARE + copy_size
        for k in range(0, depth, terms):
            part = min(terms, depth - k)
            call(load(code), (number, b + k * b_step, b_step, b_column, part, columns, packed, 0, columns))
            call(
                load(code + 8),
                (
                    number, a + k * a_step, a_row, a_step, packed, out, out_row, rows, columns, part, spare,
                    1 if add or k else 0, 0, 0,
                ),
            )
    else:
        call(
            load(code + 16),
            (
                number, a, a_row, a_step, b, b_step, b_column, out, out_row, rows, columns, depth, spare,
                1 if add else 0, then, 0, 0,
            ),
        )
    keep(memory)


@kernel("contract")
def multiply_groups(
    number, code, groups, grouped, above, b, b_step, b_column, out, out_row, rows, columns, depth, add, then
):
    """out = or += a·b in the calling thread, for rows of a matrix in groups; see `multiply_matrix`."""
    memory = np.empty(SPARE + BYTES + PANEL, np.uint8)
    spare = memory.ctypes.data
    call(
        load(code + 16),
        (
            number, groups, 0, 0, b, b_step, b_column, out, out_row, rows, columns, depth,
            spare + (-spare) % BYTES, 1 if add else 0, then, grouped, above,
        ),
    )
    keep(memory)


@kernel("contract")
def multiply_packed(
    number, code, a, a_row, a_step, packed, out, out_row, rows, columns, depth, add, ahead=0, size_ahead=0
):
    """out = or += a·b for a (rows, depth) and b in panels, in the calling thread.

    ahead, size_ahead : 0, or memory that is needed soon
    """
    size = size_of(number)
    lanes = BYTES // size
    padded = -(-columns // lanes) * lanes
    terms = part_of(depth)
    memory = np.empty(SPARE + BYTES + bytes_of_copy(a_row, a_step, rows, columns, terms, size), np.uint8)
    spare = memory.ctypes.data
    tiles = -(-rows // HEIGHTS[BEST]) * -(-padded // (BEST * lanes))
    step = -(-size_ahead // (tiles * depth)) if ahead else 0
    for k in range(0, depth, terms):
        part = min(terms, depth - k)
        call(
            load(code + 8),
            (
                number, a + k * a_step, a_row, a_step, packed + k * padded * size, out, out_row, rows,
                columns, part, spare + (-spare) % BYTES, 1 if add or k else 0, ahead, step,
            ),
        )
        ahead += tiles * part * step
    keep(memory)
