"""The VAE: its loss and every gradient by hand, its methods, and its errors."""

import math

import numpy as np
import pytest

from scratchgen.distributions import Normal
from scratchgen.layers import Linear, Tanh
from scratchgen.models import VAE, NormalPixels

NORMAL = NormalPixels(0.7)


def small(rng, dtype=np.float64, **settings):
    return VAE.dense((12, 9, 3), rng=rng, activation=Tanh, dtype=dtype, **settings)


def blocks(pixels, n):
    """n different binary rows, (n, pixels)."""
    X = np.zeros((n, pixels), np.float32)
    for i in range(n):
        X[i, i * pixels // (2 * n) : i * pixels // (2 * n) + pixels // 3] = 1
    return X


def by_hand(model, x, out):
    """−log p(x | z) of each example, by textbook formulas."""
    if isinstance(model.observation, NormalPixels):
        std = model.observation.std
        return (((x - out) / std) ** 2 / 2 + math.log(std * math.sqrt(2 * math.pi))).sum(axis=1)
    p = 1 / (1 + np.exp(-out))
    return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)


@pytest.mark.parametrize("observation", [None, NORMAL])
def test_vae_loss_is_the_negative_bound(observation, rng, backend):
    """(VAE.1), (VAE.2), (VAE.3), (VAE.4): the two heads, the noise, the decoder and both terms by hand."""
    model = small(rng, beta=0.6, observation=observation)
    x, eps = blocks(12, 5).astype(np.float64), rng.normal(size=(5, 3))
    loss, cache = model.loss(x, eps=eps)
    p = {name: parameter.value for name, parameter in model.parameters().items()}
    h = np.tanh(x @ p["encoder.0.weight"] + p["encoder.0.bias"]) @ p["encoder.2.weight"] + p["encoder.2.bias"]
    mu, logvar = h[:, :3], h[:, 3:]
    z = mu + np.sqrt(np.exp(logvar)) * eps
    hidden = np.tanh(z @ p["decoder.0.weight"] + p["decoder.0.bias"])
    out = hidden @ p["decoder.2.weight"] + p["decoder.2.bias"]
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
    nll = by_hand(model, x, out)
    np.testing.assert_allclose(loss, (nll + 0.6 * kl).mean(), rtol=1e-12)
    np.testing.assert_allclose([cache.nll, cache.kl], [nll.mean(), kl.mean()], rtol=1e-12)
    np.testing.assert_allclose(model.posterior(x), (mu, logvar), rtol=1e-12)


@pytest.mark.parametrize("observation", [None, NORMAL])
def test_vae_gradients_are_slopes_of_the_loss(observation, rng, backend):
    """(VAE.5), (VAE.6), (VAE.7), (VAE.8): each named gradient against central differences, at beta 0.6."""
    model = small(rng, beta=0.6, observation=observation)
    x, eps = rng.uniform(size=(4, 12)), rng.normal(size=(4, 3))
    _, cache = model.loss(x, eps=eps)
    grads = model.backward(cache)
    mu, logvar = model.posterior(x)

    def rest(z=None, mu=mu, logvar=logvar, out=None):
        """The loss, with some intermediate values replaced."""
        z = mu + np.sqrt(np.exp(logvar)) * eps if z is None else z
        out = model.decode(z) if out is None else out
        kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
        return (by_hand(model, x, out) + 0.6 * kl).mean()

    z = mu + np.sqrt(np.exp(logvar)) * eps
    places = {"z": z, "out": model.decode(z), "mu": mu, "logvar": logvar}
    assert grads.keys() == {f"d{name}" for name in places}
    for name, at in places.items():
        numeric = np.empty_like(at)
        for i in np.ndindex(at.shape):
            step = np.zeros_like(at)
            step[i] = 1e-5
            numeric[i] = (rest(**{name: at + step}) - rest(**{name: at - step})) / 2e-5
        np.testing.assert_allclose(grads[f"d{name}"], numeric, atol=1e-8, err_msg=name)


def test_vae_backward_adds_up_and_respects_frozen(rng):
    model, x = small(rng), rng.uniform(size=(4, 12))
    _, cache = model.loss(x, rng=rng)
    model.backward(cache)
    once = {name: p.grad.copy() for name, p in model.parameters().items()}
    model.backward(cache)
    with model.frozen():
        model.backward(cache)
    for name, p in model.parameters().items():
        np.testing.assert_allclose(p.grad, 2 * once[name], rtol=1e-12)


def test_vae_of_float32_stays_float32(rng):
    model, x = small(rng, np.float32, beta=0.5), blocks(12, 4)
    loss, cache = model.loss(x, rng=rng)
    assert type(loss) is float
    assert {g.dtype for g in model.backward(cache).values()} == {np.dtype(np.float32)}
    found = model.sample(3, rng=rng), model.reconstruct(x), model.transform(x), model.interpolate(*x[:2])
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


