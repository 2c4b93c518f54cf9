"""Reshape and Flatten keep the numbers in C order, and backward restores the shape."""

import numpy as np
import pytest

from scratchgen.layers import Flatten, Reshape


def test_reshape_keeps_c_order_and_backward_restores_the_shape(rng):
    x, dout = np.arange(24.0).reshape(2, 12), rng.standard_normal((2, 2, 3, 2))
    layer = Reshape(2, 3, 2)
    out, cache = layer.forward(x)
    assert out[1, 1, 2, 0] == 12 + 1 * 6 + 2 * 2
    dx = layer.backward(dout, cache)
    np.testing.assert_array_equal(dx, [list(dout[0].flat), list(dout[1].flat)])
    np.testing.assert_array_equal(layer.jvp(x, cache), out)


def test_flatten_orders_pixels_row_by_row():
    x = np.arange(36.0).reshape(2, 3, 2, 3)
    out, cache = Flatten().forward(x)
    np.testing.assert_array_equal(out, np.arange(36.0).reshape(2, 18))
    np.testing.assert_array_equal(Flatten().backward(out, cache), x)
    np.testing.assert_array_equal(Flatten().jvp(x, cache), out)


def test_reshape_accepts_empty_batches_and_single_numbers():
    assert Flatten().forward(np.empty((0, 3, 2)))[0].shape == (0, 6)
    assert Reshape(2, 3).forward(np.empty((0, 6)))[0].shape == (0, 2, 3)
    assert Reshape().forward(np.empty((5, 1)))[0].shape == (5,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Reshape(3, -1), "Reshape expected size of at least 1, got -1"),
        (lambda: Reshape(2, 3).forward(np.zeros((4, 5))), r"Reshape to \(N, 2, 3\) expected .* got \(4, 5\)"),
        (lambda: Reshape(2).forward(np.zeros(())), r"Reshape to \(N, 2\) expected .* got \(\)"),
        (lambda: Flatten().forward(np.zeros(4)), r"Flatten expected an array .* got shape \(4,\)"),
    ],
)
def test_reshape_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()
