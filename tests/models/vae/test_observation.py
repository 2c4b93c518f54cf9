"""Observation models p(x | z), against formulas of the standard library."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.models import BernoulliPixels, NormalPixels


def test_bernoulli_pixels_have_one_likelihood_in_both_forms(rng, backend):
    """(BERN.1), (VAE.6): log_prob of several codes per example, and nll of one, against p and 1 − p."""
    x, out = rng.integers(0, 2, (4, 7)).astype(float), 3 * rng.standard_normal((4, 3, 7))
    p = 1 / (1 + np.exp(-out))
    expected = np.log(np.where(x[:, None] == 1, p, 1 - p)).sum(axis=2)
    np.testing.assert_allclose(BernoulliPixels().log_prob(x, out), expected, rtol=1e-12)
    nll, dout = BernoulliPixels().nll(out[:, 1], x)
    assert nll == pytest.approx(-expected[:, 1].mean(), rel=1e-12)
    np.testing.assert_allclose(dout, (p[:, 1] - x) / 4, rtol=1e-12)
    np.testing.assert_allclose(BernoulliPixels().mean(out), p, rtol=1e-12)


@pytest.mark.parametrize("std", [0.3, 1.0, 2.5])
def test_normal_pixels_have_the_density_of_the_standard_library(std, rng, backend):
    """(VAE.9), against statistics.NormalDist, in both forms."""
    x, out = rng.standard_normal((4, 7)), rng.standard_normal((4, 3, 7))
    expected = np.zeros((4, 3))
    for b, k, d in np.ndindex(out.shape):
        expected[b, k] += math.log(NormalDist(out[b, k, d], std).pdf(x[b, d]))
    pixels = NormalPixels(std)
    np.testing.assert_allclose(pixels.log_prob(x, out), expected, rtol=1e-12)
    assert pixels.nll(out[:, 1], x)[0] == pytest.approx(-expected[:, 1].mean(), rel=1e-12)
    assert pixels.mean(out) is out


def test_normal_pixels_gradient_is_the_slope(rng, backend):
    """(VAE.10) against central differences of (VAE.9)."""
    x, out = rng.standard_normal((4, 7)), rng.standard_normal((4, 7))
    pixels = NormalPixels(0.4)
    _, dout = pixels.nll(out, x)
    for i in np.ndindex(out.shape):
        step = np.zeros_like(out)
        step[i] = 1e-5
        slope = (pixels.nll(out + step, x)[0] - pixels.nll(out - step, x)[0]) / 2e-5
        assert dout[i] == pytest.approx(slope, abs=1e-8)


def test_pixels_are_sampled_from_the_decoders_distribution(rng):
    """(BERN.3): means, and deviations of Normal pixels, within five standard errors."""
    n, out = 20_000, np.array([-2.0, 0.3, 1.5])
    sampled = BernoulliPixels().sample(np.tile(out, (n, 1)), rng)
    p = 1 / (1 + np.exp(-out))
    assert (np.abs(sampled.mean(axis=0) - p) < 5 * np.sqrt(p * (1 - p) / n)).all()
    sampled = NormalPixels(0.4).sample(np.tile(out, (n, 1)), rng)
    assert (np.abs(sampled.mean(axis=0) - out) < 5 * 0.4 / math.sqrt(n)).all()
    assert (np.abs(sampled.var(axis=0) / 0.4**2 - 1) < 5 * math.sqrt(2 / n)).all()


@pytest.mark.parametrize("pixels", [BernoulliPixels(), NormalPixels(0.4)])
def test_pixels_keep_float32(pixels, rng, backend):
    x, out = rng.integers(0, 2, (4, 7)).astype(np.float32), rng.standard_normal((4, 3, 7)).astype(np.float32)
    found = pixels.nll(out[:, 1], x)[1], pixels.log_prob(x, out), pixels.mean(out), pixels.sample(out, rng)
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 2e-6), (np.float64, 1e-13)])
def test_bernoulli_log_prob_is_the_same_in_both_sets_of_kernels(dtype, rtol, rng):
    """This includes large logits, for which e^l would overflow, and a nan, which affects only its example."""
    x, out = rng.integers(0, 2, (3, 9)).astype(dtype), (5 * rng.standard_normal((3, 4, 9))).astype(dtype)
    out[1, 2, :3] = 700, -700, 95
    out[2, 0, 4] = np.nan
    found = []
    for name in kernels.BACKENDS:
        with kernels.use(name):
            found.append(BernoulliPixels().log_prob(x, out))
    assert np.argwhere(np.isnan(found[0])).tolist() == [[2, 0]]
    np.testing.assert_allclose(found[0], found[1], rtol=rtol)


def test_pixels_refuse_invalid_values(rng):
    grey = np.full((3, 4), 0.5)
    BernoulliPixels().expect("VAE.elbo", np.round(rng.uniform(size=(3, 4))))
    NormalPixels().expect("VAE.elbo", 7 * grey)
    with pytest.raises(ValueError, match="VAE.elbo expected pixels that are exactly 0 or 1.*NormalPixels"):
        BernoulliPixels().expect("VAE.elbo", grey)
    message = r"VAE.elbo expected values within \[0, 1\], got 3.5 to 3.5; .* observation=NormalPixels\(\)"
    with pytest.raises(ValueError, match=message):
        BernoulliPixels().expect("VAE.elbo", 7 * grey)
    with pytest.raises(ValueError, match="VAE.elbo expected finite numbers"):
        NormalPixels().expect("VAE.elbo", grey * np.inf)
    for std in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"NormalPixels expected a finite std > 0, got {std}"):
            NormalPixels(std)
