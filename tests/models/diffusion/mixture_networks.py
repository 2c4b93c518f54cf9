"""The best networks for a mixture of Normals, in closed form, with their backward pass."""

import numpy as np

from scratchgen.layers import TimeNetwork
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.models.diffusion.schedule import NoiseSchedule, target_of
from scratchgen.module import Parameter


class Mixture:
    """Σ_k weight_k·N(mean_k, covariance_k), and what a·x + s·noise tells about x and about k."""

    def __init__(self, weights, means, covariances):
        self.weights = np.asarray(weights, np.float64)
        self.means = np.asarray(means, np.float64)                      # (K, D)
        self.covariances = np.asarray(covariances, np.float64)          # (K, D, D)
        self.dim = self.means.shape[1]

    def parts(self, x, a, s):
        """log(weight_k·N(x)) of the noisy mixture, (N, K), and S_k⁻¹·(x − a·mean_k), (N, K, D)."""
        spread = a**2 * self.covariances + s**2 * np.eye(self.dim)
        self.precision = np.linalg.inv(spread)                          # (K, D, D)
        away = x[:, None] - a * self.means
        u = (away[:, :, None] @ self.precision)[:, :, 0]
        log_p = -0.5 * (u * away).sum(axis=2) - 0.5 * np.log(np.linalg.det(2 * np.pi * spread))
        return log_p + np.log(self.weights), u

    def log_density(self, x, a=1.0, s=0.0):
        return np.logaddexp.reduce(self.parts(x, a, s)[0], axis=1)

    def pulls(self, x, a=1.0, s=0.0):
        """p(k | x), (N, K), and S_k⁻¹·(x − a·mean_k), (N, K, D)."""
        log_p, u = self.parts(x, a, s)
        return np.exp(log_p - np.logaddexp.reduce(log_p, axis=1, keepdims=True)), u

    def shares(self, x, a=1.0, s=0.0):
        return self.pulls(x, a, s)[0]

    def score(self, x, a=1.0, s=0.0):
        r, u = self.pulls(x, a, s)
        return -(r[:, :, None] * u).sum(axis=1)

    def log_prob_gradient(self, x, y, a=1.0, s=0.0):
        """∇ log p(y | x) = ∇ log N_y(x) − ∇ log p(x)."""
        r, u = self.pulls(x, a, s)
        return (r[:, :, None] * u).sum(axis=1) - u[np.arange(len(x)), y]

    def hessian(self, x, a, s):
        """The second derivatives of log_density, (N, D, D)."""
        r, u = self.pulls(x, a, s)
        mean = np.einsum("nk,nki->ni", r, u)
        second = np.einsum("nk,nki,nkj->nij", r, u, u) - mean[:, :, None] * mean[:, None]
        return second - np.einsum("nk,kij->nij", r, self.precision)

    def clean_and_noise(self, x, a, s):
        """E[data | x] and E[noise | x], (N, D) each."""
        r, u = self.pulls(x, a, s)
        clean = (r[:, :, None] * (self.means + a * (u[:, :, None] @ self.covariances)[:, :, 0])).sum(axis=1)
        return clean, s * (r[:, :, None] * u).sum(axis=1)

    def sample(self, n, rng):
        y = rng.choice(len(self.weights), size=n, p=self.weights)
        roots = np.linalg.cholesky(self.covariances)
        return self.means[y] + np.einsum("nij,nj->ni", roots[y], rng.standard_normal((n, self.dim))), y


class BestForMixture(TimeNetwork):
    """The conditional mean of eps, x0 or v, or of the velocity of flow matching, for one time."""

    def __init__(self, mixture, kind, factors):
        self.mixture, self.kind, self.factors = mixture, kind, factors
        self.unused = Parameter(np.zeros(1))        # gives the model its dtype

    def forward(self, x, t, y=None, training=False):
        a, s = self.factors(t[0])
        clean, noise = self.mixture.clean_and_noise(x, a, s)
        if self.kind == "flow":
            return clean - noise, (x, a, s)
        return target_of(self.kind, clean, noise, a, s), (x, a, s)

    def backward(self, dout, cache, input_grad=True):
        x, a, s = cache
        hessian = self.mixture.hessian(x, a, s)
        dnoise, dclean = -s * hessian, (np.eye(x.shape[1]) + s**2 * hessian) / a
        flow = self.kind == "flow"
        jacobian = dclean - dnoise if flow else target_of(self.kind, dclean, dnoise, a, s)
        return np.einsum("nij,ni->nj", jacobian, dout)


class NoisyPosterior:
    """The exact p(k | x_t) as a classifier of noisy data."""

    def __init__(self, mixture, factors):
        self.mixture, self.factors = mixture, factors

    def log_prob_gradient(self, x, y, t):
        return self.mixture.log_prob_gradient(x, y, *self.factors(t))


def diffusion(mixture, predicts="x0", steps=100, **settings):
    """A Diffusion with the best network, and the function t -> (a, s)."""
    noise = NoiseSchedule(steps, "cosine")

    def factors(t):
        step = int(np.rint(t * steps))
        return noise.a[step], noise.s[step]

    net = BestForMixture(mixture, predicts, factors)
    return Diffusion(net, mixture.dim, steps=steps, predicts=predicts, clip=False, **settings), factors


def flow(mixture):
    """A FlowMatching with the best network, and the function t -> (a, s)."""

    def factors(t):
        return t, 1 - t

    return FlowMatching(BestForMixture(mixture, "flow", factors), mixture.dim), factors


def two_clusters():
    """A quarter of the points around (−2, 0), the others around (1.5, 1), with correlated coordinates."""
    return Mixture(
        [0.25, 0.75], [[-2, 0], [1.5, 1]], [[[0.25, 0.1], [0.1, 0.3]], [[0.5, -0.2], [-0.2, 0.2]]]
    )
