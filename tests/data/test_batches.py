"""Batches: each example once per epoch, an order that depends only on the seed, and a restored position."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.data import Batches

sizes = st.integers(1, 30)


def numbered(n, columns=2):
    """X whose row i contains i, so that a batch shows which examples it contains."""
    return np.repeat(np.arange(n, dtype=np.float32)[:, None], columns, axis=1)


def seeded(seed):
    return np.random.default_rng(seed)


def order(epoch):
    return [x[:, 0].astype(int).tolist() for x, *_ in epoch]


@given(n=sizes, batch_size=sizes, seed=st.integers(0, 99))
@pytest.mark.slow
def test_batches_hold_every_example_once_per_epoch(n, batch_size, seed):
    batches = Batches(numbered(n), np.arange(n), batch_size=batch_size, rng=seeded(seed))
    for _ in range(2):
        epoch = list(batches)
        assert len(epoch) == len(batches) == -(-n // batch_size)
        assert all(len(x) == batch_size for x, _ in epoch[:-1])
        assert sorted(np.concatenate([y for _, y in epoch])) == list(range(n))
        assert all(np.array_equal(x[:, 0], y) for x, y in epoch)


@given(n=sizes, batch_size=sizes, seed=st.integers(0, 99))
def test_batches_drop_last_omits_only_the_small_batch(n, batch_size, seed):
    if batch_size > n:
        with pytest.raises(ValueError, match=f"batch_size <= {n} .* got {batch_size}"):
            Batches(numbered(n), batch_size=batch_size, rng=seeded(seed), drop_last=True)
        return
    whole = list(Batches(numbered(n), batch_size=batch_size, rng=seeded(seed)))
    kept = Batches(numbered(n), batch_size=batch_size, rng=seeded(seed), drop_last=True)
    assert order(kept) == [indices for indices in order(whole) if len(indices) == batch_size]
    assert len(kept) == n // batch_size


@given(
    n=sizes,
    batch_size=sizes,
    epochs=st.integers(0, 2),
    stop=st.integers(0, 30),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_batches_restored_return_the_same_remaining_batches(n, batch_size, epochs, stop, shuffle, drop_last):
    batch_size = min(n, batch_size)

    def new_batches(seed):
        return Batches(
            numbered(n), batch_size=batch_size, rng=seeded(seed), shuffle=shuffle, drop_last=drop_last
        )

    uninterrupted = new_batches(1)
    for _ in range(epochs):
        list(uninterrupted)
    running = iter(uninterrupted)
    stop = min(stop, len(uninterrupted))
    for _ in range(stop):
        next(running)
    saved = json.loads(json.dumps(uninterrupted.state()))
    restored = new_batches(2)
    restored.load_state(saved)
    assert restored.state() == saved
    assert saved["position"] == stop
    rest = order(restored)
    assert len(rest) == len(uninterrupted) - stop
    assert rest == order(running)
    assert order(restored) == order(uninterrupted)
    assert restored.state() == uninterrupted.state()


@given(seed=st.integers(0, 99))
def test_batches_of_equal_seeds_have_the_same_order(seed):
    seeds = (seed, seed, seed + 1)
    first, second, other = (Batches(numbered(20), batch_size=7, rng=seeded(s)) for s in seeds)
    epochs = [order(first), order(first)]
    assert epochs == [order(second), order(second)]
    assert epochs[0] != epochs[1]
    assert epochs[0] != order(other)


def test_batches_order_does_not_depend_on_other_uses_of_the_generator():
    rng = seeded(3)
    shared = Batches(numbered(20), batch_size=7, rng=rng)
    alone = Batches(numbered(20), batch_size=7, rng=seeded(3))
    for one, other in zip(shared, alone, strict=True):
        rng.random(5)
        assert np.array_equal(one[0], other[0])
    rng.random(5)
    assert order(shared) == order(alone)


def test_batches_orders_are_equally_likely(rng):
    # Six orders of three examples; the chi-square of 1,200 epochs has mean 5, and 30 is beyond 1 in 10,000.
    batches = Batches(numbered(3), batch_size=3, rng=rng)
    seen = [str(order(batches)) for _ in range(1_200)]
    counts = np.array([seen.count(one) for one in set(seen)])
    assert len(counts) == 6
    assert ((counts - 200) ** 2 / 200).sum() < 30


def test_batches_loop_after_a_break_is_a_new_epoch(rng):
    batches = Batches(numbered(10), batch_size=3, rng=rng)
    for _ in batches:
        break
    assert batches.state()["position"] == 1
    assert sorted(sum(order(batches), [])) == list(range(10))


def test_batches_without_shuffle_keep_the_order_of_the_data(rng):
    assert order(Batches(numbered(5), batch_size=2, rng=rng, shuffle=False)) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_batches_are_new_contiguous_arrays_with_the_dtype_of_the_data(rng, dtype, shuffle):
    X = np.asfortranarray(numbered(6, 4).astype(dtype))
    before = X.copy()
    kept = list(Batches(X, np.arange(6), batch_size=2, rng=rng, shuffle=shuffle))
    for x, y in kept:
        assert x.dtype == dtype and y.dtype == np.int64
        assert x.flags.c_contiguous and x.shape == (2, 4)
        assert not np.shares_memory(x, X)
    assert not np.shares_memory(kept[0][0], kept[1][0])
    kept[0][0][...] = 77
    assert np.array_equal(X, before)


def test_batches_of_images_with_channels_moved_last_are_contiguous(rng):
    X = np.ones((5, 2, 4, 3)).transpose(0, 2, 3, 1)
    ((x, y),) = Batches(X, X, batch_size=9, rng=rng)
    for batch in (x, y):
        assert batch.shape == (5, 4, 3, 2) and batch.flags.c_contiguous


@pytest.mark.parametrize(
    ("X", "y", "options", "error", "message"),
    [
        (np.zeros((0, 3)), None, {}, ValueError, r"X to have at least one example, got shape \(0, 3\)"),
        (np.zeros((2, 0)), None, {}, ValueError, r"got shape \(2, 0\)"),
        (np.array(1.0), None, {}, ValueError, r"got shape \(\)"),
        (np.zeros((4, 3)), np.zeros(3), {}, ValueError, "same length, got 4 and 3"),
        (np.array([[0.0], [np.nan]]), None, {}, ValueError, r"X to be finite.*first in row 1"),
        (np.array([[0.0], [1.0], [-np.inf]]), None, {}, ValueError, "first in row 2"),
        (np.zeros((2, 3)), np.array([np.nan, 0]), {}, ValueError, "y to be finite.*first in row 0"),
        (np.zeros((2, 3)), None, {"batch_size": 0}, ValueError, "batch_size of at least 1, got 0"),
        (np.zeros((2, 3)), None, {"batch_size": -4}, ValueError, "batch_size of at least 1, got -4"),
        (np.zeros((2, 3)), None, {"batch_size": 1.5}, TypeError, "batch_size to be an int, got 1.5"),
        ([[1.0]], None, {}, TypeError, "X to be a NumPy array of numbers, got list"),
        (np.array(["a"]), None, {}, TypeError, "array of numbers, got dtype <U1"),
        (np.zeros((2, 3)), None, {"rng": 7.5}, TypeError, "Batches expected rng to be .* got float 7.5"),
    ],
)
def test_batches_error_messages_have_one_line(rng, X, y, options, error, message):
    with pytest.raises(error, match=message) as caught:
        Batches(X, y, **{"batch_size": 2, "rng": rng} | options)
    assert str(caught.value).startswith("Batches expected") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"examples": 11}, "examples 10, got 11"),
        ({"batch_size": 2}, "batch_size 3, got 2"),
        ({"shuffle": False}, "shuffle True, got False"),
        ({"drop_last": True}, "drop_last False, got True"),
        ({"position": 5}, r"position in 0\.\.4, got 5"),
        ({"position": -1}, r"position in 0\.\.4, got -1"),
        ({"surprise": 1}, "keys generator, position"),
    ],
)
def test_batches_refuse_another_state_and_keep_their_position(rng, change, message):
    batches = Batches(numbered(10), batch_size=3, rng=rng)
    before = batches.state()
    with pytest.raises(ValueError, match=message):
        batches.load_state(before | change)
    assert batches.state() == before


def test_batches_refuse_the_state_of_other_data(rng):
    X, y = rng.random((3000, 4)), rng.integers(3, size=3000)
    saved = Batches(X, y, batch_size=7, rng=0).state()
    Batches(X.copy(), y.copy(), batch_size=7, rng=1).load_state(saved)
    earlier = {key: value for key, value in saved.items() if key != "data"}
    Batches(X, y, batch_size=7, rng=1).load_state(earlier)
    for other in ((X[::-1], y), (X, y[::-1]), (X + 1e-9, y), (X.astype(np.float32), y), (X[:, :3], y)):
        with pytest.raises(ValueError, match="expected a state of the same data"):
            Batches(*other, batch_size=7, rng=0).load_state(saved)


def test_batches_of_weights_stay_with_their_examples(rng):
    X, y, w = rng.standard_normal((7, 2)), np.arange(7), np.arange(7) / 10
    for x, labels, weights in Batches(X, y, w, batch_size=3, rng=0):
        np.testing.assert_array_equal(x, X[labels])
        np.testing.assert_array_equal(weights, w[labels])
    plain, other = (Batches(X, y, v, batch_size=3, rng=0) for v in (w, w + 1))
    with pytest.raises(ValueError, match="state of the same data"):
        plain.load_state(other.state())
    with pytest.raises(ValueError, match="X and weights of the same length, got 7 and 6"):
        Batches(X, y, w[:6], batch_size=3, rng=0)
    with pytest.raises(ValueError, match="weights only together with y"):
        Batches(X, None, w, batch_size=3, rng=0)
