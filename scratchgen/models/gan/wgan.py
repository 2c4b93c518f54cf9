"""The Wasserstein GAN, whose critic estimates a distance between two distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.layers import Layer
from scratchgen.models.arguments import finite
from scratchgen.models.base import Optimise
from scratchgen.models.gan.game import OfPlayers
from scratchgen.models.gan.gradient_penalty import expect_piecewise_linear, gradient_penalty
from scratchgen.models.gan.model import GAN, GeneratorCache
from scratchgen.models.gan.networks import conv_players, dense_players
from scratchgen.training.optimisers import Optimizer, RMSProp
from scratchgen.training.schedules import Rate
from scratchgen.training.step import TrainingDiverged, player_step


class CriticCache(NamedTuple):
    """The values that the critic's backward needs."""

    real: Any                   # cache of the real batch
    fake: Any                   # cache of the generated batch
    dreal: np.ndarray           # (m, 1)
    dfake: np.ndarray           # (m, 1)
    between: np.ndarray | None  # (m, D), the points at which the slope is penalised
    d_real: float               # mean f(x)
    d_fake: float               # mean f(G(z))


class WGAN(GAN):
    """A Wasserstein GAN (Arjovsky et al. 2017), with weight clipping or a gradient penalty.

    (WGAN.1)  W(p, q) = max over f with slopes of at most 1 of E_p[f(x)] − E_q[f(x)]
    (WGAN.2)  loss_D = 1/m·Σ f(x̃ᵢ) − 1/m·Σ f(xᵢ)  [+ penalty (GP.1)],   df(x̃ᵢ) = 1/m, df(xᵢ) = −1/m
    (WGAN.3)  loss_G = −1/m·Σ f(x̃ᵢ),   df(x̃ᵢ) = −1/m
    (WGAN.4)  w ← min(max(w, −clip), clip)                    after each critic step, without a penalty
    (WGAN.5)  x̂ = u·x + (1 − u)·x̃,  u ~ U(0, 1)               the points of the penalty

    −loss_D without the penalty estimates the distance (with clipping, up to a factor). Derived in
    docs/wgan.md.

    penalty : weight of the gradient penalty (Gulrajani et al. 2017; their λ is 10); None clips instead
    clip : bound of the critic's weights if there is no penalty
    """

    def __init__(
        self,
        generator: Layer,
        discriminator: Layer,
        *,
        code: int,
        penalty: float | None = None,
        clip: float = 0.01,
        k: int = 5,
        ahead: int = 0,
        noise: str = "normal",
        output_range: tuple[float, float] | None = (0.0, 1.0),
    ):
        super().__init__(
            generator, discriminator, code=code, noise=noise, k=k, ahead=ahead, output_range=output_range
        )
        who = type(self).__name__
        self.penalty, self.clip = penalty, finite(who, "clip", clip, above=0)
        if penalty is not None:
            self.penalty = finite(who, "penalty", penalty, above=0, hint=", or None to clip")
            expect_piecewise_linear(discriminator)

    @classmethod
    def dense(
        cls,
        code: int = 100,
        hidden: int | Sequence[int] = (400, 400),
        features: int = 784,
        *,
        output_range: tuple[float, float] | None = (0.0, 1.0),
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """The networks of GAN.dense, but without dropout in the critic, which would change its slope."""
        critic, generator = dense_players(
            f"{cls.__name__}.dense", code, hidden, features, output_range=output_range, rng=rng, dtype=dtype
        )
        return cls(generator, critic, code=code, output_range=output_range, **settings)

    @classmethod
    def convolutional(
        cls,
        code: int = 64,
        channels: tuple[int, int] = (32, 64),
        *,
        hidden: int | Sequence[int] = (),
        shape: tuple[int, int, int] = (28, 28, 1),
        output_range: tuple[float, float] | None = (0.0, 1.0),
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """DCGAN's networks, without batch norm in the critic, which scores each example by itself.

        hidden : widths of dense layers, as in DCGAN
        shape : (H, W, C) of the images, with H and W of at least 4; examples are rows of H·W·C numbers
        """
        generator, critic = conv_players(
            f"{cls.__name__}.convolutional", code, channels, hidden, shape, batch_norm=False,
            output_range=output_range, rng=rng, dtype=dtype,
        )
        return cls(generator, critic, code=code, output_range=output_range, **settings)

    def discriminator_loss(
        self, x: np.ndarray, z: np.ndarray, u: np.ndarray | None = None
    ) -> tuple[float, CriticCache]:
        """Return (WGAN.2) without the penalty, and its cache, for real examples x (m, D) and codes z (m, K).

        u (m, 1) : where each point of the penalty lies between a real and a generated example, (WGAN.5)
        """
        if u is not None and self.penalty is None:
            raise ValueError(
                "u is only used with a gradient penalty, and this WGAN has none: omit u, or construct the "
                "WGAN with penalty="
            )
        fake, _ = self.generator.forward(z, training=True)      # (m, D)
        f_real, real_cache = self.discriminator.forward(x, training=True)
        f_fake, fake_cache = self.discriminator.forward(fake, training=True)  # (m, 1)
        share = x.dtype.type(1 / len(x))
        dreal, dfake = np.full_like(f_real, -share), np.full_like(f_fake, share)
        between = None if u is None else u * x + (1 - u) * fake  # (WGAN.5)
        d_real, d_fake = float(f_real.mean()), float(f_fake.mean())
        cache = CriticCache(real_cache, fake_cache, dreal, dfake, between, d_real, d_fake)
        return d_fake - d_real, cache

    def discriminator_backward(self, cache: CriticCache) -> float:
        """Add the critic's gradients, and those of the penalty; return the penalty."""
        self.discriminator.backward(cache.dfake, cache.fake, input_grad=False)
        self.discriminator.backward(cache.dreal, cache.real, input_grad=False)  # (WGAN.2)
        if cache.between is None or self.penalty is None:
            return 0.0
        return gradient_penalty(self.discriminator, cache.between, self.penalty)[0]

    def generator_loss(self, z: np.ndarray, x: np.ndarray | None = None) -> tuple[float, GeneratorCache]:
        """Return (WGAN.3) and its cache, for latent codes z; x is not used."""
        fake, gen = self.generator.forward(z, training=True)    # (m, D)
        f_fake, dis = self.discriminator.forward(fake, training=True)  # (m, 1)
        dlogits = np.full_like(f_fake, -1 / len(z))             # (WGAN.3)
        return -float(f_fake.mean()), GeneratorCache(gen, dis, dlogits)

    def predict_real(self, X: np.ndarray) -> np.ndarray:
        """Raise TypeError: the values of a critic are not probabilities."""
        raise TypeError(f"{type(self).__name__} has a critic, which gives no probabilities; use critic_score")

    def _discriminator_inputs(
        self, batch: list[np.ndarray], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        x = batch[0]
        u = {} if self.penalty is None else {"u": rng.random((len(x), 1), x.dtype)}
        return u | super()._discriminator_inputs(batch, rng)

    def discriminator_step(  # type: ignore[override]  # u instead of further arguments
        self, x: np.ndarray, z: np.ndarray, u: np.ndarray | None = None, *, optimizer: Optimizer
    ) -> dict[str, float]:
        """Make one update of the critic, with real examples x (m, D), latent codes z (m, K), and u (m, 1).

        u : as in `discriminator_loss`; only with a penalty
        """
        if u is None and self.penalty is not None:
            raise ValueError(f"{self._who('discriminator_step')} expected u, as the WGAN has a penalty")
        # −loss, without the penalty, estimates (WGAN.1)
        loss, cache, penalty, norm = player_step(
            self, optimizer, lambda: self.discriminator_loss(x, z, u), self._finite_backward,
            "the critic's loss", norm=True,
        )
        if self.penalty is None:
            weights = optimizer.value
            np.clip(weights, -self.clip, self.clip, out=weights)  # (WGAN.4)
        return {
            "loss": loss + penalty,
            "distance": -loss,
            "penalty": penalty,
            "d_real": cache.d_real,
            "d_fake": cache.d_fake,
            "discriminator_grad": norm,
        }

    def _finite_backward(self, cache: CriticCache) -> float:
        """`discriminator_backward`; raises TrainingDiverged for a penalty that is nan or infinite."""
        penalty = self.discriminator_backward(cache)
        if not math.isfinite(penalty):
            raise TrainingDiverged(f"the critic's penalty became {penalty}", "the slope of the critic")
        return penalty

    def optimizers(  # type: ignore[override]  # one optimiser for each network
        self,
        lr: float | Rate | None,
        steps: int,
        discriminator_lr: float | Rate | None = None,
        betas: tuple[float, float] | None = None,
        optimizer: Optimise | OfPlayers | None = None,
    ) -> dict[str, Optimizer]:
        """RMSProp with 5e-5 if weights are clipped; otherwise Adam with 1e-4 and betas (0.5, 0.9)."""
        if self.penalty is not None:
            lr = 1e-4 if lr is None else lr
            betas = betas if optimizer else betas or (0.5, 0.9)
            return super().optimizers(lr, steps, discriminator_lr, betas, optimizer)
        if betas is not None:
            raise ValueError(
                f"{self._who('fit')} expected no betas with weight clipping, which uses RMSProp; pass "
                "optimizer=partial(Adam, betas=...) to use Adam"
            )
        lr = 5e-5 if lr is None else lr
        return self._players(self._bound(lr, discriminator_lr, steps), optimizer or RMSProp)
