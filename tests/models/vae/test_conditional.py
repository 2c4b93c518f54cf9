"""VAEs with labels, as inputs of the networks or by the prior."""

import math

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.layers import Linear, Tanh
from scratchgen.models import ClassPriorVAE, ConditionalVAE, NormalPixels

LABELS = np.array([2, 0, 2, 3, 2])
BOTH = pytest.mark.parametrize("kind", [ConditionalVAE, ClassPriorVAE])


def small(kind, rng, dtype=np.float64, **settings):
    model = kind.dense((12, 9, 3), rng=rng, classes=4, activation=Tanh, dtype=dtype, **settings)
    if kind is ClassPriorVAE:
        model.means.value[...] = rng.standard_normal(model.means.shape)
    return model


def bars(rng, n, classes=3, pixels=12):
    """Noisy binary rows, (n, pixels), in which each class has ones at other pixels, and their labels."""
    y = rng.integers(0, classes, n)
    clean = np.arange(pixels) // (pixels // classes) == y[:, None]
    return (clean ^ (rng.random((n, pixels)) < 0.05)).astype(np.float32), y


def net(p, name, x):
    hidden = np.tanh(x @ p[f"{name}.0.weight"].value + p[f"{name}.0.bias"].value)
    return hidden @ p[f"{name}.2.weight"].value + p[f"{name}.2.bias"].value


def test_conditional_vae_passes_the_label_to_both_networks(rng, backend):
    """(CVAE.1): the loss by hand, with columns of the identity for labels."""
    model = small(ConditionalVAE, rng, beta=0.6)
    x, eps = rng.uniform(size=(5, 12)).round(), rng.normal(size=(5, 3))
    onehot, p = np.eye(4)[LABELS], model.parameters()
    mu, logvar = np.hsplit(net(p, "encoder", np.hstack([x, onehot])), 2)
    z = mu + np.sqrt(np.exp(logvar)) * eps
    share = 1 / (1 + np.exp(-net(p, "decoder", np.hstack([z, onehot]))))
    nll = -np.log(np.where(x == 1, share, 1 - share)).sum(axis=1)
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
    loss, _ = model.loss(x, LABELS, eps=eps)
    assert loss == pytest.approx((nll + 0.6 * kl).mean(), rel=1e-12)
    np.testing.assert_allclose(model.transform(x, LABELS), mu, rtol=1e-12)
    assert np.abs(model.transform(x, 0 * LABELS) - mu).max() > 0.01


def test_conditional_vae_code_gradient_leaves_the_label_out(rng):
    """(CVAE.2): dz (N, K) against central differences with respect to the code alone."""
    model, x = small(ConditionalVAE, rng), rng.uniform(size=(5, 12))
    eps = rng.normal(size=(5, 3))
    _, cache = model.loss(x, LABELS, eps=eps)
    dz = model.backward(cache)["dz"]
    mu, logvar = model.posterior(x, LABELS)
    z = mu + np.sqrt(np.exp(logvar)) * eps
    assert dz.shape == z.shape
    for i in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[i] = 1e-5
        up, down = (model.observation.nll(model.decode(z + s, LABELS), x)[0] for s in (step, -step))
        assert dz[i] == pytest.approx((up - down) / 2e-5, abs=1e-8)


