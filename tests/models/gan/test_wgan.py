"""The Wasserstein GAN: its critic against the exact distance, penalty and clipping, errors."""

import math

import numpy as np
import pytest

from scratchgen.layers import BatchNorm, LeakyReLU, Linear, Sequential, Tanh
from scratchgen.models import WGAN
from scratchgen.models.gan.gradient_penalty import gradient_penalty
from scratchgen.models.gan.networks import dense_critic
from scratchgen.models.networks import dense
from scratchgen.training.loop import TrainingDiverged
from scratchgen.training.optimisers import Adam, RMSProp


def small(rng, **settings):
    generator = dense((3, 5, 7), rng=rng, activation=Tanh, dtype=np.float64)
    model = WGAN(generator, dense_critic(7, (6, 6), rng=rng, dtype=np.float64), code=3, **settings)
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    return model


def critic_of(model, x):
    return model.discriminator.forward(x)[0]


def gradients(model):
    return {name: p.grad.copy() for name, p in model.parameters().items()}


def exact_distance(x, y):
    """W₁ of two samples of the same size in 1-D: the mean distance of the sorted values."""
    return float(np.abs(np.sort(x, axis=0) - np.sort(y, axis=0)).mean())


def two_samples(name, rng, n=48):
    """Real examples, and samples of an identity generator, (n, 1) each."""
    z = rng.standard_normal((n, 1))
    if name == "shifted":
        return rng.normal(1.5, 1.0, (n, 1)), z
    if name == "wider":
        return rng.normal(0.0, 2.5, (n, 1)), z
    return rng.normal(0.0, 0.3, (n, 1)) + np.where(np.arange(n)[:, None] % 2, 2, -2), z


@pytest.mark.parametrize("name", ["shifted", "wider", "two hills"])
def test_wgan_critic_estimates_the_exact_distance(name, rng):
    """(WGAN.1): a critic trained on two fixed samples is within 5 % of the W of sorted samples.

    In one dimension, a slope can change its sign only through 0, where the penalty is λ. An initial weight of
    10 would keep the critic's initial sign, so the weight starts small.
    """
    x, z = two_samples(name, rng)
    identity = Linear(1, 1, rng=rng, dtype=np.float64)
    identity.weight.value[...] = 1
    model = WGAN(identity, dense_critic(1, (32, 32), rng=rng, dtype=np.float64), code=1, penalty=0.1)
    optimizer = Adam(model.discriminator.parameters(), lambda step: 0.01 * (1 - step / 500), (0.5, 0.9))
    for step in range(500):
        model.penalty = 0.1 if step < 150 else 30.0
        optimizer.zero_grad()
        _, cache = model.discriminator_loss(x, rng.permutation(z), rng.random((len(x), 1)))
        model.discriminator_backward(cache)
        optimizer.step()
    distance = -model.discriminator_loss(x, z)[0]
    assert distance == pytest.approx(exact_distance(x, z), rel=0.05)


@pytest.mark.parametrize(("shift", "weight"), [(1.0, 10.0), (10.0, 10.0), (0.3, 0.5)])
def test_wgan_estimate_of_a_shift_is_too_large_by_its_square(rng, shift, weight):
    """The best linear critic has the slope 1 + W/2λ and estimates W + W²/2λ; its gradient is zero."""
    identity, critic = Linear(1, 1, rng=rng, dtype=np.float64), Linear(1, 1, rng=rng, dtype=np.float64)
    model, z = WGAN(identity, critic, code=1, penalty=weight), rng.standard_normal((6, 1))
    identity.weight.value[...] = 1
    # The terms that cancel are 2λ·(s − 1) and two means; each is rounded a few times.
    rounding = 10 * np.finfo(float).eps * (2 * weight + shift + np.abs(z + shift).mean() + np.abs(z).mean())
    for slope, expected_gradient in ((1 + shift / (2 * weight), 0.0), (1.0, -shift)):
        critic.weight.value[...] = slope
        critic.zero_grad()
        loss, cache = model.discriminator_loss(z + shift, z, rng.random((6, 1)))
        model.discriminator_backward(cache)
        assert -loss == pytest.approx(slope * exact_distance(z + shift, z))
        assert abs(critic.weight.grad[0, 0] - expected_gradient) < rounding
    assert exact_distance(z + shift, z) == pytest.approx(shift)


