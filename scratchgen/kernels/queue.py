"""A queue of blocks of work, which the calling thread and helper threads take one after the other.

A computation on large arrays is cut into blocks, each of which is computed by one thread. In most
computations, the boundaries depend on the shapes alone. In the others, they do not change any number. So the
result has the same bits however many threads take part. A thread takes the next block when it has finished
one.

All of this is compiled and runs without the GIL. Only one caller at a time can use the helpers. If another
one comes, it computes all of its blocks itself.

**The queue** is one word in memory: the number of the computation, how many blocks it has, and which block is
next. A thread takes a block by incrementing the word, unless another thread has changed it since it was read.
So no thread can take a block of a computation that has ended.

**Waiting.** A helper without work looks for some at short intervals for LONG microseconds, longer than the
Python code between two computations of a step takes, and then sleeps. If other processes want its core, it
sleeps after SPIN microseconds. It assumes this if any helper has lost its core during the last CALM
computations. (A block that takes longer than PATIENCE looks like a lost core.)

**If a helper loses its core** to another process in the middle of a block, the caller has to wait for this
block, but not until the other process ends its time slice, which is milliseconds. After PATIENCE
microseconds the caller moves the helper to its own core, and sleeps. The helper continues there at once.
Then the caller moves it away. If the operating system later moves the caller to another core, the caller
moves the helper away from that one, so that they do not stay on one core while another is idle.
"""

from __future__ import annotations

import platform
import sys
from typing import Any

from numba.core import types

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.native import (
    FLUSH,
    atomic_add,
    atomic_load,
    atomic_store,
    call_task,
    compare_exchange,
    float_mode,
    pause,
    set_float_mode,
)

# Offsets in the memory of the queue: words in different cache lines (64 bytes), because different threads
# write them.
QUEUE = 0           # number of the computation << 32 | blocks << 16 | next block
TASK = 64           # function and data, see native.task
DONE = 128          # blocks that helpers have finished
NUMBER = 192        # of the computation; helpers sleep until it changes
SLEEPING = 256      # helpers that sleep
WAITING = 320       # 1 if the caller sleeps until a block is finished
OWNER = 384         # 1 if a caller uses the helpers
STOP = 448          # 1 if the helpers should end
LIMIT = 512         # helpers that may take part
LOOKS = 576         # how many pauses take SPIN, PATIENCE and LONG microseconds
CORES = 640         # MASK bytes: the cores that may be used, one bit for each
CHOSEN = 768        # MASK bytes: the cores for one helper
FAILED = 896        # blocks for which there was no memory
SINCE = 904         # computations since a helper last lost its core
HELPERS = 960       # one line for each helper: see COMPUTES
COMPUTES, THREAD = 0, 8     # whether it computes a block, and its thread number
AWAY = 16                   # 0, or 1 + the number of the core that it was moved away from
CLOCK = 32                  # for `_microseconds`
LINE, MASK = 64, 128
MOST = (1 << 16) - 1        # blocks
SPIN, PATIENCE, LONG = 60, 200, 200     # µs
CALM = 500                  # computations
LOST = 1000                 # a helper that has looked for work for more than so many µs has lost its core

# In Linux a thread can sleep until a word in memory changes.
FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine(), 0) if sys.platform == "linux" else 0
WAIT, WAKE = 128, 129       # FUTEX_WAIT and FUTEX_WAKE within one process
GETTID = {"x86_64": 186, "aarch64": 178}.get(platform.machine(), 0)
_syscall: Any = types.ExternalFunction("syscall", types.intp(*(types.intp,) * 7))
_time_of_day: Any = types.ExternalFunction("gettimeofday", types.int32(types.intp, types.intp))
_core: Any = types.ExternalFunction("sched_getcpu", types.int32())
_set_cores: Any = types.ExternalFunction(
    "sched_setaffinity", types.int32(types.int32, types.intp, types.intp)
)

if not FUTEX:       # there are no helpers, and these functions of the C library may not exist
    _syscall = kernel("contract")(lambda number, a, b, c, d, e, f: 0)
    _time_of_day = kernel("contract")(lambda memory, zone: 0)
    _core = kernel("contract")(lambda: 0)
    _set_cores = kernel("contract")(lambda thread, size, mask: 0)


def size(helpers: int) -> int:
    """The bytes of a queue."""
    return HELPERS + helpers * LINE


@kernel("contract")
def _microseconds(memory):
    """The time in µs. `memory` has room for two words."""
    _time_of_day(memory, 0)
    return atomic_load(memory) * 1_000_000 + atomic_load(memory + 8)


@kernel("contract")
def pauses(count):
    """Wait for the time of this many pauses."""
    for _ in range(count):
        pause()


@kernel("contract")
def _sleep(address, value):
    """Sleep until `_wake` is called, or return at once if the word does not have this value."""
    _syscall(FUTEX, address, WAIT, value & 0xFFFFFFFF, 0, 0, 0)


@kernel("contract")
def _wake(address):
    _syscall(FUTEX, address, WAKE, MOST, 0, 0, 0)


@kernel("contract")
def _move(queue, helper, core, there):
    """Let a helper run on this core only, or on all others only."""
    atomic_store(helper + AWAY, 0 if there else core + 1)
    for i in range(0, MASK, 8):
        atomic_store(queue + CHOSEN + i, 0 if there else atomic_load(queue + CORES + i))
    word, bit = queue + CHOSEN + 8 * (core >> 6), 1 << (core & 63)
    atomic_store(word, bit if there else atomic_load(word) & ~bit)
    _set_cores(atomic_load(helper + THREAD), MASK, queue + CHOSEN)


