"""Flows: change of variables, its gradients, the methods, overflow, and bad input."""

import math

import numpy as np
import pytest

from scratchgen.data import dequantise, two_moons
from scratchgen.layers import AdditiveCoupling, AffineCoupling, Linear, Scaling
from scratchgen.models import NICE, Flow, FlowOverflow, RealNVP
from scratchgen.models.flow.model import PRIORS
from scratchgen.training.loop import TrainingDiverged
from scratchgen.training.schedules import Cosine


def perturbed(model, rng, size=0.3):
    """Change the initial parameters, with which couplings are the identity."""
    for p in model.parameters().values():
        p.value += (size * rng.standard_normal(p.shape)).astype(p.dtype)
    return model


def small(rng, dtype=np.float64, **settings):
    return perturbed(RealNVP.dense(4, (7,), 3, rng=rng, dtype=dtype, **settings), rng)


def nice(rng, dtype=np.float64, **settings):
    return perturbed(NICE.dense(6, (8, 7), 3, rng=rng, dtype=dtype, **settings), rng)


def images(rng, dtype=np.float64, **settings):
    return perturbed(RealNVP.convolutional((4, 2, 1), 3, 2, rng=rng, dtype=dtype, **settings), rng)


BUILDS = [small, nice, images]


def numeric_logdet(model, x, step=1e-5):
    """log |det dz/dx| of one example, by central differences of the whole flow."""
    moves = step * np.eye(len(x))
    columns = (model.transform(x + moves) - model.transform(x - moves)) / (2 * step)
    return np.linalg.slogdet(columns.T)[1]


@pytest.mark.parametrize("prior", ["logistic", "normal"])
@pytest.mark.parametrize("build", BUILDS)
def test_flow_log_density_is_the_change_of_variables(build, prior, rng):
    """(FLOW.1), (FLOW.2), (FLOW.3): the prior by the textbook, the determinant by the numeric Jacobian."""
    model = build(rng, prior=prior)
    x = rng.normal(size=(3, model.features))
    z = model.transform(x)
    if prior == "normal":
        log_prior = -0.5 * (z**2 + math.log(2 * math.pi)).sum(axis=1)
    else:
        log_prior = (-z - 2 * np.log(1 + np.exp(-z))).sum(axis=1)
    expected = log_prior + [numeric_logdet(model, one) for one in x]
    np.testing.assert_allclose(model.score_samples(x), expected, atol=1e-7)
    loss, _ = model.loss(x)
    np.testing.assert_allclose(loss, -expected.mean(), atol=1e-7)


def test_flow_with_a_wrong_sign_of_logdet_is_caught(rng, monkeypatch):
    """A planted bug shows that the comparison with the numeric Jacobian can fail."""
    forward = AffineCoupling.forward

    def wrong(self, x, training=False):
        z, cache = forward(self, x, training)
        return z, cache._replace(logdet=-cache.logdet)

    model, x = small(rng), rng.normal(size=(1, 4))
    right = model.score_samples(x)[0]
    monkeypatch.setattr(AffineCoupling, "forward", wrong)
    assert abs(model.score_samples(x)[0] - right) > 0.1


@pytest.mark.parametrize("prior", ["logistic", "normal"])
def test_flow_gradient_of_the_prior_is_its_slope(prior, rng):
    """(FLOW.4): dz against differences of the loss in z."""
    model, x = small(rng, prior=prior), rng.normal(size=(5, 4))
    _, cache = model.loss(x)
    (dz,) = model.backward(cache).values()
    z, step = cache.z, 1e-5
    for i in np.ndindex(z.shape):
        move = np.zeros_like(z)
        move[i] = step
        up, down = (-PRIORS[prior].log_prob(z + side * move).sum() / 5 for side in (1, -1))
        np.testing.assert_allclose(dz[i], (up - down) / (2 * step), atol=1e-8)


def test_flow_gradients_reach_the_first_layer_through_both_outputs(rng):
    """(FLOW.5): gradients of the first layer's scales against differences; they depend on dlogdet."""
    model, x = small(rng), rng.normal(size=(5, 4))
    scale = model.layers[0].log_scale
    model.backward(model.loss(x)[1])
    for i in range(4):
        before = scale.value[i]
        losses = []
        for move in (1e-5, -1e-5):
            scale.value[i] = before + move
            losses.append(model.loss(x)[0])
        scale.value[i] = before
        np.testing.assert_allclose(scale.grad[i], (losses[0] - losses[1]) / 2e-5, atol=1e-8)


@pytest.mark.parametrize("build", BUILDS)
def test_flow_is_one_to_one(build, rng):
    """x → z → x is exact up to rounding: 1e-4 in float32, and less in float64."""
    for dtype, error in ((np.float64, 1e-12), (np.float32, 1e-4)):
        model = build(np.random.default_rng(3), dtype)
        x = rng.normal(size=(7, model.features)).astype(dtype)
        back = model.reconstruct(x)
        assert back.dtype == dtype and model.transform(x).dtype == dtype
        np.testing.assert_allclose(back, x, rtol=0, atol=error)
        assert np.abs(model.transform(x) - x).max() > 0.1
        np.testing.assert_allclose(model.transform(model.inverse_transform(x)), x, rtol=0, atol=error)


