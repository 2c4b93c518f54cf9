"""Optimisers compared with loops over the published formulas, and their flat buffers."""

import copy
import math
import pickle

import numpy as np
import pytest

from scratchgen.layers import Linear, Parameter, Sequential, Tanh
from scratchgen.training.optimisers import SGD, Adam, Optimizer, RMSProp

KINDS = [
    lambda p, lr: SGD(p, lr),
    lambda p, lr: SGD(p, lr, momentum=0.9),
    lambda p, lr: RMSProp(p, lr),
    lambda p, lr: Adam(p, lr),
]
STEPS = 5


def make_parameters(dtype=np.float64):
    rng = np.random.default_rng(4)
    return {name: Parameter(rng.standard_normal(s).astype(dtype)) for name, s in (("w", (2, 3)), ("b", (3,)))}


@pytest.fixture
def parameters():
    return make_parameters()


def run(optimizer, gradients):
    for g in gradients:
        optimizer.grad[:] = g
        optimizer.step()
    return optimizer.value


@pytest.fixture
def gradients(rng):
    return rng.standard_normal((STEPS, 9))


# (SGD.1)
def test_sgd_follows_its_formula(parameters, gradients, backend):
    optimizer = SGD(parameters, 0.1)
    expected = [w - sum(0.1 * g[i] for g in gradients) for i, w in enumerate(optimizer.value.copy())]
    np.testing.assert_allclose(run(optimizer, gradients), expected, rtol=1e-12)
    assert optimizer.state() == {}


# (SGD.2)
def test_momentum_follows_its_formula(parameters, gradients, backend):
    optimizer = SGD(parameters, 0.1, momentum=0.8)
    expected = []
    for i, w in enumerate(optimizer.value.copy()):
        velocity = 0.0
        for g in gradients[:, i]:
            velocity = 0.8 * velocity + g
            w -= 0.1 * velocity
        expected.append(w)
    np.testing.assert_allclose(run(optimizer, gradients), expected, rtol=1e-12)


# (RMS.1, RMS.2)
def test_rmsprop_follows_its_formula(parameters, gradients, backend):
    optimizer = RMSProp(parameters, 0.1, decay=0.7, eps=1e-3)
    expected = []
    for i, w in enumerate(optimizer.value.copy()):
        square = 0.0
        for g in gradients[:, i]:
            square = 0.7 * square + 0.3 * g * g
            w -= 0.1 * g / (math.sqrt(square) + 1e-3)
        expected.append(w)
    np.testing.assert_allclose(run(optimizer, gradients), expected, rtol=1e-12)


# (ADAM.1, ADAM.2, ADAM.3)
def test_adam_follows_its_formula(parameters, gradients, backend):
    optimizer = Adam(parameters, 0.1, betas=(0.8, 0.95), eps=1e-3)
    expected, moments = [], []
    for i, w in enumerate(optimizer.value.copy()):
        m = v = 0.0
        for t, g in enumerate(gradients[:, i], start=1):
            m = 0.8 * m + 0.2 * g
            v = 0.95 * v + 0.05 * g * g
            w -= 0.1 * (m / (1 - 0.8**t)) / (math.sqrt(v / (1 - 0.95**t)) + 1e-3)
        expected.append(w)
        moments.append((m, v))
    np.testing.assert_allclose(run(optimizer, gradients), expected, rtol=1e-12)
    np.testing.assert_allclose(np.stack([optimizer.m, optimizer.v], 1), moments, rtol=1e-12)


def test_first_step_of_adam_is_the_learning_rate_for_any_gradient(parameters, backend):
    optimizer = Adam(parameters, 0.01)
    before = optimizer.value.copy()
    optimizer.grad[:] = np.logspace(-3, 3, 9)
    optimizer.step()
    np.testing.assert_allclose(before - optimizer.value, 0.01, rtol=1e-4)


# (CLIP.1)
def test_clipping_scales_the_joint_norm_and_returns_the_old_one(parameters):
    optimizer = SGD(parameters, 0.1)
    optimizer.grad[:] = np.arange(9)
    norm = math.sqrt(sum(k * k for k in range(9)))
    assert optimizer.clip_grad_norm(5.0) == pytest.approx(norm)
    np.testing.assert_allclose(optimizer.grad, np.arange(9) * 5 / norm)
    assert optimizer.clip_grad_norm(5.1) == pytest.approx(5)
    np.testing.assert_allclose(optimizer.grad, np.arange(9) * 5 / norm)
    np.testing.assert_allclose(parameters["b"].grad, np.arange(6, 9) * 5 / norm)


