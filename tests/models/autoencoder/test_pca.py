import numpy as np
import pytest

from scratchgen.models import PCA, CastData


@pytest.fixture
def data(rng):
    mixing = rng.normal(size=(7, 7))
    return rng.normal(size=(60, 7)) @ mixing + rng.normal(size=7)


def covariance(X):
    return np.cov(X.T, bias=True)


def test_pca_components_are_eigenvectors_of_the_covariance(data):
    """(PCA.1): S·u = λ·u, with orthonormal u, in decreasing order of λ."""
    pca = PCA(4).fit(data)
    u = pca.components_.T
    np.testing.assert_allclose(covariance(data) @ u, u * pca.explained_variance_, atol=1e-10)
    np.testing.assert_allclose(u.T @ u, np.eye(4), atol=1e-12)
    assert np.all(np.diff(pca.explained_variance_) < 0)


def test_pca_code_is_uncorrelated_with_the_declared_variances(data):
    """(PCA.2): the code's mean is zero and its covariance diagonal."""
    pca = PCA(4).fit(data)
    z = pca.transform(data)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(covariance(z), np.diag(pca.explained_variance_), atol=1e-10)


def test_pca_reconstruction_is_the_projection(data):
    """(PCA.3): the residual is orthogonal to all components, and a second projection changes nothing."""
    pca = PCA(3).fit(data)
    out = pca.reconstruct(data)
    np.testing.assert_allclose((data - out) @ pca.components_.T, 0, atol=1e-10)
    np.testing.assert_allclose(pca.reconstruct(out), out, atol=1e-10)
    np.testing.assert_allclose(PCA(7).fit(data).reconstruct(data), data, atol=1e-10)


