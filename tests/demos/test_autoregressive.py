"""What the demos of autoregressive models say, on less data: dependencies, completions, averages."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from scratchgen.models import MADE, NICE, VAE

DEMOS = Path(__file__).resolve().parents[2] / "demos"
NUMBER = re.compile(r"-?[\d,]*\.?\d+")


def row(lines: list[str], name: str) -> list[float]:
    """The numbers behind a name that begins a line."""
    (found,) = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return [float(number.replace(",", "")) for number in NUMBER.findall(found)]


@pytest.mark.slow
def test_demo_one_factor_at_a_time_sees_what_comes_before_and_completes(run_demo):
    lines = run_demo(
        "40_one_factor_at_a_time.py", "one_factor_at_a_time.png",
        shown=18_000, stacks_shown=1_000, codes=3_000, steps=20,
    )
    two, one = row(lines, "PixelCNN, two stacks"), row(lines, "one stack of 10 layers")
    assert row(lines, "MADE        ")[1] == two[1] == one[1] == 0
    assert two[0] == 100 and 70 < one[0] < 90
    mean, made, vae = (row(lines, name) for name in ("mean of all digits", "MADE, exact", "VAE, weighted"))
    assert made[0] < 0.9 * mean[0] and vae[0] < mean[0]
    assert made[2] > mean[2] + 15 and vae[2] > mean[2]


def test_demo_density_slope_is_that_of_the_log_density(rng):
    """d log p(x) / dx by hand against central differences."""
    slope = runpy.run_path(str(DEMOS / "40_one_factor_at_a_time.py"))["density_slope"]
    nice = NICE.dense(6, (7,), 2, rng=rng, dtype=np.float64)
    for p in nice.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    x = rng.standard_normal((4, 6))
    found = slope(nice, x)
    for n, d in np.ndindex(x.shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = x.copy()
            moved[n, d] += step
            ends.append(nice.score_samples(moved)[n])
        assert found[n, d] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-7)


def test_demo_weighted_codes_are_the_conditional(rng):
    """p(lower | upper) = p(x) / p(upper), both as averages over the same codes."""
    demo = runpy.run_path(str(DEMOS / "40_one_factor_at_a_time.py"))
    vae, upper = VAE.dense((784, 5, 2), rng=rng, dtype=np.float64), demo["UPPER"]
    x = (rng.random((3, 784)) < 0.5).astype(np.float64)
    _, nats, effective = demo["weighted_codes"](vae, x, 50, np.random.default_rng(3))
    logits = vae.decode(vae.prior_sample(50, rng=np.random.default_rng(3)))
    p = 1 / (1 + np.exp(-logits))
    log_p = np.log(np.where(x[:, None] == 1, p, 1 - p))                     # (3, 50, 784)
    whole, above = (np.logaddexp.reduce(part.sum(axis=2), axis=1) for part in (log_p, log_p[:, :, upper]))
    np.testing.assert_allclose(nats, whole - above, rtol=1e-9)
    assert ((effective >= 1) & (effective <= 50)).all()


@pytest.mark.slow
def test_demo_ordering_and_masks_averages_probabilities_and_not_logits(run_demo):
    lines = run_demo("41_ordering_and_masks.py", "ordering_and_masks.png", shown=24_000)
    assert all(row(lines, f"{name} order [")[-2:] == [36, 0] for name in ("natural", "random"))
    assert row(lines, "each ordering alone")[0] == row(lines, "probabilities averaged")[0] == 1
    assert abs(row(lines, "logits averaged ")[0] - 1) > 0.01
    (single,), (several,) = (
        row(lines, f"8 orderings, {which}") for which in ("one of them", "probabilities averaged")
    )
    assert several < single - 1


def test_demo_average_of_orderings_is_the_models_own(rng):
    demo = runpy.run_path(str(DEMOS / "41_ordering_and_masks.py"))
    model, x = MADE(10, (8,), orderings=3, rng=rng), demo["EVERY"]
    np.testing.assert_allclose(demo["averaged"](demo["alone"](model, x)), model.score_samples(x), rtol=1e-5)