def test_wgan_no_critic_with_slopes_up_to_one_exceeds_the_distance(rng):
    """(WGAN.1) is a maximum, so random critics, divided by their steepest slope, are below the exact W."""
    x, z = two_samples("two hills", rng)
    everywhere = np.linspace(-10, 10, 4001)[:, None]
    shares = []
    for _ in range(20):
        critic = dense((1, 9, 5, 1), rng=rng, activation=Tanh, dtype=np.float64)
        for p in critic.parameters().values():
            p.value += rng.standard_normal(p.shape)
        steepest = np.abs(np.diff(critic.forward(everywhere)[0], axis=0)).max() / 0.005
        gap = critic.forward(x)[0].mean() - critic.forward(z)[0].mean()
        shares.append(abs(gap) / (1.01 * steepest) / exact_distance(x, z))
    assert 0.05 < max(shares) < 1


def test_wgan_losses_are_differences_of_means(rng):
    """(WGAN.2) and (WGAN.3): both losses, and their gradients in the critic's values."""
    model, x, z = small(rng), rng.uniform(size=(5, 7)), rng.standard_normal((5, 3))
    f_real, f_fake = critic_of(model, x), critic_of(model, model.generator.forward(z)[0])
    loss, cache = model.discriminator_loss(x, z)
    assert loss == pytest.approx(sum(f_fake[:, 0]) / 5 - sum(f_real[:, 0]) / 5, rel=1e-12)
    assert (cache.d_real, cache.d_fake) == pytest.approx((f_real.mean(), f_fake.mean()), rel=1e-12)
    assert cache.dreal.tolist() == [[-1 / 5]] * 5 and cache.dfake.tolist() == [[1 / 5]] * 5
    assert cache.between is None
    loss, cache = model.generator_loss(z)
    assert loss == pytest.approx(-sum(f_fake[:, 0]) / 5, rel=1e-12)
    assert cache.dlogits.tolist() == [[-1 / 5]] * 5


def test_wgan_penalty_is_between_real_and_generated_examples(rng):
    """(WGAN.5): each example has its own u, which is the same for all its features."""
    model, x, z = small(rng, penalty=10.0), rng.uniform(size=(4, 7)), rng.standard_normal((4, 3))
    generated = model.generator.forward(z)[0]
    u = np.array([[0.0], [1.0], [0.5], [0.2]])
    between = model.discriminator_loss(x, z, u)[1].between
    expected = [generated[0], x[1], (x[2] + generated[2]) / 2, generated[3] + 0.2 * (x[3] - generated[3])]
    np.testing.assert_allclose(between, expected, rtol=1e-14)


@pytest.mark.parametrize("penalty", [None, 10.0])
def test_wgan_draws_u_for_each_example(rng, monkeypatch, penalty):
    """Each step draws u ~ U(0, 1) in float32, with the right mean within 5 deviations; none with clipping."""
    X = rng.uniform(size=(400, 7)).astype(np.float32)
    model = WGAN.dense(3, (6, 6), 7, rng=rng, penalty=penalty, k=1)
    seen, loss = [], model.discriminator_loss
    monkeypatch.setattr(model, "discriminator_loss", lambda x, z, u: seen.append(u) or loss(x, z, u))
    model.fit(X, epochs=2, batch_size=400, rng=rng)
    if penalty is None:
        assert seen == [None, None]
        return
    u = np.concatenate(seen)
    assert u.shape == (800, 1) and u.dtype == np.float32 and len(np.unique(u)) == 800
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 5 / math.sqrt(12 * 800)


def test_wgan_critic_gradient_is_that_of_the_means_and_the_penalty(rng):
    """(WGAN.2): backward returns the penalty and adds both gradients; the loss does not include it."""
    model, x, z = small(rng, penalty=10.0), rng.uniform(size=(5, 7)), rng.standard_normal((5, 3))
    loss, cache = model.discriminator_loss(x, z, rng.random((5, 1)))
    assert loss == model.discriminator_loss(x, z)[0]
    penalty = model.discriminator_backward(cache)
    both = gradients(model)
    model.zero_grad()
    assert model.discriminator_backward(model.discriminator_loss(x, z)[1]) == 0
    means = gradients(model)
    model.zero_grad()
    assert gradient_penalty(model.discriminator, cache.between, 10.0)[0] == penalty > 0
    for name, alone in gradients(model).items():
        np.testing.assert_allclose(both[name], means[name] + alone, rtol=1e-12, atol=1e-14, err_msg=name)
        assert name.startswith("discriminator") or not both[name].any()
    assert np.abs(both["discriminator.0.weight"] - means["discriminator.0.weight"]).max() > 1e-3