# (CLIP.2)
def test_clipping_by_value_limits_each_number_and_returns_the_largest_before(parameters):
    optimizer = SGD(parameters, 0.1)
    grad = np.array([-7.0, -2, -0.5, 0, 0.5, 1, 2, 3, 9])
    optimizer.grad[:] = grad
    assert optimizer.clip_grad_value(2.0) == 9
    assert optimizer.grad.tolist() == [min(max(g, -2), 2) for g in grad]
    assert optimizer.clip_grad_value(2.5) == 2
    assert optimizer.grad.tolist() == [min(max(g, -2), 2) for g in grad]
    for wrong in (math.nan, math.inf, -math.inf):
        optimizer.grad[4] = wrong
        before = optimizer.grad.copy()
        assert not math.isfinite(optimizer.clip_grad_value(1.0))
        np.testing.assert_array_equal(optimizer.grad, before)
    with pytest.raises(ValueError, match="clip_grad_value expected max_value > 0, got 0"):
        optimizer.clip_grad_value(0)


def test_gradient_norm_is_joint_and_changes_nothing(parameters):
    optimizer = SGD(parameters, 0.1)
    assert optimizer.grad_norm() == 0
    parameters["w"].grad[...] = 2
    parameters["b"].grad[...] = -5, 0, 1
    assert optimizer.grad_norm() == pytest.approx(math.sqrt(6 * 4 + 25 + 1), rel=1e-15)
    assert parameters["w"].grad.tolist() == [[2] * 3] * 2 and parameters["b"].grad.tolist() == [-5, 0, 1]
    assert isinstance(Adam(make_parameters(np.float32), 0.1).grad_norm(), float)