def of_fixed_posterior(mu, logvar):
    """A VAE whose q(z | x) is the same for all x, and whose decoder is the identity."""
    k = len(mu)
    encoder, decoder = (Linear(k, m, rng=np.random.default_rng(0), dtype=np.float64) for m in (2 * k, k))
    encoder.weight.value[...] = 0
    encoder.parameters()["bias"].value[...] = np.concatenate([mu, logvar])
    decoder.weight.value[...] = np.eye(k)
    return VAE(encoder, decoder, observation=NormalPixels(1.0))


def test_vae_code_has_the_moments_of_its_posterior(rng, monkeypatch):
    """The mean and variance of z are those of N(mu, std²); with exp(logvar) as std, the test fails."""
    n, mu, logvar = 20_000, np.array([0.4, -1.0, 2.0]), np.array([-3.0, 0.7, -1.0])
    model, x, std = of_fixed_posterior(mu, logvar), np.zeros((n, 3)), np.sqrt(np.exp(logvar))

    def off_by():
        _, cache = model.loss(x, rng=rng)
        z = n * model.backward(cache)["dout"]               # (out − x) / N with out = z, x = 0
        of_mean = np.abs(z.mean(axis=0) - mu) / (std / math.sqrt(n))
        return max(of_mean.max(), (np.abs(z.var(axis=0) / std**2 - 1) / math.sqrt(2 / n)).max())

    assert off_by() < 5
    monkeypatch.setattr(Normal, "std", np.exp)
    assert off_by() > 20


def test_vae_methods_agree_with_each_other(rng):
    model, X = small(rng), blocks(12, 6).astype(np.float64)
    assert model.likelihood == "importance-sampled" and model.code == 3
    Z = model.transform(X)
    np.testing.assert_array_equal(Z, model.posterior(X)[0])
    np.testing.assert_array_equal(model.reconstruct(X), model.inverse_transform(Z))
    np.testing.assert_allclose(model.inverse_transform(Z), 1 / (1 + np.exp(-model.decode(Z))), rtol=1e-12)
    path = model.interpolate(X[1], X[4], steps=5)
    np.testing.assert_allclose(path[[0, 4]], model.reconstruct(X[[1, 4]]), rtol=1e-12)
    np.testing.assert_allclose(path[1:2], model.inverse_transform(0.75 * Z[1:2] + 0.25 * Z[4:5]), rtol=1e-12)
    sampled = model.sample(7, rng=rng)
    assert sampled.shape == (7, 12) and set(np.unique(sampled)) == {0, 1}


class TestBadInput:
    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda m, X, rng: m.fit(X * 3, epochs=1, rng=rng), r"VAE.fit .* \[0, 1\], .*NormalPixels\(\)"),
            (lambda m, X, rng: m.fit(X - 1, epochs=1, rng=rng), r"VAE.fit .* within \[0, 1\], got -1"),
            (lambda m, X, rng: m.fit(X[:0], epochs=1, rng=rng), "VAE.fit .* at least 1 example, got 0"),
            (lambda m, X, rng: m.fit(X[:, :5], epochs=1, rng=rng), r"expected .* \(N, 12\), got .*5\)"),
            (lambda m, X, rng: m.score_samples(X / 2), "VAE.score_samples .* exactly 0 or 1, .*binarise"),
            (lambda m, X, rng: m.elbo(X / 2, rng=rng), "VAE.elbo expected pixels that are exactly 0 or 1"),
            (lambda m, X, rng: m.score_samples(X * 2), r"VAE.score_samples .* within \[0, 1\], got 0 to 2"),
            (lambda m, X, rng: m.score_samples(X, samples=0), "VAE.score_samples .* at least 1, got 0"),
            (lambda m, X, rng: m.elbo(X, rng=rng, samples=0), "VAE.elbo .* at least 1, got 0"),
            (lambda m, X, rng: m.score_samples(X[:, :5]), r"\(N, 12\), got \(4, 5\)"),
            (lambda m, X, rng: m.transform(X * np.nan), "VAE.transform .* finite numbers, got NaN"),
            (lambda m, X, rng: m.inverse_transform(X), r"\(N, 3\), got \(4, 12\)"),
            (lambda m, X, rng: m.loss(X), "VAE.loss expected noise: pass eps, or an rng"),
            (lambda m, X, rng: m.loss(X, eps=X), r"VAE.loss expected eps of shape \(4, 3\), got \(4, 12\)"),
            (lambda m, X, rng: m.loss(X, eps=np.zeros((1, 3))), r"eps of shape \(4, 3\), got \(1, 3\)"),
            (lambda m, X, rng: m.sample(0, rng=rng), "VAE.(prior_)?sample expected n of at least 1, got 0"),
            (lambda m, X, rng: m.interpolate(*X[:2], steps=1), "steps of at least 2, got 1"),
            (lambda m, X, rng: VAE(m.encoder, m.decoder, beta=-0.1), "finite beta >= 0, got -0.1"),
            (lambda m, X, rng: VAE(m.encoder, m.decoder, beta=np.nan), "finite beta >= 0, got nan"),
            (lambda m, X, rng: VAE(m.encoder, m.decoder, binarisation="both"), "fixed, none, got 'both'"),
            (lambda m, X, rng: VAE.dense((12,), rng=rng), "two or more widths"),
            (lambda m, X, rng: VAE(m.encoder, m.encoder).loss(X, rng=rng), r"\(N, 12\), got \(4, 3\)"),
        ],
    )
    def test_vae_bad_input_is_named(self, rng, call, message):
        with pytest.raises(ValueError, match=message):
            call(small(rng), blocks(12, 4).astype(np.float64), rng)

    def test_vae_of_other_dtype_is_named(self, rng):
        with pytest.raises(TypeError, match="Linear expected dtype float64, got float32"):
            small(rng).loss(blocks(12, 4), rng=rng)
        with pytest.raises(TypeError, match="VAE.score_samples expected an array of float.*, got dtype bool"):
            small(rng).score_samples(blocks(12, 4) > 0)


