"""The gradient checker passes right gradients and finds planted mistakes."""

import numpy as np
import pytest
from helpers.planted import (
    SHAPE,
    WRONG_DX,
    WRONG_GRADIENTS,
    Affine,
    Elementwise,
    NoInputGradient,
    Regression,
    Reparameterise,
    Softmax,
    SoftmaxThatReturnsNothing,
    Standardise,
    right_loss,
)

from scratchgen.gradcheck.checker import (
    KINKED,
    check_jvp,
    check_layer,
    check_loss,
    check_model,
    has_jvp,
    with_upstream,
)
from scratchgen.gradcheck.contract import check_contract
from scratchgen.gradcheck.differences import STEPS, line, richardson
from scratchgen.layers import Layer, Linear, Parameter, Sequential, SiLU, Tanh


def verdicts(results):
    return {r.what: r.verdict for r in results}


@pytest.mark.parametrize("build", WRONG_GRADIENTS)
def test_checker_catches_a_planted_gradient(build, rng):
    x = rng.standard_normal(SHAPE)
    assert "FAIL" in verdicts(check_layer(build(rng), x, rng=rng, tolerance=KINKED)).values()


# A mistake only in weight.grad, or a dx of the wrong shape, cannot show in the layer before.
@pytest.mark.parametrize("build", WRONG_DX)
def test_wrong_dx_shows_in_the_layer_before(build, rng):
    net, x = with_upstream(build(rng), rng.standard_normal(SHAPE), rng=rng)
    assert verdicts(check_layer(net, x, rng=rng, tolerance=KINKED))["0.weight"] == "FAIL"


def test_exp_of_logvar_in_place_of_std_is_caught(rng):
    (result,) = check_layer(Reparameterise(), rng.standard_normal((7, 6)), rng=rng)
    assert result.verdict == "FAIL"
    assert result.error > 1e-2


@pytest.mark.parametrize(
    "layer", [Softmax(), Standardise(), Elementwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2)], ids=repr
)
def test_checker_passes_a_right_gradient(layer, rng):
    x = rng.standard_normal(SHAPE)
    for net, point in ((layer, x), with_upstream(layer, x, rng=rng)):
        assert set(verdicts(check_layer(net, point, rng=rng)).values()) == {"ok"}


def test_upstream_gradient_of_ones_would_hide_a_missing_gradient(rng):
    """For a softmax and u = 1, f is constant, so its differences are zero, like the wrong gradient."""
    x = rng.standard_normal(SHAPE)
    layer = SoftmaxThatReturnsNothing()
    v = rng.standard_normal(SHAPE)
    assert abs(richardson(line([(x, v)], lambda: layer.forward(x)[0]), STEPS[0])) < 1e-11
    assert check_layer(layer, x, rng=rng)[0].error == pytest.approx(1.0)


@pytest.mark.parametrize("index", range(15))
def test_checker_catches_one_part_in_ten_thousand_in_any_entry(index, rng):
    class Planted(Affine):
        def backward(self, dout, x, input_grad=True):
            dx = super().backward(dout, x)
            self.weight.grad.flat[index] *= 1 + 1e-4
            return dx

    x = rng.standard_normal(SHAPE)
    assert verdicts(check_layer(Planted(rng), x, rng=rng)) == {"input": "ok", "weight": "FAIL", "bias": "ok"}


def test_true_zero_gradient_passes_and_a_wrong_zero_fails(rng):
    """A bias before batch norm has no effect on the output, but a weight does."""

    class ZeroWeightGradient(Affine):
        def backward(self, dout, x, input_grad=True):
            self.bias.grad += dout.sum(axis=0)
            return dout @ self.weight.value.T

    x = rng.standard_normal(SHAPE)
    right = {r.what: r for r in check_layer(Sequential(Affine(rng), Standardise()), x, rng=rng)}
    assert right["0.bias"].verdict == "ok"
    wrong = {r.what: r for r in check_layer(Sequential(ZeroWeightGradient(rng), Standardise()), x, rng=rng)}
    assert wrong["0.weight"].verdict == "FAIL"
    assert wrong["0.weight"].error == pytest.approx(1.0)


# (GRAD.4)
def test_adjoint_test_passes_a_right_jvp_and_catches_a_wrong_one(rng):
    class WrongJvp(Affine):
        def jvp(self, dx, x):
            dout = super().jvp(dx, x)
            dout[2, 1] *= 1 + 1e-4
            return dout

    class WithBias(Affine):
        def jvp(self, dx, x):
            return self.forward(dx)[0]

    x = rng.standard_normal(SHAPE)
    assert check_jvp(Affine(rng), x, rng=rng).ok
    assert not check_jvp(WrongJvp(rng), x, rng=rng).ok
    assert not check_jvp(WithBias(rng), x, rng=rng).ok
    assert not check_jvp(NoInputGradient(rng), x, rng=rng).ok
    jac, v, u = Affine(rng), rng.standard_normal(SHAPE), rng.standard_normal((7, 3))
    assert (jac.jvp(v, x) * u).sum() == pytest.approx((v * jac.backward(u, x)).sum(), rel=1e-12)


