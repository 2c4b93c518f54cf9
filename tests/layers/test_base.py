"""The base class of layers (names, frozen parameters, input checks), and Sequential."""

import copy
import inspect
import pickle

import numpy as np
import pytest

from scratchgen.gradcheck.checker import check_layer
from scratchgen.gradcheck.contract import check_contract
from scratchgen.kernels.gradient import LARGE
from scratchgen.layers import Layer, Linear, Parameter, Sequential, Sigmoid, Tanh
from scratchgen.models import GAN, VAE, Autoencoder
from scratchgen.training import SGD


class Noisy(Layer):
    """A layer with a buffer and a generator."""

    buffer_names = ("count",)

    def __init__(self):
        self.scale = Parameter(np.ones(3))
        self.count = np.zeros(2)
        self.noise = np.random.default_rng(0)


class Pair(Layer):
    def __init__(self, rng):
        self.first = Sequential(Linear(4, 3, rng=rng, dtype=np.float64), Noisy())
        self.second = Linear(3, 2, bias=False, rng=rng, dtype=np.float64)


@pytest.fixture
def net(rng):
    return Sequential(
        Linear(4, 5, rng=rng, dtype=np.float64), Tanh(), Linear(5, 3, rng=rng, dtype=np.float64), Sigmoid()
    )


def jacobian_of_linear_and(activation_slope, layer):
    """(M, D) for one example: diag(slope)·Wᵀ."""
    return activation_slope[:, None] * layer.weight.value.T


def test_sequential_forward_is_the_composition(net, rng):
    """(SEQ.1)"""
    x = rng.standard_normal((7, 4))
    h = np.tanh(x @ net[0].weight.value + net[0].bias.value)
    expected = 1 / (1 + np.exp(-(h @ net[2].weight.value + net[2].bias.value)))
    np.testing.assert_allclose(net.forward(x)[0], expected, rtol=1e-12)


def test_sequential_backward_is_the_product_of_the_transposed_jacobians(net, rng):
    """(SEQ.2) with the Jacobian of each layer as an explicit matrix, for one example."""
    x, dout = rng.standard_normal((1, 4)), rng.standard_normal((1, 3))
    out, caches = net.forward(x)
    h = np.tanh(x @ net[0].weight.value + net[0].bias.value)
    j1 = jacobian_of_linear_and(1 - h[0] ** 2, net[0])
    j2 = jacobian_of_linear_and(out[0] * (1 - out[0]), net[2])
    np.testing.assert_allclose(net.backward(dout, caches)[0], j1.T @ (j2.T @ dout[0]), rtol=1e-12)
    v = rng.standard_normal((1, 4))
    np.testing.assert_allclose(net.jvp(v, caches)[0], j2 @ (j1 @ v[0]), rtol=1e-12)


def test_sequential_passes_input_grad_to_its_first_layer_only(rng):
    calls = []

    class Spy(Layer):
        def forward(self, x, training=False):
            return x, training

        def backward(self, dout, cache, input_grad=True):
            calls.append((input_grad, cache))
            return dout if input_grad else None

    net = Sequential(Spy(), Spy(), Spy())
    _, caches = net.forward(np.ones((2, 3)), training=True)
    assert net.backward(np.ones((2, 3)), caches, input_grad=False) is None
    assert net.backward(np.ones((2, 3)), caches) is not None
    assert calls == [(True, True), (True, True), (False, True)] + 3 * [(True, True)]