def test_vae_networks_that_do_not_fit_are_named(rng):
    X = np.zeros((3, 6))
    odd = VAE(Linear(6, 5, rng=rng, dtype=np.float64), Linear(2, 6, rng=rng, dtype=np.float64))
    with pytest.raises(ValueError, match=r"encoder with 2K outputs, mu and logvar, got shape \(3, 5\)"):
        odd.loss(X, rng=rng)
    narrow = VAE(Linear(6, 4, rng=rng, dtype=np.float64), Linear(2, 5, rng=rng, dtype=np.float64))
    with pytest.raises(ValueError, match="expected x of 5 features, got 6"):
        narrow.score_samples(X, samples=3)


def test_vae_gradients_keep_the_dtype_whatever_beta_is(rng):
    model = VAE.dense((6, 5, 2), rng=rng, beta=np.float64(0.5))
    _, cache = model.loss(np.zeros((3, 6), np.float32), rng=rng)
    assert {g.dtype for g in model.backward(cache).values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x, rng: VAE.dense((), rng=rng), r"two or more widths, got \(\)"),
        (lambda m, x, rng: m.interpolate(x[0], x[1, :3]), r"two examples \(D,\), got \(6,\) and \(3,\)"),
        (lambda m, x, rng: m.interpolate(x[:1], x[1:2]), r"two examples \(D,\), got \(1, 6\)"),
        (lambda m, x, rng: m.score_samples(x, samples=2.5), "samples to be an int, got 2.5"),
        (lambda m, x, rng: m.elbo(x, rng=rng, samples=None), "samples to be an int, got None"),
        (lambda m, x, rng: m.loss(x, eps=[[0.0]]), r"eps of shape \(3, 2\), got \(1, 1\)"),
    ],
)
def test_vae_odd_arguments_are_named(rng, call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(VAE.dense((6, 5, 2), rng=rng, dtype=np.float64), np.zeros((3, 6)), rng)


def test_vae_dense_takes_its_sizes_by_name_or_all_at_once(rng):
    ours = VAE.dense(features=12, hidden=(9, 7), code=3, rng=1)
    theirs = VAE.dense((12, 9, 7, 3), rng=np.random.default_rng(1))
    for p, q in zip(ours.parameters().values(), theirs.parameters().values(), strict=True):
        np.testing.assert_array_equal(p.value, q.value)
    assert (VAE.dense(hidden=5, rng=rng).features, VAE.dense(hidden=5, rng=rng).code) == (784, 20)
    with pytest.raises(ValueError, match="expected either sizes or features, hidden and code, got both"):
        VAE.dense((12, 9, 3), code=4, rng=rng)


def test_vae_refuses_labels_and_data_of_another_width_by_the_name_of_the_method(rng):
    model, X, y = small(rng), blocks(12, 4).astype(np.float64), np.zeros(4, int)
    with pytest.raises(ValueError, match="VAE.fit expected no labels y"):
        model.fit(X, y, epochs=1, rng=0)
    with pytest.raises(ValueError, match=r"VAE.fit expected data of shape \(N, 12\), got \(4, 10\)"):
        model.fit(X[:, :10], epochs=1, rng=0)
    with pytest.raises(ValueError, match="VAE.reconstruct expected finite numbers"):
        model.reconstruct(X * np.nan)
