"""Instructions of the processor that Numba has no function for: atomic ones, pauses, calls, and fused loops.

All addresses are integers, in bytes. The functions of this file do not check what they are given.
"""

from __future__ import annotations

import itertools
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
from numba import extending
from numba.core import cgutils, types
from numba.np.arrayobj import make_array, populate_array

intrinsic: Any = extending.intrinsic

WORD = ir.IntType(64)
ORDER = "seq_cst"       # every thread sees the atomic instructions of all threads in one order
_numbers = itertools.count()


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, WORD.as_pointer())


@intrinsic
def keep(typingctx, array):
    """Do nothing. Numba frees an array after its last use, and the use of its address does not count."""
    def codegen(context, builder, signature, args):
        return context.get_dummy_value()

    return types.void(array), codegen


@intrinsic
def load(typingctx, address):
    """The word at an address, which no other thread writes meanwhile."""
    def codegen(context, builder, signature, args):
        return builder.load(_pointer(builder, args[0]))

    return types.int64(types.int64), codegen


@intrinsic
def atomic_load(typingctx, address):
    """The word at an address."""
    def codegen(context, builder, signature, args):
        return builder.load_atomic(_pointer(builder, args[0]), ORDER, 8)

    return types.int64(types.int64), codegen


@intrinsic
def atomic_store(typingctx, address, value):
    """Write a word."""
    def codegen(context, builder, signature, args):
        builder.store_atomic(args[1], _pointer(builder, args[0]), ORDER, 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def atomic_add(typingctx, address, value):
    """Add to a word; return what it was before."""
    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", _pointer(builder, args[0]), args[1], ORDER)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def compare_exchange(typingctx, address, expected, value):
    """Write a word if it has the expected value; return whether it had."""
    def codegen(context, builder, signature, args):
        found = builder.cmpxchg(_pointer(builder, args[0]), args[1], args[2], ORDER, ORDER)
        return builder.extract_value(found, 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


_processor = llvm.get_process_triple().partition("-")[0]


@intrinsic
def pause(typingctx):
    """Wait for some nanoseconds. The processor uses less power, and other threads of its core go first."""
    def codegen(context, builder, signature, args):
        def instruction(name: str, *numbers: int) -> None:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)] * len(numbers))
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            builder.call(function, [ir.IntType(32)(number) for number in numbers])

        if _processor in ("x86_64", "i386"):
            instruction("llvm.x86.sse2.pause")
        elif _processor in ("aarch64", "arm64"):
            instruction("llvm.aarch64.hint", 1)     # yield
        return context.get_dummy_value()

    return types.void(), codegen


# The bits of MXCSR that make the processor treat subnormal numbers as zero, as inputs and as results.
FLUSH = 0x8040


@intrinsic
def float_mode(typingctx):
    """The settings of this thread for arithmetic on floats (MXCSR), or 0 on processors without them."""
    def codegen(context, builder, signature, args):
        if _processor != "x86_64":
            return WORD(0)
        word = cgutils.alloca_once(builder, ir.IntType(32))
        _mxcsr(builder, "stmxcsr", word)
        return builder.zext(builder.load(word), WORD)

    return types.int64(), codegen


@intrinsic
def set_float_mode(typingctx, mode):
    """Set MXCSR of this thread to a value from `float_mode`. Python code of the thread is affected, too."""
    def codegen(context, builder, signature, args):
        if _processor == "x86_64":
            word = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(builder.trunc(args[0], ir.IntType(32)), word)
            _mxcsr(builder, "ldmxcsr", word)
        return context.get_dummy_value()

    return types.void(types.int64), codegen


def _mxcsr(builder: Any, instruction: str, word: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{instruction}")
    builder.call(function, [builder.bitcast(word, ir.IntType(8).as_pointer())])


@intrinsic
def call(typingctx, address, arguments):
    """Call a C function without a result, with a tuple of numbers as arguments."""
    def codegen(context, builder, signature, args):
        values = [builder.extract_value(args[1], i) for i in range(len(arguments.types))]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), codegen


