"""What the chapter's section "Where learners get stuck" says about losses, step indices, ranges and bits."""

import math

import numpy as np
import pytest

from scratchgen.data import dequantise, load_digits, two_moons
from scratchgen.metrics import bits_per_dim
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.models.diffusion.schedule import NoiseSchedule
from scratchgen.studies.experiments.paths import energy_distance


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
def test_first_loss_of_a_diffusion_is_the_mean_square_of_its_target(target, rng):
    """The network starts at 0. Standardised data, noise, and their mixture v have mean square 1."""
    model = Diffusion.dense(2, 8, 1, predicts=target, rng=0)
    X = model.before_training(two_moons().sample(20_000, rng=rng).astype(np.float32), rng)
    assert abs(model.loss(*model.prepare((X,), rng))[0] - 1) < 0.03


def test_first_loss_of_flow_matching_is_1_more_than_the_mean_square_of_the_data(rng):
    model = FlowMatching.dense(2, 8, 1, rng=0)
    X = model.before_training(two_moons().sample(20_000, rng=rng).astype(np.float32), rng)
    assert abs(model.loss(*model.prepare((X,), rng))[0] - 2) < 0.05
    pixels = FlowMatching.dense(4, 8, 1, levels=256, rng=0)
    dark = np.zeros((20_000, 4), np.float32)                                # −1 on the scale of the network
    assert abs(pixels.loss(*pixels.prepare((dark,), rng))[0] - 2) < 0.05
    grey = np.full((20_000, 4), 0.5, np.float32)
    assert abs(pixels.loss(*pixels.prepare((grey,), rng))[0] - 1) < 0.05


def test_steps_count_from_1_to_T_and_the_network_sees_them_divided_by_T(rng):
    model = Diffusion.dense(2, 8, 1, steps=5, rng=0)
    _, _, t, _ = model.prepare((np.zeros((1000, 2), np.float32),), rng)
    assert set(t) == {1, 2, 3, 4, 5}
    seen, forward = [], model.net.forward
    model.net.forward = lambda x, t, *rest: seen.append(float(t[0])) or forward(x, t, *rest)
    model.sample(3, rng=0)
    np.testing.assert_allclose(seen, [1, 0.8, 0.6, 0.4, 0.2], rtol=1e-6)


@pytest.mark.parametrize("kind, spread", [("linear", 0.01), ("cosine", 0.0064)])
def test_entry_0_is_the_data_and_step_1_has_the_least_noise(kind, spread):
    """With 0-based arrays of T variances, index 0 is step 1."""
    noise = NoiseSchedule(1000, kind)
    assert len(noise.beta) == 1001 and noise.beta[0] == 0 and noise.s[0] == 0
    assert math.isclose(noise.s[1], math.sqrt(noise.beta[1])) and abs(noise.s[1] - spread) < 1e-4


def test_bits_of_an_untrained_model_are_those_of_its_normal_density():
    """A field of 0 leaves N(0, I) on [−1, 1]. log p(y) has log 2 per pixel for the scale, the bits have 8."""
    rng = np.random.default_rng(0)
    levels = (rng.integers(256, size=(4000, 4)) / 255).astype(np.float32)
    flow = FlowMatching.dense(4, 8, 1, levels=256, rng=0)
    found = bits_per_dim(flow.score_samples(dequantise(levels, rng=rng), steps=2), 4).mean()
    nats = 0.5 * math.log(2 * math.pi) + 1 / 6 - math.log(2)                # E[y²]/2 = 1/6 in [−1, 1]
    assert abs(found - (8 + nats / math.log(2))) < 0.02
    assert abs(found - 8.566) < 0.02


def test_bound_of_a_diffusion_is_of_levels_and_needs_no_offset():
    """No model of uniformly distributed levels needs fewer than 8 bits."""
    rng = np.random.default_rng(0)
    levels = (rng.integers(256, size=(500, 4)) / 255).astype(np.float32)
    bits = Diffusion.dense(4, 8, 1, levels=256, steps=20, rng=0).bound(levels).total / (4 * math.log(2))
    assert bits.mean() > 8


class Unscaled(Diffusion):
    """Works on the data as it is."""

    def before_training(self, X, rng):
        return X


@pytest.mark.slow
def test_data_of_a_tenth_of_the_size_is_learnt_worse_without_scaling():
    rng = np.random.default_rng(0)
    X, test = (two_moons().sample(n, rng=rng) for n in (4000, 1000))
    distance = {}
    for size in (0.1, 1.0):
        model = Unscaled.dense(2, 32, 2, clip=False, rng=0)
        data = (size * X).astype(np.float32)
        model.fit(data, epochs=20, batch_size=256, lr=lambda done: 5e-3 * (1 - done), rng=0)
        distance[size] = energy_distance(model.sample(1000, rng=1, steps=20) / size, test)
    assert distance[0.1] > 2 * distance[1.0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["flow", "eps"])
def test_loss_of_digits_starts_at_its_target_and_falls_within_ten_batches(kind):
    X = load_digits("embedded").x_train[:1280]
    if kind == "flow":
        model, start = FlowMatching.convolutional((16, 32), rng=0), 1 + float(((2 * X - 1) ** 2).mean())
    else:
        model, start = Diffusion.convolutional((16, 32), predicts="eps", rng=0), 1.0
    losses = model.trainer(X, epochs=1, lr=2e-3, rng=0).run().steps["loss"]
    assert abs(losses[0] - start) < 0.05 and len(losses) == 10
    assert losses[-1] < 0.85 * start
