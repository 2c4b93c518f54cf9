"""Rotary positions: the rotation, its inverse, and attention that depends on distances alone."""

import math

import numpy as np
import pytest

from scratchgen.layers import CausalSelfAttention, SelfAttention, TransformerBlock
from scratchgen.layers.rotary import rotary


def test_each_pair_is_a_complex_number_times_its_phase(rng):
    """(ROPE.1) the angles, (ROPE.2) the rotation, written with complex numbers."""
    x = rng.standard_normal((2, 5, 6))
    out = rotary(x, start=3)
    for t in range(5):
        for i in range(3):
            phase = np.exp(1j * (3 + t) * 10_000 ** (-2 * i / 6))
            expected = (x[:, t, i] + 1j * x[:, t, i + 3]) * phase
            np.testing.assert_allclose(out[:, t, i], expected.real, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(out[:, t, i + 3], expected.imag, rtol=1e-12, atol=1e-13)


def test_backward_is_the_opposite_rotation(rng):
    """(ROPE.3): ⟨R·x, y⟩ = ⟨x, Rᵀ·y⟩, and a rotation back gives x."""
    x, y = rng.standard_normal((2, 3, 7, 4))
    forward, backward = rotary(x, 2), rotary(y, 2, inverse=True)
    assert (forward * y).sum() == pytest.approx((x * backward).sum(), rel=1e-12)
    np.testing.assert_allclose(rotary(forward, 2, inverse=True), x, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose((forward**2).sum(axis=-1), (x**2).sum(axis=-1), rtol=1e-13)


@pytest.mark.parametrize("shift", [1, 17, 1000])
def test_products_of_queries_and_keys_depend_on_distances_alone(shift, rng):
    q, k = rng.standard_normal((2, 6, 8))
    here, there = (rotary(q, s) @ rotary(k, s).T for s in (0, shift))
    np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-10)
    assert np.abs(here - q @ k.T).max() > 0.1


def test_attention_does_not_change_if_all_positions_are_shifted(rng):
    """The last outputs for a window that starts later: without a mask, only the distances matter."""
    layer, x = SelfAttention(8, 2, rotary=True, rng=rng, dtype=np.float64), rng.standard_normal((1, 5, 8))
    first = layer.rotated(layer.qkv.forward(x)[0])
    later = layer.rotated(layer.qkv.forward(x)[0], start=40)
    scores = [q @ k.swapaxes(2, 3) for q, k, _ in (layer.split(first), layer.split(later))]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(layer.split(first)[2], layer.split(later)[2])     # values stay


def test_order_matters_with_rotary_and_only_with_it(rng):
    x = rng.standard_normal((1, 5, 8))
    mixed = x[:, [2, 0, 3, 1, 4]]
    for positions in (True, False):
        layer = CausalSelfAttention(8, 2, rotary=positions, rng=0, dtype=np.float64)
        last, of_mixed = (layer.forward(a)[0][:, -1] for a in (x, mixed))
        assert (np.abs(last - of_mixed).max() > 1e-6) == positions


@pytest.mark.parametrize("build", [CausalSelfAttention, TransformerBlock])
def test_step_equals_forward_with_rotary(build, rng):
    layer, x = build(8, 2, rotary=True, rng=rng, dtype=np.float64), rng.standard_normal((3, 6, 8))
    keys, values = np.zeros((2, 3, 2, 6, 4))
    steps = [layer.step(x[:, t], keys, values, t) for t in range(6)]
    np.testing.assert_allclose(np.stack(steps, axis=1), layer.forward(x)[0], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rotary_keeps_the_dtype(dtype, rng):
    assert rotary(rng.standard_normal((3, 4)).astype(dtype)).dtype == dtype
    assert math.isfinite(rotary(np.ones((1, 2)), 10**6).sum())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rotary(np.ones((2, 3))), ValueError, r"rotary expected .* an even D, got shape \(2, 3\)"),
        (lambda: rotary(np.ones(4)), ValueError, r"rotary expected an array \(…, T, D\)"),
        (lambda: rotary(np.ones((2, 4)), -1), ValueError, "start of at least 0, got -1"),
        (lambda: SelfAttention(6, 2, rotary=True, rng=0), ValueError, "even number .* per head.*got 3"),
        (lambda: TransformerBlock(6, 2, rotary=1, rng=0), TypeError, "rotary to be True or False, got 1"),
    ],
)
def test_rotary_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
