"""What the card of diffusion computes: grey levels, densities, and a score to choose an epoch."""

import math

import numpy as np
import pytest

from scratchgen.data import dequantise
from scratchgen.metrics import bits_per_dim
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.studies.cards import diffusion as card


@pytest.fixture
def levels(rng):
    return (rng.integers(0, 256, (5, 12)) / 255).astype(np.float32)


def test_dequantised_pixels_have_the_levels_that_they_were_made_of(levels, rng):
    extremes = np.array([[0, 1 / 256 - 1e-7, 1 - 1e-7, 1]], np.float32)     # of level 0 and of level 255
    np.testing.assert_array_equal(card.grey_levels(dequantise(levels, rng=rng)), levels)
    np.testing.assert_array_equal(card.grey_levels(extremes), [[0, 0, 1, 1]])


def test_bound_of_the_density_has_the_bits_of_the_levels(levels, rng):
    model = Diffusion.dense(12, 8, 1, levels=256, steps=6, rng=rng)
    (bound,) = card.bound_of_density(model, dequantise(levels, rng=rng)).values()
    nats = -model.score_samples(levels)
    np.testing.assert_allclose(bits_per_dim(bound, 12, 256), nats / 12 / math.log(2), rtol=1e-6)


def test_scores_are_those_of_the_models(levels, rng, monkeypatch):
    monkeypatch.setattr(card, "ROUND_TRIP_STEPS", 3)
    flow, chain = (
        kind.dense(12, 8, 1, levels=256, rng=rng, **steps)
        for kind, steps in ((FlowMatching, {}), (Diffusion, {"steps": 6}))
    )
    for p in (*flow.parameters().values(), *chain.parameters().values()):
        p.value[...] += 0.1 * rng.standard_normal(p.shape).astype(np.float32)
    x = dequantise(levels, rng=rng)
    exact = flow.log_likelihood(x, steps=card.SOLVER_STEPS).log_prob
    np.testing.assert_array_equal(card.minus_log_density(flow, x), -exact)
    expected = ((chain.reconstruct(levels, steps=3) - levels) ** 2).sum(axis=1)
    assert expected.min() > 0
    np.testing.assert_allclose(card.round_trip_error(chain, levels), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [Diffusion, FlowMatching])
def test_validation_score_is_minus_the_loss_of_the_levels(levels, rng, monkeypatch, kind):
    """The mean over parts of different sizes is that over all digits; the noise is the same in each call."""
    monkeypatch.setattr(card, "BATCH", 2)
    model = kind.dense(12, 8, 1, levels=256, rng=rng)
    x = dequantise(levels, rng=rng)
    drawn, losses = np.random.default_rng(card.SEED), []
    for start in (0, 2, 4):
        part = levels[start : start + 2]
        losses += [model.loss(*model.prepare((part,), drawn))[0]] * len(part)
    assert card.minus_loss(model, x) == pytest.approx(-np.mean(losses))
    assert card.minus_loss(model, x) == card.minus_loss(model, x)
