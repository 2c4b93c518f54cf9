"""The GAN's losses and gradients against closed forms and differences, and its errors."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from scratchgen.initializers import normal
from scratchgen.layers import BatchNorm, Layer, LeakyReLU, Linear, ReLU, Sequential, Sigmoid, Tanh
from scratchgen.models import DCGAN, GAN, WGAN, CastData, NoLikelihood
from scratchgen.models.gan.networks import small_pixel_init
from scratchgen.models.networks import dense

LOG2 = math.log(2)


def small(rng, **settings):
    generator = dense((3, 5, 7), rng=rng, activation=Tanh, dtype=np.float64)
    discriminator = dense((7, 6, 1), rng=rng, activation=Tanh, dtype=np.float64)
    return GAN(generator, discriminator, code=3, **settings)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logits_of(model, x):
    return model.discriminator.forward(x)[0]


def set_logits(model, value):
    """Make D return `value` for every input."""
    for p in model.discriminator.parameters().values():
        p.value[...] = 0
    model.discriminator[-1].bias.value[...] = value


def read_only(net, flag):
    for p in net.parameters().values():
        p.grad.flags.writeable = not flag


class Given(Layer):
    """A layer that applies a given function."""

    def __init__(self, function):
        self.function = function

    def forward(self, x, training=False):
        return self.function(x), None


def middles(distribution, n):
    """The medians of n slices of equal probability, (n, 1)."""
    return np.array([distribution.inv_cdf((i + 0.5) / n) for i in range(n)])[:, None]


def log_density(distribution, x):
    return -0.5 * ((x - distribution.mean) / distribution.stdev) ** 2 - math.log(
        distribution.stdev * math.sqrt(2 * math.pi)
    )


def divergence(p, q):
    """JSD(p, q) in nats, as a sum over a fine grid that covers both densities."""
    x, step = np.linspace(-12, 12, 20_001, retstep=True)
    logs = [log_density(d, x) for d in (p, q)]
    middle = np.logaddexp(*logs) - LOG2
    return 0.5 * step * sum((np.exp(log) * (log - middle)).sum() for log in logs)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (NormalDist(0.5, 1.0), NormalDist(-0.4, 0.6)),
        (NormalDist(0.9, 0.5), NormalDist(-0.9, 0.5)),
        (NormalDist(1.0, 0.7), NormalDist(1.0, 0.7)),
    ],
    ids=["overlapping", "apart", "the same"],
)
def test_gan_loss_of_the_optimal_discriminator_is_a_divergence(p, q):
    """(GAN.1): with D* = p / (p + q), whose logit is log p − log q, V = 2·JSD − 2·log 2, to four digits."""
    x, generated = middles(p, 10_000), middles(q, 10_000)

    def loss(wrong):
        loss_of_d = Given(lambda x: log_density(p, x) - log_density(q, x) + wrong(x))
        return GAN(Given(lambda z: z), loss_of_d, code=1).discriminator_loss(x, generated)[0]

    best = loss(lambda x: 0 * x)
    assert best == pytest.approx(2 * LOG2 - 2 * divergence(p, q), abs=1e-4)
    for wrong in (lambda x: 0.3 + 0 * x, lambda x: -0.2 * x, np.sin, lambda x: -np.sin(3 * x)):
        assert loss(wrong) > best + 1e-5


def test_gan_discriminator_loss_is_its_formula(rng):
    """(GAN.2): −1/m·Σ log D(x) − 1/m·Σ log(1 − D(x̃)), and (GAN.3), its gradient at the logits."""
    model, x, z = small(rng), rng.uniform(size=(5, 7)), rng.standard_normal((5, 3))
    loss, cache = model.discriminator_loss(x, z)
    real, fake = sigmoid(logits_of(model, x)), sigmoid(logits_of(model, model.generator.forward(z)[0]))
    assert loss == pytest.approx(-np.log(real).mean() - np.log(1 - fake).mean(), rel=1e-12)
    np.testing.assert_allclose(cache.dreal, -(1 - real) / 5, rtol=1e-12)
    np.testing.assert_allclose(cache.dfake, fake / 5, rtol=1e-12)
    assert (cache.d_real, cache.d_fake) == pytest.approx((real.mean(), fake.mean()), rel=1e-12)


def test_gan_generator_losses_are_their_formulas(rng):
    """(GAN.4) minimax, +1/m·Σ log(1 − D(x̃)); (GAN.5) non-saturating, −1/m·Σ log D(x̃); both with dl."""
    model, z = small(rng), rng.standard_normal((5, 3))
    fake = sigmoid(logits_of(model, model.generator.forward(z)[0]))
    loss, cache = model.generator_loss(z)
    assert loss == pytest.approx(-np.log(fake).mean(), rel=1e-12)
    np.testing.assert_allclose(cache.dlogits, -(1 - fake) / 5, rtol=1e-12)
    model.objective = "minimax"
    loss, cache = model.generator_loss(z)
    assert loss == pytest.approx(np.log(1 - fake).mean(), rel=1e-12)
    np.testing.assert_allclose(cache.dlogits, -fake / 5, rtol=1e-12)


def test_gan_minimax_saturates_where_the_discriminator_is_sure(rng):
    """With a logit of −20, D(x̃) = 2e-9. The gradient of one loss is that small, and of the other 1."""
    gradients, z = {}, rng.standard_normal((4, 3))
    for objective in ("minimax", "non-saturating"):
        model = small(rng, objective=objective)
        set_logits(model, -20)
        gradients[objective] = -model.generator_loss(z)[1].dlogits.sum()
    assert gradients["minimax"] == pytest.approx(math.exp(-20), rel=1e-6)
    assert gradients["non-saturating"] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("objective", ["non-saturating", "minimax"])
def test_gan_generator_gradient_passes_through_the_discriminator(rng, objective, backend):
    """(GAN.6): the gradients of x̃ and of each weight of G against central differences."""
    model, z, h = small(rng, objective=objective), rng.standard_normal((5, 3)), 1e-6
    grads = model.generator_backward(model.generator_loss(z)[1])
    generated = model.generator.forward(z)[0]

    def differences(array, loss):
        numeric = np.empty(array.shape)
        for i in np.ndindex(array.shape):
            value, sides = array[i], []
            for side in (value + h, value - h):
                array[i] = side
                sides.append(loss())
            array[i] = value
            numeric[i] = (sides[0] - sides[1]) / (2 * h)
        return numeric

    direct = GAN(Given(lambda z: z), model.discriminator, code=7, objective=objective)
    numeric = differences(generated, lambda: direct.generator_loss(generated)[0])
    np.testing.assert_allclose(grads["dfake"], numeric, atol=1e-9)
    for name, p in model.generator.parameters().items():
        numeric = differences(p.value, lambda: model.generator_loss(z)[0])
        assert np.abs(p.grad).max() > 1e-3
        np.testing.assert_allclose(p.grad, numeric, atol=1e-9, err_msg=name)


def test_gan_step_of_one_player_adds_no_gradient_to_the_other(rng):
    """Gradients are read-only, so adding even a zero would raise an error."""
    model, x, z = small(rng), rng.uniform(size=(5, 7)), rng.standard_normal((5, 3))
    for p in model.parameters().values():
        p.grad[...] = 0.3
    read_only(model.generator, True)
    model.discriminator_backward(model.discriminator_loss(x, z)[1])
    read_only(model.generator, False)
    read_only(model.discriminator, True)
    model.generator_backward(model.generator_loss(z)[1])
    with pytest.raises(ValueError, match="read-only"):
        model.discriminator_backward(model.discriminator_loss(x, z)[1])
    assert not (model.generator[0].weight.grad == 0.3).any()


def test_gan_passes_real_and_generated_examples_as_separate_batches(rng):
    """With batch norm in D, its logits of real examples do not depend on the generated ones."""
    kind = {"rng": rng, "dtype": np.float64}
    norm = BatchNorm(4, dtype=np.float64)
    loss_of_d = Sequential(Linear(7, 4, **kind), norm, LeakyReLU(0.2), Linear(4, 1, **kind))
    model = GAN(dense((3, 5, 7), **kind), loss_of_d, code=3)
    x = rng.uniform(size=(6, 7))
    caches = [model.discriminator_loss(x, scale * rng.standard_normal((6, 3)))[1] for scale in (1, 9)]
    assert caches[0].d_real == caches[1].d_real and caches[0].d_fake != caches[1].d_fake
    np.testing.assert_array_equal(caches[0].dreal, caches[1].dreal)


class Mode(Tanh):
    """Records for each pass whether it was made in training mode."""

    def __init__(self):
        self.training = []

    def forward(self, x, training=False):
        self.training.append(training)
        return super().forward(x, training)


def test_gan_trains_in_training_mode_and_samples_in_evaluation_mode(rng):
    """Training mode in all passes of both steps: dropout drops, and batch norm uses batch statistics."""
    kind = {"rng": rng, "dtype": np.float64}
    model = GAN(Sequential(Linear(3, 7, **kind), Mode()), Sequential(Mode(), Linear(7, 1, **kind)), code=3)
    G, D = model.generator[1], model.discriminator[0]
    x, z = rng.uniform(size=(5, 7)), rng.standard_normal((5, 3))
    model.discriminator_loss(x, z)
    model.generator_loss(z)
    assert G.training == [True] * 2 and D.training == [True] * 3
    model.predict_real(model.sample(2, rng=rng))
    assert not G.training[-1] and not D.training[-1]


@pytest.mark.parametrize("build", [GAN.dense, DCGAN])
def test_gan_samples_and_predict_real(build, rng):
    model = build(4, rng=rng)
    X = model.sample(6, rng=rng)
    assert X.shape == (6, 784) and X.dtype == np.float32 and X.min() > 0 and X.max() < 1
    np.testing.assert_allclose(model.predict_real(X), sigmoid(logits_of(model, X))[:, 0], rtol=1e-5)
    z = rng.standard_normal((3, 4)).astype(np.float32)
    np.testing.assert_array_equal(model.inverse_transform(z), model.generator.forward(z)[0])
    for a, b in zip(*(model.sample(3, rng=np.random.default_rng(1)) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(a, b)
    layers = (*model.generator, *model.discriminator)
    assert sum(isinstance(layer, BatchNorm) for layer in layers) == (3 if build == DCGAN else 2)
    slopes = [layer.negative_slope for layer in model.discriminator if isinstance(layer, LeakyReLU)]
    assert slopes == [0.2, 0.2] and not any(isinstance(layer, ReLU) for layer in model.discriminator)


def test_gan_whose_pixels_have_small_initial_weights_starts_with_small_gradients_and_similar_samples(rng):
    """Only the weights next to pixels are small. Samples are nearly equal at first, and D is nearly flat."""
    usual = GAN.dense(5, (60, 60), rng=np.random.default_rng(3))
    faintly = GAN.dense(5, (60, 60), pixel_init=small_pixel_init, rng=np.random.default_rng(3))
    for net, touching in (("generator", "6.weight"), ("discriminator", "0.weight")):
        ours, theirs = (getattr(model, net).parameters() for model in (faintly, usual))
        for name, p in ours.items():
            size, usually = np.abs(p.value).mean(), np.abs(theirs[name].value).mean()
            if name == touching:
                assert p.value.std() == pytest.approx(0.004, rel=0.02)
            else:
                assert size == pytest.approx(usually, rel=0.2)
    z, x = rng.standard_normal((50, 5)).astype(np.float32), rng.uniform(size=(50, 784)).astype(np.float32)
    apart, slope = [], []
    for model in (faintly, usual):
        apart.append(model.generator.forward(z, training=True)[0].std(axis=0).mean())
        logits, cache = model.discriminator.forward(x)
        slope.append(np.abs(model.discriminator.backward(np.ones_like(logits), cache)).mean())
    assert apart[0] < apart[1] / 5 and slope[0] < slope[1] / 5


def test_gan_noise_has_its_distribution(rng):
    """Moments of 30,000 numbers, within five standard errors; uniform noise is within its bounds."""
    n = 10_000
    for noise, variance, fourth in (("normal", 1, 3), ("uniform", 1 / 3, 1 / 5)):
        z = small(rng, noise=noise).prior_sample(n, rng=rng)
        assert z.shape == (n, 3) and z.dtype == np.float64
        assert abs(z.mean()) < 5 * math.sqrt(variance / z.size)
        assert abs((z**2).mean() - variance) < 5 * math.sqrt((fourth - variance**2) / z.size)
        assert (np.abs(z).max() < 1) == (noise == "uniform")
    assert GAN.dense(3, (4, 4), 5, rng=rng).prior_sample(2, rng=rng).dtype == np.float32


def test_gan_has_no_likelihood_and_says_why(rng):
    model = small(rng)
    assert model.likelihood is None
    with pytest.raises(NoLikelihood, match="GAN has no likelihood: its generator gives samples"):
        model.score_samples(np.zeros((2, 7)))


def fit(X=None, width=7, **settings):
    """Fit a GAN of `width` features to data (20, 7), with batches of k·2 examples."""
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(20, 7)).astype(np.float32) if X is None else X
    return GAN.dense(3, (5, 5), width, rng=rng, **settings).fit(X, epochs=1, batch_size=2, rng=rng)


def misfit(generator, discriminator, code=3):
    rng = np.random.default_rng(0)
    nets = [Sequential(Linear(*shape, rng=rng), Sigmoid()) for shape in (generator, discriminator)]
    GAN(*nets, code=code).fit(np.zeros((20, 7), np.float32), epochs=1, batch_size=2, rng=rng)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit(k=0), "GAN expected k of at least 1, got 0"),
        (lambda: fit(k=-1), "GAN expected k of at least 1, got -1"),
        (lambda: fit(ahead=-2), "GAN expected ahead of at least 0, got -2"),
        (lambda: GAN(Tanh(), Tanh(), code=0), "GAN expected code of at least 1, got 0"),
        (lambda: fit(noise="pink"), "GAN expected noise to be one of normal, uniform, got 'pink'"),
        (
            lambda: fit(objective="fair"),
            "GAN expected objective to be one of non-saturating, minimax, least-squares, hinge, "
            "relativistic, got 'fair'",
        ),
        (lambda: fit(width=6), "GAN.fit expected a generator with 7 outputs, got (6,)"),
        (
            lambda: misfit((4, 7), (7, 1)),
            "GAN.fit: the generator does not take noise (N, 3): Linear expected input of shape (N, 4)",
        ),
        (
            lambda: misfit((3, 7), (6, 1)),
            "GAN.fit: the discriminator does not take data (N, 7): Linear expected input of shape (N, 6)",
        ),
        (lambda: misfit((3, 7), (7, 2)), "GAN.fit expected a discriminator with one output, got (2,)"),
        (
            lambda: fit(np.full((20, 7), -0.5, np.float32)),
            "real data within the generator's output range [0.0, 1.0], got -0.5 to -0.5: the range alone",
        ),
        (
            lambda: fit(np.full((20, 7), 1.25, np.float32), output_range=(-1, 1)),
            "GAN.fit expected real data within the generator's output range [-1, 1], got 1.25 to 1.25: the "
            "range alone would tell D which examples are real; scale the data to this range, or build the "
            "model with output_range=None",
        ),
        (lambda: fit(np.full((20, 7), np.nan, np.float32)), "GAN.fit expected finite numbers, got NaN"),
        (lambda: fit(np.zeros((0, 7), np.float32)), "GAN.fit expected at least 1 example, got 0"),
        (lambda: fit(k=11), "GAN.fit expected at least k·batch_size = 11·2 examples, got 20"),
        (
            lambda: fit(output_range=(1.0, 0.0)),
            "GAN.dense expected output_range to be (low, high) with low < high, or None, got (1.0, 0.0)",
        ),
        (lambda: fit().sample(0, rng=np.random.default_rng(0)), "GAN.sample expected n of at least 1, got 0"),
        (lambda: fit().inverse_transform(np.zeros((2, 4), np.float32)), "shape (N, 3), got (2, 4)"),
    ],
)
def test_gan_bad_input_is_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


def test_gan_data_of_another_dtype_is_named_before_the_first_step(rng):
    X = rng.uniform(size=(20, 7))
    model = GAN.dense(3, (5, 5), 7, rng=rng)
    with pytest.warns(CastData, match="GAN.fit casts data of float64 to float32"):
        assert model.trainer(X, epochs=1, batch_size=2, rng=rng).batches.X.dtype == np.float32
    model.discriminator = GAN.dense(3, (5, 5), 7, rng=rng, dtype=np.float64).discriminator
    with pytest.raises(TypeError, match=r"GAN.fit: the discriminator does not take data .*: Linear.*float64"):
        model.trainer(X.astype(np.float32), epochs=1, batch_size=2, rng=rng)


@pytest.mark.parametrize("misfit", ["generator", "discriminator"])
def test_gan_inner_widths_that_do_not_fit_are_named_before_the_first_step(rng, misfit):
    nets = {"generator": dense((3, 5, 7), rng=rng), "discriminator": dense((7, 6, 1), rng=rng)}
    nets[misfit] = Sequential(nets[misfit][0], Tanh(), Linear(9, nets[misfit][2].out_features, rng=rng))
    model = GAN(**nets, code=3, output_range=None)
    with pytest.raises(ValueError, match=rf"GAN.fit: the {misfit} does not take .*expected .* \(N, 9\)"):
        model.trainer(np.zeros((20, 7), np.float32), epochs=1, batch_size=2, rng=rng)


@pytest.mark.parametrize("hidden", [0, 6])
def test_dcgan_combines_distant_marks_only_with_a_hidden_layer(rng, hidden):
    """Two marks are more than 10 pixels apart. Without a hidden layer, their effects on the logit add up."""
    model = DCGAN(4, (3, 5), hidden=hidden, rng=rng, dtype=np.float64)
    X = np.zeros((4, 28, 28))
    X[[1, 3], 3:7, 5:9] = 1
    X[[2, 3], 18:22, 20:24] = 1
    none, one, other, both = logits_of(model, X.reshape(4, 784))[:, 0]
    assert min(abs(one - none), abs(other - none)) > 1e-3
    assert (abs(both - one - other + none) < 1e-12) == (hidden == 0)


def test_dcgan_hidden_layer_leaves_no_unit_that_ignores_the_code(rng):
    """After the dense layers, each of the 7×7×C2 numbers has variance 1 over the codes."""
    generator = DCGAN(4, (3, 5), hidden=6, rng=rng, dtype=np.float64).generator
    z = rng.normal(size=(50, 4))
    for layer in generator.layers[:6]:
        z, _ = layer.forward(z, training=True)
    assert z.shape == (50, 7, 7, 5)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-2)


def test_dcgan_has_no_dense_form(rng):
    with pytest.raises(TypeError, match=r"DCGAN is made of convolutions; use GAN\.dense"):
        DCGAN.dense(4, rng=rng)


def test_gan_bad_data_is_named_before_the_first_step(rng):
    """Nothing has been changed when the error is raised."""
    model = GAN.dense(3, (5, 5), 7, rng=rng)
    before = {name: p.value.copy() for name, p in model.parameters().items()}
    for X in (np.full((20, 7), 2, np.float32), np.zeros((20, 6), np.float32)):
        with pytest.raises(ValueError, match="GAN.fit expected"):
            model.fit(X, epochs=1, batch_size=2, rng=rng)
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.value, before[name])
        assert not p.grad.any()


def test_gan_dense_ends_as_its_output_range_says(rng):
    """The output is linear for None, a sigmoid for (0, 1), and a scaled sigmoid for another range."""
    z = 100 * rng.standard_normal((50, 3)).astype(np.float32)
    ends = {}
    for bounds in (None, (0.0, 1.0), (-1.0, 3.0)):
        model = GAN.dense(3, (6, 6), 5, output_range=bounds, pixel_init=normal, rng=0)
        model.generator[6].weight.value[...] *= 10
        ends[bounds] = model.inverse_transform(z).astype(np.float64)
        assert model.output_range == bounds
    assert np.abs(ends[None]).max() > 3
    np.testing.assert_allclose(ends[(0.0, 1.0)], sigmoid(ends[None]), atol=1e-6)
    np.testing.assert_allclose(ends[(-1.0, 3.0)], -1 + 4 * sigmoid(ends[None]), atol=1e-5)


def test_gan_hidden_takes_a_sequence_or_the_width_of_one_layer():
    for build in (GAN.dense, WGAN.dense):
        one, sequence = build(3, 6, 5, rng=0), build(3, (6,), 5, rng=0)
        np.testing.assert_array_equal(one.sample(4, rng=1), sequence.sample(4, rng=1))
        assert sum(p.size for p in one.discriminator.parameters().values()) == 5 * 6 + 6 + 6 + 1
    assert GAN.dense(3, (6, 5, 4), 5, rng=0).generator[6].out_features == 4
    deep = DCGAN(4, (2, 3), hidden=(6, 5), rng=0)
    assert deep.hidden == (6, 5) and DCGAN(4, (2, 3), hidden=0, rng=0).hidden == ()
    assert deep.sample(2, rng=0).shape == (2, 784)


def test_wgan_has_scores_and_no_probabilities(rng):
    model = WGAN.dense(3, (6, 6), 7, rng=rng)
    X = rng.uniform(size=(4, 7)).astype(np.float32)
    np.testing.assert_array_equal(model.critic_score(X), model.discriminator.forward(X)[0][:, 0])
    with pytest.raises(TypeError, match="gives no probabilities; use critic_score"):
        model.predict_real(X)
    with pytest.raises(TypeError, match="no single loss; use discriminator_loss and generator_loss"):
        model.loss(X)
