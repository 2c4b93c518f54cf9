"""The gradient penalty against numeric slopes, and its gradient against differences."""

import numpy as np
import pytest

from scratchgen.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Tanh,
)
from scratchgen.models import DCGAN, GAN
from scratchgen.models.gan import gradient_penalty as module
from scratchgen.models.gan.gradient_penalty import expect_piecewise_linear, gradient_penalty, leaves

WEIGHT = 1.7


def dense(kind):
    return Sequential(
        Linear(5, 7, **kind),
        LeakyReLU(0.2),
        Sequential(Linear(7, 4, bias=False, **kind), ReLU()),
        Linear(4, 1, **kind),
    )


def convolutional(kind):
    return Sequential(
        Reshape(6, 5, 2),
        Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), **kind),
        LeakyReLU(0.1),
        Conv2d(3, 2, 2, bias=False, **kind),
        LeakyReLU(0.3),
        Flatten(),
        Linear(2 * 2 * 3, 1, **kind),
    )


def pooled(kind):
    return Sequential(
        Reshape(5, 6, 1),
        Conv2d(1, 3, 2, padding=1, **kind),
        MaxPool2d((2, 3), padding=1),
        LeakyReLU(0.2),
        AvgPool2d(2, stride=1),
        Flatten(),
        Linear(18, 1, **kind),
    )


CRITICS = [(dense, 5), (convolutional, 60), (pooled, 30)]


def make(build, width, rng, n=3):
    """A critic with biases that are not zero, and inputs x."""
    critic = build({"rng": rng, "dtype": np.float64})
    for p in critic.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    return critic, rng.standard_normal((n, width))


def numeric_slopes(critic, x, h=1e-6):
    """∂D/∂x by central differences, one feature at a time for all examples."""
    steps = h * np.eye(x.shape[1])
    return np.stack([(critic.forward(x + s)[0] - critic.forward(x - s)[0])[:, 0] for s in steps], 1) / (2 * h)


def penalty_of(g, weight=WEIGHT):
    return weight / len(g) * sum((np.sqrt((row**2).sum()) - 1) ** 2 for row in g)


@pytest.mark.parametrize(("build", "width"), CRITICS)
def test_penalty_is_that_of_measured_slopes(build, width, rng, backend):
    """(GP.1), and (GP.3): g against differences of D, for unusual shapes."""
    critic, x = make(build, width, rng)
    penalty, g = gradient_penalty(critic, x, WEIGHT)
    slopes = numeric_slopes(critic, x)
    np.testing.assert_allclose(g, slopes, atol=1e-8)
    assert penalty == pytest.approx(penalty_of(slopes), rel=1e-7)


@pytest.mark.parametrize(("build", "width"), CRITICS)
def test_penalty_gradient_is_the_derivative_entry_by_entry(build, width, rng, backend):
    """(GP.5): all weights against differences of the penalty. The gradients of biases are exactly zero."""
    critic, x = make(build, width, rng)
    gradient_penalty(critic, x, WEIGHT)
    claimed = {name: p.grad.copy() for name, p in critic.parameters().items()}
    assert sum(np.abs(grad).max() > 1e-3 for grad in claimed.values()) >= 2
    h = 1e-6
    for name, p in critic.parameters().items():
        if name.endswith("bias"):
            assert not claimed[name].any()
        numeric = np.empty(p.shape)
        for i in np.ndindex(p.shape):
            value, sides = p.value[i], []
            for side in (value + h, value - h):
                p.value[i] = side
                sides.append(gradient_penalty(critic, x, WEIGHT)[0])
            p.value[i] = value
            numeric[i] = (sides[0] - sides[1]) / (2 * h)
        np.testing.assert_allclose(claimed[name], numeric, atol=2e-8, err_msg=name)


def test_penalty_gradient_of_a_linear_critic_is_that_of_the_definition(rng):
    """(GP.2): in a linear critic, each g is Wᵀ, and dW is the sum of the v; compared with differences."""
    critic, x = make(lambda kind: Sequential(Linear(5, 1, **kind)), 5, rng, n=4)
    _, g = gradient_penalty(critic, x, WEIGHT)
    np.testing.assert_array_equal(g, np.repeat(critic[0].weight.value.T, 4, axis=0))
    v, h = np.empty_like(g), 1e-6
    for i in np.ndindex(g.shape):
        up, down = g.copy(), g.copy()
        up[i] += h
        down[i] -= h
        v[i] = (penalty_of(up) - penalty_of(down)) / (2 * h)
    np.testing.assert_allclose(critic[0].weight.grad[:, 0], v.sum(axis=0), atol=1e-8)


def test_penalty_of_a_linear_critic_in_closed_form(rng):
    """P = λ·(‖w‖ − 1)², dP/dw = 2λ·(1 − 1/‖w‖)·w, for every x; so w / ‖w‖ gets no gradient."""
    critic = Linear(2, 1, rng=rng, dtype=np.float64)
    x = rng.standard_normal((7, 2))
    critic.weight.value[:, 0] = 3, -4
    penalty, _ = gradient_penalty(critic, x, 10.0)
    assert penalty == pytest.approx(10 * 16, rel=1e-14)
    np.testing.assert_allclose(critic.weight.grad[:, 0], 20 * 0.8 * np.array([3, -4]), rtol=1e-14)
    critic.zero_grad()
    critic.weight.value[:, 0] = 0, -1
    penalty, _ = gradient_penalty(critic, x, 10.0)
    assert penalty == 0 and not critic.weight.grad.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0.0, 1e-30])
