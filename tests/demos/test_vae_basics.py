"""What the demos of a VAE's first claims say, on less data: samples and KL, posterior, prior, gradient."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

DEMOS = Path(__file__).resolve().parents[2] / "demos"
NUMBER = re.compile(r"-?[\d,]*\.?\d+|inf")


def row(lines: list[str], name: str, place: int = 0) -> list[float]:
    """The numbers behind a name that begins a line; `place` counts the lines that begin so."""
    found = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return [float(number.replace(",", "")) for number in NUMBER.findall(found[place])]


@pytest.mark.slow
def test_demo_transformation_makes_the_data_and_finds_any_kl(run_demo):
    lines = run_demo("10_transformation.py", "transformation.png", updates=600, shown=6_000, points=200)
    assert row(lines, "after training")[0] < 0.05 < 0.2 < row(lines, "before training")[0]

    two, one = row(lines, "true")
    assert 0.2 < two < 0.8 and one == 0
    narrow, wide = row(lines, "kernels of 0.003"), row(lines, "kernels of 10 ")
    assert narrow[0] > 10 * two and wide[0] < 0.01 * two
    assert narrow[1] > 10 * two                     # of one density, where the KL is 0
    assert row(lines, "128 bins") == [np.inf, np.inf]


def test_demo_transformation_kernel_kl_is_exact_for_one_kernel_each():
    """KL(N(a, h²) ‖ N(b, h²)) = (a − b)² / 2h²."""
    kernel_kl = runpy.run_path(str(DEMOS / "10_transformation.py"))["kernel_kl"]
    assert kernel_kl(np.array([0.3]), np.array([-0.2]), 0.1) == pytest.approx(12.5, rel=1e-6)


@pytest.mark.slow
def test_demo_prior_code_ends_at_the_mean_image(run_demo):
    lines = run_demo("11_prior_code.py", "prior_code.png", shown=48_000)
    own, prior, mean = (row(lines, name) for name in ("its own code", "the prior's code", "the mean image"))
    assert own[0] < 0.55 * mean[0]
    assert prior[0] == pytest.approx(mean[0], rel=0.03)
    assert prior[1] < 0.05 * own[1] and prior[2] < 0.05 * own[2]


@pytest.mark.slow
def test_demo_standardised_kl_keeps_codes_near_the_prior(run_demo):
    lines = run_demo("12_standardised.py", "standardised.png", shown=60_000, simulations=40)
    noise, narrowest, widest, kl, error, mmd = 0, 2, 3, 5, 6, 8
    without, vae, collapsed = (row(lines, f"beta = {beta} ") for beta in (0, 1, 50))
    chance = row(lines, "95 of 100 true samples of the prior stay below")
    assert without[noise] < 0.1 * vae[noise] < 0.1 * collapsed[noise] and collapsed[noise] > 0.98
    assert without[kl] > 5 * vae[kl] and vae[kl] > 5 and collapsed[kl] < 0.05
    assert without[error] < vae[error] < 0.6 * collapsed[error]
    assert without[narrowest] > 1.5 and 0.9 < vae[narrowest] < vae[widest] < 1.4
    assert without[mmd] > 2 * vae[mmd] > 2 * chance[1] and collapsed[mmd] < 2 * chance[1]


def test_demo_standardised_statistics_are_those_of_their_definitions():
    demo = runpy.run_path(str(DEMOS / "12_standardised.py"))
    assert demo["kolmogorov_smirnov"](np.zeros((4, 1))) == pytest.approx(0.5)
    assert demo["kolmogorov_smirnov"](np.full((4, 1), 9.0)) == pytest.approx(1)

    rng = np.random.default_rng(3)
    z, y = rng.standard_normal((7, 3)) + 1, rng.standard_normal((40_000, 3))

    def kernel(a, b):
        return np.exp(-((a - b) ** 2).sum(axis=-1) / 6)

    between = kernel(z[:, None], z).mean()
    monte_carlo = between - 2 * kernel(z[:, None], y).mean() + kernel(y[::2], y[1::2]).mean()
    assert demo["discrepancy"](z) == pytest.approx(monte_carlo, abs=0.01)


@pytest.mark.slow
def test_demo_reparameterisation_same_gradient_less_noise(run_demo):
    lines = run_demo("13_reparameterisation.py", "reparameterisation.png", shown=30_000, draws=4096)
    for place, least in ((0, 50), (1, 500)):        # the bowl, the decoder
        path, score, baseline = (
            row(lines, f"{name:17}", place) for name in ("through z", "score function", "score, baseline")
        )
        for off, *_ in (path, score, baseline):
            assert 0.5 < off < 1.6                  # in standard errors: 1 where all three agree
        assert path[3] == 1
        assert score[3] > least and 3 < baseline[3] < 0.5 * score[3]
    bowl, decoder = (row(lines, "of what the score function adds to the variance, ", k)[0] for k in (0, 1))
    assert 70 < bowl < 95 and decoder > 99          # per cent that a constant takes away
    level, spread = row(lines, "f of a digit: ")
    assert level > 10 * spread
