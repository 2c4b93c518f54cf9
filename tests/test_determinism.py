"""The guarantees of docs/determinism.md: the same bits in new processes, threads and forked children."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import train_each
from helpers.train_each import KINDS, LARGE, digest, fitted, predictions, samples, trained_large, weights
from threadpoolctl import threadpool_info, threadpool_limits

from scratchgen import kernels
from scratchgen.runtime import threads

ROOT = Path(__file__).resolve().parents[1]
EACH = pytest.mark.parametrize("name", sorted(KINDS))
SHARED = ("large VAE", "large ConvClassifier")     # with dense layers, and with convolutions
FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


def in_new_process(*names, **environment):
    """The digests of these models, or of all, trained in a new process."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    run = subprocess.run(
        [sys.executable, "-m", "helpers.train_each", *names],
        env=os.environ | {"PYTHONPATH": path} | environment, capture_output=True, text=True, check=True,
    )
    return json.loads(run.stdout)


@pytest.fixture
def one_thread():
    """BLAS with one thread, as with OPENBLAS_NUM_THREADS=1."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def frequent_switches():
    """Let Python switch between threads about 500 times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
def test_training_gives_the_same_bits_in_every_process():
    """PYTHONHASHSEED changes the iteration order of sets and dicts of strings."""
    first, second = (in_new_process(OPENBLAS_NUM_THREADS="1", PYTHONHASHSEED=seed) for seed in "12")
    assert first == second and set(first) == {*KINDS, *LARGE}


@pytest.mark.slow
def test_training_gives_the_same_bits_in_every_process_with_one_thread_and_with_two():
    first, second = (in_new_process(*LARGE, OPENBLAS_NUM_THREADS=number) for number in "12")
    assert first == second


@pytest.mark.slow
def test_training_gives_the_same_bits_with_kernels_compiled_and_read_from_the_cache(tmp_path):
    environment = {"OPENBLAS_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    compiled = in_new_process(*LARGE, **environment)
    assert list(tmp_path.rglob("*.nbc")), "expected compiled kernels in the cache"
    assert in_new_process(*LARGE, **environment) == compiled


@EACH
def test_predictions_of_eight_threads_are_those_of_one(one_thread, frequent_switches, name):
    model = fitted(name)
    expected = digest(predictions(model, name))
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: digest(predictions(model, name)), range(24)))
    assert found == {expected}


@EACH
def test_samples_of_eight_threads_with_a_seed_each_are_those_of_one(one_thread, frequent_switches, name):
    model, seeds = fitted(name), range(16)
    expected = [digest(samples(model, name, seed)) for seed in seeds]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda seed: digest(samples(model, name, seed)), seeds)) == expected


@EACH
def test_two_models_fitted_in_two_threads_are_those_fitted_in_turn(one_thread, frequent_switches, name):
    seeds = 3, 4
    expected = [digest(predictions(fitted(name, seed), name)) for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda seed: digest(predictions(fitted(name, seed), name)), seeds)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_two_large_models_fitted_in_two_threads_are_those_fitted_in_turn(one_thread, name):
    expected = [digest(weights(trained_large(name, seed))) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda seed: digest(weights(trained_large(name, seed))), (1, 2)))
    assert found == expected


def test_each_thread_chooses_its_kernels():
    """After blocks that overlap in time and end in the order in which they began, the default is restored."""
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first():
        with kernels.use("reference"):
            first_is_in.set()
            assert second_is_in.wait(10)
            inside = kernels.backend()
        first_is_out.set()
        return inside, kernels.backend()

    def second():
        assert first_is_in.wait(10)
        before = kernels.backend()
        with kernels.use("jit"):
            second_is_in.set()
            assert first_is_out.wait(10)
            inside = kernels.backend()
        return before, inside, kernels.backend()

    usual = kernels.backend()
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(first), pool.submit(second)
        assert one.result(20) == ("reference", usual)
        assert two.result(20) == (usual, "jit", usual)
    assert kernels.backend() == usual


def put_digest(queue, name):
    queue.put(train_each.results(name))


@FORKS
@pytest.mark.parametrize("in_a_thread", [False, True])
def test_forked_child_trains_to_the_same_bits(one_thread, in_a_thread):
    name, context = "MLPClassifier", multiprocessing.get_context("fork")
    expected, queue = train_each.results(name), context.Queue()
    child = context.Process(target=put_digest, args=(queue, name), daemon=True)
    if in_a_thread:
        starter = threading.Thread(target=child.start)
        starter.start()
        starter.join(20)
    else:
        child.start()
    assert queue.get(timeout=60) == expected
    child.join(20)


@pytest.mark.slow
def test_spawned_child_trains_to_the_same_bits(one_thread):
    name, context = "MLPClassifier", multiprocessing.get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=put_digest, args=(queue, name), daemon=True)
    child.start()
    assert queue.get(timeout=120) == train_each.results(name)
    child.join(20)


def put_threads_of_blas(queue):
    queue.put([pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"])


@FORKS
def test_child_that_is_forked_while_blas_is_limited_has_the_usual_number_of_threads():
    """During the fork, another thread is in a training step, so BLAS is limited to one thread."""
    is_limited, forked = threading.Event(), threading.Event()

    def step():
        with threadpool_limits(2, user_api="blas"), threads.one_blas_thread():
            is_limited.set()
            return forked.wait(20)

    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=put_threads_of_blas, args=(queue,), daemon=True)
    with ThreadPoolExecutor(1) as pool:
        limited = pool.submit(step)
        assert is_limited.wait(10)
        child.start()
        forked.set()
        assert limited.result(20)
    assert set(queue.get(timeout=20)) == {2}
    child.join(20)


