"""Normalizing flows: an invertible map between x and z, so that log p(x) is exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import as_generator, expect_no_labels
from scratchgen.data import dequantise
from scratchgen.distributions import Logistic, Normal
from scratchgen.layers import Bijection, Scaling
from scratchgen.layers.masks import MASKS, Strided
from scratchgen.models.arguments import choice, count, image_shape
from scratchgen.models.base import Model
from scratchgen.models.examples import as_examples
from scratchgen.models.networks import in_batches
from scratchgen.training.step import TrainingDiverged


class FlowOverflow(ArithmeticError):
    """Raised when a value in a flow becomes infinite or NaN; names the direction and the layer."""

    def __init__(self, way: str, where: str):
        super().__init__(f"{way}: a value overflowed the range of its dtype in {where}")
        self.where = where


class LogisticPrior:
    """Independent logistic variables with mean 0 and scale 1; `spread` is their standard deviation."""

    spread = math.pi / math.sqrt(3)

    def log_prob(self, z: np.ndarray) -> np.ndarray:
        return Logistic.log_prob(z, *_standard(z))

    def log_prob_grad(self, z: np.ndarray) -> np.ndarray:
        return Logistic.log_prob_grad(z, *_standard(z))[0]

    def sample(self, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> np.ndarray:
        inside = np.clip(rng.random(shape), 2.0**-60, None)     # 0 would give an infinite sample
        return Logistic.sample(*_standard(inside), inside).astype(dtype)


class NormalPrior:
    """Independent standard Normal variables; `spread` is their standard deviation."""

    spread = 1.0

    def log_prob(self, z: np.ndarray) -> np.ndarray:
        return Normal.log_prob(z, *_standard(z))

    def log_prob_grad(self, z: np.ndarray) -> np.ndarray:
        return Normal.log_prob_grad(z, *_standard(z))[0]

    def sample(self, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)


PRIORS: dict[str, LogisticPrior | NormalPrior] = {"logistic": LogisticPrior(), "normal": NormalPrior()}


def _standard(z: np.ndarray) -> tuple[Any, Any]:
    """Mean 0 and log-scale 0 in the dtype of z. A Python 0.0 would make exp(0.0) a float64."""
    return z.dtype.type(0), z.dtype.type(0)


class FlowCache(NamedTuple):
    """The values that backward needs."""

    z: np.ndarray           # (N, D)
    layers: list[Any]       # the cache of each layer


class Flow(Model):
    """A chain of bijections from data x to a z whose density is known (Dinh et al. 2014).

    (FLOW.1)  log p(x) = log p_Z(z) + log |det dz/dx|,  z = f(x)            change of variables
    (FLOW.2)  f = f_K ∘ … ∘ f_1:  log |det dz/dx| = Σ_k log |det dh_k/dh_(k−1)|,  h_0 = x, h_K = z
    (FLOW.3)  loss = −1/N · Σₙ log p(xₙ)                                    in nats, exact
    (FLOW.4)  dz = −1/N · d log p_Z(z)/dz,  dlogdetₙ = −1/N                 the two gradients of each layer
    (FLOW.5)  dh_(k−1) = J_kᵀ·dh_k + dlogdet · d log |det J_k| / dh_(k−1)

    x, z (N, D). A density may exceed 1, so the loss may be negative. Derived in docs/flows.md.

    features : D
    layers : bijections, applied to x, or to images of `shape`
    prior : p_Z, "logistic" or "normal"
    shape : (H, W, C), if the layers expect images
    levels : number of grey levels of pixels in [0, 1], which `fit` dequantises (256 for digits); None for
        data that is continuous
    """

    likelihood = "exact"

    def __init__(
        self,
        layers: Sequence[Bijection],
        features: int,
        *,
        prior: str = "normal",
        shape: tuple[int, int, int] | None = None,
        levels: int | None = None,
    ):
        who = type(self).__name__
        several = isinstance(layers, list | tuple) and len(layers) > 0
        if not several or not all(isinstance(layer, Bijection) for layer in layers):
            raise TypeError(
                f"{who} expected layers to be one or more bijections, such as couplings, got {layers!r}"
            )
        self.layers, self.features = list(layers), count(who, "features", features)
        self.prior = choice(who, "prior", prior, PRIORS)
        self.levels = None if levels is None else count(who, "levels", levels, least=2)
        self.shape = None if shape is None else image_shape(who, shape)
        if self.shape is not None and math.prod(self.shape) != features:
            raise ValueError(f"{who} expected a shape of {features} numbers, got {shape}")
        self.x_shape: tuple[int, ...] = self.shape or (features,)
        self.z_shape: tuple[int, ...] = self.x_shape
        for layer in self.layers:
            self.z_shape = layer.z_shape(self.z_shape)

    def children(self) -> dict[str, Any]:
        return {f"layers.{i}": layer for i, layer in enumerate(self.layers)}

    def loss(
        self, x: np.ndarray, *, rng: np.random.Generator | int | None = None, training: bool = False
    ) -> tuple[float, FlowCache]:
        """Return (loss, cache) for x (N, D), which is not dequantised here."""
        z, logdet, caches = self._forward(x, training)
        loss = -float((self._log_prior(z) + logdet).sum()) / len(x)         # (FLOW.3), (FLOW.1)
        return loss, FlowCache(z, caches)

    def backward(self, cache: FlowCache, input_grad: bool = False) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dz (N, D), and dx (N, D) if `input_grad` is set."""
        n = len(cache.z)
        dz = PRIORS[self.prior].log_prob_grad(cache.z) / -n                 # (FLOW.4)
        dlogdet = np.full(n, -1 / n, dz.dtype)
        dh = dz.reshape(n, *self.z_shape)
        for i in range(len(self.layers) - 1, -1, -1):                       # (FLOW.5)
            wanted = input_grad or i > 0
            dh = self.layers[i].backward(dh, cache.layers[i], input_grad=wanted, dlogdet=dlogdet)
        return {"dz": dz, "dx": dh.reshape(n, -1)} if input_grad else {"dz": dz}

    def _forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, np.ndarray, list[Any]]:
        """z (N, D), log |det dz/dx| (N,) in float64, and the layers' caches."""
        h, logdet, caches = x.reshape(len(x), *self.x_shape), np.zeros(len(x)), []
        with np.errstate(over="ignore", invalid="ignore"):                  # reported below
            for i, layer in enumerate(self.layers):
                h, cache = layer.forward(h, training)
                self._expect_finite("x -> z", i, h, cache.logdet)
                logdet += cache.logdet                                      # (FLOW.2)
                caches.append(cache)
        return h.reshape(len(x), -1), logdet, caches

    def _inverse(self, z: np.ndarray) -> np.ndarray:
        h = z.reshape(len(z), *self.z_shape)
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(len(self.layers) - 1, -1, -1):
                h = self.layers[i].inverse(h)
                self._expect_finite("z -> x", i, h)
        return h.reshape(len(z), -1)

    def _expect_finite(self, way: str, i: int, *arrays: np.ndarray) -> None:
        if not all(np.isfinite(a).all() for a in arrays):
            where = f"layers.{i} ({type(self.layers[i]).__name__})"
            raise FlowOverflow(f"{type(self).__name__}, {way}", where)

    def _log_prior(self, z: np.ndarray) -> np.ndarray:
        return PRIORS[self.prior].log_prob(z).sum(axis=1, dtype=np.float64)  # (N,)

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, None]:
        """Check X (N, D), within [0, 1] if it will be dequantised."""
        expect_no_labels(self._who("fit"), y)
        if self.levels is None:
            X = as_examples(self._who("fit"), X, self.dtype, features=self.features)
        else:
            X = as_examples(self._who("fit"), X, self.dtype, features=self.features, low=0, high=1)
        return X, None

    def before_training(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Set scales that are still zero from the standard deviations of the data."""
        if any(not layer.log_scale.value.any() for layer in self._scalings()):
            self._start_from(X, "fit")
        return X

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Dequantise the batch, for a flow with `levels`."""
        (x,) = batch
        return (x if self.levels is None else dequantise(x, rng=rng, levels=self.levels),)

    def train_step(self, batch: tuple, optimizer: Any, rng: np.random.Generator) -> dict[str, float]:
        """Make one update; a FlowOverflow ends the run as TrainingDiverged."""
        try:
            return super().train_step(batch, optimizer, rng)
        except FlowOverflow as overflow:
            raise TrainingDiverged(f"{type(self).__name__} overflowed", overflow.where) from None

    def start_from(self, X: np.ndarray) -> None:
        """Set the scales of the first scaling layer so that z has the standard deviation of the prior.

        This assumes that couplings are initially the identity. `fit` calls it if the scales are still zero.
        Without it, a feature with a standard deviation of 1/1,000 would need many steps, because Adam changes
        a log-scale by about lr per step.
        """
        self._start_from(X, "start_from")

    def _start_from(self, X: np.ndarray, method: str) -> None:
        start = np.log(PRIORS[self.prior].spread / self._spread_of(X, method))  # (D,)
        for layer in self._scalings()[:1]:
            layer.log_scale.value[...] = start.reshape(layer.log_scale.shape)

    def _scalings(self) -> list[Scaling]:
        return [layer for layer in self.layers if isinstance(layer, Scaling)]

    def spread_of(self, X: np.ndarray) -> np.ndarray:
        """The standard deviation of each feature, including the noise that `fit` adds, (D,).

        Raises ValueError for a constant feature.
        """
        return self._spread_of(X, "spread_of")

    def _spread_of(self, X: np.ndarray, method: str) -> np.ndarray:
        X = as_examples(self._who(method), X, features=self.features)
        std = X.std(axis=0, dtype=np.float64)
        if self.levels is not None:
            std = np.hypot(std * (self.levels - 1), math.sqrt(1 / 12)) / self.levels    # of (DEQ.1)
        if not std.all():
            raise ValueError(
                f"{self._who(method)} expected features that vary, but feature {std.argmin()} is constant: "
                "it has no density. Leave it out, or pass levels= for pixels to be dequantised"
            )
        return std

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Exact log p(x) in nats of each example, (N,).

        If the model has `levels`, dequantise X first, ``dequantise(X, rng=rng)``. Raises ValueError for grey
        levels, as a density cannot be compared with probabilities of levels.
        """
        who = self._who("score_samples")
        X = as_examples(who, X, self.dtype, features=self.features)
        if self.levels is not None and not np.any(np.abs(X * (self.levels - 1) % 1 - 0.5) < 0.499):
            raise ValueError(
                f"{who} expected dequantised pixels, got grey levels, which have no density: "
                "use data.dequantise(X, rng=rng)"
            )

        def log_prob(x: np.ndarray) -> np.ndarray:
            z, logdet, _ = self._forward(x)
            return self._log_prior(z) + logdet                              # (FLOW.1)

        return in_batches(log_prob, X)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The latent codes, z = f(x), which are exact: (N, D) -> (N, D)."""
        return self._encode(X, "transform")

    def _encode(self, X: np.ndarray, method: str) -> np.ndarray:
        X = as_examples(self._who(method), X, self.dtype, features=self.features)
        return in_batches(lambda x: self._forward(x)[0], X)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """The exact inverse, x = f⁻¹(z): (N, D) -> (N, D)."""
        Z = as_examples(self._who("inverse_transform"), Z, self.dtype, features=self.features)
        return in_batches(self._inverse, Z)

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        """Map X to z and back, (N, D). The result is X up to rounding."""
        return self.inverse_transform(self._encode(X, "reconstruct"))

    def sample(self, n: int, *, rng: np.random.Generator | int) -> np.ndarray:
        """Draw n examples from p(x): z from the prior, then x = f⁻¹(z), (n, D).

        Pixels may be slightly outside [0, 1], where the density is not exactly zero; clip them for a picture.
        """
        self._expect_count(n)
        return self.inverse_transform(self.prior_sample(n, rng=as_generator(self._who("sample"), rng)))

    def prior_sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n latent codes z from the prior, (n, D)."""
        expect_no_labels(self._who("prior_sample"), y)
        self._expect_count(n, "prior_sample")
        rng = as_generator(self._who("prior_sample"), rng)
        return PRIORS[self.prior].sample((n, self.features), self.dtype, rng)

    @property
    def code(self) -> int:
        """The width of the latent code, which for a flow is the number of features."""
        return self.features


def mask_widths(mask: str, features: int) -> tuple[int, int]:
    """The number of features that a coupling with this mask keeps, and the number that it changes."""
    strided = MASKS[mask]
    assert isinstance(strided, Strided)
    return strided.widths(features)


def expect_sizes(who: str, features: int, couplings: int) -> None:
    """Raise ValueError for fewer than two features or couplings: one coupling changes only half of x."""
    count(who, "features", features, least=2)
    count(who, "couplings", couplings, least=2)