def test_sequential_without_layers_returns_its_input(rng):
    x = rng.standard_normal((2, 3))
    out, caches = Sequential().forward(x)
    assert out is x
    assert Sequential().backward(x, caches) is x


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (lambda x: x, r"an array of shape \(2, 3\)"),      # two rows: it could be unpacked by mistake
        (lambda x: None, "None"),
        (lambda x: (x,), "a tuple of 1"),
        (lambda x: (x, x, x), "a tuple of 3"),
        (lambda x: [x, x], "a list"),
    ],
)
def test_layer_that_does_not_return_out_and_cache_is_named_wherever_it_is_used(returned, got):
    class OnlyOut(Layer):
        """Says what it does."""

        def forward(self, x, training=False):
            return returned(x)

    class Inherited(OnlyOut):
        pass

    X, one = np.ones((2, 3), np.float32), np.ones((2, 3))
    rng = np.random.default_rng(0)
    linear = Linear(3, 3, rng=rng)
    for use in (
        lambda: Sequential(OnlyOut()).forward(X),
        lambda: OnlyOut().forward(X),
        lambda: check_layer(OnlyOut(), one, rng=0),
        lambda: check_contract(OnlyOut(), one, rng=0),
        lambda: Autoencoder(OnlyOut(), linear).loss(X),
        lambda: Autoencoder(linear, OnlyOut()).reconstruct(X),
        lambda: VAE(OnlyOut(), linear).loss(X, rng=rng),
        lambda: GAN(linear, OnlyOut(), code=3).fit(X, epochs=1, rng=rng),
    ):
        with pytest.raises(TypeError, match=rf"OnlyOut.forward expected to return \(out, cache\), got {got}"):
            use()
    with pytest.raises(TypeError, match=r"Inherited.forward expected to return \(out, cache\)"):
        Inherited().forward(X)
    assert inspect.signature(OnlyOut.forward).parameters.keys() == {"self", "x", "training"}


def test_sequential_is_a_sequence_with_a_name(net):
    assert len(net) == 4
    assert isinstance(net[1], Tanh)
    assert repr(net).startswith("Sequential(Linear(4, 5, bias=True), Tanh(")


def test_two_forwards_before_backward_do_not_interfere(net, rng):
    """A discriminator is applied to real and to generated samples before either backward."""
    xs = [rng.standard_normal((n, 4)) for n in (7, 3)]
    douts = [rng.standard_normal((n, 3)) for n in (7, 3)]
    alone = []
    for x, dout in zip(xs, douts, strict=True):
        net.zero_grad()
        alone.append((net.backward(dout, net.forward(x)[1]), net[0].weight.grad.copy()))
    net.zero_grad()
    caches = [net.forward(x)[1] for x in xs]
    dxs = [net.backward(dout, cache) for dout, cache in zip(douts, caches, strict=True)]
    for dx, (expected, _) in zip(dxs, alone, strict=True):
        assert (dx == expected).all()
    np.testing.assert_allclose(net[0].weight.grad, alone[0][1] + alone[1][1], rtol=1e-13)


def test_names_are_dotted_and_in_order(rng):
    pair = Pair(rng)
    assert list(pair.parameters()) == ["first.0.weight", "first.0.bias", "first.1.scale", "second.weight"]
    assert list(pair.buffers()) == ["first.1.count"]
    assert list(pair.generators()) == ["first.1.noise"]
    assert pair.parameters()["second.weight"] is pair.second.weight
    assert pair.buffers()["first.1.count"] is pair.first[1].count
    assert pair.generators()["first.1.noise"] is pair.first[1].noise


def test_zero_grad_clears_all_in_place(rng):
    pair = Pair(rng)
    grads = [p.grad for p in pair.parameters().values()]
    for g in grads:
        g[...] = 3
    pair.zero_grad()
    anew = [p.grad for p in pair.parameters().values()]
    assert all(new is old for new, old in zip(anew, grads, strict=True))
    assert not any(g.any() for g in anew)


def test_frozen_keeps_gradients_and_still_computes_dx(net, rng):
    x, dout = rng.standard_normal((7, 4)), rng.standard_normal((7, 3))
    _, caches = net.forward(x)
    expected = net.backward(dout, caches)
    before = {name: p.grad.copy() for name, p in net.parameters().items()}
    with net.frozen():
        assert (net.backward(dout, caches) == expected).all()
    assert all((p.grad == before[name]).all() for name, p in net.parameters().items())
    net.backward(dout, caches)
    assert not (net[0].weight.grad == before["0.weight"]).all()


