"""Work divided between threads: each part is done once, errors are raised, results are the same."""

import multiprocessing
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from scratchgen import kernels
from scratchgen.kernels import linear
from scratchgen.layers import CausalSelfAttention, Conv2d, ConvTranspose2d, LayerNorm, Linear, SiLU
from scratchgen.runtime import threads
from scratchgen.training.optimisers import Adam

HERE = threading.get_ident


@pytest.fixture
def two_threads(monkeypatch):
    """Use two threads for BLAS and for the pool, on every machine."""
    monkeypatch.setattr(threads, "_processors", lambda: 2)
    with threadpool_limits(2, user_api="blas"):
        yield


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_share_covers_the_range_once_and_keeps_the_order(two_threads):
    found = threads.share(lambda part: (part.start, part.stop, HERE()), 7)
    assert [(start, stop) for start, stop, _ in found] == [(0, 3), (3, 7)]
    assert found[0][2] == HERE() != found[1][2]


@pytest.mark.parametrize(("n", "least"), [(0, 1), (1, 1), (7, 4)])
def test_share_runs_small_work_in_the_calling_thread(two_threads, n, least):
    assert threads.share(lambda part: (part, HERE()), n, least) == [(slice(0, n), HERE())]


def test_share_is_serial_if_blas_has_one_thread():
    with threadpool_limits(1, user_api="blas"):
        assert len(threads.share(lambda part: part, 100)) == 1


def test_share_limits_blas_to_one_thread_and_ends_the_limit(two_threads):
    assert threads.share(lambda part: blas_threads(), 2) == [{1}, {1}]
    assert blas_threads() == {2}


@pytest.mark.parametrize("failing", [0, 1])
def test_share_raises_an_error_after_all_parts_have_finished(two_threads, failing):
    other_may_end, ended = threading.Event(), []

    def work(part):
        if (part.start > 0) == failing:
            other_may_end.set()
            raise ZeroDivisionError
        assert other_may_end.wait(5)
        ended.append(part)

    with pytest.raises(ZeroDivisionError):
        threads.share(work, 2)
    assert len(ended) == 1 and blas_threads() == {2}
    assert len(threads.share(lambda part: part, 2)) == 2


def in_another_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(10)
    return found[0]


def test_share_is_serial_while_another_thread_limits_blas(two_threads):
    """threadpoolctl lets only one thread limit BLAS at a time. Because of the fixture, it is this one."""
    assert in_another_thread(lambda: len(threads.share(lambda part: part, 2))) == 1


def test_share_releases_the_limit_of_blas(monkeypatch):
    monkeypatch.setattr(threads, "_processors", lambda: 2)

    def shared():
        with threadpool_limits(2, user_api="blas"):
            return threads.share(lambda part: blas_threads(), 2)

    assert shared() == [{1}, {1}] == in_another_thread(shared)


def test_share_by_concurrent_callers_returns_the_results_of_each(two_threads):
    def work(part):
        return list(range(part.start, part.stop))

    def caller():
        found.extend(sum(threads.share(work, 9), []) == list(range(9)) for _ in range(50))

    found = []
    callers = [threading.Thread(target=caller) for _ in range(3)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(20)
    assert found == [True] * 150


def test_share_works_in_the_calling_thread_if_no_thread_can_be_started(two_threads, monkeypatch):
    class Ended:
        def submit(self, *_):
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(threads, "_pool", Ended)
    assert threads.share(lambda part: (part.start, part.stop), 5) == [(0, 2), (2, 5)]


def test_share_inside_shared_work_is_serial(two_threads):
    assert threads.share(lambda part: len(threads.share(lambda inner: inner, 2)), 2) == [1, 1]


def test_share_keeps_the_errstate_of_numpy(two_threads):
    with np.errstate(over="raise"):
        assert threads.share(lambda part: np.geterr()["over"], 2) == ["raise", "raise"]


def doubled(numbers):
    numbers.put(sum(part.stop - part.start for part in threads.share(lambda part: part, 10)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_share_works_in_a_forked_child(two_threads):
    threads.share(lambda part: part, 2)
    context = multiprocessing.get_context("fork")
    numbers = context.Queue()
    child = context.Process(target=doubled, args=(numbers,), daemon=True)
    child.start()
    assert numbers.get(timeout=20) == 10
    child.join(20)
    assert child.exitcode == 0


LAYERS = {
    "conv": (lambda **kind: Conv2d(3, 2, (3, 2), stride=2, padding=1, **kind), (5, 6, 7, 3)),
    "conv_transpose": (lambda **kind: ConvTranspose2d(3, 2, (3, 2), stride=2, **kind), (5, 6, 7, 3)),
    "linear": (lambda **kind: Linear(4, 3, **kind), (5, 2, 4)),
    "layer_norm": (lambda rng, **kind: LayerNorm(4, **kind), (5, 2, 4)),
    "attention": (lambda **kind: CausalSelfAttention(4, 2, **kind), (5, 3, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_computes_the_same_on_two_threads(two_threads, monkeypatch, rng, name):
    for module, limit in ((threads, "PRODUCTS"), (threads, "ENTRIES"), (linear, "ROWS")):
        monkeypatch.setattr(module, limit, 1)
    make, shape = LAYERS[name]
    layer, x = make(rng=rng, dtype=np.float64), rng.standard_normal(shape)
    dout = rng.standard_normal(layer.forward(x)[0].shape)
    shared = []
    monkeypatch.setattr(threads, "_pool", lambda pool=threads._pool: shared.append(name) or pool())

    def results():
        layer.zero_grad()
        out, cache = layer.forward(x)
        return [out, layer.backward(dout, cache), *(p.grad.copy() for p in layer.parameters().values())]

    on_two = results()
    assert len(shared) >= 2 - (name == "linear"), "expected two threads in each pass"
    with threadpool_limits(1, user_api="blas"):
        on_one = results()
    for a, b in zip(on_two, on_one, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


def test_long_activations_and_adam_compute_the_same_on_two_threads(two_threads, monkeypatch, rng):
    x = rng.standard_normal((600, 1001))
    weight = Conv2d(1, 600, (1001, 1), rng=rng, dtype=np.float64)

    def results():
        out, cache = SiLU().forward(x)
        weight.weight.value[...] = 1
        optimizer = Adam({"weight": weight.weight}, 0.1)
        weight.weight.grad[...] = x.T.reshape(weight.weight.shape)
        optimizer.step()
        return out, SiLU().backward(x, cache), weight.weight.value.copy()

    assert x.size >= 2 * threads.ENTRIES
    shares = []
    monkeypatch.setattr(threads, "_pool", lambda pool=threads._pool: shares.append(1) or pool())
    shared = results()
    assert len(shares) == 3, "expected two threads in forward, backward and update"
    with threadpool_limits(1, user_api="blas"):
        alone = results()
    for a, b in zip(shared, alone, strict=True):
        np.testing.assert_array_equal(a, b)


def test_kernels_are_the_chosen_ones_in_every_thread(two_threads):
    with kernels.use("reference"):
        assert threads.share(lambda part: kernels.backend(), 2) == ["reference", "reference"]
