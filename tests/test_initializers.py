"""The variance of the initial weights, compared with its formula."""

from functools import partial

import numpy as np
import pytest

from scratchgen import initializers
from scratchgen.layers import Conv2d, ConvTranspose2d, Linear

N = 40_000      # four standard errors of the variance of N normal numbers, 4·√(2/N) = 2.9 %, and a margin


def test_he_normal_has_variance_two_over_fan_in():
    w = initializers.he_normal((200, 200), 50, rng=np.random.default_rng(0), dtype=np.float64)
    assert w.var() == pytest.approx(2 / 50, rel=0.03)           # (INIT.1)
    assert abs(w.mean()) < 4 * np.sqrt(2 / 50 / N)


def test_he_normal_keeps_the_second_moment_through_relu_layers():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((500, 300))
    before = np.mean(x**2)
    for _ in range(5):
        x = np.maximum(x @ initializers.he_normal((300, 300), 300, rng=rng, dtype=np.float64), 0)
    assert np.mean(x**2) == pytest.approx(before, rel=0.25)


def test_glorot_normal_has_the_variance_between_both_fans():
    w = initializers.glorot_normal((400, 100), 400, 100, rng=np.random.default_rng(2), dtype=np.float64)
    assert w.var() == pytest.approx(2 / 500, rel=0.03)          # (INIT.2)


def test_glorot_uniform_has_the_same_variance_and_a_sharp_limit():
    w = initializers.glorot_uniform((400, 100), 400, 100, rng=np.random.default_rng(3), dtype=np.float64)
    limit = np.sqrt(6 / 500)
    assert w.var() == pytest.approx(2 / 500, rel=0.03)          # (INIT.2)
    assert 0.999 * limit < np.abs(w).max() <= limit


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (3, 2, 5, 4)])
@pytest.mark.parametrize("gain", [1.0, 1.7])
def test_orthogonal_gives_an_identity_times_gain_squared(shape, gain):
    w = initializers.orthogonal(shape, gain=gain, rng=np.random.default_rng(4), dtype=np.float64)
    assert w.shape == shape
    w = w.reshape(-1, shape[-1])
    product = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(w.shape)), atol=1e-13)     # (INIT.3)


def test_orthogonal_entries_have_both_signs():
    """Without the sign of R's diagonal, LAPACK's Q has a top left entry that is always negative."""
    rng = np.random.default_rng(5)
    corners = [initializers.orthogonal((3, 3), rng=rng)[0, 0] > 0 for _ in range(200)]
    assert 70 < sum(corners) < 130


def draws(rng, dtype):
    yield initializers.he_normal((3, 5), 3, rng=rng, dtype=dtype)
    yield initializers.glorot_uniform((3, 5), 3, 5, rng=rng, dtype=dtype)
    yield initializers.glorot_normal((3, 5), 3, 5, rng=rng, dtype=dtype)
    yield initializers.normal((3, 5), std=0.1, rng=rng, dtype=dtype)
    yield initializers.orthogonal((3, 5), rng=rng, dtype=dtype)


def test_initializers_give_the_same_weights_in_float32_and_float64():
    singles = draws(np.random.default_rng(6), np.float32)
    doubles = draws(np.random.default_rng(6), np.float64)
    for single, double in zip(singles, doubles, strict=True):
        assert single.dtype == np.float32 and double.dtype == np.float64
        np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: initializers.he_normal((2, 2), 0, rng=rng), "he_normal expected fan_in .*, got 0"),
        (lambda rng: initializers.glorot_uniform((2, 2), 3, 0, rng=rng), "glorot_uniform .* got 3, 0"),
        (lambda rng: initializers.normal((2, 2), std=-1.0, rng=rng), "normal expected .* >= 0, got -1.0"),
        (lambda rng: initializers.orthogonal((4,), rng=rng), r"orthogonal expected .* got \(4,\)"),
        (lambda rng: initializers.orthogonal((4, 0), rng=rng), r"orthogonal expected .* got \(4, 0\)"),
    ],
)
def test_initializer_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(7))


RULES = {
    "he_normal": initializers.he_normal,
    "glorot_uniform": initializers.glorot_uniform,
    "glorot_normal": initializers.glorot_normal,
    "normal": initializers.normal,
    "normal with a std": partial(initializers.normal, std=0.3),
    "orthogonal": initializers.orthogonal,
    "orthogonal with a gain": partial(initializers.orthogonal, gain=2.0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_the_init_of_a_layer(rule, dtype):
    init = RULES[rule]
    for build, fans in (
        (partial(Linear, 5, 3), (5, 3)),
        (partial(Conv2d, 2, 3, (3, 2)), (12, 18)),
        (partial(ConvTranspose2d, 2, 3, (3, 2)), (12, 18)),
    ):
        weight = build(rng=np.random.default_rng(8), dtype=dtype, init=init).weight
        expected = init(weight.shape, *fans, rng=np.random.default_rng(8), dtype=dtype)
        assert weight.dtype == dtype and weight.value.any()
        np.testing.assert_array_equal(weight.value, expected)


@pytest.mark.parametrize("rule", ["he_normal", "glorot_uniform", "glorot_normal", "normal", "orthogonal"])
def test_rules_refuse_fans_that_are_not_ints(rule):
    """Otherwise, a std or gain that is passed by position would be used as a fan."""
    with pytest.raises(TypeError, match=f"{rule} expected fan_in and fan_out to be ints, got 0.1, 2"):
        RULES[rule]((3, 2), 0.1, 2, rng=np.random.default_rng(9))