def test_penalty_where_there_is_no_slope(rng, dtype, size):
    """If ‖g‖² is 0 or underflows to 0, then P = λ, and the norm of the gradient is at most 2λ."""
    critic = Linear(3, 1, rng=rng, dtype=dtype)
    critic.weight.value[...] = size
    penalty, _ = gradient_penalty(critic, np.ones((4, 3), dtype), 10.0)
    assert penalty == 10
    assert np.linalg.norm(critic.weight.grad) <= 20.001
    assert critic.weight.grad.any() == (size > 0)


def test_tangents_and_adjoints_have_the_same_product_at_every_layer(rng, monkeypatch):
    """(GP.4): ⟨t_l, a_l⟩ = ⟨v, g⟩ at each Linear; (GP.5): its dW is t_{l−1}ᵀ·a_l."""
    critic, x = make(dense, 5, rng)
    seen, original = [], module.tangent_backward

    def watched(layer, dout, dx):
        if isinstance(layer, Linear):
            seen.append((layer, dout, dx))
        original(layer, dout, dx)

    watched.dispatch = original.dispatch
    monkeypatch.setattr(module, "tangent_backward", watched)
    penalty, g = gradient_penalty(critic, x, WEIGHT)
    norm = np.linalg.norm(g, axis=1)
    v = (2 * WEIGHT / len(x) * (1 - 1 / norm))[:, None] * g
    assert len(seen) == 3
    np.testing.assert_allclose(seen[0][2], v, rtol=1e-12)
    for layer, adjoint, tangent in seen:
        through = tangent @ layer.weight.value
        assert (through * adjoint).sum() == pytest.approx((v * g).sum(), rel=1e-12)
        np.testing.assert_allclose(layer.weight.grad, np.einsum("nd,nm->dm", tangent, adjoint), rtol=1e-12)


def test_penalty_adds_to_gradients_in_proportion_to_its_weight(rng):
    critic, x = make(dense, 5, rng)
    once, _ = gradient_penalty(critic, x, 1.0)
    first = {name: p.grad.copy() for name, p in critic.parameters().items()}
    thrice, _ = gradient_penalty(critic, x, 3.0)
    assert thrice == pytest.approx(3 * once, rel=1e-14)
    for name, p in critic.parameters().items():
        np.testing.assert_allclose(p.grad, 4 * first[name], rtol=1e-12)


def test_penalty_adds_nothing_to_a_frozen_critic_and_stays_trainable(rng):
    """The gradients are read-only, so adding even a zero would raise an error."""
    critic, x = make(convolutional, 60, rng)
    for p in critic.parameters().values():
        p.grad[...] = 0.3
        p.grad.flags.writeable = False
    with critic.frozen():
        gradient_penalty(critic, x, WEIGHT)
    with pytest.raises(ValueError, match="read-only"):
        gradient_penalty(critic, x, WEIGHT)
    assert all(layer.trainable for layer in leaves(critic))


def test_penalty_in_float32_stays_so(rng):
    critic = dense({"rng": rng, "dtype": np.float32})
    penalty, g = gradient_penalty(critic, rng.standard_normal((3, 5)).astype(np.float32), 10.0)
    assert isinstance(penalty, float) and g.dtype == np.float32
    assert {p.grad.dtype for p in critic.parameters().values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_penalty_refuses_a_weight_below_zero(rng, weight):
    critic, x = make(dense, 5, rng)
    with pytest.raises(ValueError, match=f"gradient_penalty expected a weight >= 0, got {weight}"):
        gradient_penalty(critic, x, weight)


@pytest.mark.parametrize("build", [Tanh, Sigmoid, lambda: BatchNorm(5), lambda: LayerNorm(5)])
def test_penalty_refuses_layers_that_are_not_piecewise_linear(rng, build):
    """Smooth layers and layers that mix examples, also nested ones, are named before the computation."""
    layer = build()
    critic = Sequential(Linear(5, 5, rng=rng), Sequential(LeakyReLU(0.2), Sequential(layer)))
    message = rf"expected piecewise linear layers .*, got {type(layer).__name__}\(.*second derivative"
    with pytest.raises(TypeError, match=message):
        gradient_penalty(critic, rng.standard_normal((3, 5)), 1.0)
    assert not critic[0].weight.grad.any()


def test_penalty_takes_the_critics_of_this_library_but_for_batch_norm(rng):
    expect_piecewise_linear(GAN.dense(4, (3, 3), rng=rng).discriminator)
    with pytest.raises(TypeError, match="got BatchNorm"):
        expect_piecewise_linear(DCGAN(4, (2, 3), rng=rng).discriminator)
    expect_piecewise_linear(ConvTranspose2d(2, 3, 2, rng=rng))
    three = Sequential(Linear(7, 3, rng=rng))
    with pytest.raises(ValueError, match=r"critic with one output, got shape \(2, 3\)"):
        gradient_penalty(three, np.zeros((2, 7), np.float32), 10.0)
