"""Work shared by threads: each block is computed once, and the bits never depend on the threads."""

import multiprocessing
import os
import platform
import subprocess
import sys
import threading
import time
from itertools import product

import numpy as np
import pytest
from helpers.train_each import KINDS, LARGE, digest, results
from threadpoolctl import threadpool_limits

from scratchgen.kernels import panels, parts, products, queue
from scratchgen.kernels.compile import kernel
from scratchgen.kernels.optimisers import adam_step
from scratchgen.layers import (
    CausalSelfAttention,
    Conv2d,
    ConvTranspose2d,
    GroupNorm,
    LayerNorm,
    Linear,
    MaskedLinear,
    SiLU,
)
from scratchgen.runtime import threads
from scratchgen.training.optimisers import Adam

pytestmark = pytest.mark.skipif(not queue.FUTEX, reason="there are no helpers on this system")
FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


@pytest.fixture
def use(monkeypatch):
    """A function that sets the number of threads, on a machine with any number of cores."""
    monkeypatch.setattr(threads, "_processors", lambda: 4)
    with threadpool_limits(1, user_api="blas"):
        monkeypatch.setattr(threads, "_blas_threads", lambda: 1)
        yield lambda number: monkeypatch.setattr(threads, "_blas_threads", lambda: number)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks that are so small that even the examples of tests have many."""
    monkeypatch.setattr(parts, "ENTRIES", 16)
    monkeypatch.setattr(products, "SMALL", 1)
    monkeypatch.setattr(products, "WORK", 64)
    monkeypatch.setattr(products, "LEAST", 8)


@pytest.fixture
def no_patience(use):
    """Let the caller move a helper to its core and sleep, whenever it has to wait for a block."""
    use(2)
    threads.helpers()
    words = threads._helpers.memory[(threads._helpers.address - threads._helpers.memory.ctypes.data) // 8 :]
    usual = words[queue.LOOKS // 8 + 1]
    words[queue.LOOKS // 8 + 1] = 0
    yield
    words[queue.LOOKS // 8 + 1] = usual


def blas_threads():
    """Of the libraries that the first call found. SciPy loads another one, which training does not use."""
    return {blas.get_num_threads() for blas in threads._blas()}


@kernel("contract")
def _count(found):
    for i in range(found.size):
        found[i] += 1


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("size", [0, 1, 7, 1_000, 70_000])
def test_each_part_is_computed_once(use, number, size):
    use(number)
    found = np.zeros(size, np.int64)
    for _ in range(20):
        parts.share(_count, (found,), entries=3)
    assert (found == 20).all()


def test_helpers_compute_blocks(use):
    """With 20 ms of work, a second thread gets some of it, even if the machine is busy."""
    use(2)
    rng = np.random.default_rng(0)
    a, out = rng.standard_normal((1200, 1200)), np.empty((1200, 1200))
    address, count = threads.helpers()
    assert count == 1
    words = threads._helpers.memory[(address - threads._helpers.memory.ctypes.data) // 8 :]
    done = 0
    for _ in range(20):
        products.matmul(a, a, out)
        done += words[queue.DONE // 8]
    assert done > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape",
    [(3, 3, 3), (1, 5, 1), (7, 300, 33), (4, 0, 5), (130, 257, 99), (400, 9, 30), (30, 128, 500)],
)
def test_product_is_that_of_the_definition(use, small_blocks, rng, dtype, shape):
    """For each layout of both factors, with and without a bias, and added to what was there."""
    use(2)
    rows, depth, columns = shape
    sizes = (rows, depth), (depth, columns), (columns,), (rows, columns)
    a, b, bias, before = (rng.standard_normal(size).astype(dtype) for size in sizes)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    tolerance = (2e-6 if dtype == np.float32 else 2e-15) * max(1, depth)
    wide_a, wide_b = np.zeros((rows, 2 * depth), dtype), np.zeros((depth, columns + 3), dtype)
    wide_a[:, ::2], wide_b[:, 1:-2] = a, b
    for left in (a, np.asfortranarray(a), wide_a[:, ::2]):
        for right in (b, np.asfortranarray(b), wide_b[:, 1:-2]):
            for kwargs, expected in (
                ({}, exact), ({"bias": bias}, exact + bias), ({"add": True}, exact + before),
            ):
                out = np.empty((rows, columns + 1), dtype)
                out[:, :columns], out[:, columns] = before if kwargs.get("add") else np.nan, 7
                products.matmul(left, right, out[:, :columns], **kwargs)
                np.testing.assert_allclose(out[:, :columns], expected, rtol=0, atol=tolerance)
                assert (out[:, columns] == 7).all(), "expected nothing to be written beside the output"


def test_bits_of_a_product_do_not_depend_on_its_blocks_and_other_rows(use, rng, monkeypatch):
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((150, 700), (700, 90)))
    found = []
    for number, work, transposed in ((1, 3 << 20, False), (2, 1000, False), (3, 1 << 16, True)):
        use(number)
        monkeypatch.setattr(products, "WORK", work)
        out = np.empty((150, 90), np.float32)
        products.matmul(a, np.asfortranarray(b) if transposed else b, out)
        found.append(out)
    part, packed = np.empty((5, 40), np.float32), np.empty((5, 90), np.float32)
    products.matmul(a[31:36], b[:, 20:60], part)
    products.matmul(a[31:36], np.asfortranarray(b), packed)
    np.testing.assert_array_equal(found[0][31:36], packed)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[0][31:36, 20:60], part)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("shape", [(128, 61, 300), (40, 530, 97), (9, 16, 16), (99, 260, 49), (1, 7, 33)])
def test_each_way_of_a_product_gives_the_same_bits(use, rng, monkeypatch, shape, number, dtype):
    """Whether b is copied in blocks or at once, or outᵀ is computed. Memory around out does not change."""
    use(number)
    monkeypatch.setattr(products, "SMALL", 1)
    monkeypatch.setattr(products, "PACKED_SIZE", 0)
    rows, depth, columns = shape
    a, b = (rng.standard_normal(size).astype(dtype) for size in ((rows, depth), (depth, columns)))
    start = rng.standard_normal((rows + 2, columns + 2)).astype(dtype)
    monkeypatch.setattr(products, "MANY_WORK", 0)
    ways = {
        "block by block": (a, b, 1 << 30),
        "all of b at once": (a, b, 0),
        "all of b at once, with a copy of a": (np.asfortranarray(a), b, 0),
        "transposed": (a, np.asfortranarray(b), 1 << 30),
    }
    for add in (False, True):
        found = []
        for way, (left, right, least) in ways.items():
            for name in ("PACKED_ROWS", "MANY_ROWS"):
                monkeypatch.setattr(products, name, least)
            if way == "transposed":     # also if aᵀ is not smaller than b
                can = not add or depth <= panels.DEPTH
                monkeypatch.setattr(products, "_is_turned", lambda *_, can=can: can)
            out = start.copy()
            products.matmul(left, right, out[1:-1, 1:-1], add=add)
            found.append(out)
        for other in found[1:]:
            np.testing.assert_array_equal(found[0], other)
        exact = a.astype(np.float64) @ b + (start[1:-1, 1:-1] if add else 0)
        np.testing.assert_allclose(found[0][1:-1, 1:-1], exact, rtol=0, atol=2e-6 * depth)
        for edge in ((0,), (-1,), (slice(None), 0), (slice(None), -1)):
            np.testing.assert_array_equal(found[0][edge], start[edge])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape",
    [
        (33, 1300, 50), (16, 4097, 7), (300, 40, 200), (150, 16385, 3), (64, 1300, 70), (1100, 260, 90),
        (700, 600, 500),
    ],
)
def test_long_sums_and_tall_products(use, rng, dtype, shape):
    """With blocks of the usual size. The shapes cover long sums and many rows, for which a or b is copied."""
    rows, depth, columns = shape
    a, b = (rng.standard_normal(size).astype(dtype) for size in ((rows, depth), (depth, columns)))
    bias = rng.standard_normal(columns).astype(dtype)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    tolerance = (2e-6 if dtype == np.float32 else 2e-15) * depth
    first = None
    for number in (1, 2):
        use(number)
        for left in (a, np.asfortranarray(a)):
            out = np.empty((rows, columns), dtype)
            products.matmul(left, b, out)
            np.testing.assert_allclose(out, exact, rtol=0, atol=tolerance)
            first = out.copy() if first is None else first
            np.testing.assert_array_equal(out, first)
            products.matmul(left, b, out, add=True)
            np.testing.assert_allclose(out, 2 * exact, rtol=0, atol=2 * tolerance)
            products.matmul(left, b, out, bias)
            np.testing.assert_array_equal(out, first + bias)


def test_no_large_matrix_is_copied_at_once(use, rng, monkeypatch):
    """Not even if this is faster, because the copy takes as much memory as the matrix."""
    use(2)
    copied = []
    packed = products.packed
    monkeypatch.setattr(products, "packed", lambda b: copied.append(b.shape) or packed(b))
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((1100, 260), (260, 90)))
    found = np.empty((2, 1100, 90), np.float32)
    products.matmul(a, b, found[0])
    assert copied == [(260, 90)]
    monkeypatch.setattr(products, "MOST_PACKED", 4 * 260 * 90)      # in panels, it has 96 columns
    products.matmul(a, b, found[1])
    assert copied == [(260, 90)]
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("rows", range(1, 8))
def test_a_tile_with_few_rows_reads_no_old_numbers(rng, rows):
    """If the memory of its other rows had denormal numbers, it would take thirty times as long."""
    depth, columns = 20, 24
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((rows, depth), (depth, columns)))
    found = products.packed(b)
    spare = np.full((panels.SPARE + panels.BYTES) // 4, 1e-40, np.float32)
    start = products.address(spare)
    start += -start % panels.BYTES
    out = np.empty((rows, columns), np.float32)
    sizes = rows, columns, depth
    panels.multiply(
        np.float32(0), products.address(a), *a.strides, found.address, products.address(out), out.strides[0],
        *sizes, start, 0, 0, 0,
    )  # fmt: skip
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, rtol=0, atol=1e-5)
    height = panels.HEIGHTS[panels._next_panel.py_func(-(-columns * 4 // panels.BYTES))]
    first = (start + panels.TILE - products.address(spare)) // 4
    copied = spare[first : first + height * depth].reshape(height, depth)
    if rows > 1 and rows < height:      # one row is not copied
        np.testing.assert_array_equal(copied, np.concatenate([a, np.zeros((height - rows, depth))]))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="other processors keep them")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", [1, 2])
def test_subnormal_numbers_are_zero_in_shared_work_and_only_there(use, number, dtype):
    """Without this, Adam's mean of a gradient that has become 0 stays subnormal, and all steps are slow."""
    use(number)
    one = np.dtype(dtype).type(1)
    subnormal = np.finfo(dtype).smallest_subnormal * one * 100
    value, m = np.ones(3 * parts.ENTRIES, dtype), np.full(3 * parts.ENTRIES, subnormal)
    adam_step(value, np.zeros_like(m), m, np.zeros_like(m), 1e-3, 0.9, 0.999, 1e-8, 1)
    assert not m.any() and (value == 1).all()
    a, b = np.full((64, 300), subnormal), np.ones((300, 200), dtype)
    out = np.empty((64, 200), dtype)
    products.matmul(a, b, out)
    assert not out.any()
    assert subnormal * one > 0 and (np.full(100, subnormal) * one > 0).all()