def test_wgan_generator_turn_adds_nothing_to_the_critic(rng):
    """The critic's gradients are read-only, so adding even a zero would raise an error."""
    model, z = small(rng, penalty=10.0), rng.standard_normal((5, 3))
    for p in model.discriminator.parameters().values():
        p.grad.flags.writeable = False
    grads = model.generator_backward(model.generator_loss(z)[1])
    assert grads["dfake"].shape == (5, 7) and model.generator[0].weight.grad.any()


class AfterEachStep(RMSProp):
    """Records the largest weight after each update, before clipping."""

    def step(self):
        super().step()
        self.largest = [*getattr(self, "largest", []), float(np.abs(self.value).max())]


def test_wgan_clips_every_weight_after_each_critic_step(rng):
    """(WGAN.4): updates of 0.3 exceed ±0.05, and clipping undoes this; the generator is not clipped."""
    X = rng.uniform(size=(40, 7)).astype(np.float32)
    model = WGAN.dense(3, (6, 6), 7, rng=rng, clip=0.05, k=2)
    optimizers = {
        "discriminator": AfterEachStep(model.discriminator.parameters(), 0.3),
        "generator": RMSProp(model.generator.parameters(), 0.3),
    }
    for _ in range(3):
        model.train_step((X[:20],), optimizers, rng)
        weights = optimizers["discriminator"].value
        assert np.abs(weights).max() == np.float32(0.05)
    assert len(optimizers["discriminator"].largest) == 6
    assert min(optimizers["discriminator"].largest) > 0.1
    assert np.abs(optimizers["generator"].value).max() > 0.3


def test_wgan_with_a_penalty_clips_nothing(rng):
    X = rng.uniform(size=(40, 7)).astype(np.float32)
    model = WGAN.dense(3, (6, 6), 7, rng=rng, clip=0.05, k=2, penalty=10.0)
    model.fit(X, epochs=2, batch_size=10, rng=rng)
    assert max(np.abs(p.value).max() for p in model.discriminator.parameters().values()) > 0.1


def test_wgan_trains_by_rmsprop_when_it_clips_and_by_adam_else(rng):
    X = rng.uniform(size=(40, 7)).astype(np.float32)
    for penalty, kind, lr in ((None, RMSProp, 5e-5), (10.0, Adam, 1e-4)):
        model = WGAN.dense(3, (6, 6), 7, rng=rng, penalty=penalty)
        for chosen, expected in ((None, lr), (0.0, 0.0), (0.02, 0.02)):
            run = model.trainer(X, epochs=1, batch_size=4, lr=chosen, rng=rng)
            assert {type(optimizer) for optimizer in run.optimizer.values()} == {kind}
            assert {optimizer.rate for optimizer in run.optimizer.values()} == {expected}
        assert model.k == 5 and len(run.batches) == 2


@pytest.mark.parametrize("settings", [{}, {"penalty": 10.0}, {"penalty": 10.0, "hidden": 6}])
def test_wgan_convolutional_critic_scores_each_example_independently(rng, settings):
    model = WGAN.convolutional(4, (2, 3), rng=rng, **settings)
    assert not any(isinstance(layer, BatchNorm) for layer in model.discriminator)
    x = rng.uniform(size=(10, 784)).astype(np.float32)
    together = model.discriminator.forward(x, training=True)[0]
    np.testing.assert_allclose(together[:1], model.discriminator.forward(x[:1], training=True)[0], rtol=1e-5)
    run = model.trainer(x, epochs=1, batch_size=2, rng=rng)
    assert math.isfinite(run.run().steps["distance"][0])


@pytest.mark.parametrize("penalty", [None, 10.0])
def test_wgan_that_diverges_is_stopped_before_the_update(rng, penalty):
    """The message names the weight that is not finite, and the other weights are not changed."""
    X = rng.uniform(size=(20, 7)).astype(np.float32)
    model = WGAN.dense(3, (6, 6), 7, rng=rng, penalty=penalty, k=1)
    run = model.trainer(X, epochs=1, batch_size=20, rng=rng)
    model.discriminator[2].bias.value[1] = np.nan
    before = model.discriminator[0].weight.value.copy()
    with pytest.raises(TrainingDiverged, match=r"critic's loss became nan at step 1.*discriminator\.2\.bias"):
        run.run()
    np.testing.assert_array_equal(model.discriminator[0].weight.value, before)