@pytest.mark.parametrize("prior", ["logistic", "normal"])
def test_flow_samples_from_the_prior_it_is_trained_with(prior, rng):
    """Samples of an identity flow have the prior's standard deviation and tails, in standard errors."""
    model, n = Flow([Scaling(2, dtype=np.float64)], 2, prior=prior), 40_000
    x = model.sample(n, rng=rng).ravel()
    spread = {"logistic": math.pi / math.sqrt(3), "normal": 1.0}[prior]
    kurtosis = {"logistic": 4.2, "normal": 3.0}[prior]
    assert PRIORS[prior].spread == pytest.approx(spread)
    assert abs(x.mean()) < 5 * spread / math.sqrt(2 * n)
    error = math.sqrt((kurtosis - 1) / (2 * n))
    assert abs(x.var() / spread**2 - 1) < 5 * error
    other = {"logistic": 3.0, "normal": 4.2}[prior]
    found = (x**4).mean() / x.var() ** 2
    assert abs(found - kurtosis) < abs(found - other) / 2


def test_flow_density_integrates_to_one(rng):
    """The sum over a fine grid is 1; with a wrong determinant it would not be."""
    model = perturbed(RealNVP.dense(2, (9,), 4, rng=rng, dtype=np.float64), rng, 0.2)
    edge = np.linspace(-8, 8, 321)
    grid = np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2)
    total = np.exp(model.score_samples(grid)).sum() * (edge[1] - edge[0]) ** 2
    assert total == pytest.approx(1, abs=0.01)


@pytest.mark.slow
def test_flow_with_a_tiny_batch_is_overfitted(rng):
    """After 400 updates, the density at six points is far above that of a Normal with their spread.

    The rate falls to 0. With a constant rate, rounding could move a point far away in the last update.
    """
    X = two_moons().sample(6, rng=rng)
    model = RealNVP.dense(2, (32,), 4, rng=rng, dtype=np.float64)
    model.fit(X, epochs=1, rng=rng)
    normal = model.score_samples(X).mean()
    model.fit(X, epochs=400, lr=Cosine(3e-3, 400), rng=rng, warm_start=True)
    assert model.score_samples(X).mean() > normal + 2


