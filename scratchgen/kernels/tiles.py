"""The inner loop of a matrix product: one tile of the output, in the registers of the processor.

A tile has R rows and V vectors of columns, and all R·V sums are in registers. For each k, V vectors of b
and R numbers of a are loaded, and R·V vectors of products are added.
"""
from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
from numba import extending
from numba.core import cgutils, types

intrinsic: Any = extending.intrinsic

_features = llvm.get_host_cpu_features()
_triple = llvm.get_process_triple()


def _registers() -> tuple[int, dict[int, int]]:
    """The bytes of a vector register, and for each number of vectors in a tile, the number of its rows.

    Tiles of six vectors are for products with few rows.
    """
    if _features.get("avx512f"):
        return 64, {6: 4, 3: 8, 2: 8, 1: 16}    # 32 registers
    if _features.get("avx2") and _features.get("fma"):
        return 32, {6: 2, 3: 4, 2: 4, 1: 8}     # 16 registers
    if _triple.startswith(("aarch64", "arm64")):
        return 16, {6: 4, 3: 8, 2: 8, 1: 16}
    return 16, {6: 2, 3: 4, 2: 4, 1: 8}


BYTES, ROWS = _registers()
FUSED = BYTES > 16 or _triple.startswith(("aarch64", "arm64"))
LINE = 64       # bytes of a line of the cache
WORD = ir.IntType(64)
BYTE = ir.IntType(8).as_pointer()


def _make(rows: int, vectors: int, copies: bool = False) -> Any:
    """The function that computes a tile; see the module.

    copies : whether the tile also copies to `panel` the columns of b that it reads, for the next tiles
    """

    @intrinsic
    def tile(
        typingctx, number, a, a_row, a_step, b, b_row, depth, out, out_row, add, used, ahead, ahead_step,
        shift, panel,
    ):
        """out (rows, vectors) = or += the sum over `depth` of numbers of a times vectors of b.

        number : of the dtype;  a, b, out : addresses;  a_row, out_row : bytes from row to row
        a_step : bytes from one number of a row to the next
        b_row : bytes from one row of b to the next, which is the size of a panel's row if b is packed
        used : the columns of out, more than (vectors − 1)·lanes. The last vector may extend beyond them
        ahead, shift : memory that is needed soon. For each k, the cache fetches the line at
            ahead + (k >> shift)·ahead_step, and in the widest tile as many bytes there as a row of b has
        panel : where the tile copies the columns that it has read, if it does
        """
        def codegen(context, builder, signature, args):
            (
                _, a, a_row, a_step, b, b_row, depth, out, out_row, add, used, ahead, ahead_step, shift, panel
            ) = args
            single = number == types.float32
            element = ir.FloatType() if single else ir.DoubleType()
            size = 4 if single else 8
            lanes = BYTES // size
            vector = ir.VectorType(element, lanes)
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3),
                f"llvm.fma.v{lanes}f{8 * size}",
            )
            fetch = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), [BYTE, *[ir.IntType(32)] * 3]),
                "llvm.prefetch.p0i8",
            )
            nowhere = ir.Constant(vector, ir.Undefined)
            first = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)

            def at(address: Any, kind: Any, *offsets: Any) -> Any:
                for offset in offsets:
                    address = builder.add(address, offset)
                return builder.inttoptr(address, kind.as_pointer())

            def times(value: Any, factor: int) -> Any:
                return builder.mul(value, WORD(factor))

            start = builder.block
            loop, after = builder.append_basic_block("depth"), builder.append_basic_block("store")
            builder.branch(loop)
            builder.position_at_end(loop)
            counters = []
            for initial in (WORD(0), a, b, panel):
                counter = builder.phi(WORD)
                counter.add_incoming(initial, start)
                counters.append(counter)
            sums = [builder.phi(vector) for _ in range(rows * vectors)]
            for total in sums:
                total.add_incoming(ir.Constant(vector, [0.0] * lanes), start)
            k, a_now, b_now, copy = counters
            line = builder.add(ahead, builder.mul(builder.lshr(k, shift), ahead_step))
            for offset in range(0, vectors * BYTES if vectors == max(ROWS) else LINE, LINE):
                where = builder.inttoptr(builder.add(line, WORD(offset)), BYTE)
                builder.call(fetch, [where, *(ir.IntType(32)(word) for word in (0, 2, 1))])
            columns = [
                builder.load(at(b_now, vector, WORD(v * BYTES)), align=size) for v in range(vectors)
            ]
            if copies:
                for v, column in enumerate(columns):
                    builder.store(column, at(copy, vector, WORD(v * BYTES)), align=BYTES)
            new = []
            for r in range(rows):
                x = builder.load(at(a_now, element, times(a_row, r)), align=size)
                x = builder.insert_element(nowhere, x, ir.IntType(32)(0))
                x = builder.shuffle_vector(x, nowhere, first)
                for v in range(vectors):
                    total = sums[r * vectors + v]
                    new.append(
                        builder.call(fma, [x, columns[v], total])
                        if FUSED
                        else builder.fadd(total, builder.fmul(x, columns[v]))
                    )
            ends = (
                builder.add(k, WORD(1)), builder.add(a_now, a_step),
                builder.add(b_now, b_row), builder.add(copy, WORD(vectors * BYTES)),
            )
            for phi, end in zip([*counters, *sums], [*ends, *new], strict=True):
                phi.add_incoming(end, loop)
            builder.cbranch(builder.icmp_signed("<", ends[0], depth), loop, after)
            builder.position_at_end(after)
            mask = _mask(builder, lanes, builder.sub(used, WORD((vectors - 1) * lanes)))
            name = f"v{lanes}f{8 * size}.p0v{lanes}f{8 * size}"
            flags, align = mask.type, ir.IntType(32)
            read = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector.as_pointer(), align, flags, vector]),
                f"llvm.masked.load.{name}",
            )
            write = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [vector, vector.as_pointer(), align, flags]),
                f"llvm.masked.store.{name}",
            )
            places = [
                (at(out, vector, times(out_row, r), WORD(v * BYTES)), v == vectors - 1)
                for r in range(rows)
                for v in range(vectors)
            ]
            with builder.if_else(builder.icmp_signed("!=", add, WORD(0))) as (then, otherwise):
                with then:
                    for (place, partial), value in zip(places, new, strict=True):
                        if partial:
                            old = builder.call(read, [place, align(size), mask, nowhere])
                            builder.call(write, [builder.fadd(old, value), place, align(size), mask])
                        else:
                            old = builder.load(place, align=size)
                            builder.store(builder.fadd(old, value), place, align=size)
                with otherwise:
                    for (place, partial), value in zip(places, new, strict=True):
                        if partial:
                            builder.call(write, [value, place, align(size), mask])
                        else:
                            builder.store(value, place, align=size)
            return context.get_dummy_value()

        return types.void(number, *(types.int64,) * 14), codegen

    return tile