def test_pca_error_is_the_sum_of_the_dropped_eigenvalues(data, rng):
    """(PCA.4): the error is Σ λ beyond K, and that of a random orthonormal basis is not smaller."""
    pca = PCA(3).fit(data)
    error = ((data - pca.reconstruct(data)) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(error, np.linalg.eigvalsh(covariance(data))[:-3].sum(), rtol=1e-10)
    centred = data - data.mean(axis=0)
    for _ in range(20):
        basis, _ = np.linalg.qr(pca.components_.T + 0.3 * rng.normal(size=(7, 3)))
        other = ((centred - centred @ basis @ basis.T) ** 2).sum(axis=1).mean()
        assert other > error


def test_pca_density_is_the_normal_of_its_covariance(data):
    """(PCA.5): log N(x; mean, C), with C computed and inverted explicitly."""
    pca = PCA(3).fit(data)
    u = pca.components_.T
    c = u @ np.diag(pca.explained_variance_ - pca.noise_variance_) @ u.T + pca.noise_variance_ * np.eye(7)
    centred = data - pca.mean_
    quadratic = np.einsum("nd,de,ne->n", centred, np.linalg.inv(c), centred)
    expected = -0.5 * (7 * np.log(2 * np.pi) + np.linalg.slogdet(c)[1] + quadratic)
    np.testing.assert_allclose(pca.score_samples(data), expected, rtol=1e-10)


def test_pca_samples_have_the_fitted_mean_and_covariance(data, rng):
    pca = PCA(3).fit(data)
    sampled = pca.sample(200_000, rng=rng)
    u = pca.components_.T
    c = u @ np.diag(pca.explained_variance_ - pca.noise_variance_) @ u.T + pca.noise_variance_ * np.eye(7)
    spread = np.sqrt(np.diag(c))
    assert np.all(np.abs(sampled.mean(axis=0) - pca.mean_) < 5 * spread / np.sqrt(len(sampled)))
    np.testing.assert_allclose(covariance(sampled), c, atol=0.03 * np.abs(c).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pca_has_no_density_for_data_in_a_plane(rng, dtype):
    """The tiny values that eigh returns for zero eigenvalues are rounding errors, not variance."""
    plane = (rng.normal(size=(50, 2)) @ rng.normal(size=(2, 5)) + 3).astype(dtype)
    pca = PCA(2).fit(plane)
    assert pca.noise_variance_ == 0
    with pytest.raises(ValueError, match="σ² > 0"):
        pca.score_samples(plane)
    assert PCA(1).fit(plane).noise_variance_ > 0


def test_pca_keeps_the_dtype_of_the_data(data):
    pca = PCA(3).fit(data.astype(np.float32))
    z = pca.transform(data.astype(np.float32))
    assert z.dtype == pca.inverse_transform(z).dtype == np.float32


def test_pca_takes_all_components_by_default(data):
    pca = PCA().fit(data)
    assert pca.code == 7 and pca.components_.shape == (7, 7)
    np.testing.assert_allclose(pca.reconstruct(data), data, atol=1e-10)
    np.testing.assert_array_equal(pca.components_, PCA(7).fit(data).components_)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_pca_takes_the_fewest_components_that_explain_a_share_of_the_variance(data, share):
    variances = np.linalg.eigvalsh(covariance(data))[::-1]
    pca = PCA(share).fit(data)
    assert variances[: pca.code].sum() >= share * variances.sum() > variances[: pca.code - 1].sum()
    np.testing.assert_allclose(pca.score_samples(data), PCA(pca.code).fit(data).score_samples(data))
    assert pca.prior_sample(3, rng=0).shape == (3, pca.code)


def test_pca_of_a_point_takes_one_component_for_any_share():
    assert PCA(0.9).fit(np.ones((4, 3))).code == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: PCA(0.9).code, "call fit"),
        (lambda X: PCA(1.5), "finite n_components > 0 and < 1, or an int, or None, got 1.5"),
        (lambda X: PCA(0), "n_components of at least 1, got 0"),
        (lambda X: PCA(8).fit(X), "PCA.fit expected n_components of at most 7 .* got 8"),
        (lambda X: PCA(2).fit(X[:1]), "at least 2 examples, got 1"),
        (lambda X: PCA(2).fit(np.full_like(X, np.nan)), "finite numbers, got NaN"),
        (lambda X: PCA(2).fit(X[0]), r"shape \(N, D\), got \(7,\)"),
        (lambda X: PCA(2).transform(X), "call fit"),
        (lambda X: PCA(2).fit(X).transform(X[:, :5]), r"shape \(N, 7\), got \(60, 5\)"),
        (lambda X: PCA(2).fit(X).inverse_transform(X), r"shape \(N, 2\), got \(60, 7\)"),
        (lambda X: PCA(7).fit(X).score_samples(X), "σ² > 0"),
    ],
)
def test_pca_bad_input_is_named(data, call, message):
    with pytest.raises(ValueError, match=message):
        call(data)


def test_pca_casts_integers_to_float64(data):
    integers = (100 * data).astype(np.int64)
    with pytest.warns(CastData, match="PCA.fit casts data of int64 to float64"):
        pca = PCA(2).fit(integers)
    np.testing.assert_array_equal(pca.components_, PCA(2).fit(integers.astype(float)).components_)


def test_pca_noise_variance_is_the_mean_of_the_discarded_eigenvalues(rng):
    """This holds in float32 and float64, for any number of rows. It is zero only for data in a plane."""
    x = rng.standard_normal((50_000, 10)) * np.sqrt([1, *[0.01] * 9])
    expected = np.linalg.eigvalsh(np.cov(x.T, bias=True))[:-1].mean()
    for dtype in (np.float32, np.float64):
        pca = PCA(1).fit(x.astype(dtype))
        assert pca.noise_variance_ == pytest.approx(expected, rel=1e-5)
        assert pca.sample(3, rng=0).dtype == pca.prior_sample(3, rng=0).dtype == dtype
    flat = np.zeros((50, 4), np.float32)
    flat[:, :2] = rng.standard_normal((50, 2))
    assert PCA(2).fit(flat).noise_variance_ == 0