def test_flow_fit_sets_scales_from_the_spread_only_once(rng):
    X = rng.normal(size=(500, 6)) * [1, 2, 3, 0.1, 0.2, 0.001]
    model = NICE.dense(6, (8,), 2, rng=rng, dtype=np.float64, prior="normal")
    model.trainer(X, epochs=1, rng=rng)
    np.testing.assert_allclose(model.transform(X).std(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(np.exp(model.layers[0].conditioner[-1].log_scale.value), X.std(axis=0)[1::2])
    np.testing.assert_allclose(np.exp(model.layers[1].conditioner[-1].log_scale.value), X.std(axis=0)[0::2])
    before = model.layers[-1].log_scale.value.copy()
    model.trainer(2 * X, epochs=1, rng=rng)
    np.testing.assert_array_equal(model.layers[-1].log_scale.value, before)


def test_nice_with_other_conditioners_sets_its_scales(rng):
    """Conditioners of NICE.dense end with a scaling layer; other conditioners need not."""
    X = rng.normal(size=(200, 4)) * [1, 2, 0.1, 0.01]
    couplings = [
        AdditiveCoupling(Linear(2, 2, rng=rng, dtype=np.float64), mask) for mask in ("even", "odd")
    ]
    model = NICE([*couplings, Scaling(4, dtype=np.float64)], 4)
    model.start_from(X)
    np.testing.assert_allclose(np.exp(-model.layers[-1].log_scale.value), X.std(axis=0), rtol=1e-12)


def test_flow_spread_of_pixels_includes_the_dequantisation_noise(rng):
    X = (rng.integers(0, 4, size=(4000, 4)) / 3).astype(np.float64)
    X[:, 1] = 1 / 3
    model = NICE.dense(4, (8,), 2, rng=rng, dtype=np.float64, levels=4)
    dequantised = dequantise(X, rng=rng, levels=4)
    np.testing.assert_allclose(model.spread_of(X), dequantised.std(axis=0), rtol=0.05)


def test_flow_names_the_layer_that_overflows(rng):
    model = small(rng, np.float32)
    model.layers[0].log_scale.value[2] = 89                     # e⁸⁹ overflows float32
    x = np.ones((3, 4), np.float32)
    for call in (model.transform, model.score_samples, model.loss):
        with pytest.raises(FlowOverflow, match=r"RealNVP, x -> z: .* its dtype in layers.0 \(Scaling\)"):
            call(x)
    with pytest.raises(TrainingDiverged, match=r"at step 1 .*layers.0 \(Scaling\); try a smaller"):
        model.fit(x, epochs=1, rng=rng)
    model.layers[0].log_scale.value[2] = -89
    with pytest.raises(FlowOverflow, match=r"z -> x: .* layers.0 \(Scaling\)"):
        model.inverse_transform(x)
    model.layers[2].conditioner[0].weight.value[0, 0] = np.nan
    with pytest.raises(FlowOverflow, match=r"layers.2 \(AffineCoupling\)"):
        model.transform(x)


class TestBadInput:
    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda m, X, rng: m.fit(X * 2, epochs=1, rng=rng), r"NICE.fit .* within \[0, 1\], got 0 to 2"),
            (lambda m, X, rng: m.fit(X[:0], epochs=1, rng=rng), "NICE.fit .* at least 1 example, got 0"),
            (lambda m, X, rng: m.fit(X, X[:, 0], epochs=1, rng=rng), "NICE.fit expected no labels"),
            (lambda m, X, rng: m.fit(X[:, :3], epochs=1, rng=rng), r"\(N, 4\), got \(5, 3\)"),
            (lambda m, X, rng: m.score_samples(X), "score_samples expected dequantised pixels.*dequantise"),
            (lambda m, X, rng: m.score_samples(X * np.nan), "finite numbers, got NaN"),
            (lambda m, X, rng: m.transform(X[0]), r"\(N, 4\), got \(4,\)"),
            (lambda m, X, rng: m.inverse_transform(X[:, :2]), r"inverse_transform .*\(N, 4\), got \(5, 2\)"),
            (lambda m, X, rng: m.sample(0, rng=rng), "NICE.sample expected n of at least 1, got 0"),
            (lambda m, X, rng: NICE.dense(4, (3,), rng=rng).spread_of(X[:1]), r"but feature 0 is constant"),
            (lambda m, X, rng: NICE.dense(1, rng=rng), "NICE.dense expected features of at least 2, got 1"),
            (lambda m, X, rng: NICE.dense(4, (3,), 1, rng=rng), "couplings of at least 2, got 1"),
            (lambda m, X, rng: RealNVP.dense(1, rng=rng), "RealNVP.dense expected features of at least 2"),
            (lambda m, X, rng: RealNVP.convolutional((5, 4, 1), rng=rng), r"even H and W, got \(5, 4, 1\)"),
            (lambda m, X, rng: RealNVP.dense(4, (3,), 1, rng=rng), "couplings of at least 2, got 1"),
            (lambda m, X, rng: Flow(m.layers, 4, prior="uniform"), "one of logistic, normal, got 'uniform'"),
            (lambda m, X, rng: Flow(m.layers, 4, shape=(2, 3, 1)), r"a shape of 4 numbers, got \(2, 3, 1\)"),
            (lambda m, X, rng: dequantise(X + 1, rng=rng), r"dequantise .* within \[0, 1\], got 1 to 2"),
            (lambda m, X, rng: dequantise(X, rng=rng, levels=1), "levels of at least 2, got 1"),
        ],
    )
    def test_flow_bad_input_is_named(self, call, message, rng):
        X = np.arange(20).reshape(5, 4) % 4 / 3
        model = NICE.dense(4, (5,), 2, rng=rng, dtype=np.float64, levels=4)
        with pytest.raises(ValueError, match=message):
            call(model, X, rng)

    def test_flow_of_no_bijections_is_named(self, rng):
        for layers in ([], [3]):
            with pytest.raises(TypeError, match="Flow expected layers to be one or more bijections"):
                Flow(layers, 2)


def test_flow_backward_gives_the_gradient_of_the_input_when_asked(rng):
    """dx against differences of the loss."""
    model = RealNVP.dense(4, (6,), 3, rng=rng, dtype=np.float64)
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    x, h = rng.standard_normal((3, 4)), 1e-6
    _, cache = model.loss(x)
    assert set(model.backward(cache)) == {"dz"}
    dx = model.backward(cache, input_grad=True)["dx"]
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        assert dx[index] == pytest.approx((model.loss(up)[0] - model.loss(down)[0]) / (2 * h), abs=1e-7)


@pytest.mark.parametrize("features", [2, 3, 13])
@pytest.mark.parametrize("kind", [NICE, RealNVP])
def test_flow_takes_an_odd_number_of_features(rng, kind, features):
    """The inverse, the log-determinant against a numeric Jacobian, and training."""
    model = kind.dense(features, (8,), 3, rng=rng, dtype=np.float64)
    X = rng.standard_normal((40, features)) * (1 + np.arange(features)) + 5
    model.fit(X, epochs=2, batch_size=10, rng=0)
    for p in model.parameters().values():
        p.value += 0.1 * rng.standard_normal(p.shape)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X, rtol=1e-9)
    assert model.sample(3, rng=0).shape == (3, features) and model.code == features
    x, h = X[:1], 1e-5
    jacobian = [(model.transform(x + d) - model.transform(x - d))[0] / (2 * h) for d in h * np.eye(features)]
    log_det = np.linalg.slogdet(np.array(jacobian))[1]
    log_prior = model.score_samples(x)[0] - log_det
    prior = PRIORS[model.prior].log_prob(model.transform(x)).sum()
    assert log_prior == pytest.approx(prior, abs=1e-5)