def test_clipping_keeps_zero_gradients_and_refuses_a_norm_of_zero(parameters):
    optimizer = SGD(parameters, 0.1)
    assert optimizer.clip_grad_norm(1.0) == 0
    assert not optimizer.grad.any()
    for wrong in (0, -1, math.nan):
        with pytest.raises(ValueError, match=f"clip_grad_norm expected max_norm > 0, got {wrong}"):
            optimizer.clip_grad_norm(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_become_views_of_the_flat_buffers(kind, parameters):
    values = {name: p.value.copy() for name, p in parameters.items()}
    parameters["w"].grad[...] = 2
    optimizer = kind(parameters, 0.1)
    assert optimizer.value.shape == optimizer.grad.shape == (9,)
    for name, p in parameters.items():
        assert (p.value == values[name]).all()
        assert p.value.base is optimizer.value and p.grad.base is optimizer.grad
    assert optimizer.grad.tolist() == [2] * 6 + [0] * 3
    parameters["b"].grad += 1
    assert optimizer.grad[6:].tolist() == [1, 1, 1]
    optimizer.zero_grad()
    assert not parameters["w"].grad.any() and not parameters["b"].grad.any()


@pytest.mark.parametrize("kind", KINDS)
def test_layer_learns_through_its_views(kind, rng, backend):
    layer = Linear(3, 2, rng=rng, dtype=np.float64)
    optimizer = kind(layer.parameters(), 0.1)
    before = layer.weight.value.copy()
    _, cache = layer.forward(rng.standard_normal((5, 3)))
    layer.backward(rng.standard_normal((5, 2)), cache)
    gradient = optimizer.grad.copy()
    assert gradient.all()
    optimizer.step()
    assert not (layer.weight.value == before).any()
    assert (optimizer.grad == gradient).all()
    assert optimizer.steps == 1


@pytest.mark.parametrize("kind", KINDS)
def test_restored_state_gives_the_same_updates(kind, gradients, backend):
    uninterrupted = kind(make_parameters(), 0.1)
    run(uninterrupted, gradients)
    first = kind(make_parameters(), 0.1)
    run(first, gradients[:2])
    second = kind(make_parameters(), 0.1)
    second.value[:] = first.value
    second.load_state({name: a.copy() for name, a in first.state().items()}, first.steps)
    run(second, gradients[2:])
    assert (second.value == uninterrupted.value).all()
    assert second.steps == STEPS
    for name, moment in uninterrupted.state().items():
        assert moment.shape == uninterrupted.value.shape
        assert (moment == second.state()[name]).all()


def test_state_is_copied_in_and_must_fit(parameters):
    optimizer = Adam(parameters, 0.1)
    state = {"m": np.ones(9), "v": np.ones(9)}
    optimizer.load_state(state, 3)
    state["m"][:] = 5
    assert (optimizer.m == 1).all()
    with pytest.raises(ValueError, match=r"Adam expected v of shape \(9,\), got \(8,\)"):
        optimizer.load_state({"m": np.ones(9), "v": np.ones(8)}, 3)
    with pytest.raises(ValueError, match=r"Adam expected v of shape \(9,\), got nothing"):
        optimizer.load_state({"m": np.ones(9)}, 3)


def test_state_that_does_not_fit_changes_nothing(parameters):
    optimizer = Adam(parameters, 0.1)
    with pytest.raises(ValueError, match="expected v"):
        optimizer.load_state({"m": np.ones(9)}, 3)
    assert not optimizer.m.any()
    assert optimizer.steps == 0


@pytest.mark.parametrize("kind", KINDS)
def test_schedule_is_called_for_each_step_from_zero(kind, parameters, gradients):
    calls = []

    def schedule(step):
        calls.append(step)
        return 0.1 / (step + 1)

    optimizer = kind(parameters, schedule)
    assert optimizer.rate == 0.1
    run(optimizer, gradients[:3])
    assert calls == [0, 0, 1, 2]
    assert optimizer.rate == 0.025


def test_schedule_sets_the_size_of_the_step(parameters):
    optimizer = SGD(parameters, lambda step: [0.5, 0.25][step])
    before = optimizer.value.copy()
    run(optimizer, np.ones((2, 9)))
    np.testing.assert_allclose(before - optimizer.value, 0.75)


@pytest.mark.parametrize("kind", KINDS)
def test_quadratic_is_minimised(kind, backend):
    """f = ½·Σ k·(w − target)² with curvatures from 1 to 9."""
    target, curvature = np.linspace(-1, 1, 9), np.arange(1, 10)
    optimizer = kind(make_parameters(), lambda step: 0.1 * 0.995**step)
    for _ in range(1500):
        optimizer.grad[:] = curvature * (optimizer.value - target)
        optimizer.step()
    np.testing.assert_allclose(optimizer.value, target, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_stays_float32(kind, backend):
    optimizer = kind(make_parameters(np.float32), 0.1)
    optimizer.grad[:] = 1
    optimizer.step()
    arrays = [optimizer.value, optimizer.grad, *optimizer.state().values()]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}
    assert {p.value.dtype for p in optimizer.parameters.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", KINDS)
def test_step_keeps_nan(kind, parameters, backend):
    optimizer = kind(parameters, 0.1)
    optimizer.grad[4] = np.nan
    optimizer.step()
    assert np.isnan(optimizer.value).tolist() == [i == 4 for i in range(9)]


def test_optimiser_refuses_wrong_settings(parameters):
    with pytest.raises(ValueError, match="Adam expected at least one parameter, got none"):
        Adam({}, 0.1)
    for wrong in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"SGD expected lr to be a finite number >= 0, got {wrong}"):
            SGD(parameters, wrong)
    for wrong in (1.0, -0.1):
        with pytest.raises(ValueError, match=rf"SGD expected momentum .* in \[0, 1\), got {wrong}"):
            SGD(parameters, 0.1, momentum=wrong)
    parameters["b"] = Parameter(np.zeros(3, np.float32))
    with pytest.raises(TypeError, match="expected parameters of the same dtype, got float32, float64"):
        RMSProp(parameters, 0.1)


def test_base_optimizer_does_not_define_update(parameters):
    with pytest.raises(TypeError, match="Optimizer does not define _update; use SGD, RMSProp or Adam"):
        Optimizer(parameters, 0.1).step()


def test_small_net_fits_a_tiny_batch(rng, backend):
    net = Sequential(
        Linear(2, 16, rng=rng, dtype=np.float64), Tanh(), Linear(16, 1, rng=rng, dtype=np.float64)
    )
    x, target = rng.standard_normal((6, 2)), rng.standard_normal((6, 1))
    optimizer = Adam(net.parameters(), 0.02)
    for _ in range(600):
        optimizer.zero_grad()
        out, caches = net.forward(x, training=True)
        net.backward(2 * (out - target) / len(x), caches, input_grad=False)
        optimizer.step()
    assert ((net.forward(x)[0] - target) ** 2).sum() < 1e-3


def ones_step(optimizer, parameters):
    """Make one step with all gradients 1; return the change of each parameter."""
    for p in parameters.values():
        p.zero_grad()
        p.grad[...] = 1
    before = {name: p.value.copy() for name, p in parameters.items()}
    optimizer.step()
    return {name: before[name] - p.value for name, p in parameters.items()}


def test_optimisers_that_share_parameters_all_train_them(rng):
    """As in InfoGAN: a step changes the parameters of its optimiser, and no others."""
    g, d = make_parameters(), make_parameters()
    both = {f"g.{name}": p for name, p in g.items()} | {f"d.{name}": p for name, p in d.items()}
    optimizers = [(SGD(g, 0.1), "g"), (SGD(d, 0.1), "d"), (SGD(both, 0.1), "gd")]
    for optimizer, names in [*optimizers, *optimizers[::-1]]:
        for name, change in ones_step(optimizer, both).items():
            np.testing.assert_allclose(change, 0.1 if name[0] in names else 0, rtol=1e-12)
        assert optimizer.grad_norm() == pytest.approx(math.sqrt(optimizer.value.size))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copied_optimiser_trains_the_copied_layer(clone, rng):
    layer = Linear(3, 2, rng=rng, dtype=np.float64)
    layer, optimizer = clone((layer, Adam(layer.parameters(), 0.1)))
    for change in ones_step(optimizer, layer.parameters()).values():
        np.testing.assert_allclose(change, 0.1, rtol=1e-6)


def test_optimiser_trains_a_value_that_was_assigned(parameters):
    optimizer = SGD(parameters, 0.1)
    parameters["w"].value = np.full((2, 3), 7.0)
    np.testing.assert_allclose(ones_step(optimizer, parameters)["w"], 0.1)
    np.testing.assert_allclose(optimizer.value[:6], 6.9)


@pytest.mark.parametrize("attribute", ["value", "grad"])
@pytest.mark.parametrize("held", [False, True])
def test_parameter_keeps_its_shape_and_dtype(parameters, attribute, held):
    """Assigning an array of another shape or dtype raises an error, with and without an optimiser."""
    if held:
        SGD(parameters, 0.1)
    p = parameters["w"]
    who = f"Parameter.{attribute}"
    with pytest.raises(ValueError, match=rf"{who} expected shape \(2, 3\), as before, got \(3, 2\)"):
        setattr(p, attribute, np.ones((3, 2)))
    for wrong in (np.ones((2, 3), np.float32), np.ones((2, 3), int), [[1.0] * 3] * 2, None, 1.0,
                  np.ma.masked_array(np.ones((2, 3)), True)):  # fmt: skip
        with pytest.raises(TypeError, match=f"{who} expected an array of dtype float64, as before, got"):
            setattr(p, attribute, wrong)
    setattr(p, attribute, np.asfortranarray(np.full((2, 3), 5.0)))
    assert (getattr(p, attribute) == 5).all() and getattr(p, attribute).flags.c_contiguous


def test_step_without_a_gradient_is_refused(rng):
    """An optimiser of a copy would change nothing that the model uses."""
    layer = Linear(3, 2, rng=rng)
    copied, optimizer = copy.deepcopy(layer), SGD(layer.parameters(), 0.1)
    optimizer.zero_grad()
    copied.backward(np.ones((4, 2), np.float32), copied.forward(np.ones((4, 3), np.float32))[1])
    with pytest.raises(ValueError, match="SGD.step expected a gradient from backward, but none was added"):
        optimizer.step()
    layer.backward(np.ones((4, 2), np.float32), layer.forward(np.ones((4, 3), np.float32))[1])
    optimizer.step()
    assert optimizer.steps == 1


def test_optimiser_clips_gradients_that_another_optimiser_holds(parameters):
    first, _ = SGD(parameters, 0.1), SGD(parameters, 0.1)
    parameters["b"].grad[...] = 3, 0, 4
    assert first.clip_grad_norm(1.0) == pytest.approx(5)
    np.testing.assert_allclose(parameters["b"].grad, [0.6, 0, 0.8])


@pytest.mark.parametrize("value", [None, "fast", np.ones(2)])
def test_schedule_that_returns_no_number_is_refused(value):
    layer = Linear(2, 2, rng=0)
    optimizer = SGD(layer.parameters(), lr=lambda step: value)
    message = f"SGD expected the learning rate at step 0 to be a number, got {type(value).__name__}$"
    with pytest.raises(TypeError, match=message):
        optimizer.step()