def _mask(builder: Any, lanes: int, used: Any) -> Any:
    """A vector of bits, of which the first `used` are 1."""
    short = ir.IntType(32)
    kind = ir.VectorType(short, lanes)
    empty = ir.Constant(kind, ir.Undefined)
    every = builder.insert_element(empty, builder.trunc(used, short), short(0))
    every = builder.shuffle_vector(every, empty, ir.Constant(kind, [0] * lanes))
    return builder.icmp_signed("<", ir.Constant(kind, list(range(lanes))), every)


TILES = {vectors: _make(rows, vectors) for vectors, rows in ROWS.items()}
COPYING = _make(ROWS[3], 3, copies=True)


@intrinsic
def copy_vectors(typingctx, number, source, target, count):
    """Copy `count` vectors; the target is aligned."""
    def codegen(context, builder, signature, args):
        _, source, target, count = args
        vector = ir.VectorType(WORD, BYTES // 8)
        with cgutils.for_range(builder, count) as loop:
            offset = builder.mul(loop.index, WORD(BYTES))
            here, there = (
                builder.inttoptr(builder.add(start, offset), vector.as_pointer())
                for start in (source, target)
            )
            builder.store(builder.load(here, align=4), there, align=BYTES)
        return context.get_dummy_value()

    return types.void(number, types.int64, types.int64, types.int64), codegen


@intrinsic
def transpose(typingctx, number, source, source_row, target, target_row):
    """Copy a square of numbers, as many as are in a vector, so that its rows become columns."""
    def codegen(context, builder, signature, args):
        _, source, source_row, target, target_row = args
        single = number == types.float32
        lanes = BYTES // (4 if single else 8)
        kind = ir.VectorType(ir.FloatType() if single else ir.DoubleType(), lanes)
        align = BYTES // lanes

        def at(start: Any, row: Any, i: int) -> Any:
            return builder.inttoptr(builder.add(start, builder.mul(row, WORD(i))), kind.as_pointer())

        vectors = [builder.load(at(source, source_row, i), align=align) for i in range(lanes)]
        size = 1
        while size < lanes:     # in each square of 2·size x 2·size numbers, exchange two of its parts
            low = [i if i & size == 0 else lanes + i - size for i in range(lanes)]
            high = [i + size if i & size == 0 else lanes + i for i in range(lanes)]
            for i in range(lanes):
                if i & size == 0:
                    pair = vectors[i], vectors[i + size]
                    for j, order in ((i, low), (i + size, high)):
                        mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)
                        vectors[j] = builder.shuffle_vector(*pair, mask)
            size *= 2
        for i, vector in enumerate(vectors):
            builder.store(vector, at(target, target_row, i), align=align)
        return context.get_dummy_value()

    return types.void(number, *(types.int64,) * 4), codegen


@intrinsic
def get(typingctx, number, address):
    """The number of this dtype at an address."""
    def codegen(context, builder, signature, args):
        kind = context.get_value_type(number)
        return builder.load(builder.inttoptr(args[1], kind.as_pointer()))

    return number(number, types.int64), codegen


@intrinsic
def put(typingctx, address, number):
    """Write a number to an address."""
    def codegen(context, builder, signature, args):
        builder.store(args[1], builder.inttoptr(args[0], args[1].type.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, number), codegen


@intrinsic
def size_of(typingctx, number):
    """The bytes of a number."""
    def codegen(context, builder, signature, args):
        return WORD(4 if number == types.float32 else 8)

    return types.int64(number), codegen
