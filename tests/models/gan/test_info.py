"""InfoGAN: the bound against exact information, its gradients, its codes, bad input, and clusters."""

import math

import numpy as np
import pytest

from scratchgen.layers import Layer, Linear, Sequential, Tanh
from scratchgen.models import InfoGAN
from scratchgen.models.gan.info import InfoCache
from scratchgen.training import load, save

N = 24
FORMS = {
    "dense": lambda **settings: InfoGAN.dense(
        7, (5, 4), 64, **{"categories": (3,), "continuous": 1, "head": 4, "rng": 0} | settings
    ),
    "convolutional": lambda **settings: InfoGAN.convolutional(
        7, (2, 3), hidden=4, shape=(8, 8, 1),
        **{"categories": (3,), "continuous": 1, "head": 4, "rng": 0} | settings,
    ),
}


class Given(Layer):
    """A layer that applies a given function."""

    def __init__(self, function):
        self.function = function

    def forward(self, x, training=False):
        return self.function(x), None


def reading(read, **settings):
    """An InfoGAN whose generator returns its code, and whose Q is a function of it."""
    whole = Given(lambda x: np.hstack([np.zeros((len(x), 1)), read(x)]))
    model = InfoGAN(Given(lambda z: z), whole, **{"code": 3, "categories": (3,), "continuous": 0} | settings)
    return model


def test_bound_is_the_information_if_q_is_the_posterior():
    """(INFO.1, INFO.3, INFO.5): log 3 if Q is sure and right, 0 if it guesses, below 0 if sure and wrong."""
    c = np.eye(3)[np.arange(30) % 3]
    for read, expected in (
        (lambda x: 100 * x, math.log(3)),
        (lambda x: 0 * x, 0),
        (lambda x: 10 * np.roll(x, 1, axis=1), math.log(3) - 10),
    ):
        model = reading(read)
        bound, _ = model._bound_and_gradient(read(c), c)
        assert bound == pytest.approx(expected, abs=1e-3)
        assert bound <= model.entropy == pytest.approx(math.log(3))
    # x̃ tells whether c is 0: I = H(c) − 2/3·log 2.
    half = np.log(np.where(c[:, :1] == 1, [[1, 1e-30, 1e-30]], [[1e-30, 0.5, 0.5]]))
    bound, _ = reading(lambda x: x)._bound_and_gradient(half, c)
    assert bound == pytest.approx(math.log(3) - 2 / 3 * math.log(2))


def test_bound_of_a_continuous_code_is_that_of_a_normal(rng):
    """(INFO.4, INFO.5): log Q is the log-density of N(q, std²)."""
    model = reading(lambda x: x, code=2, categories=(), continuous=2, std=0.7)
    c, q = rng.uniform(-1, 1, (9, 2)), rng.standard_normal((9, 2))
    log_q = -0.5 * ((c - q) / 0.7) ** 2 - math.log(0.7) - 0.5 * math.log(2 * math.pi)
    bound, dq = model._bound_and_gradient(q, c)
    assert bound == pytest.approx(2 * math.log(2) + log_q.sum(axis=1).mean(), rel=1e-12)
    np.testing.assert_allclose(dq, (q - c) / 0.7**2 / 9, rtol=1e-12)


def test_gradient_of_the_bound_is_a_difference(rng):
    """(INFO.3, INFO.4): dq is the gradient of −weight·L."""
    model = reading(lambda x: x, code=7, categories=(3, 2), continuous=2, weight=0.6)
    z, q, h = model.prior_sample(4, rng=rng), rng.standard_normal((4, 7)), 1e-6
    z, dq = z.astype(np.float64), model._bound_and_gradient(q, z.astype(np.float64))[1]
    for i in np.ndindex(q.shape):
        step = np.zeros_like(q)
        step[i] = h
        up, down = (model._bound_and_gradient(q + s, z)[0] for s in (step, -step))
        assert dq[i] == pytest.approx(-0.6 * (up - down) / (2 * h), abs=1e-8)


def small(rng, **settings):
    net_args = {"rng": rng, "dtype": np.float64}
    generator = Sequential(Linear(5, 6, **net_args), Tanh())
    discriminator = Sequential(Linear(6, 4, **net_args), Tanh(), Linear(4, 5, **net_args))
    settings = {"code": 5, "categories": (3,), "continuous": 1, "output_range": (-1.0, 1.0)} | settings
    return InfoGAN(generator, discriminator, **settings)


def test_both_losses_are_those_of_a_gan_without_the_bound(rng):
    """(INFO.2): with weight 0 the losses are those of GAN, and with another weight they are less by w·L."""
    model, x = small(rng, weight=0.0), rng.uniform(size=(5, 6))
    z = model.prior_sample(5, rng=rng)
    plain = model.discriminator_loss(x, z)[0], model.generator_loss(z)[0]
    real, fake = (model.discriminator.forward(a)[0][:, 0] for a in (x, model.generator.forward(z)[0]))
    assert plain == pytest.approx(
        (np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean(), np.log1p(np.exp(-fake)).mean())
    )
    model.weight = 0.8
    loss, cache = model.discriminator_loss(x, z)
    assert isinstance(cache, InfoCache)
    assert (loss, model.generator_loss(z)[0]) == pytest.approx([p - 0.8 * cache.bound for p in plain])


