"""The objectives of GANs: their formulas, their gradients, and the optimal discriminator of each."""

import math

import numpy as np
import pytest

from scratchgen.gradcheck import check_loss
from scratchgen.layers import Layer, SpectralNorm, Tanh
from scratchgen.models import DCGAN, GAN
from scratchgen.models.gan import objectives
from scratchgen.models.gan.objectives import OBJECTIVES
from scratchgen.models.networks import dense

NEW = ("least-squares", "hinge", "relativistic")
# Two distributions on four points, and copies of the points in these proportions.
P, Q = np.array([1, 2, 3, 4]) / 10, np.array([4, 3, 1, 2]) / 10
REAL, FAKE = np.repeat(np.arange(4), [1, 2, 3, 4]), np.repeat(np.arange(4), [4, 3, 1, 2])


def losses(name, scores):
    """The losses of both players for a discriminator with these values at the four points."""
    real, fake = scores[REAL][:, None], scores[FAKE][:, None]
    return OBJECTIVES[name].discriminator(real, fake)[0], OBJECTIVES[name].generator(real, fake)[0]


def minimise(name, steps=4000, rate=1.0):
    """Values of the discriminator at the four points after gradient descent from 0."""
    scores = np.zeros(4)
    for step in range(steps):
        _, dreal, dfake = OBJECTIVES[name].discriminator(scores[REAL][:, None], scores[FAKE][:, None])
        gradient = np.bincount(REAL, dreal[:, 0]) + np.bincount(FAKE, dfake[:, 0])
        scores -= rate / (1 + step / 100) ** (name == "hinge") * gradient
    return scores


