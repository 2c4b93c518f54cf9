"""Dropout: which entries are dropped and how often, its generator, and evaluation mode."""

import numpy as np
import pytest

from scratchgen.layers import Dropout


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_forward_drops_or_scales(dtype):
    """(DROP.1), with the same noise from a generator with the same seed."""
    layer = Dropout(0.3, rng=np.random.default_rng(5))
    x = np.random.default_rng(6).standard_normal((4, 3, 7)).astype(dtype)
    out, _ = layer.forward(x, training=True)
    noise = np.random.default_rng(5).random(x.shape, dtype)
    expected = [v / 0.7 if u >= 0.3 else 0.0 for v, u in zip(x.flat, noise.flat, strict=True)]
    np.testing.assert_allclose(out.ravel(), expected, rtol=1e-6)
    assert out.dtype == dtype and 0 < np.count_nonzero(out) < out.size


def test_dropout_backward_uses_the_same_mask(rng):
    """(DROP.2): out is x·mask, so out / x is the mask."""
    layer = Dropout(0.4, rng=rng)
    x, dout = rng.standard_normal((2, 5, 8))
    out, cache = layer.forward(x, training=True)
    np.testing.assert_allclose(layer.backward(dout, cache), dout * (out / x), rtol=1e-13)
    np.testing.assert_allclose(layer.jvp(dout, cache), dout * (out / x), rtol=1e-13)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_mean_and_drops_with_probability_p(rng, p):
    """40,000 samples: the dropped fraction has a standard error of 0.0025, the mean of at most 0.01."""
    out, _ = Dropout(p, rng=rng).forward(np.ones((200, 200)), training=True)
    assert np.mean(out == 0) == pytest.approx(p, abs=0.01)
    assert out.mean() == pytest.approx(1, abs=0.04)
    np.testing.assert_allclose(out[out != 0], 1 / (1 - p), rtol=1e-14)


def test_dropout_draws_a_new_mask_each_time(rng):
    layer = Dropout(rng=rng)
    x = np.ones((10, 10))
    (first, mask), (second, _) = layer.forward(x, training=True), layer.forward(x, training=True)
    assert (first != second).any()
    np.testing.assert_array_equal(layer.backward(x, mask), first)


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True)])
def test_dropout_that_drops_nothing_does_not_use_its_generator(rng, p, training):
    layer = Dropout(p, rng=rng)
    state = rng.bit_generator.state
    x = np.ones((3, 4))
    out, cache = layer.forward(x, training)
    assert cache[2] is None and rng.bit_generator.state == state
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(layer.backward(2 * x, cache), 2 * x)


def test_dropout_state_of_its_generator_can_be_restored(rng):
    """After its state is restored, it returns the same mask again. A resumed run needs this."""
    layer = Dropout(rng=rng)
    generator = layer.generators()["rng"]
    state = generator.bit_generator.state
    first, _ = layer.forward(np.ones((6, 6)), training=True)
    generator.bit_generator.state = state
    again, _ = layer.forward(np.ones((6, 6)), training=True)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_dropout_error_messages(rng, p):
    with pytest.raises(ValueError, match=r"Dropout expected p to be a number in \[0, 1\), got"):
        Dropout(p, rng=rng)


def test_shared_axis_has_one_mask_for_all_steps(rng):
    """(DROP.1) and (DROP.2) with one number for all entries along the axis."""
    layer = Dropout(0.5, shared_axis=1, rng=rng)
    out, cache = layer.forward(np.ones((20, 7, 30)), training=True)
    np.testing.assert_array_equal(out, np.repeat(out[:, :1], 7, axis=1))
    assert np.mean(out[:, 0] == 0) == pytest.approx(0.5, abs=0.1)      # 600 masks: 5 standard errors
    np.testing.assert_array_equal(layer.backward(np.ones_like(out), cache), out)
    assert repr(layer) == "Dropout(0.5, shared_axis=1)"


def test_shared_axis_must_be_one_of_the_input():
    with pytest.raises(ValueError, match=r"an array with an axis 2, got shape \(3, 4\)"):
        Dropout(0.5, shared_axis=2, rng=0).forward(np.ones((3, 4)), training=True)
    with pytest.raises(ValueError, match="shared_axis of at least 0, got -1"):
        Dropout(0.5, shared_axis=-1, rng=0)