def test_has_jvp_includes_inner_layers():
    assert has_jvp(Sequential(SiLU(), Sequential(Tanh())))
    assert not has_jvp(Sequential(SiLU(), Sequential(Softmax())))


def test_checker_does_not_change_the_layer(rng):
    layer = Sequential(Linear(5, 3, rng=rng, dtype=np.float64), Tanh())
    x = rng.standard_normal(SHAPE)
    for p in layer.parameters().values():
        p.grad[...] = 7
    before = {name: p.value.copy() for name, p in layer.parameters().items()}
    x_before = x.copy()
    check_layer(layer, x, rng=rng)
    check_jvp(layer, x, rng=rng)
    for name, p in layer.parameters().items():
        assert (p.value == before[name]).all()
        assert (p.grad == 7).all()
    assert (x == x_before).all()


def test_state_is_restored_before_each_evaluation(rng):
    """The layer has a generator and a buffer. If they were not restored, f would change in every call."""

    class NoisyCounter(Layer):
        buffer_names = ("count",)

        def __init__(self):
            self.count, self.noise = np.zeros(1), np.random.default_rng(3)

        def forward(self, x, training=False):
            self.count += 1
            scale = self.noise.standard_normal(x.shape) * self.count
            return scale * np.sin(x), (scale, x)

        def backward(self, dout, cache, input_grad=True):
            scale, x = cache
            return dout * scale * np.cos(x)

    layer = NoisyCounter()
    assert check_layer(layer, rng.standard_normal(SHAPE), rng=rng)[0].verdict == "ok"
    assert layer.count == 0
    assert layer.noise.standard_normal() == np.random.default_rng(3).standard_normal()


def test_upstream_layer_gives_the_checked_layer_the_same_input(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    net, before = with_upstream(Tanh(), x, rng=rng)
    np.testing.assert_allclose(net[0].forward(before)[0], x, atol=1e-14)


def test_loss_check_passes_a_right_and_catches_a_wrong_gradient(rng):
    def unaveraged(pred, target):
        return right_loss(pred, target)[0], 4 * (pred - target) ** 3

    def slightly_wrong(pred, target):
        loss, dpred = right_loss(pred, target)
        dpred[1, 1] *= 1 + 1e-4
        return loss, dpred

    def softmax_without_subtraction(logits, labels):
        p = Softmax().forward(logits)[0]
        return float(-np.log(p[np.arange(len(p)), labels]).mean()), p / len(p)

    pred, target = rng.standard_normal(SHAPE), rng.standard_normal(SHAPE)
    assert check_loss(right_loss, pred, target)[0].verdict == "ok"
    assert check_loss(unaveraged, pred, target)[0].verdict == "FAIL"
    assert check_loss(slightly_wrong, pred, target)[0].verdict == "FAIL"
    assert check_loss(softmax_without_subtraction, pred, rng.integers(0, 5, 7))[0].verdict == "FAIL"


def test_model_check_follows_random_lines(rng):
    x, target = rng.standard_normal(SHAPE), rng.standard_normal((7, 2))
    model = Regression(rng)
    results = check_model(model, lambda: model.loss(x, target), rng=rng)
    names = ["net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias", "all parameters"]
    assert [(r.what, r.verdict) for r in results] == [(name, "ok") for name in names]
    wrong = Regression(rng, wrong=1e-3)
    found = verdicts(check_model(wrong, lambda: wrong.loss(x, target), rng=rng))
    assert found["net.0.weight"] == found["all parameters"] == "FAIL"
    assert found["net.2.weight"] == "ok"


def test_float32_is_refused(rng):
    x = rng.standard_normal(SHAPE)
    with pytest.raises(TypeError, match="check_layer expected the input in float64, .* rounding"):
        check_layer(Tanh(), x.astype(np.float32), rng=rng)
    with pytest.raises(TypeError, match="check_jvp expected weight in float64, got float32"):
        check_jvp(Linear(5, 3, rng=rng), x, rng=rng)
    with pytest.raises(TypeError, match="check_loss expected the prediction in float64, got float32"):
        check_loss(right_loss, x.astype(np.float32), x)
    with pytest.raises(TypeError, match="check_model expected weight in float64, got float32"):
        check_model(Linear(5, 3, rng=rng), lambda: (0.0, None), rng=rng)
    with pytest.raises(ValueError, match="check_model expected at least 2 directions, got 1"):
        check_model(Tanh(), lambda: (0.0, None), rng=rng, directions=1)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_output_in_another_dtype_is_refused(dtype, rng):
    class Converts(Layer):
        def forward(self, x, training=False):
            return x.astype(dtype), None

        def backward(self, dout, cache, input_grad=True):
            return dout if input_grad else None

    with pytest.raises(TypeError, match="check_layer expected the output of forward in float64, got"):
        check_layer(Converts(), rng.standard_normal(SHAPE), rng=rng)


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("use", [lambda dout, x: x * x, lambda dout, x: dout * dout])
def test_input_from_the_same_seed_is_not_equal_to_dout(seed, use):
    """Half of the square: both backward passes would be right for dout = x."""

    class Half(Layer):
        def forward(self, x, training=False):
            return x**2 / 2, x

        def backward(self, dout, x, input_grad=True):
            return use(dout, x) if input_grad else None

        def jvp(self, dx, x):
            return x * dx

    x = np.random.default_rng(seed).standard_normal(SHAPE)
    for check in (check_layer, lambda *args, rng: [check_jvp(*args, rng=rng)]):
        for rng in (seed, np.random.default_rng(seed)):
            (result,) = check(Half(), x, rng=rng)
            assert not result.ok


@pytest.mark.parametrize("training", [False, True])
def test_layer_that_keeps_its_first_mask_fails(training, rng):
    class KeepsMask(Layer):
        mask = None

        def forward(self, x, training=False):
            if self.mask is None:
                self.mask = x > 0
            return np.maximum(x, 0), self.mask

        def backward(self, dout, mask, input_grad=True):
            return dout * mask if input_grad else None

    (result,) = check_layer(KeepsMask(), rng.standard_normal(SHAPE), rng=rng, training=training)
    assert not result.ok and "A mask or an index differs" in str(result)


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (1.0, r"^loss expected to return \(loss, dpred\), got float"),
        ((np.ones(7), np.ones(SHAPE)), r"^loss expected the loss to be one number, got shape \(7,\)"),
        ((np.ones(SHAPE), 1.0), r"^loss expected the loss to be one number, got shape \(7, 5\)"),
    ],
)
def test_loss_that_does_not_return_a_number_and_an_array_is_refused(returned, says):
    def loss(pred, target):
        return returned

    with pytest.raises(TypeError, match=says):
        check_loss(loss, np.ones(SHAPE), np.ones(SHAPE))


