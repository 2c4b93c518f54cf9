"""Log-densities compared with independent formulas and quadrature, and samples with the densities."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from scratchgen.distributions import Bernoulli, Categorical, Logistic, Normal, bernoulli_log_prob, log_sum_exp

SHAPE = (5, 3)


def slope(f, x, h=1e-5):
    """Central differences of an elementwise function f, entry by entry."""
    return (f(x + h) - f(x - h)) / (2 * h)


def off_by(samples, mean, std, kurtosis):
    """The larger error of the mean and the variance of the samples, in standard errors."""
    n = len(samples)
    of_mean = abs(samples.mean() - mean) / (std / math.sqrt(n))
    of_variance = abs(samples.var() / std**2 - 1) / math.sqrt((kurtosis - 1) / n)
    return max(of_mean, of_variance)


def largest_gap(samples, cdf):
    """The Kolmogorov distance of samples and a distribution function, times √n; above 1.95 once in 1,000."""
    n = len(samples)
    below = cdf(np.sort(samples))
    steps = np.arange(n + 1) / n
    return math.sqrt(n) * max((steps[1:] - below).max(), (below - steps[:-1]).max())


def normal_cdf(mu, std):
    return np.vectorize(NormalDist(mu, std).cdf)


def test_bernoulli_log_prob_is_the_logarithm_of_the_probability(rng):
    """(BERN.1) compared with p and 1 − p, including logits where these round to 0 and 1."""
    logits, x = 3 * rng.standard_normal(SHAPE), rng.integers(0, 2, SHAPE).astype(float)
    p = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(Bernoulli.log_prob(x, logits), np.log(np.where(x == 1, p, 1 - p)), rtol=1e-12)
    far = np.array([800.0, -800.0])
    assert Bernoulli.log_prob(np.array([0.0, 1.0]), far).tolist() == [-800, -800]
    assert Bernoulli.log_prob(np.array([1.0, 0.0]), far).tolist() == [0, 0]
    assert Bernoulli.mean(far).tolist() == [1, 0]


def test_bernoulli_gradient_is_the_slope(rng):
    """(BERN.2) against central differences."""
    logits, x = 3 * rng.standard_normal(SHAPE), rng.integers(0, 2, SHAPE).astype(float)
    numeric = slope(lambda a: Bernoulli.log_prob(x, a), logits)
    np.testing.assert_allclose(Bernoulli.log_prob_grad(x, logits), numeric, atol=1e-9)


def test_bernoulli_samples_have_the_given_probability(rng):
    """(BERN.3): the share of ones is within five standard errors of σ(l), for small and large logits."""
    n, logits = 20_000, np.array([-6.0, -1.0, 0.0, 0.7, 4.0], np.float32)
    x = Bernoulli.sample(np.tile(logits, (n, 1)), rng.random((n, 5), np.float32))
    assert x.dtype == np.float32 and set(np.unique(x)) == {0, 1}
    p = 1 / (1 + np.exp(-logits.astype(float)))
    assert (np.abs(x.mean(axis=0) - p) < 5 * np.sqrt(p * (1 - p) / n)).all()


def test_normal_log_prob_is_that_of_the_standard_library(rng):
    """(NORM.1), (NORM.2) against statistics.NormalDist."""
    x, mu, logvar = rng.standard_normal((3, *SHAPE))
    np.testing.assert_allclose(Normal.std(logvar) ** 2, np.exp(logvar), rtol=1e-14)
    std = np.sqrt(np.exp(logvar))
    expected = [math.log(NormalDist(*of).pdf(at)) for at, *of in zip(x.flat, mu.flat, std.flat, strict=True)]
    np.testing.assert_allclose(Normal.log_prob(x, mu, logvar).ravel(), expected, rtol=1e-12)


def test_normal_gradient_is_the_slope(rng):
    """(NORM.3) against central differences, for each of the three arguments."""
    x, mu, logvar = rng.standard_normal((3, *SHAPE))
    dx, dmu, dlogvar = Normal.log_prob_grad(x, mu, logvar)
    np.testing.assert_allclose(dx, slope(lambda a: Normal.log_prob(a, mu, logvar), x), atol=1e-8)
    np.testing.assert_allclose(dmu, slope(lambda a: Normal.log_prob(x, a, logvar), mu), atol=1e-8)
    np.testing.assert_allclose(dlogvar, slope(lambda a: Normal.log_prob(x, mu, a), logvar), atol=1e-8)


@pytest.mark.parametrize(("mu", "logvar"), [(0.4, -1.5), (-2.0, 0.9)])
def test_normal_samples_have_the_given_moments(mu, logvar, rng, monkeypatch):
    """(NORM.4): moments and distribution function. A sampler that uses exp(logvar) for std fails both."""
    eps, std = rng.standard_normal(20_000), math.sqrt(math.exp(logvar))
    z = Normal.sample(mu, logvar, eps)
    assert off_by(z, mu, std, kurtosis=3) < 5
    assert largest_gap(z, normal_cdf(mu, std)) < 1.95
    monkeypatch.setattr(Normal, "std", np.exp)
    wrong = Normal.sample(mu, logvar, eps)
    assert off_by(wrong, mu, std, kurtosis=3) > 20
    assert largest_gap(wrong, normal_cdf(mu, std)) > 5


def test_normal_kl_equals_a_monte_carlo_estimate(rng):
    """(NORM.5) against the mean of log q − log p over samples of q, within five standard errors."""
    n, (mu, logvar, prior_mean) = 50_000, rng.standard_normal((3, *SHAPE))
    std = np.sqrt(np.exp(logvar))
    z = mu + std * rng.standard_normal((n, *SHAPE))
    log_ratio = -np.log(std) - (z - mu) ** 2 / (2 * std**2) + (z - prior_mean) ** 2 / 2
    error = np.abs(log_ratio.mean(axis=0) - Normal.kl(mu, logvar, prior_mean))
    assert (error < 5 * log_ratio.std(axis=0) / math.sqrt(n)).all()


def test_normal_kl_equals_a_quadrature():
    """(NORM.5) to eleven digits. It is zero only if the two distributions are equal."""
    mu, logvar, prior_mean = 0.7, -0.8, -0.4
    std = math.sqrt(math.exp(logvar))
    z = np.linspace(mu - 12 * std, mu + 12 * std, 4001)
    q = np.exp(-0.5 * ((z - mu) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    log_ratio = -math.log(std) - ((z - mu) / std) ** 2 / 2 + (z - prior_mean) ** 2 / 2
    integral = (q * log_ratio).sum() * (z[1] - z[0])
    assert Normal.kl(mu, logvar, prior_mean) == pytest.approx(integral, rel=1e-11)
    assert Normal.kl(1.3, 0.0, 1.3) == 0
    assert min(Normal.kl(1.3, 0.0), Normal.kl(0.0, 0.1), Normal.kl(0.0, -0.1)) > 0


def test_normal_kl_gradient_is_the_slope(rng):
    """(NORM.6) compared with central differences. The gradient of the prior mean is −dmu."""
    mu, logvar, prior_mean = rng.standard_normal((3, *SHAPE))
    dmu, dlogvar = Normal.kl_grad(mu, logvar, prior_mean)
    np.testing.assert_allclose(dmu, slope(lambda a: Normal.kl(a, logvar, prior_mean), mu), atol=1e-9)
    np.testing.assert_allclose(dlogvar, slope(lambda a: Normal.kl(mu, a, prior_mean), logvar), atol=1e-9)
    np.testing.assert_allclose(-dmu, slope(lambda a: Normal.kl(mu, logvar, a), prior_mean), atol=1e-9)


def logistic_cdf(x, mu, log_scale):
    return 1 / (1 + np.exp(-(x - mu) / np.exp(log_scale)))


def test_logistic_log_prob_is_the_slope_of_its_distribution_function(rng):
    """(LOGI.1) equals F·(1 − F) / s, integrates to 1, and is finite where e^−t would overflow."""
    x, mu, log_scale = rng.standard_normal((3, *SHAPE))
    log_scale *= 0.5
    below = logistic_cdf(x, mu, log_scale)
    expected = np.log(below * (1 - below)) - log_scale
    np.testing.assert_allclose(Logistic.log_prob(x, mu, log_scale), expected, rtol=1e-11)
    numeric = slope(lambda a: logistic_cdf(a, mu, log_scale), x)
    np.testing.assert_allclose(np.exp(Logistic.log_prob(x, mu, log_scale)), numeric, atol=1e-8)
    grid = np.linspace(-60, 60, 24_001)
    mass = np.exp(Logistic.log_prob(grid, 0.3, 0.2)) * (grid[1] - grid[0])
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    assert Logistic.log_prob(np.array([-900.0, 900.0]), 0.0, 0.0).tolist() == [-900, -900]


def test_logistic_gradient_is_the_slope(rng):
    """(LOGI.2) against central differences, for each of the three arguments, and finite for large |t|."""
    x, mu, log_scale = rng.standard_normal((3, *SHAPE))
    dx, dmu, dlog_scale = Logistic.log_prob_grad(x, mu, log_scale)
    np.testing.assert_allclose(dx, slope(lambda a: Logistic.log_prob(a, mu, log_scale), x), atol=1e-8)
    np.testing.assert_allclose(dmu, slope(lambda a: Logistic.log_prob(x, a, log_scale), mu), atol=1e-8)
    np.testing.assert_allclose(dlog_scale, slope(lambda a: Logistic.log_prob(x, mu, a), log_scale), atol=1e-8)
    far = Logistic.log_prob_grad(np.array([-900.0, 900.0]), np.zeros(2), np.zeros(2))
    assert [g.tolist() for g in far] == [[1, -1], [-1, 1], [899, 899]]


def test_logistic_samples_follow_their_distribution_function(rng):
    """(LOGI.3) F(sample(u)) is u; mean mu and variance s²·π²/3, with a kurtosis of 4.2."""
    n, mu, log_scale = 20_000, -0.6, 0.4
    uniform = rng.uniform(1e-9, 1, n)
    x = Logistic.sample(mu, log_scale, uniform)
    np.testing.assert_allclose(logistic_cdf(x, mu, log_scale), uniform, rtol=1e-9)
    std = math.exp(log_scale) * math.pi / math.sqrt(3)
    assert off_by(x, mu, std, kurtosis=4.2) < 5
    assert off_by(x, mu, 1.1 * std, kurtosis=4.2) > 10
    assert largest_gap(x, lambda a: logistic_cdf(a, mu, log_scale)) < 1.95
    assert largest_gap(x, lambda a: logistic_cdf(a, mu, log_scale + 0.1)) > 1.95


def test_bernoulli_log_prob_is_summed_over_features(rng, backend):
    """(BERN.1), for every row and each of its sets of logits."""
    x, logits = (rng.random((4, 6)) < 0.5).astype(float), 3 * rng.standard_normal((4, 2, 6))
    found = bernoulli_log_prob(x, logits)
    for b, k in np.ndindex(4, 2):
        assert found[b, k] == pytest.approx(Bernoulli.log_prob(x[b], logits[b, k]).sum(), rel=1e-12)


def test_bernoulli_log_prob_is_exact_for_nearly_certain_features(backend):
    """A feature with logit 20 has −log p = log(1 + e⁻²⁰) = 2.06e-9, which float32 must not lose."""
    x, logits = np.ones((1, 784), np.float32), np.full((1, 1, 784), 20, np.float32)
    assert bernoulli_log_prob(x, logits)[0, 0] == pytest.approx(-784 * math.log1p(math.exp(-20)), rel=1e-5)


def test_categorical_log_prob_and_probabilities_equal_explicit_sums(rng):
    """(CAT.1), (CAT.2)"""
    logits, x = 2 * rng.standard_normal((4, 2, 5)), rng.integers(0, 5, (4, 2))
    p, log_p = Categorical.probabilities(logits), Categorical.log_probabilities(logits)
    for i in np.ndindex(4, 2):
        norm = sum(math.exp(v) for v in logits[i])
        np.testing.assert_allclose(p[i], [math.exp(v) / norm for v in logits[i]], rtol=1e-13)
        np.testing.assert_allclose(log_p[i], [v - math.log(norm) for v in logits[i]], rtol=1e-12)
    expected = np.array([[log_p[i, j, x[i, j]] for j in range(2)] for i in range(4)])
    np.testing.assert_array_equal(Categorical.log_prob(x, logits), expected)
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0.0, 1e8, -1e30, 1e30])
def test_categorical_of_large_equal_logits_is_uniform(size, dtype):
    logits = np.full((2, 3), size, dtype)
    np.testing.assert_allclose(Categorical.log_probabilities(logits), -math.log(3), rtol=1e-6)
    np.testing.assert_allclose(Categorical.probabilities(logits), 1 / 3, rtol=1e-6)


def test_categorical_gradients_equal_differences(rng):
    """(CAT.3), (CAT.4): one logit at a time."""
    logits, x, da = rng.standard_normal((3, 4)), np.array([0, 3, 1]), rng.standard_normal((3, 4))
    of_one, of_all = np.empty((3, 4)), np.empty((3, 4))
    for k in range(4):
        step = np.where(np.arange(4) == k, 1e-5, 0)
        high, low = (Categorical.log_prob(x, logits + s) for s in (step, -step))
        of_one[:, k] = (high - low) / 2e-5
        high, low = (Categorical.log_probabilities(logits + s) for s in (step, -step))
        of_all[:, k] = ((high - low) * da).sum(axis=1) / 2e-5
    np.testing.assert_allclose(Categorical.log_prob_grad(x, logits), of_one, atol=1e-9)
    np.testing.assert_allclose(Categorical.log_probabilities_backward(da, logits), of_all, atol=1e-9)


def test_categorical_samples_have_the_probabilities_of_the_categories(rng):
    """(CAT.5): shares are within five standard errors, and u falls into the interval of the category."""
    logits = np.array([0.0, 1.5, -1.0, 0.3])
    p = Categorical.probabilities(logits)
    n = 40_000
    x = Categorical.sample(np.broadcast_to(logits, (n, 4)), rng.random(n))
    shares = np.bincount(x, minlength=4) / n
    assert (np.abs(shares - p) < 5 * np.sqrt(p * (1 - p) / n)).all()
    edges = np.concatenate([[0], p.cumsum()])
    middle = (edges[:-1] + edges[1:]) / 2
    np.testing.assert_array_equal(Categorical.sample(np.broadcast_to(logits, (4, 4)), middle), np.arange(4))
    assert Categorical.sample(logits, np.array(np.nextafter(1, 0))) == 3


def test_log_sum_exp_of_large_values_and_of_minus_infinity():
    a = np.array([[1e4, 1e4], [-np.inf, -np.inf], [-np.inf, 2.0], [-1e4, -1e4]])
    expected = [1e4 + math.log(2), -np.inf, 2, -1e4 + math.log(2)]
    np.testing.assert_allclose(log_sum_exp(a), expected, rtol=1e-14)


EVERY = {
    "Bernoulli.mean": lambda x, a, b: Bernoulli.mean(a),
    "Bernoulli.log_prob": lambda x, a, b: Bernoulli.log_prob(x, a),
    "Bernoulli.log_prob_grad": lambda x, a, b: Bernoulli.log_prob_grad(x, a),
    "Normal.log_prob": Normal.log_prob,
    "Normal.log_prob_grad": lambda x, a, b: sum(Normal.log_prob_grad(x, a, b)),
    "Normal.sample": lambda x, a, b: Normal.sample(a, b, x),
    "Normal.kl": lambda x, a, b: Normal.kl(a, b),
    "Normal.kl_grad": lambda x, a, b: sum(Normal.kl_grad(a, b, x)),
    "Logistic.log_prob": Logistic.log_prob,
    "Logistic.log_prob_grad": lambda x, a, b: sum(Logistic.log_prob_grad(x, a, b)),
    "Logistic.sample": lambda x, a, b: Logistic.sample(a, b, x),
}


@pytest.mark.parametrize("name", EVERY)
def test_distributions_keep_float32_and_nan(name, rng):
    x, a, b = rng.uniform(0.1, 0.9, (3, *SHAPE)).astype(np.float32)
    assert EVERY[name](x, a, b).dtype == np.float32
    a[2, 1] = np.nan
    assert np.argwhere(np.isnan(EVERY[name](x, a, b))).tolist() == [[2, 1]]