@kernel("contract")
def all_asleep(queue, helpers):
    """Whether no helper looks for work, so that none takes part if it is not woken."""
    return helpers < 1 or atomic_load(queue + SLEEPING) >= helpers


@kernel("contract")
def _keep_away(queue, helpers):
    """Move helpers away from the core of the caller, if they were moved away from another one before."""
    core = _core()
    for i in range(helpers):
        helper = queue + HELPERS + i * LINE
        away = atomic_load(helper + AWAY)
        if away and away != core + 1:
            _move(queue, helper, core, False)


@kernel("contract")
def help_out(queue, number):
    """Compute blocks as helper `number`, from 0, until `stop` is called."""
    me = queue + HELPERS + number * LINE
    set_float_mode(float_mode() | FLUSH)    # as in `run`
    atomic_store(me + THREAD, _syscall(GETTID, 0, 0, 0, 0, 0, 0))
    while atomic_load(queue + STOP) == 0:
        spin = atomic_load(queue + LOOKS + (16 if atomic_load(queue + SINCE) >= CALM else 0))
        computation = atomic_load(queue + NUMBER)
        word = atomic_load(queue + QUEUE)
        looks, began = 0, _microseconds(me + CLOCK)
        if word & MOST < (word >> 16) & MOST and number < atomic_load(queue + LIMIT):
            function, data = atomic_load(queue + TASK), atomic_load(queue + TASK + 8)
            atomic_store(me + COMPUTES, 1)
            taken = compare_exchange(queue + QUEUE, word, word + 1)
            if taken:       # so function and data are those of this computation
                atomic_add(queue + FAILED, call_task(function, data, word & MOST))
            atomic_store(me + COMPUTES, 0)
            if taken:
                atomic_add(queue + DONE, 1)
            if not taken or atomic_load(queue + WAITING) == 0:
                continue
            atomic_store(queue + WAITING, 0)
            _wake(queue + WAITING)
            looks = spin    # this may be the core of the caller, who continues now
        while looks < spin and atomic_load(queue + NUMBER) == computation:
            pause()
            looks += 1
        if _microseconds(me + CLOCK) - began > LOST:
            atomic_store(queue + SINCE, 0)
        if looks >= spin:
            atomic_add(queue + SLEEPING, 1)
            _sleep(queue + NUMBER, computation)
            atomic_add(queue + SLEEPING, -1)


@kernel("contract")
def stop(queue):
    """Let all helpers return from `help_out`."""
    atomic_store(queue + STOP, 1)
    atomic_add(queue + NUMBER, 1)
    _wake(queue + NUMBER)


@kernel("contract")
def run(queue, helpers, function, data, count, wake, large):
    """Compute the blocks 0 … count − 1 of a `task`, with the help of at most so many helpers.

    Returns how many of them failed, because there was no memory.

    wake : whether there is enough work to wake helpers that sleep, which takes 5 to 50 µs
    large : whether helpers may take part, and subnormal numbers count as zero, since many of them would make
        the computation ten times as long. It must not depend on the number of threads, or the bits would
    """
    mode = float_mode()
    if large:
        set_float_mode(mode | FLUSH)
    failed = _run(queue, helpers if large else 0, function, data, count, wake)
    set_float_mode(mode)
    return failed


@kernel("contract")
def _run(queue, helpers, function, data, count, wake):
    if helpers < 1 or count < 2 or count > MOST or not compare_exchange(queue + OWNER, 0, 1):
        failed = 0
        for block in range(count):
            failed += call_task(function, data, block)
        return failed
    atomic_store(queue + TASK, function)
    atomic_store(queue + TASK + 8, data)
    atomic_store(queue + DONE, 0)
    atomic_store(queue + FAILED, 0)
    atomic_store(queue + LIMIT, helpers)
    _keep_away(queue, helpers)
    computation = atomic_load(queue + NUMBER) + 1
    atomic_store(queue + QUEUE, computation << 32 | count << 16)
    atomic_store(queue + NUMBER, computation)
    if wake and atomic_load(queue + SLEEPING) > 0:
        _wake(queue + NUMBER)
    others = count
    word = atomic_load(queue + QUEUE)
    while word & MOST < count:
        if compare_exchange(queue + QUEUE, word, word + 1):
            atomic_add(queue + FAILED, call_task(function, data, word & MOST))
            others -= 1
        word = atomic_load(queue + QUEUE)
    looks, patience = 0, atomic_load(queue + LOOKS + 8)
    while looks < patience and atomic_load(queue + DONE) < others:
        pause()
        looks += 1
    atomic_add(queue + SINCE, 1)
    if atomic_load(queue + DONE) < others:
        atomic_store(queue + SINCE, 0)
        _wait(queue, helpers, others)
    failed = atomic_load(queue + FAILED)
    atomic_store(queue + OWNER, 0)
    return failed


@kernel("contract")
def _wait(queue, helpers, others):
    """Wait for blocks of helpers that have probably lost their cores."""
    core, moved = _core(), 0
    for i in range(helpers):
        helper = queue + HELPERS + i * LINE
        if atomic_load(helper + COMPUTES) and moved == 0:
            _move(queue, helper, core, True)
            moved = helper
    while atomic_load(queue + DONE) < others:
        atomic_store(queue + WAITING, 1)
        if atomic_load(queue + DONE) < others:
            _sleep(queue + WAITING, 1)
    atomic_store(queue + WAITING, 0)
    if moved:
        _move(queue, moved, core, False)