def test_wgan_whose_penalty_overflows_is_stopped_before_the_update(rng):
    """The squares of slopes overflow float32, so the penalty is not finite, although the loss is."""
    X = rng.uniform(size=(20, 7)).astype(np.float32)
    model = WGAN.dense(3, (6, 6), 7, rng=rng, penalty=10.0, k=1)
    run = model.trainer(X, epochs=1, batch_size=20, rng=rng)
    for i in (0, 2, 4):
        model.discriminator[i].weight.value *= 1e8
    before = [p.value.copy() for p in model.discriminator.parameters().values()]
    with pytest.raises(TrainingDiverged, match=r"the critic's penalty became (inf|nan) at step 1"):
        run.run()
    for p, value in zip(model.discriminator.parameters().values(), before, strict=True):
        np.testing.assert_array_equal(p.value, value)


def test_wgan_player_with_a_rate_of_zero_is_not_trained(rng):
    """With discriminator_lr = 0, the critic changes only by clipping, while G is trained."""
    X = rng.uniform(size=(20, 7)).astype(np.float32)
    for settings in ({"penalty": 10.0}, {"clip": 10.0}):
        model = WGAN.dense(3, (6, 6), 7, rng=rng, k=1, **settings)
        before = {name: p.value.copy() for name, p in model.parameters().items()}
        model.fit(X, epochs=1, batch_size=20, rng=rng, discriminator_lr=0.0)
        moved = {name for name, p in model.parameters().items() if not np.array_equal(p.value, before[name])}
        assert moved and all(name.startswith("generator") for name in moved)


def build(**settings):
    return WGAN.dense(3, (6, 6), 7, rng=np.random.default_rng(0), **settings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build(penalty=-1.0), "WGAN expected a finite penalty > 0, or None to clip, got -1.0"),
        (lambda: build(penalty=0.0), "WGAN expected a finite penalty > 0, or None to clip, got 0.0"),
        (lambda: build(penalty=math.nan), "WGAN expected a finite penalty > 0, or None to clip, got nan"),
        (lambda: build(penalty=math.inf), "WGAN expected a finite penalty > 0, or None to clip, got inf"),
        (lambda: build(clip=0.0), "WGAN expected a finite clip > 0, got 0.0"),
        (lambda: build(clip=-0.1), "WGAN expected a finite clip > 0, got -0.1"),
        (lambda: build(k=0), "WGAN expected k of at least 1, got 0"),
        (
            lambda: build().fit(np.zeros((100, 7), np.float32), epochs=1, rng=np.random.default_rng(0)),
            "WGAN.fit expected at least k·batch_size = 5·64 examples, got 100",
        ),
        (lambda: build(noise="pink"), "WGAN expected noise to be one of normal, uniform, got 'pink'"),
        (
            lambda: build().fit(np.full((20, 7), 2.0, np.float32), epochs=1, rng=np.random.default_rng(0)),
            "WGAN.fit expected real data within the generator's output range [0.0, 1.0], got 2 to 2",
        ),
        (
            lambda: build().fit(np.zeros((20, 6), np.float32), epochs=1, rng=np.random.default_rng(0)),
            "WGAN.fit expected a generator with 6 outputs, got (7,)",
        ),
        (lambda: build().sample(0, rng=0), "WGAN.sample expected n of at least 1, got 0"),
    ],
)
def test_wgan_bad_input_is_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


def test_wgan_refuses_u_without_a_penalty(rng):
    """Passing u to a clipped WGAN is an error, because it has no penalty."""
    model, x, z = small(rng), rng.uniform(size=(4, 7)), rng.standard_normal((4, 3))
    with pytest.raises(ValueError, match="u is only used with a gradient penalty, and this WGAN has none"):
        model.discriminator_loss(x, z, rng.random((4, 1)))


@pytest.mark.parametrize("build_layer", [Tanh, lambda: BatchNorm(6)])
def test_wgan_refuses_a_penalty_for_critics_that_are_not_piecewise_linear(rng, build_layer):
    """The constructor raises the error; with clipping, the same critic is accepted."""
    layer = build_layer()
    critic = Sequential(Linear(7, 6, rng=rng), layer, LeakyReLU(0.2), Linear(6, 1, rng=rng))
    generator = dense((3, 7), rng=rng)
    with pytest.raises(TypeError, match=f"expected piecewise linear layers .* got {type(layer).__name__}"):
        WGAN(generator, critic, code=3, penalty=10.0)
    assert WGAN(generator, critic, code=3).penalty is None
