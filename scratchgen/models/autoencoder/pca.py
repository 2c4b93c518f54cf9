"""Principal component analysis: the best linear code, and a density."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from scratchgen.checks import as_generator, expect_no_labels
from scratchgen.distributions import LOG_2PI
from scratchgen.metrics.pairwise import unit_of
from scratchgen.models.arguments import count, finite
from scratchgen.models.base import Estimator
from scratchgen.models.examples import as_examples, expect_weights

ROWS = 4096     # examples whose deviations are in memory at the same time, in float64


class PCA(Estimator):
    """Principal component analysis, and its probabilistic form (Tipping & Bishop 1999).

    With x̄ the mean and S = 1/N·Σₙ (xₙ − x̄)(xₙ − x̄)ᵀ the covariance of the data, (D, D):

    (PCA.1)  S·u_k = λ_k·u_k,  λ₁ ≥ λ₂ ≥ … ≥ λ_D            U = (u₁ … u_K), (D, K), UᵀU = I
    (PCA.2)  z    = (x − x̄)·U                               the code, (N, K)
    (PCA.3)  out  = z·Uᵀ + x̄                                the reconstruction, (N, D)
    (PCA.4)  1/N · Σₙ ‖xₙ − outₙ‖² = Σ_{k>K} λ_k            the smallest error of any linear code
    (PCA.5)  x ~ N(x̄, C),  C = U·diag(λ_k − σ²)·Uᵀ + σ²·I,  σ² = Σ_{k>K} λ_k / (D − K)

    (PCA.5) is the maximum-likelihood fit of x = W·z + x̄ + noise, z ~ N(0, I), noise ~ N(0, σ²·I), so
    `score_samples` is exact and `sample` draws from it. Derived in docs/autoencoder.md.

    n_components : K, the number of components; None for all D; or a float between 0 and 1 for the smallest K
        whose components explain this share of the variance
    components_ : (K, D), the rows u_kᵀ;  mean_ : (D,);  explained_variance_ : (K,), λ₁ … λ_K (divided by N;
    scikit-learn divides by N − 1);  noise_variance_ : σ²
    Computations are in float64. All results, including samples, have the dtype of the data.
    """

    likelihood = "exact"

    def __init__(self, n_components: int | float | None = None):
        if isinstance(n_components, float | np.floating):
            finite("PCA", "n_components", n_components, above=0, below=1, hint=", or an int, or None")
        elif n_components is not None:
            n_components = count("PCA", "n_components", n_components)
        self.n_components = n_components

    @property
    def code(self) -> int:
        """K, the width of the latent code."""
        if isinstance(self.n_components, int):
            return self.n_components
        return len(self._fitted().components_)

    def fit(self, X: np.ndarray, y: None = None, *, sample_weight: Any = None) -> Self:
        """Find the components of X (N, D). Raises ValueError for K > D or fewer than two examples.

        sample_weight : (N,), weights w >= 0; an example of weight 2 counts as two equal examples in the means
            x̄ = Σₙ wₙ·xₙ / Σₙ wₙ and S (PCA.1), and one of weight 0 is left out
        """
        expect_no_labels("PCA.fit", y)
        X = as_examples("PCA.fit", X, least=2)
        shares = None                                           # wₙ / Σ w, (N,)
        if sample_weight is not None:
            weights = expect_weights("PCA.fit", sample_weight, len(X))
            X, weights = X[weights > 0], weights[weights > 0]
            if len(X) < 2:
                raise ValueError("PCA.fit expected at least two examples with a weight above 0, got one")
            shares = weights / weights.sum()
        dimensions = X.shape[1]
        if isinstance(self.n_components, int) and self.n_components > dimensions:
            raise ValueError(
                f"PCA.fit expected n_components of at most {dimensions} for this data, "
                f"got {self.n_components}"
            )
        self._dtype = X.dtype
        parts = [slice(start, start + ROWS) for start in range(0, len(X), ROWS)]
        if shares is None:
            self.mean_ = X.mean(axis=0, dtype=np.float64)       # (D,)
        else:
            self.mean_ = sum(shares[part] @ X[part].astype(np.float64) for part in parts)
        ends = np.stack([X.min(axis=0), X.max(axis=0)])
        unit = unit_of(ends - self.mean_)                       # no square over- or underflows in it
        covariance = np.zeros((dimensions, dimensions))         # (D, D)
        for part in parts:
            centred = (X[part] - self.mean_) / unit
            if shares is None:
                covariance += centred.T @ centred / len(X)
            else:
                covariance += (centred * shares[part, None]).T @ centred
        variances, vectors = np.linalg.eigh(covariance)         # (PCA.1)  ascending; vectors in columns
        with np.errstate(over="ignore"):
            variances = unit * variances * unit
        if not np.isfinite(variances).all() or (unit < 1e-100 and not variances[-1] > np.finfo(float).tiny):
            raise ValueError(
                f"PCA.fit expected variances between 1e-308 and 1e308, got deviations of about {unit:.0e}: "
                "change the unit of the data"
            )
        variances, vectors = variances[::-1], vectors[:, ::-1]
        width = self._width(variances)
        self.components_ = vectors[:, :width].T                 # (K, D)
        self.explained_variance_ = variances[:width]
        rest = variances[width:]                                # (PCA.4): their sum is the squared error
        # eigh returns about ±1e-17 for an eigenvalue of zero. It runs in float64 for X of any dtype.
        rounding = variances[0] * dimensions * np.finfo(np.float64).eps
        rest = np.where(rest > rounding, rest, 0)
        self.noise_variance_ = float(rest.mean()) if len(rest) else 0.0
        return self

    def _width(self, variances: np.ndarray) -> int:
        """K, for the variances λ₁ … λ_D."""
        if self.n_components is None:
            return len(variances)
        if isinstance(self.n_components, int):
            return self.n_components
        explained = np.cumsum(variances)                        # (D,)
        return int((explained[:-1] < self.n_components * explained[-1]).sum()) + 1

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The latent codes of X: (N, D) -> (N, K)."""
        return self._encode(X, "transform")

    def _encode(self, X: np.ndarray, method: str) -> np.ndarray:
        X = self._expect(X, method, len(self._fitted().mean_))
        return ((X - self.mean_) @ self.components_.T).astype(X.dtype)  # (PCA.2)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Decode latent codes: (N, K) -> (N, D)."""
        Z = self._expect(Z, "inverse_transform", len(self._fitted().components_))
        return (Z @ self.components_ + self.mean_).astype(Z.dtype)  # (PCA.3)

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        """Encode and decode X, (N, D)."""
        return self.inverse_transform(self._encode(X, "reconstruct"))

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Exact log-density of (PCA.5) in nats, (N,).

        Raises ValueError if σ² is zero (K = D, or data within a plane), since x has no density then.
        """
        X = self._expect(X, "score_samples", len(self._fitted().mean_))
        if not self.noise_variance_ > 0:
            raise ValueError(
                "PCA.score_samples expected some variance outside the components, got none: "
                "a density needs σ² > 0, so use fewer components"
            )
        dimensions, width = len(self.mean_), self.code
        centred = X - self.mean_
        z = centred @ self.components_.T                        # (N, K)
        outside = (centred**2).sum(axis=1) - (z**2).sum(axis=1)
        mahalanobis = (z**2 / self.explained_variance_).sum(axis=1) + outside / self.noise_variance_
        log_det = np.log(self.explained_variance_).sum()
        log_det += (dimensions - width) * math.log(self.noise_variance_)
        return -0.5 * (dimensions * LOG_2PI + log_det + mahalanobis)  # (PCA.5)

    def prior_sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n latent codes of (PCA.2), (n, K), whose prior is N(0, diag(λ_k − σ²))."""
        expect_no_labels("PCA.prior_sample", y)
        self._expect_count(n, "prior_sample")
        rng = as_generator("PCA.prior_sample", rng)
        return (rng.standard_normal((n, self._fitted().code)) * self._spread()).astype(self._dtype)

    def sample(self, n: int, *, rng: np.random.Generator | int) -> np.ndarray:
        """Draw n examples from (PCA.5), (n, D)."""
        self._expect_count(n)
        rng = as_generator("PCA.sample", rng)
        z = rng.standard_normal((n, len(self._fitted().components_))) * self._spread()
        noise = rng.standard_normal((n, len(self.mean_)))
        X = z @ self.components_ + self.mean_ + math.sqrt(self.noise_variance_) * noise
        return X.astype(self._dtype)

    def _spread(self) -> np.ndarray:
        """The standard deviations of the codes' prior, √(λ_k − σ²), (K,)."""
        return np.sqrt(np.maximum(self.explained_variance_ - self.noise_variance_, 0))

    def _fitted(self) -> Self:
        if not hasattr(self, "components_"):
            raise ValueError("PCA is not fitted yet; call fit(X) first")
        return self

    def _expect(self, X: np.ndarray, method: str, features: int) -> np.ndarray:
        return as_examples(self._who(method), X, features=features)
