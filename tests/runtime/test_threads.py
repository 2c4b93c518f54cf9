"""Work shared by threads: each block is computed once, and the bits never depend on the threads."""

import multiprocessing
import os
import platform
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers.train_each import KINDS, LARGE, digest, results
from threadpoolctl import threadpool_limits

from scratchgen.kernels import parts, products, queue
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

pytest_plugins = ["helpers.threads"]
pytestmark = pytest.mark.skipif(not queue.FUTEX, reason="there are no helpers on this system")
FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


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
