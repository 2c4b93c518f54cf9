"""A mixture of Normals with noise added: its density, its score and the best velocity, in closed form.

A noisy point is x = a·x_data + s·noise. In flow matching a = t and s = 1 − t; in diffusion a = √ā_t and
s = √(1 − ā_t). Derived in docs/diffusion.md.
"""

from __future__ import annotations

import numpy as np

from scratchgen.data import GaussianMixture
from scratchgen.distributions import LOG_2PI
from scratchgen.layers import TimeNetwork
from scratchgen.module import Parameter


class NoisyMixture:
    """The mixture Σₖ wₖ·N(mₖ, diag(cₖ²)) on the scale (x − shift) / scale, at any level of noise.

    (MIX.1)  p(x) = Σₖ wₖ·N(x; a·mₖ, diag(vₖ)),  vₖ = a²·cₖ² + s²          x = a·x_data + s·noise
    (MIX.2)  rₖ(x) = wₖ·N(x; a·mₖ, diag(vₖ)) / p(x)                        the share of part k at x
    (MIX.3)  ∇ log p(x) = Σₖ rₖ·(a·mₖ − x)/vₖ
    (MIX.4)  E[x_data | x] = Σₖ rₖ·(mₖ + a·cₖ²/vₖ·(x − a·mₖ)),  E[noise | x] = −s·∇ log p(x)
    (MIX.5)  f(x, t) = E[x_data | x] − E[noise | x],  a = t, s = 1 − t     the best network of (FM.5)

    data : the mixture, with weights (K,), means (K, D) and stds (K,)
    shift, scale : (D,), of a model that was fitted to the data; by default 0 and 1
    """

    def __init__(
        self, data: GaussianMixture, shift: np.ndarray | float = 0.0, scale: np.ndarray | float = 1.0
    ):
        scale = np.asarray(scale, np.float64)
        self.weights = data.weights                                         # (K,)
        self.means = (data.means - shift) / scale                           # (K, D): m
        self.variances = np.ones(data.dim) * (data.stds[:, None] / scale) ** 2      # (K, D): c²

    def log_density(self, x: np.ndarray, a: float, s: float) -> np.ndarray:
        """log p(x) of noisy points x (N, D), in nats, (N,)."""
        return np.logaddexp.reduce(self._parts(x, a, s), axis=1)            # (MIX.1)

    def score(self, x: np.ndarray, a: float, s: float) -> np.ndarray:
        """∇ log p(x) at noisy points x (N, D), (N, D)."""
        pull = (a * self.means - x[:, None]) / self._noisy_variances(a, s)  # (N, K, D)
        return (self._shares(x, a, s)[:, :, None] * pull).sum(axis=1)       # (MIX.3)

    def mean_data(self, x: np.ndarray, a: float, s: float) -> np.ndarray:
        """E[x_data | x], the mean of the data that could have led to x (N, D), (N, D)."""
        slope = a * self.variances / self._noisy_variances(a, s)            # (K, D)
        guess = self.means + slope * (x[:, None] - a * self.means)          # (N, K, D)
        return (self._shares(x, a, s)[:, :, None] * guess).sum(axis=1)      # (MIX.4)

    def velocity(self, x: np.ndarray, t: float) -> np.ndarray:
        """E[x_1 − x_0 | x_t = x] of straight paths from noise x_0 to data x_1, (N, D)."""
        noise = -(1 - t) * self.score(x, t, 1 - t)                          # (MIX.4)
        return self.mean_data(x, t, 1 - t) - noise                          # (MIX.5)

    def _noisy_variances(self, a: float, s: float) -> np.ndarray:
        return a**2 * self.variances + s**2                                 # (K, D): v of (MIX.1)

    def _parts(self, x: np.ndarray, a: float, s: float) -> np.ndarray:
        """log(wₖ·N(x; a·mₖ, diag(vₖ))), (N, K)."""
        v = self._noisy_variances(a, s)
        squared = (x[:, None] - a * self.means) ** 2 / v                    # (N, K, D)
        return np.log(self.weights) - 0.5 * (squared + np.log(v) + LOG_2PI).sum(axis=2)

    def _shares(self, x: np.ndarray, a: float, s: float) -> np.ndarray:
        parts = self._parts(x, a, s)
        return np.exp(parts - np.logaddexp.reduce(parts, axis=1)[:, None])  # (MIX.2)


class ExactVelocity(TimeNetwork):
    """The best velocity of a known mixture as a network without parameters, for FlowMatching."""

    def __init__(self, mixture: NoisyMixture):
        self.mixture = mixture
        self.unused = Parameter(np.zeros(1))        # gives the model its dtype

    def forward(
        self, x: np.ndarray, t: np.ndarray, y: np.ndarray | None = None, training: bool = False
    ) -> tuple[np.ndarray, None]:
        """f(x, t) of (MIX.5), (N, D); the rows of a batch may have different times."""
        out = np.empty_like(x)
        for time in np.unique(t):
            out[t == time] = self.mixture.velocity(x[t == time], float(time))
        return out, None
