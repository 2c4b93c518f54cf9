"""ConditionalGAN: its losses, the gradient without the label, its networks, bad input, and its classes."""

import numpy as np
import pytest

from scratchgen.layers import Layer, Linear, Sequential, Tanh
from scratchgen.models import ConditionalGAN, WatchGame
from scratchgen.models.gan.average import AveragedGenerator
from scratchgen.models.gan.heads import LabelMaps, Projection
from scratchgen.training import load, save

N, D, CLASSES = 24, 6, 3
Y = np.arange(N) % CLASSES
FORMS = {
    "dense": lambda **settings: ConditionalGAN.dense(3, (5, 4), 64, classes=3, rng=0, **settings),
    "convolutional": lambda **settings: ConditionalGAN.convolutional(
        3, (2, 3), hidden=4, shape=(8, 8, 1), classes=3, rng=0, **settings
    ),
}


def small(rng, **settings):
    generator = Sequential(Linear(3 + CLASSES, D, rng=rng, dtype=np.float64), Tanh())
    discriminator = Sequential(
        Linear(D + CLASSES, 4, rng=rng, dtype=np.float64), Tanh(), Linear(4, 1, rng=rng, dtype=np.float64)
    )
    return ConditionalGAN(
        generator, discriminator, code=3, classes=CLASSES, output_range=(-1.0, 1.0), **settings
    )


def test_conditional_losses_are_those_of_pairs_with_labels(rng):
    """(CGAN.1, CGAN.2): both networks get the one-hot label, and x̃ keeps the label it was generated for."""
    model, x, z, y = small(rng), rng.uniform(size=(5, D)), rng.standard_normal((5, 3)), Y[:5]
    onehot = np.eye(CLASSES)[y]
    fake = model.generator.forward(np.hstack([z, onehot]))[0]
    real, generated = (model.discriminator.forward(np.hstack([a, onehot]))[0] for a in (x, fake))
    loss = model.discriminator_loss(x, z, y)[0]
    assert loss == pytest.approx(np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(generated)).mean())
    assert model.generator_loss(z, y)[0] == pytest.approx(np.log1p(np.exp(-generated)).mean())


def test_conditional_generator_gets_no_gradient_from_the_label(rng):
    """(CGAN.3): dx̃ is J_Dᵀ·dl without the columns of the label."""
    model, z, y = small(rng), rng.standard_normal((5, 3)), Y[:5]
    loss, cache = model.generator_loss(z, y)
    grads = model.generator_backward(cache)
    whole = model.discriminator.backward(cache.dlogits, cache.dis)
    np.testing.assert_array_equal(grads["dfake"], whole[:, :D])
    assert model.generator[0].weight.grad.any()


class LeansOnLabel(Layer):
    """A discriminator that returns the number of the label."""

    in_features = D + CLASSES

    def forward(self, x, training=False):
        return x[:, D:] @ np.arange(CLASSES)[:, None] + 0 * x[:, :1], x


def test_discriminator_is_given_the_labels_of_the_examples(rng):
    model = small(rng)
    model.discriminator = LeansOnLabel()
    x = rng.uniform(size=(6, D))
    np.testing.assert_array_equal(model.critic_score(x, Y[:6]), Y[:6])
    assert model.features == D


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("projection", [False, True])
def test_conditional_forms_fit_and_sample_by_label(form, projection, tmp_path):
    model = FORMS[form](projection=projection)
    X = np.random.default_rng(0).random((N, 64)).astype(np.float32)
    assert model.features == 64
    kinds = {type(module) for module in model.discriminator.modules()}
    assert (Projection in kinds) == projection
    assert (LabelMaps in kinds) == (form == "convolutional" and not projection)
    average = AveragedGenerator(model, 0.5)
    watch = WatchGame(X, every=1, rng=0, size=12)
    model.fit(X, Y, epochs=1, batch_size=8, rng=1, callbacks=[average, watch])
    images = model.sample(6, y=Y[:6], rng=2)
    assert images.shape == (6, 64) and len(watch.snapshots) == 3
    z = model.prior_sample(6, rng=2, y=Y[:6])
    np.testing.assert_array_equal(model.inverse_transform(z, Y[:6]), images)
    assert not np.array_equal(model.inverse_transform(z, (Y[:6] + 1) % 3), images)
    score, probability = model.critic_score(X, Y), model.predict_real(X, Y)
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-score)), rtol=1e-5)
    save(model, tmp_path / "model.npz")
    other = load(tmp_path / "model.npz")
    np.testing.assert_array_equal(other.sample(6, y=Y[:6], rng=2), images)


@pytest.mark.parametrize("settings", [{}, {"projection": True}, {"objective": "relativistic"}], ids=str)
def test_conditional_gan_generates_the_class_that_is_requested(settings):
    """Two classes around 0.2 and 0.8: without the label, half of the samples would be of the other class."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 2
    X = (0.2 + 0.6 * y[:, None] + 0.03 * rng.standard_normal((600, 2))).clip(0, 1).astype(np.float32)
    model = ConditionalGAN.dense(2, (16,), 2, classes=2, dropout=0, rng=1, **settings)
    model.fit(X, y, epochs=25, batch_size=50, lr=2e-3, discriminator_lr=4e-3, rng=2)
    asked = np.arange(200) % 2
    assert ((model.sample(200, y=asked, rng=3).mean(axis=1) > 0.5) == asked).mean() > 0.97


X32 = np.zeros((N, 64), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.fit(X32, epochs=1, rng=0), ValueError, "fit expected labels y, one per example, got"),
        (lambda m: m.fit(X32, Y + 1, epochs=1, rng=0), ValueError, "fit expected labels in 0..2, got 1..3"),
        (lambda m: m.fit(X32, Y * 1.0, epochs=1, rng=0), TypeError, "fit expected integer labels"),
        (lambda m: m.fit(X32, Y[1:], epochs=1, rng=0), ValueError, "fit expected 24 integer labels"),
        (lambda m: m.sample(3, rng=0), ValueError, "sample expected labels y, one per example, got none"),
        (lambda m: m.sample(3, y=np.array([0, 1, 3]), rng=0), ValueError, "sample expected labels in 0..2"),
        (lambda m: m.inverse_transform(np.zeros((2, 6), np.float32), Y[:2]), ValueError, "inverse_transform"),
        (lambda m: m.predict_real(X32), ValueError, "predict_real expected labels y"),
    ],
)
def test_conditional_gan_refuses_bad_labels(call, error, message):
    with pytest.raises(error, match=rf"^ConditionalGAN\.{message}"):
        call(FORMS["dense"]())


def test_conditional_gan_refuses_networks_that_do_not_take_the_label():
    narrow = ConditionalGAN(Linear(3, 64, rng=0), Linear(67, 1, rng=0), code=3, classes=3)
    with pytest.raises(ValueError, match=r"^ConditionalGAN.fit: the generator does not take noise \(N, 6\)"):
        narrow.fit(X32, Y, epochs=1, rng=0)