def test_class_prior_vae_measures_kl_from_the_mean_of_the_class(rng, backend):
    """(CVAE.3) by the formula. The networks do not get the label."""
    model, x = small(ClassPriorVAE, rng), rng.uniform(size=(5, 12)).round()
    mu, logvar = model.posterior(x)
    m = np.stack([model.means.value[label] for label in LABELS])
    kl = 0.5 * ((mu - m) ** 2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
    _, cache = model.loss(x, LABELS, rng=rng)
    assert cache.kl == pytest.approx(kl.mean(), rel=1e-12)
    np.testing.assert_array_equal(model.transform(x, LABELS), model.transform(x))


def test_class_prior_means_get_the_gradient_of_all_their_examples(rng):
    """(CVAE.4) by its sum and by differences, with classes that occur 0 to 3 times; zero when frozen."""
    model = small(ClassPriorVAE, rng, beta=0.6)
    x, eps = rng.uniform(size=(5, 12)), rng.normal(size=(5, 3))
    _, cache = model.loss(x, LABELS, eps=eps)
    with model.frozen():
        model.backward(cache)
    assert not model.means.grad.any()
    model.backward(cache)
    mu, m = model.transform(x), model.means.value
    for c in range(4):
        expected = -0.6 / 5 * sum((mu[n] - m[c] for n in range(5) if LABELS[n] == c), np.zeros(3))
        np.testing.assert_allclose(model.means.grad[c], expected, rtol=1e-12)
    assert not model.means.grad[1].any()
    for i in np.ndindex(m.shape):
        m[i] += 1e-5
        up, _ = model.loss(x, LABELS, eps=eps)
        m[i] -= 2e-5
        down, _ = model.loss(x, LABELS, eps=eps)
        m[i] += 1e-5
        assert model.means.grad[i] == pytest.approx((up - down) / 2e-5, abs=1e-8)


def test_class_prior_likelihood_is_that_of_its_factor_model(rng):
    """For x = z·W + b + noise, z ~ N(m_y, I), the estimate is log N(x; m_y·W + b, WᵀW + std²·I)."""
    encoder, decoder = (Linear(*s, rng=rng, dtype=np.float64) for s in ((5, 4), (2, 5)))
    model = ClassPriorVAE(encoder, decoder, classes=3, observation=NormalPixels(0.8))
    model.means.value[...] = 0.7 * rng.standard_normal((3, 2))
    X, y = 0.5 * rng.standard_normal((6, 5)), np.array([0, 2, 1, 2, 2, 0])
    encoder.weight.value[...] = 0                           # q(z | x) = N(0, 1.5·I), wide enough
    encoder.parameters()["bias"].value[...] = 0, 0, math.log(1.5), math.log(1.5)
    W = decoder.weight.value
    offset = X - model.means.value[y] @ W - decoder.parameters()["bias"].value
    cov = W.T @ W + 0.64 * np.eye(5)
    quadratic = (offset * np.linalg.solve(cov, offset.T).T).sum(axis=1)
    exact = -0.5 * (quadratic + np.linalg.slogdet(cov)[1] + 5 * math.log(2 * math.pi))
    found = model.score_samples(X, y, samples=20_000)
    np.testing.assert_allclose(found, exact, atol=0.05)
    assert np.abs(model.score_samples(X, (y + 1) % 3, samples=20_000) - exact).max() > 0.1
    assert (model.elbo(X, y, rng=rng, samples=5000) < exact).all()


def test_class_prior_samples_lie_around_the_mean_of_their_class(rng):
    model = small(ClassPriorVAE, rng)
    y = np.repeat([0, 1, 2, 3], 5000)
    codes = model.prior_sample(len(y), rng=rng, y=y)
    for c in range(4):
        assert (np.abs(codes[y == c].mean(axis=0) - model.means.value[c]) < 5 / math.sqrt(5000)).all()
        assert (np.abs(codes[y == c].var(axis=0) - 1) < 5 * math.sqrt(2 / 5000)).all()


def test_class_prior_vae_moves_the_classes_apart(rng, backend):
    """The means are equal at first; after training, the codes of each class are near its mean."""
    X, y = bars(rng, 300)
    model = ClassPriorVAE.dense((12, 16, 2), rng=rng, classes=3)
    assert not model.means.value.any()
    model.fit(X, y, epochs=60, batch_size=30, lr=1e-2, rng=rng)
    m = model.means.value
    assert min(np.linalg.norm(m[a] - m[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > 2
    X, y = bars(rng, 300)
    nearest = ((model.transform(X)[:, None] - m) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == y).mean() > 0.95


@BOTH
def test_conditional_forms_generate_the_requested_class(kind, rng):
    X, y = bars(rng, 300)
    model = kind.dense((12, 16, 2), rng=rng, classes=3)
    model.fit(X, y, epochs=60, batch_size=30, lr=1e-2, rng=rng)
    asked = np.repeat([0, 1, 2], 200)
    sampled = model.sample(600, rng=rng, y=asked)
    assert set(np.unique(sampled)) == {0, 1}
    stretches = sampled.reshape(600, 3, 4).mean(axis=2)
    assert (stretches.argmax(axis=1) == asked).mean() > 0.9
    assert model.score_samples(X, y).mean() > model.score_samples(X, (y + 1) % 3).mean() + 2


@BOTH
def test_conditional_forms_with_one_seed_are_equal_to_the_bit(kind, rng):
    X, y = rng.uniform(size=(40, 12)).astype(np.float32), rng.integers(0, 4, 40)
    runs = []
    for seed in (5, 5, 6):
        seeded = np.random.default_rng(seed)
        model = small(kind, seeded, np.float32).fit(X, y, epochs=3, batch_size=16, rng=seeded)
        runs.append({name: p.value for name, p in model.parameters().items()})
    assert all(np.array_equal(value, runs[1][name]) for name, value in runs[0].items())
    assert not any(np.array_equal(value, runs[2][name]) for name, value in runs[0].items())


@BOTH
def test_conditional_forms_train_alike_with_both_sets_of_kernels(kind, rng):
    X, y = rng.uniform(size=(40, 12)), rng.integers(0, 4, 40)
    found = []
    for name in kernels.BACKENDS:
        with kernels.use(name):
            seeded = np.random.default_rng(5)
            model = small(kind, seeded).fit(X, y, epochs=3, batch_size=16, rng=seeded)
            found.append(model.score_samples(X.round(), y, samples=20))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


@BOTH
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "expected labels y, one per example, got none"),
        (LABELS[:4], r"expected 5 integer labels, one per example, got shape \(4,\)"),
        (LABELS[:1], r"expected 5 integer labels, one per example, got shape \(1,\)"),
        (np.tile(LABELS, 2), r"expected 5 integer labels, one per example, got shape \(10,\)"),
        (LABELS[:, None], r"expected 5 integer labels, one per example, got shape \(5, 1\)"),
        (LABELS.astype(float), "expected integer labels, got dtype float64"),
        (LABELS + 1, r"expected labels in 0..3, got 1..4"),
        (LABELS - 1, r"expected labels in 0..3, got -1..2"),
    ],
)
def test_conditional_forms_name_bad_labels(kind, y, message, rng):
    model, X = small(kind, rng), rng.uniform(size=(5, 12)).round()
    calls = (
        lambda: model.fit(X, y, epochs=1, rng=rng),
        lambda: model.loss(X, y, rng=rng),
        lambda: model.score_samples(X, y),
        lambda: model.elbo(X, y, rng=rng),
        lambda: model.sample(5, rng=rng, y=y),
    )
    error = TypeError if "dtype" in message else ValueError
    for call in calls:
        with pytest.raises(error, match=rf"{kind.__name__}\.(fit|loss|score_samples|elbo|sample) {message}"):
            call()


@BOTH
def test_conditional_forms_name_other_bad_input(kind, rng):
    model, X = small(kind, rng), rng.uniform(size=(5, 12))
    with pytest.raises(ValueError, match=f"{kind.__name__}.score_samples expected .* exactly 0 or 1"):
        model.score_samples(X, LABELS)
    with pytest.raises(ValueError, match=rf"{kind.__name__}.fit expected values within \[0, 1\]"):
        model.fit(2 * X, LABELS, epochs=1, rng=rng)
    with pytest.raises(ValueError, match=f"{kind.__name__}.loss expected noise"):
        model.loss(X, LABELS)
    with pytest.raises(ValueError, match="classes of at least 1, got 0"):
        kind.dense((12, 9, 3), rng=rng, classes=0)
    with pytest.raises(ValueError, match="finite beta >= 0, got -1"):
        small(kind, rng, beta=-1)
    with pytest.raises(ValueError, match="sample expected n of at least 1, got 0"):
        model.sample(0, rng=rng, y=LABELS[:0])


def test_conditional_vae_has_no_convolutional_form(rng):
    with pytest.raises(TypeError, match="dense form only; ClassPriorVAE.convolutional uses classes too"):
        ConditionalVAE.convolutional(4, rng=rng)
    model = ClassPriorVAE.convolutional(4, (2, 3), rng=rng, classes=3)
    assert model.sample(2, rng=rng, y=np.array([0, 2])).shape == (2, 784)


def test_conditional_vae_interpolates_within_a_class(rng):
    model, X = ConditionalVAE.dense((6, 5, 2), rng=rng, classes=3, dtype=np.float64), rng.uniform(size=(2, 6))
    images = model.interpolate(X[0], X[1], 4, label=1)
    np.testing.assert_allclose(images[[0, -1]], model.reconstruct(X, np.array([1, 1])), rtol=1e-12)
    with pytest.raises(ValueError, match="expected labels y"):
        model.interpolate(X[0], X[1], 4)
