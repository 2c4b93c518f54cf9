"""Principal components: the best linear code, and the density that goes with it."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.checks import expect_examples, expect_no_labels
from scratchgen.models.base import Estimator


class PCA(Estimator):
    """Principal component analysis, and its probabilistic form (Tipping & Bishop 1999).

    With x̄ the mean and S = 1/N·Σₙ (xₙ − x̄)(xₙ − x̄)ᵀ the covariance of the data, (D, D):

    (PCA.1)  S·u_k = λ_k·u_k,  λ₁ ≥ λ₂ ≥ … ≥ λ_D            U = (u₁ … u_K), (D, K), UᵀU = I
    (PCA.2)  z    = (x − x̄)·U                               the code, (N, K)
    (PCA.3)  out  = z·Uᵀ + x̄                                the reconstruction, (N, D)
    (PCA.4)  1/N · Σₙ ‖xₙ − outₙ‖² = Σ_{k>K} λ_k            no linear code of width K has less
    (PCA.5)  x ~ N(x̄, C),  C = U·diag(λ_k − σ²)·Uᵀ + σ²·I,  σ² = Σ_{k>K} λ_k / (D − K)

    (PCA.5) is the maximum-likelihood fit of x = W·z + x̄ + noise, z ~ N(0, I), noise ~ N(0, σ²·I), so
    `score_samples` is exact and `sample` draws from it. Derived in docs/autoencoder.md.

    n_components : K
    components_ : (K, D), the rows u_kᵀ;  mean_ : (D,);  explained_variance_ : (K,), λ₁ … λ_K (over N, where
    scikit-learn divides by N − 1);  noise_variance_ : σ²
    Computed in float64, whatever comes in; results have the dtype of the data.
    """

    likelihood = "exact"

    def __init__(self, n_components: int):
        if n_components < 1:
            raise ValueError(f"PCA expected at least one component, got {n_components}")
        self.n_components = n_components

    def fit(self, X, y=None):
        """Find the components of X (N, D). Raises ValueError for K > D or fewer than two examples."""
        expect_no_labels("PCA.fit", y)
        expect_examples("PCA.fit", X, least=2)
        dimensions = X.shape[1]
        if self.n_components > dimensions:
            raise ValueError(f"PCA expected at most {dimensions} components here, got {self.n_components}")
        self.mean_ = X.mean(axis=0, dtype=np.float64)           # (D,)
        centred = X - self.mean_
        covariance = centred.T @ centred / len(X)               # (D, D)
        variances, vectors = np.linalg.eigh(covariance)         # (PCA.1)  ascending; vectors in columns
        variances, vectors = variances[::-1], vectors[:, ::-1]
        self.components_ = vectors[:, : self.n_components].T      # (K, D)
        self.explained_variance_ = variances[: self.n_components]
        rest = variances[self.n_components :]  # (PCA.4): they add up to the error of an example
        rounding = variances[0] * max(X.shape) * np.finfo(X.dtype).eps
        rest = np.where(rest > rounding, rest, 0)               # a zero comes out of eigh as ±1e-17
        self.noise_variance_ = float(rest.mean()) if len(rest) else 0.0
        return self

    def transform(self, X):
        """The codes of X: (N, D) -> (N, K)."""
        self._expect(X, "transform", len(self._fitted().mean_))
        return ((X - self.mean_) @ self.components_.T).astype(X.dtype)  # (PCA.2)

    def inverse_transform(self, Z):
        """The points that codes stand for: (N, K) -> (N, D)."""
        self._expect(Z, "inverse_transform", len(self._fitted().components_))
        return (Z @ self.components_ + self.mean_).astype(Z.dtype)  # (PCA.3)

    def reconstruct(self, X):
        """X through the code and back, (N, D)."""
        return self.inverse_transform(self.transform(X))

    def score_samples(self, X):
        """Exact log-density of (PCA.5) in nats, (N,).

        Raises ValueError where σ² is zero (K = D, or data within a plane): there is no density off the plane.
        """
        self._expect(X, "score_samples", len(self._fitted().mean_))
        if not self.noise_variance_ > 0:
            raise ValueError(
                "PCA.score_samples expected some variance outside the components, got none: "
                "a density needs σ² > 0, so take fewer components"
            )
        dimensions, width = len(self.mean_), self.n_components
        centred = X - self.mean_
        z = centred @ self.components_.T                        # (N, K)
        outside = (centred**2).sum(axis=1) - (z**2).sum(axis=1)
        mahalanobis = (z**2 / self.explained_variance_).sum(axis=1) + outside / self.noise_variance_
        log_det = np.log(self.explained_variance_).sum()
        log_det += (dimensions - width) * math.log(self.noise_variance_)
        return -0.5 * (dimensions * math.log(2 * math.pi) + log_det + mahalanobis)  # (PCA.5)

    def sample(self, n, *, rng):
        """n draws from (PCA.5), (n, D), float64."""
        z = rng.standard_normal((n, len(self._fitted().components_)))
        noise = rng.standard_normal((n, len(self.mean_)))
        spread = np.sqrt(np.maximum(self.explained_variance_ - self.noise_variance_, 0))
        return (z * spread) @ self.components_ + self.mean_ + math.sqrt(self.noise_variance_) * noise

    def _fitted(self):
        if not hasattr(self, "components_"):
            raise ValueError("PCA has not seen any data yet; call fit(X) first")
        return self

    def _expect(self, X, verb, features):
        expect_examples(f"PCA.{verb}", X, features=features)
