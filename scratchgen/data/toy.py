"""Toy densities in one and two dimensions, with samples and a known log-density.

    density = two_moons()
    X = density.sample(1000, rng=rng)                       (1000, 2) float64
    X, y = density.sample(1000, rng=rng, labels=True)       y (1000,) int64: the part each point came from
    density.log_density(X)                                  (1000,) in nats

The mean log-likelihood of a model can be compared with that of the true density. On average, no model can be
better, and the difference is the Kullback-Leibler divergence.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from scratchgen.checks import (
    MISREAD,
    as_generator,
    describe,
    expect_count,
    expect_flags,
    expect_function,
    expect_number,
)
from scratchgen.distributions import LOG_2PI


class Density(ABC):
    """Base class of the toy densities: `dim` coordinates, `classes` parts, `sample` and `log_density`."""

    dim: int
    classes: int

    @overload
    def sample(
        self, n: int, *, rng: np.random.Generator | int, labels: Literal[False] = False
    ) -> np.ndarray: ...
    @overload
    def sample(
        self, n: int, *, rng: np.random.Generator | int, labels: Literal[True]
    ) -> tuple[np.ndarray, np.ndarray]: ...
    def sample(self, n: int, *, rng: np.random.Generator | int, labels: bool = False) -> Any:
        """Sample n points: X (n, dim) float64, and with labels=True also y (n,) int64 in 0..classes-1.

        rng : a Generator or an integer seed. Raises ValueError for n < 1.
        """
        who = f"{type(self).__name__}.sample"
        expect_count(who, "n", n)
        expect_flags(who, labels=labels)
        X, y = self._draw(n, as_generator(who, rng))
        return (X, y) if labels else X

    def log_density(self, X: np.ndarray) -> np.ndarray:
        """log p(x) in nats for each row: X (N, dim) -> (N,) float64, -inf where the density is zero.

        Raises ValueError for another shape and for NaN or infinity.
        """
        who = f"{type(self).__name__}.log_density"
        X = _numbers(who, "X", X)
        if X.ndim != 2 or X.shape[1] != self.dim:
            raise ValueError(f"{who} expected points of shape (N, {self.dim}), got {X.shape}")
        if not np.isfinite(X).all():
            raise ValueError(f"{who} expected finite points, got NaN or infinity")
        return self._log_density(X)

    @abstractmethod
    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]: ...

    @abstractmethod
    def _log_density(self, X: np.ndarray) -> np.ndarray: ...


class GaussianMixture(Density):
    """A mixture of isotropic Gaussians, p(x) = Σₖ wₖ·N(x; mₖ, sₖ²·I).

    weights (K,) positive, with sum 1; means (K, D); stds (K,) positive. Raises ValueError if one of these
    conditions does not hold.
    """

    def __init__(self, weights: ArrayLike, means: ArrayLike, stds: ArrayLike):
        who = type(self).__name__
        self.weights, self.means, self.stds = (
            _numbers(who, name, a) for name, a in (("weights", weights), ("means", means), ("stds", stds))
        )
        k = len(self.means) if self.means.ndim == 2 else -1
        if self.weights.shape != (k,) or self.stds.shape != (k,) or k == 0:
            raise ValueError(
                f"{who} expected weights (K,), means (K, D) and stds (K,), "
                f"got shapes {self.weights.shape}, {self.means.shape} and {self.stds.shape}"
            )
        if not (self.weights > 0).all() or abs(self.weights.sum() - 1) > 1e-9:
            raise ValueError(f"{who} expected positive weights with sum 1, got {self.weights.tolist()}")
        if not ((self.stds > 0) & np.isfinite(self.stds)).all() or not np.isfinite(self.means).all():
            raise ValueError(
                f"{who} expected finite means and positive stds, "
                f"got {self.means.tolist()} and {self.stds.tolist()}"
            )
        self.classes, self.dim = self.means.shape

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.choice(self.classes, size=n, p=self.weights)
        return self.means[y] + self.stds[y, None] * rng.standard_normal((n, self.dim)), y

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        z2 = ((X[:, None, :] - self.means) ** 2).sum(axis=2) / self.stds**2     # (N, K)
        parts = np.log(self.weights) - 0.5 * z2 - self.dim * (0.5 * LOG_2PI + np.log(self.stds))
        return np.logaddexp.reduce(parts, axis=1)


class GaussianMixture1D(GaussianMixture):
    """A mixture of Gaussians in one dimension: weights, means and stds are (K,), points are (N, 1)."""

    def __init__(self, weights: ArrayLike, means: ArrayLike, stds: ArrayLike):
        means = _numbers(type(self).__name__, "means", means)
        if means.ndim != 1:
            raise ValueError(f"{type(self).__name__} expected means (K,), got shape {means.shape}")
        super().__init__(weights, means[:, None], stds)


class Checkerboard(Density):
    """The uniform density on the eight dark squares of a 4x4 board on [-4, 4]²: p = 1/32 there, 0 elsewhere.

    The labels number the dark squares row by row from the bottom left corner.
    """

    dim, classes = 2, 8

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(self.classes, size=n)
        row = y // 2
        column = 2 * (y % 2) + row % 2
        corner = 2.0 * np.stack([column, row], axis=1) - 4
        return corner + 2 * rng.random((n, 2)), y

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        cell = np.floor((X + 4) / 2)
        dark = ((cell >= 0) & (cell < 4)).all(axis=1) & (cell.sum(axis=1) % 2 == 0)
        return np.where(dark, -math.log(32), -np.inf)


class Pinwheel(Density):
    """Five blades: Gaussians that are elongated along the radius and swirled around the origin.

        f ~ N((m, 0), diag(r², t²)),   x = R(2πk/5 + twist·|f|)·f,   k uniform

    R(a) is the rotation by the angle a. The angle of the swirl depends only on the distance |f|, which a
    rotation does not change. So the swirl has an exact inverse and a Jacobian of determinant 1, and the
    density is that of the Gaussian at the point before the swirl. (In other implementations the angle depends
    on f₁ instead, and neither is true.)
    """

    dim, classes = 2, 5
    mean, radial_std, tangential_std, twist = 2.0, 0.5, 0.15, 0.6

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(self.classes, size=n)
        f = rng.standard_normal((n, 2)) * (self.radial_std, self.tangential_std) + (self.mean, 0)
        radius = np.hypot(f[:, 0], f[:, 1])
        return _turn(f, 2 * math.pi * y / self.classes + self.twist * radius), y

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        radius = np.hypot(X[:, 0], X[:, 1])
        parts = []
        for k in range(self.classes):
            f = _turn(X, -2 * math.pi * k / self.classes - self.twist * radius)
            z2 = ((f[:, 0] - self.mean) / self.radial_std) ** 2 + (f[:, 1] / self.tangential_std) ** 2
            parts.append(-0.5 * z2)
        log_scale = LOG_2PI + math.log(self.radial_std * self.tangential_std * self.classes)
        return np.logaddexp.reduce(parts, axis=0) - log_scale


class NoisyCurves(Density):
    """Two curves, each with probability 1/2, plus isotropic Gaussian noise of standard deviation `noise`.

        t = length·u^(1/power), u uniform,   x = curve(t) + noise·eps
        p(x) = Σₖ 1/2·∫ N(x; curveₖ(t), noise²·I)·power·t^(power-1)/length^power dt

    curves : a function of t (n,) that returns the points on both curves, (2, n, 2)

    The integral has no closed form. It is computed by Gauss-Legendre quadrature with 16 nodes on each of 64
    panels, to a relative error below 1e-9 within 10 standard deviations of a curve.
    """

    dim, classes = 2, 2
    panels, nodes = 64, 16

    def __init__(self, curves: Callable[[np.ndarray], np.ndarray], length: float, power: int, noise: float):
        expect_function("NoisyCurves", "curves", curves)
        expect_number("NoisyCurves", "length", length, above=0)
        expect_count("NoisyCurves", "power", power)
        expect_number("NoisyCurves", "noise", noise, least=0)
        self.curves, self.length, self.power, self.noise = curves, length, power, noise

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(self.classes, size=n)
        t = self.length * rng.random(n) ** (1 / self.power)
        return self.curves(t)[y, np.arange(n)] + self.noise * rng.standard_normal((n, 2)), y

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        nodes, weights = np.polynomial.legendre.leggauss(self.nodes)
        t = (self.length * (np.arange(self.panels)[:, None] + (nodes + 1) / 2) / self.panels).ravel()
        dt = np.tile(self.length * weights / 2 / self.panels, self.panels)
        density = self.power * t ** (self.power - 1) / self.length**self.power
        log_weights = np.tile(np.log(0.5 * dt * density), 2) - LOG_2PI - 2 * math.log(self.noise)
        points = self.curves(t).reshape(-1, 2)                              # (2·T, 2)
        return np.concatenate([self._integrate(part, points, log_weights) for part in _chunks(X, 512)])

    def _integrate(self, X: np.ndarray, points: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
        d2 = (X[:, :1] - points[:, 0]) ** 2 + (X[:, 1:] - points[:, 1]) ** 2    # (N, 2·T)
        parts = log_weights - d2 / (2 * self.noise**2)
        top = parts.max(axis=1)
        return top + np.log(np.exp(parts - top[:, None]).sum(axis=1))


def _numbers(who: str, name: str, values: ArrayLike) -> np.ndarray:
    """Return a new float64 array. Raises TypeError for anything but real numbers, and for masked arrays."""
    if isinstance(values, MISREAD):
        raise TypeError(f"{who} expected {name} to be an array, got {describe(values)}")
    try:
        array = np.array(values)
    except ValueError as error:
        raise ValueError(f"{who} expected {name} to be an array of numbers: {error}") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{who} expected {name} to be an array of numbers, got {values!r}")
    return array.astype(np.float64)


def eight_gaussians() -> GaussianMixture:
    """Return eight Gaussians of standard deviation 0.2 on a circle of radius 2, labelled counterclockwise."""
    angles = np.arange(8) * math.pi / 4
    means = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return GaussianMixture(np.full(8, 1 / 8), means, np.full(8, 0.2))


def checkerboard() -> Checkerboard:
    """Return the uniform density on the eight dark squares of a 4x4 board on [-4, 4]²."""
    return Checkerboard()


def pinwheel() -> Pinwheel:
    """Return five swirled blades around the origin, within a radius of about 4."""
    return Pinwheel()


def two_moons() -> NoisyCurves:
    """Return two interleaved half circles of radius 1, with noise of standard deviation 0.1."""
    return NoisyCurves(_moons, length=math.pi, power=1, noise=0.1)


def two_spirals() -> NoisyCurves:
    """Return two opposite spiral arms: one and a half turns, radius up to π, noise of std 0.1."""
    return NoisyCurves(_spirals, length=3 * math.pi, power=2, noise=0.1)


def _moons(t: np.ndarray) -> np.ndarray:
    upper = np.stack([np.cos(t), np.sin(t)], axis=-1)
    return np.stack([upper, (1, 0.5) - upper])


def _spirals(t: np.ndarray) -> np.ndarray:
    arm = t[:, None] / 3 * np.stack([-np.cos(t), np.sin(t)], axis=-1)
    return np.stack([arm, -arm])


def _turn(X: np.ndarray, angle: np.ndarray | float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * X[:, 0] - sin * X[:, 1], sin * X[:, 0] + cos * X[:, 1]], axis=1)


def _chunks(X: np.ndarray, size: int) -> list[np.ndarray]:
    return [X[i : i + size] for i in range(0, max(len(X), 1), size)]