@intrinsic
def call_task(typingctx, address, data, block):
    """Compute a block of a `task`; return 1 if there was no memory for it, else 0."""
    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(WORD, [WORD, WORD])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def task(typingctx, function, arguments):
    """Store arguments for `call_task`: (address of a C function, address of its data).

    The C function calls function(block, *arguments), for a compiled function and a tuple. The data is valid
    until the caller returns. The only exception that the function may raise is MemoryError.
    """
    argtypes = (types.int64, *arguments.types)
    resolved = function.get_call_type(typingctx, argtypes, {})

    def codegen(context, builder, signature, args):
        compiled = function.dispatcher.overloads[tuple(resolved.args)]
        inner, values, block, pair = _wrapper(builder, args[1])
        values = [block, *(inner.extract_value(values, i) for i in range(len(arguments.types)))]
        call_compiled(context, inner, compiled, values)
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(types.int64, 2)(function, arguments), codegen


@intrinsic
def task_of_parts(typingctx, function, parts, whole, step, size):
    """As `task`, for a function that is called with a part of each array and with further arguments.

    Block i is function(*(a[i·step : min((i + 1)·step, size)] for a in parts), *whole).
    """
    argtypes = (*parts.types, *whole.types)
    resolved = function.get_call_type(typingctx, argtypes, {})

    def codegen(context, builder, signature, args):
        compiled = function.dispatcher.overloads[tuple(resolved.args)]
        everything = cgutils.pack_struct(builder, args[1:])
        inner, values, block, pair = _wrapper(builder, everything)
        arrays, others, step, size = (inner.extract_value(values, i) for i in range(4))
        start = inner.mul(block, step)
        stop = inner.add(start, step)
        stop = inner.select(inner.icmp_signed("<", stop, size), stop, size)
        given = [
            _part(context, inner, kind, inner.extract_value(arrays, i), start, stop)
            for i, kind in enumerate(parts.types)
        ]
        given += [inner.extract_value(others, i) for i in range(len(whole.types))]
        call_compiled(context, inner, compiled, given)
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(types.int64, 2)(function, parts, whole, step, size), codegen


def _wrapper(builder: Any, values: Any) -> tuple[Any, Any, Any, list[Any]]:
    """Store values; start the C function that loads them. (its builder, values, block, both addresses)"""
    stored = cgutils.alloca_once(builder, values.type)
    builder.store(values, stored)
    name = f"{builder.function.name}.task.{next(_numbers)}"
    wrapper = ir.Function(builder.module, ir.FunctionType(WORD, [WORD, WORD]), name)
    wrapper.linkage = "internal"
    inner = ir.IRBuilder(wrapper.append_basic_block())
    data, block = wrapper.args
    loaded = inner.load(inner.inttoptr(data, stored.type))
    return inner, loaded, block, [builder.ptrtoint(wrapper, WORD), builder.ptrtoint(stored, WORD)]


def call_compiled(context: Any, inner: Any, compiled: Any, values: list[Any]) -> None:
    """Call a compiled function, and return 1 if it raised an exception, which is a MemoryError, else 0."""
    context.active_code_library.add_linking_library(compiled.library)
    target = context.declare_function(inner.module, compiled.fndesc)
    description = compiled.fndesc
    status, _ = context.call_conv.call_function(
        inner, target, description.restype, description.argtypes, values
    )
    inner.ret(inner.zext(status.is_error, WORD))


def _part(context: Any, builder: Any, kind: Any, value: Any, start: Any, stop: Any) -> Any:
    """array[start:stop]."""
    array, part = make_array(kind)(context, builder, value), make_array(kind)(context, builder)
    shape = cgutils.unpack_tuple(builder, array.shape)
    strides = cgutils.unpack_tuple(builder, array.strides)
    shape[0] = builder.sub(stop, start)
    populate_array(
        part,
        data=cgutils.pointer_add(builder, array.data, builder.mul(start, strides[0]), array.data.type),
        shape=shape,
        strides=strides,
        itemsize=array.itemsize,
        meminfo=array.meminfo,
        parent=array.parent,
    )
    return part._getvalue()


def address_of(kernel: Any, *argtypes: Any) -> int:
    """Compile a kernel without a result for these types; return the address of a C function for `call`.

    A kernel that is called in this way is compiled once, and not again as a part of each one that calls it.
    """
    kernel.compile(argtypes)
    compiled = kernel.overloads[argtypes]
    address: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)
    return address
