"""Optimisers: refused settings, and gradients whose squares overflow or underflow."""

import math

import numpy as np
import pytest

from scratchgen.layers import Parameter, Tanh
from scratchgen.training.optimisers import SGD, Adam, RMSProp


def make_parameters(dtype=np.float64):
    rng = np.random.default_rng(4)
    return {name: Parameter(rng.standard_normal(s).astype(dtype)) for name, s in (("w", (2, 3)), ("b", (3,)))}


@pytest.fixture
def parameters():
    return make_parameters()


# (CLIP.1)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "size_for",
    [
        lambda info: 10 * float(info.max) ** 0.5,      # the squares are infinite
        lambda info: float(info.max) / 50,
        lambda info: 6e-4 * float(info.tiny) ** 0.5,    # the squares lose digits
        lambda info: 1e4 * float(info.tiny),            # all squares are zero
    ],
)
def test_clipping_handles_squares_outside_the_range_of_the_dtype(dtype, size_for):
    optimizer = SGD(make_parameters(dtype), 0.1)
    size = size_for(np.finfo(dtype))
    g = np.arange(-4.0, 5)
    optimizer.grad[:] = size * g
    norm = size * math.sqrt(60)
    assert optimizer.grad_norm() == pytest.approx(norm, rel=1e-5)
    assert optimizer.clip_grad_norm(norm / 4) == pytest.approx(norm, rel=1e-5)
    np.testing.assert_allclose(optimizer.grad / size, g / 4, rtol=1e-5)


def test_clipping_scales_huge_single_gradients_down_to_the_norm():
    optimizer = Adam(make_parameters(np.float32), 0.1)
    optimizer.grad[:] = -1e25
    assert optimizer.clip_grad_norm(3.0) == pytest.approx(3e25)
    np.testing.assert_allclose(optimizer.grad, -1, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_clipping_with_a_norm_that_is_not_finite_changes_nothing(dtype, wrong):
    optimizer = SGD(make_parameters(dtype), 0.1)
    optimizer.grad[:] = np.arange(9)
    optimizer.grad[3] = wrong
    before = optimizer.grad.copy()
    norm = optimizer.clip_grad_norm(1.0)
    assert math.isnan(norm) if math.isnan(wrong) else norm == math.inf
    np.testing.assert_array_equal(optimizer.grad, before)
    optimizer.grad[4] = math.nan
    assert math.isnan(optimizer.grad_norm())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: SGD(p, 0.1, momentum="0.9"), TypeError, r"SGD .* momentum .* in \[0, 1\), got '0.9'"),
        (lambda p: RMSProp(p, 0.1, decay=1.0), ValueError, r"RMSProp .* decay .* in \[0, 1\), got 1.0"),
        (lambda p: RMSProp(p, 0.1, decay=-0.1), ValueError, r"RMSProp .* decay .* in \[0, 1\), got -0.1"),
        (lambda p: RMSProp(p, 0.1, eps=0), ValueError, "RMSProp expected eps .* > 0, got 0"),
        (lambda p: Adam(p, 0.1, betas=(0.9, 1.0)), ValueError, r"Adam .* betas .* in \[0, 1\), got 1.0"),
        (lambda p: Adam(p, 0.1, betas=(math.nan, 0.9)), ValueError, r"Adam expected betas .*, got nan"),
        (lambda p: Adam(p, 0.1, betas=0.9), TypeError, "Adam expected .* a pair of numbers, got 0.9"),
        (lambda p: Adam(p, 0.1, eps=math.inf), ValueError, "Adam expected eps .* > 0, got inf"),
        (lambda p: Adam(p, 0.1, eps="1e-8"), TypeError, "Adam expected eps .* > 0, got '1e-8'"),
        (lambda p: Adam(p, "1e-3"), TypeError, "Adam expected lr to be .* schedule, got '1e-3'"),
        (lambda p: Adam(Tanh(), 0.1), TypeError, r"Adam expected a dict .* layer.parameters\(\), got Tanh"),
        (lambda p: SGD(list(p.values()), 0.1), TypeError, "SGD expected a dict of parameters, .*, got list"),
        (lambda p: SGD({"w": np.ones(3)}, 0.1), TypeError, "SGD expected w to be a Parameter, got ndarray"),
    ],
)
def test_optimiser_error_messages(parameters, call, error, message):
    with pytest.raises(error, match=message):
        call(parameters)


@pytest.mark.parametrize("lr", [np.float32(0.5), np.float64(0.5), 1, 0])
def test_learning_rate_may_be_any_real_number(parameters, lr):
    assert SGD(parameters, lr).rate == lr