def test_checks_accept_a_seed_instead_of_a_generator():
    """A seed gives the same result as a new generator with that seed."""
    x = np.random.default_rng(0).standard_normal((3, 4))
    layer = Linear(4, 2, rng=np.random.default_rng(1), dtype=np.float64)
    assert check_layer(layer, x, rng=7) == check_layer(layer, x, rng=np.random.default_rng(7))
    assert check_jvp(layer, x, rng=7) == check_jvp(layer, x, rng=np.random.default_rng(7))
    assert check_contract(layer, x, rng=7) == check_contract(layer, x, rng=np.random.default_rng(7))
    first, second = (with_upstream(layer, x, rng=rng)[1] for rng in (7, np.random.default_rng(7)))
    assert (first == second).all()
    with pytest.raises(TypeError, match="check_layer expected rng to be a numpy.random.Generator or an int"):
        check_layer(layer, x, rng=None)


class Forgotten(Layer):
    """out = x·W·scale + constant; the caller chooses how its arrays are kept."""

    def __init__(self, W, scale=1.0, constants=()):
        self.W, self.scale, self.constants = W, scale, list(constants)

    def forward(self, x, training=False):
        return x @ getattr(self.W, "value", self.W) * self.scale, x

    def backward(self, dout, x, input_grad=True):
        if isinstance(self.W, Parameter):
            self.W.add_grad(x.T, dout * self.scale)
        return dout * self.scale @ getattr(self.W, "value", self.W).T


class WithBuffer(Forgotten):
    buffer_names = ("scale",)


def test_array_that_is_neither_learnt_nor_saved_is_reported(rng):
    W, x = rng.standard_normal((3, 3)), rng.standard_normal((5, 3))
    told = "(neither a Parameter nor in buffer_names)"
    assert verdicts(check_layer(Forgotten(W), x, rng=rng)) == {"input": "ok", f"W {told}": "FAIL"}
    right = {"input": "ok", "W": "ok"}
    assert verdicts(check_layer(Forgotten(Parameter(W)), x, rng=rng)) == right
    assert verdicts(check_layer(WithBuffer(Parameter(W), np.ones(3)), x, rng=rng)) == right
    listed = Forgotten(Parameter(W), constants=[np.ones(2, np.float32), np.arange(3), np.ones(2, bool)])
    assert verdicts(check_layer(Sequential(listed), x, rng=rng)) == {
        "input": "ok", "0.W": "ok", f"0.constants.0 {told}": "FAIL"
    }