def test_frozen_can_be_nested_and_ends_after_an_error(net):
    with pytest.raises(ZeroDivisionError), net.frozen():
        with net[0].frozen():
            assert not net[0].trainable
        assert not net[0].trainable
        raise ZeroDivisionError
    assert net.trainable and net[0].trainable and net[2].trainable


def test_frozen_part_does_not_freeze_the_rest(net, rng):
    _, caches = net.forward(rng.standard_normal((7, 4)))
    with net[0].frozen():
        net.backward(rng.standard_normal((7, 3)), caches)
    assert not net[0].weight.grad.any()
    assert net[2].weight.grad.all()


def test_dtype_is_that_of_the_parameters(net, rng):
    assert net.dtype == np.float64
    assert Sequential(Linear(2, 2, rng=rng)).dtype == np.float32
    assert Sequential(Tanh(), Linear(2, 2, rng=rng)).dtype == np.float32
    assert Tanh().dtype is None


def test_expect_message_has_the_layer_the_expected_and_the_given_value():
    layer = Tanh()
    with pytest.raises(TypeError, match="Tanh expected dtype float32 or float64, got int64; pass x.astype"):
        layer.forward(np.ones((2, 3), int))
    with pytest.raises(ValueError, match=r"Tanh expected images of shape \(N, H, W, 2\), got \(1, 4, 4, 3\)"):
        layer.expect(np.ones((1, 4, 4, 3)), channels=2)
    with pytest.raises(ValueError, match=r"Tanh expected an array with 2 axes, got shape \(3,\)"):
        layer.expect(np.ones(3), ndim=2)


def test_base_class_defines_no_pass():
    with pytest.raises(TypeError, match="Layer does not define forward"):
        Layer().forward(np.ones(1))
    with pytest.raises(TypeError, match="Layer does not define backward"):
        Layer().backward(np.ones(1), None)
    with pytest.raises(TypeError, match="Layer does not define jvp"):
        Layer().jvp(np.ones(1), None)


class Returns(Layer):
    """A layer whose forward and backward return given values."""

    def __init__(self, out=lambda x: (x, None), dx=lambda dout: dout):
        self.out, self.dx = out, dx

    def forward(self, x, training=False):
        return self.out(x)

    def backward(self, dout, cache, input_grad=True):
        return self.dx(dout)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (lambda x: x, r"forward expected to return \(out, cache\), got an array of shape \(2, 3\)"),
        (lambda x: (x, None, 1), r"forward expected to return \(out, cache\), got a tuple of 3"),
        (lambda x: (x,), r"forward expected to return \(out, cache\), got a tuple of 1"),
        (lambda x: None, r"forward expected to return \(out, cache\), got None"),
        (lambda x: [x, None], r"forward expected to return \(out, cache\), got a list"),
        (lambda x: (x.tolist(), None), "forward expected to return out as an array, got list"),
        (lambda x: (None, None), "forward expected to return out as an array, got NoneType"),
        (lambda x: (1.0, None), "forward expected to return out as an array, got float"),
    ],
)
def test_forward_that_returns_something_else_is_refused(out, message):
    x = np.ones((2, 3))
    layer = Returns(out)
    calls = (lambda: Sequential(layer).forward(x), lambda: check_layer(layer, x, rng=0),
             lambda: check_contract(layer, x, rng=0))  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError, match=f"^Returns.{message}"):
            call()