def test_generator_gradient_comes_through_both_heads(rng):
    """(INFO.6): dx̃ is the sum of a backward pass of each head."""
    model = small(rng)
    z = model.prior_sample(5, rng=rng)
    _, cache = model.generator_loss(z)
    dfake = model.generator_backward(cache)["dfake"]
    parts = np.hstack([cache.game.dlogits, 0 * cache.dq]), np.hstack([0 * cache.game.dlogits, cache.dq])
    expected = sum(model.discriminator.backward(part, cache.game.dis) for part in parts)
    np.testing.assert_allclose(dfake, expected, rtol=1e-12)


def test_codes_are_drawn_set_and_read(rng):
    model = reading(lambda x: x[:, 2:], code=8, categories=(3, 2), continuous=1)
    c = model.draw_codes(500, rng=0)
    assert set(c[:, 0]) == {0, 1, 2} and set(c[:, 1]) == {0, 1} and np.abs(c[:, 2]).max() < 1
    z = model.with_codes(np.zeros((500, 8)), c)
    np.testing.assert_array_equal(z[:, :2], 0)
    np.testing.assert_array_equal(z[:, 2:5], np.eye(3)[c[:, 0].astype(int)])
    np.testing.assert_array_equal(z[:, 7], c[:, 2])
    np.testing.assert_allclose(model.infer_codes(z), c)
    np.testing.assert_allclose(model.infer_codes(model.sample(500, c=c, rng=1)), c)
    drawn = model.prior_sample(500, rng=1)
    np.testing.assert_array_equal(drawn[:, 2:5].sum(axis=1), 1)


@pytest.mark.parametrize("form", FORMS)
def test_info_forms_fit_read_and_save(form, tmp_path):
    model, X = FORMS[form](), np.random.default_rng(0).random((N, 64)).astype(np.float32)
    model.fit(X, epochs=1, batch_size=8, rng=1)
    c = model.draw_codes(6, rng=0)
    images = model.sample(6, c=c, rng=2)
    assert images.shape == (6, 64) and model.infer_codes(X).shape == (N, 2)
    np.testing.assert_allclose(model.predict_real(X), 1 / (1 + np.exp(-model.critic_score(X))), rtol=1e-5)
    assert model.information(200, rng=0) <= model.entropy
    save(model, tmp_path / "model.npz")
    other = load(tmp_path / "model.npz")
    np.testing.assert_array_equal(other.infer_codes(images), model.infer_codes(images))


@pytest.mark.slow
def test_info_gan_finds_three_clusters_without_labels():
    """Each category becomes one cluster, and the bound approaches log 3; with weight 0 it does not."""
    rng = np.random.default_rng(0)
    y = np.arange(900) % 3
    centres = np.array([[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]])
    X = (centres[y] + 0.03 * rng.standard_normal((900, 2))).clip(0, 1).astype(np.float32)
    found = {}
    for weight in (1.0, 0.0):
        model = InfoGAN.dense(
            5, (32, 32), 2, categories=(3,), continuous=0, head=16, dropout=0, weight=weight, rng=1
        )
        model.fit(X, epochs=60, batch_size=50, lr=2e-3, discriminator_lr=2e-3, rng=2)
        found[weight] = model.information(600, rng=3)
        if weight:
            read = model.infer_codes(X)[:, 0].astype(int)
            counts = np.array([np.bincount(read[y == k], minlength=3) for k in range(3)])
            assert sorted(counts.argmax(axis=1)) == [0, 1, 2] and counts.max(axis=1).sum() > 0.9 * 900
    assert found[1.0] > 0.9 * math.log(3) and found[0.0] < 0.5


X32, BAD_C = np.zeros((N, 64), np.float32), np.zeros((3, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.fit(X32, np.zeros(N, int), epochs=1, rng=0), ValueError, "fit expected no labels y"),
        (lambda m: m.sample(3, c=BAD_C[:, :1], rng=0), ValueError, r"sample expected c of shape \(3, 2\)"),
        (lambda m: m.sample(2, c=BAD_C, rng=0), ValueError, r"sample expected c of shape \(2, 2\)"),
        (lambda m: m.sample(3, c=BAD_C + 3, rng=0), ValueError, "sample expected column 0 of c to be"),
        (lambda m: m.sample(3, c=BAD_C + 0.5, rng=0), ValueError, "sample expected column 0 of c to be"),
        (lambda m: m.sample(3, c=BAD_C * np.nan, rng=0), ValueError, "sample expected c to be finite"),
        (lambda m: m.sample(3, c=[["a", "b"]] * 3, rng=0), TypeError, "sample expected c to be an array"),
        (lambda m: m.infer_codes(X32[:, 1:]), ValueError, "infer_codes expected"),
        (lambda m: m.with_codes(np.zeros((3, 2), np.float32), BAD_C), ValueError, "with_codes expected"),
    ],
)
def test_info_gan_refuses_codes_that_do_not_fit(call, error, message):
    with pytest.raises(error, match=rf"^InfoGAN\.{message}"):
        call(FORMS["dense"]())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"categories": (), "continuous": 0}, "expected categories or continuous codes, got none; use GAN"),
        ({"categories": (1,)}, "expected categories to have at least 2 values each"),
        ({"categories": (7,)}, "expected a code of at least 8 numbers, 7 for categories and 1 continuous"),
    ],
)
def test_info_gan_refuses_codes_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=rf"^InfoGAN\.dense {message}"):
        FORMS["dense"](**settings)


def test_info_gan_refuses_a_discriminator_without_q():
    model = InfoGAN(Linear(5, 64, rng=0), Linear(64, 1, rng=0), code=5, categories=(3,), continuous=1)
    with pytest.raises(ValueError, match=r"InfoGAN.fit expected a discriminator with 5 outputs, got \(1,\)"):
        model.fit(X32, epochs=1, rng=0)