def softplus(x):
    return np.log1p(np.exp(x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objective_gradients_are_differences_of_the_losses(name, rng):
    """(LSGAN.2, LSGAN.3, HINGE.2, HINGE.3, RAGAN.3, RAGAN.4): at l(x), and at l(x̃) for both players."""
    rule = OBJECTIVES[name]
    real, fake = 2 * rng.standard_normal((2, 6, 1))
    discriminator = rule.discriminator

    def of_real(l_real, l_fake):
        loss, dreal, _ = discriminator(l_real, l_fake)
        return loss, dreal

    def of_fake(l_fake, l_real):
        loss, _, dfake = discriminator(l_real, l_fake)
        return loss, dfake

    results = check_loss(of_real, real, fake) + check_loss(of_fake, fake, real)
    results += check_loss(lambda l_fake, l_real: rule.generator(l_real, l_fake), fake, real)
    assert all(result.ok for result in results), results


def test_gradient_check_finds_a_mean_that_is_treated_as_a_constant(rng):
    """A frequent mistake with (RAGAN.3): the gradient through the mean of the others is forgotten."""
    real, fake = rng.standard_normal((2, 6, 1))

    def wrong(l_real, l_fake):
        loss, dreal, _ = objectives.relativistic_discriminator(l_real, l_fake)
        f = l_fake - l_real.mean()
        return loss, dreal + sigmoid(f).mean() / len(l_real)

    assert not all(result.ok for result in check_loss(wrong, real, fake))


def test_least_squares_is_its_formula_and_its_optimum_is_the_share_of_real():
    """(LSGAN.1): the optimal l is p / (p + q), where the loss is half of Σ p·q / (p + q)."""
    scores = minimise("least-squares")
    np.testing.assert_allclose(scores, P / (P + Q), atol=1e-6)
    loss, generator = losses("least-squares", scores)
    assert loss == pytest.approx(0.5 * (P * Q / (P + Q)).sum(), rel=1e-9)
    assert generator == pytest.approx(0.5 * (Q * (scores - 1) ** 2).sum(), rel=1e-12)


def test_hinge_optimum_is_the_sign_of_the_difference():
    """(HINGE.1): the optimal l is sign(p − q), where the loss is 2·Σ min(p, q)."""
    scores = minimise("hinge")
    np.testing.assert_allclose(scores, np.sign(P - Q), atol=0.05)
    loss, generator = losses("hinge", np.sign(P - Q))
    assert loss == pytest.approx(2 * np.minimum(P, Q).sum(), rel=1e-12)
    assert generator == pytest.approx(-(Q * np.sign(P - Q)).sum(), rel=1e-12)
    for other in (scores, 0.5 * np.sign(P - Q), 2 * np.sign(P - Q), np.zeros(4)):
        assert losses("hinge", other)[0] >= loss


def test_relativistic_losses_are_their_formulas():
    """(RAGAN.1, RAGAN.2, RAGAN.4): each example is compared with the average of the other kind."""
    scores = np.array([-1.0, 0.5, 2.0, 0.0])
    r, f = scores - Q @ scores, scores - P @ scores
    loss, generator = losses("relativistic", scores)
    assert loss == pytest.approx(P @ softplus(-r) + Q @ softplus(f), rel=1e-12)
    assert generator == pytest.approx(P @ softplus(r) + Q @ softplus(-f), rel=1e-12)
    assert losses("relativistic", scores + 100) == pytest.approx((loss, generator), rel=1e-9)


def test_relativistic_optimum_satisfies_its_equation():
    """The derivative of (RAGAN.2) at each point is 0, and it is 2·log 2 at most."""
    s = minimise("relativistic")
    r, f = s - Q @ s, s - P @ s
    down, up = sigmoid(-r), sigmoid(f)                          # −dr and df, for each point
    derivative = -P * down + Q * up + Q * (P @ down) - P * (Q @ up)
    np.testing.assert_allclose(derivative, 0, atol=1e-6)
    assert losses("relativistic", s)[0] < 2 * math.log(2) == pytest.approx(losses("relativistic", 0 * s)[0])
    assert (np.argsort(s) == np.argsort(P / Q)).all()


class Values(Layer):
    """A layer that applies a given function."""

    def __init__(self, function):
        self.function = function

    def forward(self, x, training=False):
        return self.function(x), None


@pytest.mark.parametrize("name", NEW)
def test_gan_uses_its_objective(name, rng):
    x, z = rng.standard_normal((5, 1)), rng.standard_normal((5, 1))
    model = GAN(Values(lambda z: z + 1), Values(np.sin), code=1, objective=name)
    real, fake = np.sin(x), np.sin(z + 1)
    loss, cache = model.discriminator_loss(x, z)
    expected = OBJECTIVES[name].discriminator(real, fake)
    assert loss == expected[0] and (cache.d_real, cache.d_fake) == (real.mean(), fake.mean())
    np.testing.assert_array_equal(cache.dreal, expected[1])
    np.testing.assert_array_equal(cache.dfake, expected[2])
    generator, cache = model.generator_loss(z, x)
    assert generator == OBJECTIVES[name].generator(real, fake)[0]
    np.testing.assert_array_equal(cache.dlogits, OBJECTIVES[name].generator(real, fake)[1])


@pytest.mark.parametrize("name", NEW)
def test_gan_with_each_objective_learns_a_normal_distribution(name):
    rng = np.random.default_rng(1)
    X = rng.normal(2, 0.5, (512, 1)).astype(np.float32)
    generator, discriminator = (dense((1, 16, 1), rng=rng, activation=Tanh) for _ in range(2))
    model = GAN(generator, discriminator, code=1, objective=name, output_range=None)
    model.fit(X, epochs=40, batch_size=64, lr=2e-3, discriminator_lr=5e-3, rng=2)
    assert model.sample(1000, rng=3).mean() == pytest.approx(2, abs=0.4)
    assert model.critic_score(X[:3]).shape == (3,)
    with pytest.raises(TypeError, match=f"^GAN.predict_real expected an objective .* got {name}; use critic"):
        model.predict_real(X[:3])


def test_relativistic_generator_loss_needs_real_examples(rng):
    model = GAN(Values(lambda z: z), Values(np.sin), code=1, objective="relativistic")
    with pytest.raises(ValueError, match="^GAN.generator_loss expected real examples x for .* relativistic"):
        model.generator_loss(np.zeros((3, 1)))


def test_spectral_norm_bounds_every_layer_of_the_discriminator():
    dense_gan = GAN.dense(3, (5, 4), 6, spectral_norm=True, objective="hinge", rng=0)
    conv = DCGAN(3, (2, 3), hidden=4, shape=(8, 8, 1), spectral_norm=True, objective="hinge", rng=0)
    assert dense_gan.features == 6 and conv.features == 64
    for model in (dense_gan, conv):
        inside = [m.layer for m in model.discriminator.modules() if isinstance(m, SpectralNorm)]
        assert sum(p.size for layer in inside for p in layer.parameters().values()) == sum(
            p.size for p in model.discriminator.parameters().values()
        )
        X = np.random.default_rng(0).random((16, model.features)).astype(np.float32)
        assert np.isfinite(model.fit(X, epochs=2, batch_size=4, rng=0).critic_score(X)).all()