@pytest.mark.parametrize(
    ("dx", "error", "message"),
    [
        (lambda dout: None, TypeError, "Returns.backward expected to return dx, got None"),
        (lambda dout: (dout, None), TypeError, "Returns.backward expected .* as an array, got tuple"),
        (lambda dout: dout.tolist(), TypeError, "Returns.backward expected .* as an array, got list"),
        (lambda dout: 1.0, TypeError, "Returns.backward expected to return dx as an array, got float"),
        (lambda dout: dout[:, :2], ValueError, r"Tanh expected a gradient .* \(2, 3\), got \(2, 2\)"),
        (lambda dout: dout[:1], ValueError, r"Tanh expected a gradient .* \(2, 3\), got \(1, 3\)"),
        (lambda dout: dout.astype(np.float32), TypeError, "Tanh expected a gradient .* float64, got float32"),
    ],
)
def test_backward_that_returns_something_else_is_refused(dx, error, message):
    x, layer = np.ones((2, 3)), Returns(dx=dx)
    net = Sequential(Tanh(), layer)
    out, cache = net.forward(x)
    with pytest.raises(error, match=f"^{message}"):
        net.backward(np.ones_like(out), cache)
    try:
        assert not check_layer(layer, x, rng=0)[0].ok
    except TypeError as refused:
        assert "Returns.backward expected to return dx as an array" in str(refused)


def test_layer_used_twice_gets_both_gradients(rng):
    """The second appearance has its own names, but the same Parameters, which an optimiser updates once."""
    layer = Linear(3, 3, False, rng=rng, dtype=np.float64)
    net, x = Sequential(layer, Tanh(), layer), rng.standard_normal((4, 3))
    assert all(r.ok for r in check_layer(net, x, rng=rng))
    optimiser = SGD(net.parameters(), 0.1)
    before = layer.weight.value.copy()
    out, cache = net.forward(x)
    net.backward(np.ones_like(out), cache)
    gradient = layer.weight.grad.copy()
    assert optimiser.grad_norm() == pytest.approx(np.linalg.norm(gradient))
    optimiser.step()
    np.testing.assert_allclose(layer.weight.value, before - 0.1 * gradient)


def test_layer_cannot_be_called():
    with pytest.raises(TypeError, match=r"Tanh cannot be called; use out, cache = layer.forward\(x\)"):
        Tanh()(np.ones((2, 3)))


@pytest.mark.parametrize("held", [False, True])
def test_gradient_that_was_read_is_never_out_of_date(held, rng):
    """A caller may keep p.grad over zero_grad and backward, with and without an optimiser."""
    layer, x = Linear(4, 3, rng=rng, dtype=np.float64), rng.standard_normal((5, 4))
    optimiser = SGD(layer.parameters(), 0.1) if held else layer
    kept = {name: p.grad for name, p in layer.parameters().items()}
    for _ in range(2):
        out, cache = layer.forward(x)
        layer.backward(np.ones_like(out), cache)
        np.testing.assert_array_equal(kept["weight"], x.T @ np.ones_like(out))
        np.testing.assert_array_equal(kept["bias"], 5)
        optimiser.zero_grad()
        assert not kept["weight"].any() and not kept["bias"].any()
    assert all(kept[name] is p.grad for name, p in layer.parameters().items())


def test_flat_gradient_that_was_read_is_never_out_of_date(rng):
    layer, x = Linear(4, 3, rng=rng, dtype=np.float64), rng.standard_normal((5, 4))
    optimiser = SGD(layer.parameters(), 0.1)
    kept = optimiser.grad
    layer.backward(np.ones((5, 3)), layer.forward(x)[1])
    assert kept.all()
    optimiser.step()
    optimiser.zero_grad()
    assert not kept.any() and kept is optimiser.grad


def test_zeros_are_not_written_into_a_gradient_that_was_not_read(rng):
    layer, x = Linear(4, 3, rng=rng, dtype=np.float64), rng.standard_normal((5, 4))
    optimiser = SGD(layer.parameters(), 0.1)
    for _ in range(2):
        layer.backward(np.ones((5, 3)), layer.forward(x)[1])
        optimiser.step()
        optimiser.zero_grad()
        assert layer.weight.lazy_grad.array.all() and layer.weight.lazy_grad.is_zero
    assert not layer.weight.grad.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