@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_blocks_cover_each_number_of_a_product_once(monkeypatch, number):
    """With the small blocks at the end, and without them, as when all helpers sleep."""
    monkeypatch.setattr(products, "WORK", 1 << 14)
    monkeypatch.setattr(products, "LEAST", 1 << 10)
    sizes = product((1, 7, 64, 129, 700), (1, 16, 49, 200), (3, 300), (False, True))
    for rows, columns, depth, copied in sizes:
        found = products.divide(rows, columns, depth, 16, number, copied)
        without = -(-rows // found.height) * -(-columns // found.width)
        for whole, blocks in ((found.whole, found.blocks), (without, without)):
            covered = np.zeros((rows, columns), int)
            for block in range(blocks):
                division = rows, found.width, found.height, found.small, whole, number
                top, left, height = products._corner.py_func(block, *division)
                assert top < rows and left < columns
                covered[top : top + height, left : left + found.width] += 1
            assert (covered == 1).all()


@pytest.mark.parametrize("number", [2, 3, 8])
@pytest.mark.parametrize("rows", [128, 700])
def test_blocks_that_are_computed_at_the_same_time_are_not_neighbours(rows, number):
    """They would write to the same cache lines, which takes longer than the computation of these numbers."""
    division = products.divide(rows, 48 * 40, 1024, 48, number, False)
    size = rows, division.width, division.height, division.small, division.whole, number
    corners = [products._corner.py_func(block, *size) for block in range(division.whole)]
    assert len(corners) >= 3 * number
    for first in range(0, len(corners) - number + 1, number):
        lefts = sorted({left for _, left, _ in corners[first : first + number]})
        assert all(np.diff(lefts) > division.width)
    tops = {top for top, _, _ in corners}
    assert len(tops) == -(-rows // division.height)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_product_keeps_nan_and_infinity(use, number):
    use(2)
    a, b = np.ones((40, 60)), np.ones((60, 50))
    a[3, 4] = number
    out = np.empty((40, 50))
    products.matmul(a, b, out)
    np.testing.assert_array_equal(out, np.where(np.arange(40) == 3, number, 60.0)[:, None] * np.ones(50))


LAYERS = {
    "conv": (lambda **kind: Conv2d(3, 2, (3, 2), stride=2, padding=1, **kind), (5, 6, 7, 3)),
    "conv of few channels": (lambda **kind: Conv2d(6, 2, 3, padding=1, **kind), (5, 6, 7, 6)),
    "conv_transpose": (lambda **kind: ConvTranspose2d(3, 2, (3, 2), stride=2, **kind), (5, 6, 7, 3)),
    "linear": (lambda **kind: Linear(40, 30, **kind), (50, 2, 40)),
    "masked": (lambda **kind: MaskedLinear(40, 90, np.tri(40, 90, 20, bool), **kind), (50, 2, 40)),
    "layer_norm": (lambda rng, **kind: LayerNorm(4, **kind), (50, 2, 4)),
    "group_norm": (lambda rng, **kind: GroupNorm(2, 4, **kind), (50, 2, 3, 4)),
    "attention": (lambda **kind: CausalSelfAttention(4, 2, **kind), (50, 3, 4)),
    "silu": (lambda rng, dtype: SiLU(), (50, 7)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_layer_gives_the_same_bits_on_one_two_and_three_threads(use, small_blocks, rng, name, dtype):
    make, shape = LAYERS[name]
    layer, x = make(rng=rng, dtype=dtype), rng.standard_normal(shape).astype(dtype)
    dout = rng.standard_normal(layer.forward(x)[0].shape).astype(dtype)

    def computed(number):
        use(number)
        layer.zero_grad()
        out, cache = layer.forward(x)
        return [out, layer.backward(dout, cache), *(p.grad.copy() for p in layer.parameters().values())]

    expected = computed(1)
    for number in (2, 3, 2):
        for a, b in zip(expected, computed(number), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted([*KINDS, *LARGE]))
def test_training_gives_the_same_bits_on_one_two_and_three_threads(use, name):
    """Every public model. The large ones have several blocks."""
    found = []
    for number in (1, 2, 3):
        use(number)
        found.append(results(name))
    assert found[0] == found[1] == found[2]


@pytest.mark.usefixtures("no_patience")
def test_caller_that_waits_for_a_helper_gets_the_same_bits(rng):
    """A helper is moved to the core of the caller and away again, many times."""
    a, out = rng.standard_normal((300, 300)).astype(np.float32), np.empty((300, 300), np.float32)
    products.matmul(a, a, out)
    expected = out.copy()
    for _ in range(300):
        out[...] = 0
        products.matmul(a, a, out)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two cores"
)
def test_helpers_do_not_stay_on_the_core_to_which_the_caller_was_moved(use, rng):
    """A helper may use all cores but that of its caller, also after the caller has moved."""
    use(2)
    first, second, *_ = sorted(os.sched_getaffinity(0))
    a, out = rng.standard_normal((300, 300)), np.empty((300, 300))
    address, _ = threads.helpers()
    products.matmul(a, a, out)
    words = threads._helpers.memory[(address - threads._helpers.memory.ctypes.data) // 8 :]
    line = words[queue.HELPERS // 8 :]
    for _ in range(1000):
        if line[queue.THREAD // 8]:     # the helper has started
            break
        time.sleep(0.01)
    helper = int(line[queue.THREAD // 8])
    assert helper
    usual = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {first})
        line[queue.AWAY // 8] = 1 + second          # as after a wait on the second core
        os.sched_setaffinity(helper, usual - {second})
        products.matmul(a, a, out)
        assert os.sched_getaffinity(helper) == usual - {first}
    finally:
        os.sched_setaffinity(0, usual)
        line[queue.AWAY // 8] = 0
        os.sched_setaffinity(helper, usual)


def test_concurrent_callers_get_the_same_bits(use, small_blocks, rng):
    use(3)
    a = rng.standard_normal((60, 60)).astype(np.float32)
    expected = np.empty((60, 60), np.float32)
    products.matmul(a, a, expected)

    def caller():
        out = np.empty((60, 60), np.float32)
        for _ in range(50):
            out[...] = 0
            products.matmul(a, a, out)
            found.append(np.array_equal(out, expected))

    found = []
    callers = [threading.Thread(target=caller) for _ in range(4)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(60)
    assert found == [True] * 200


def test_without_helpers_the_caller_computes_everything(use, small_blocks, monkeypatch, rng):
    """Python is shutting down, or the system refuses another thread."""
    class Refused(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    use(2)
    monkeypatch.setattr(threads, "_helpers", None)
    monkeypatch.setattr(threads, "_ended", False)
    monkeypatch.setattr(threads.threading, "Thread", Refused)
    a, out = rng.standard_normal((30, 30)), np.empty((30, 30))
    products.matmul(a, a, out)
    np.testing.assert_allclose(out, a @ a, rtol=0, atol=1e-12)
    assert threads.helpers() == (0, 0)


def put_digest(numbers, a):
    out = np.empty_like(a)
    products.matmul(a, a, out)
    numbers.put((digest([out]), threads.helpers()[1]))


@FORKS
def test_forked_child_starts_its_own_helpers(use, small_blocks, rng):
    use(2)
    a = rng.standard_normal((40, 40))
    out = np.empty_like(a)
    products.matmul(a, a, out)
    context = multiprocessing.get_context("fork")
    numbers = context.Queue()
    child = context.Process(target=put_digest, args=(numbers, a), daemon=True)
    child.start()
    assert numbers.get(timeout=20) == (digest([out]), 1)
    child.join(20)
    assert child.exitcode == 0


def in_new_process(code, **environment):
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


PROCESS = """
import threading
import numpy as np
from scratchgen.layers import Linear
x = np.ones((64, 600), np.float32)
for _ in range(3):
    Linear(600, 600, rng=0).forward(x)
print(sum(thread.name.startswith("scratchgen") for thread in threading.enumerate()))
"""


INTERRUPTED = """
import os, signal, threading
import numpy as np
from scratchgen.kernels import products
a = np.random.default_rng(0).standard_normal((500, 500)).astype(np.float32)
out = np.empty_like(a)
products.matmul(a, a, out)
expected, caught = out.copy(), 0
while caught < 20:
    timer = threading.Timer(0.003 + 0.0007 * caught, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        while True:
            products.matmul(a, a, out)
    except KeyboardInterrupt:
        caught += 1
    timer.join()
    out[...] = 0
    products.matmul(a, a, out)
    assert np.array_equal(out, expected)
print(caught, sum(thread.name.startswith("scratchgen") for thread in threading.enumerate()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_products_are_right_after_ctrl_c():
    """A signal arrives while two threads compute a product, at twenty different times."""
    helpers = "1" if threads._processors.__wrapped__() > 1 else "0"
    assert in_new_process(INTERRUPTED, OPENBLAS_NUM_THREADS="2") == ["20", helpers]


def test_process_with_helpers_ends_and_one_blas_thread_means_no_helpers():
    from_system = threads._processors.__wrapped__()
    assert in_new_process(PROCESS, OPENBLAS_NUM_THREADS="1") == ["0"]
    assert in_new_process(PROCESS, OPENBLAS_NUM_THREADS="2") == ["1" if from_system > 1 else "0"]


def test_a_training_step_limits_blas_and_ends_the_limit(monkeypatch):
    monkeypatch.setattr(threads, "_processors", lambda: 2)
    with threadpool_limits(2, user_api="blas"):
        with threads.one_blas_thread():
            assert blas_threads() == {1} and threads.count() == 2
            with threads.one_blas_thread():
                pass
            assert blas_threads() == {1}
        assert blas_threads() == {2}
        with pytest.raises(ZeroDivisionError), threads.one_blas_thread():
            raise ZeroDivisionError
        assert blas_threads() == {2}


def test_threads_that_limit_blas_at_the_same_time_end_the_limit_together(monkeypatch):
    inside, leave = threading.Event(), threading.Event()

    def other():
        with threads.one_blas_thread():
            inside.set()
            assert leave.wait(20)

    with threadpool_limits(2, user_api="blas"):
        thread = threading.Thread(target=other)
        with threads.one_blas_thread():
            thread.start()
            assert inside.wait(20)
        assert blas_threads() == {1}
        leave.set()
        thread.join(20)
        assert blas_threads() == {2}


def test_adam_gives_the_same_bits_on_every_number_of_threads(use, rng):
    found = []
    start, grad = rng.standard_normal(200_000), rng.standard_normal(200_000)
    for number in (1, 2, 3):
        use(number)
        layer = Linear(200, 1000, bias=False, rng=0, dtype=np.float64)
        layer.weight.value[...] = start.reshape(200, 1000)
        optimizer = Adam(layer.parameters(), 0.1)
        for _ in range(3):
            layer.weight.grad[...] = grad.reshape(200, 1000)
            optimizer.step()
        found.append(layer.weight.value.copy())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@kernel("contract")
def _allocate(found, size):
    for i in range(found.size):
        found[i] = np.empty(size).size


@pytest.mark.parametrize("number", [1, 2])
def test_a_block_without_memory_is_an_error(use, number):
    use(number)
    found = np.zeros(4)
    parts.share(_allocate, (found,), (10,), entries=1)
    assert (found == 10).all()
    with pytest.raises(MemoryError, match="_allocate found no memory"):
        parts.share(_allocate, (found,), (1 << 58,), entries=1)
    parts.share(_count, (np.zeros(4, np.int64),), entries=1)


OTHER_SYSTEM = """
import sys
sys.platform = "other"
import numpy as np
from scratchgen.kernels import queue, products
from scratchgen.runtime import threads
assert not queue.FUTEX and threads.helpers() == (0, 0)
a, out = np.random.default_rng(0).random((300, 300)), np.empty((300, 300))
products.matmul(a, a, out)
print(np.allclose(out, a @ a))
"""


@pytest.mark.slow
def test_other_systems_compute_without_helpers(tmp_path):
    assert in_new_process(OTHER_SYSTEM, NUMBA_CACHE_DIR=str(tmp_path)) == ["True"]