def test_large_gradients_add_up(rng, dtype, layout):
    """Threads add large arrays of the same dtype; other arrays are added by NumPy."""
    shape = (400, 401)
    p = Parameter(np.zeros(shape, np.float32))
    assert p.size > LARGE
    first, second = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    for a in (first, second):
        p.add_grad(a if layout == "contiguous" else np.ascontiguousarray(a.T).T)
    expected = first.astype(np.float32)
    expected += second
    np.testing.assert_array_equal(p.grad, expected)
    p.zero_grad()
    p.add_grad(second)
    np.testing.assert_array_equal(p.grad, second.astype(np.float32))


def test_parameter_has_the_shape_of_its_array_and_a_zero_gradient():
    p = Parameter(np.ones((2, 3), np.float32))
    assert (p.shape, p.dtype, p.size) == ((2, 3), np.float32, 6)
    assert p.grad.shape == (2, 3) and p.grad.dtype == np.float32 and not p.grad.any()
    assert repr(p) == "Parameter(shape=(2, 3), dtype=float32)"


def test_parameter_is_in_c_order_and_copies_only_if_needed(rng):
    value = rng.standard_normal((3, 4, 2))
    assert Parameter(value).value is value
    p = Parameter(value.transpose(2, 0, 1))
    assert p.value.flags.c_contiguous and p.grad.flags.c_contiguous
    np.testing.assert_array_equal(p.value, value.transpose(2, 0, 1))
    assert Parameter(np.array(2.0)).shape == Parameter(np.array(2.0)).grad.shape == ()


def test_repr_shows_what_is_inside(rng):
    assert repr(Pair(rng)).startswith("Pair(first: Sequential(Linear(4, 3, bias=True), Noisy()), second: Lin")


def test_parameter_gradient_is_zero_after_zero_grad_and_adds_up_from_there(rng):
    p = Parameter(rng.standard_normal((2, 3, 5)))
    a, b = rng.standard_normal((6, 4)), rng.standard_normal((4, 5))
    assert not p.grad.any()
    for _ in range(2):
        p.zero_grad()
        p.add_grad(a, b)                                     # overwrites the old numbers
        np.testing.assert_allclose(p.grad, (a @ b).reshape(2, 3, 5), rtol=1e-14)
        p.add_grad(a, 2 * b)                                 # added
        np.testing.assert_allclose(p.grad, 3 * (a @ b).reshape(2, 3, 5), rtol=1e-14)
    p.zero_grad()
    p.grad[0] = 1                                               # assigned directly, so it is kept
    p.add_grad(a, b)
    expected = (a @ b).reshape(2, 3, 5)
    expected[0] += 1
    np.testing.assert_allclose(p.grad, expected, rtol=1e-14)
    p.zero_grad()
    assert not p.grad.any()


def test_parameter_gradient_stays_correct_after_copy_and_pickle(rng):
    p = Parameter(rng.standard_normal((2, 3)))
    p.grad[...] = 5
    p.zero_grad()
    for q in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert not q.grad.any() and q.grad is not p.grad
        q.add_grad(np.ones((2, 1)), np.ones((1, 3)))
        assert (q.grad == 1).all() and not p.grad.any()


def test_parameter_add_grad_takes_a_gradient_or_two_factors(rng):
    p, g = Parameter(rng.standard_normal((4, 5))), rng.standard_normal((4, 5))
    p.grad[...] = 7
    p.zero_grad()
    p.add_grad(g)
    np.testing.assert_array_equal(p.grad, g)
    p.add_grad(g)
    p.add_grad(g[:, :1], np.ones((1, 5)))
    np.testing.assert_allclose(p.grad, 2 * g + g[:, :1], rtol=1e-14)
    p.zero_grad()
    with pytest.raises(ValueError, match="broadcast"):
        p.add_grad(np.ones(3))
    assert not p.grad.any()


def test_parameter_of_zero_or_one_axes_accumulates_gradients():
    for value in (np.array(2.0), np.ones(3)):
        p = Parameter(value)
        p.grad += 1
        p.grad += 1
        assert (p.grad == 2).all()
        p.zero_grad()
        p.grad += 1
        assert (p.grad == 1).all()
