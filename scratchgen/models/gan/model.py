"""The generative adversarial network: one net draws, the other tells drawn from real."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import expect_examples, positive
from scratchgen.data import Batches
from scratchgen.distributions import Bernoulli
from scratchgen.initializers import glorot_uniform
from scratchgen.layers import Layer
from scratchgen.losses import bce_with_logits
from scratchgen.models.base import Model
from scratchgen.models.gan.networks import Init, dense_critic, dense_generator
from scratchgen.models.networks import in_batches
from scratchgen.training.loop import Trainer, expect_finite
from scratchgen.training.optimisers import Adam

LOSSES = ("non-saturating", "minimax")
NOISES = ("normal", "uniform")


class DiscriminatorCache(NamedTuple):
    """What the discriminator's backward needs; its two batches keep their caches apart."""

    real: Any
    fake: Any
    dreal: np.ndarray
    dfake: np.ndarray
    d_real: float  # mean D(x)
    d_fake: float  # mean D(G(z))


class GeneratorCache(NamedTuple):
    """What the generator's backward needs."""

    gen: Any
    dis: Any
    dlogits: np.ndarray


class GAN(Model):
    """A generative adversarial network (Goodfellow et al. 2014), trained by their Algorithm 1.

    G makes x̃ = G(z) from noise z; D's logit l says how real an x looks, D(x) = σ(l).

    (GAN.1)  min_G max_D V = E[log D(x)] + E[log(1 − D(G(z)))]           the game
    (GAN.2)  loss_D = 1/m·Σ log(1 + e^−l(xᵢ)) + 1/m·Σ log(1 + e^l(x̃ᵢ))    = −V on m real and m drawn
    (GAN.3)  dl(xᵢ) = −(1 − D(xᵢ)) / m,   dl(x̃ᵢ) = D(x̃ᵢ) / m
    (GAN.4)  minimax:         loss_G = −1/m·Σ log(1 + e^l(x̃ᵢ)),   dl = −D(x̃ᵢ) / m
    (GAN.5)  non-saturating:  loss_G =  1/m·Σ log(1 + e^−l(x̃ᵢ)),  dl = −(1 − D(x̃ᵢ)) / m
    (GAN.6)  dx̃ = J_Dᵀ·dl, with D held;  then G's backward takes dx̃

    Where D is sure that x̃ is drawn, D(x̃) ≈ 0 and (GAN.4) hardly pulls, while (GAN.5) pulls with all it has.
    It has no likelihood: G gives samples, not densities. Derived in docs/gan.md.

    generator : z (N, K) -> x̃ (N, D);  discriminator : x (N, D) -> logits (N, 1);  any two layers that fit
    code : K, the width of the noise;  noise : "normal", N(0, I), or "uniform", U(−1, 1)
    objective : of the generator, "non-saturating" or "minimax"
    k : discriminator steps to each step of the generator
    ahead : discriminator steps of a run before the generator's first, rounded up to whole rounds of k
    output_range : what G's output lies within, or None; real data must lie there too, or D has an easy game
    """

    def __init__(
        self,
        generator: Layer,
        discriminator: Layer,
        *,
        code: int,
        noise: str = "normal",
        objective: str = "non-saturating",
        k: int = 1,
        ahead: int = 0,
        output_range: tuple[float, float] | None = (0.0, 1.0),
    ):
        who = type(self).__name__
        if noise not in NOISES:
            raise ValueError(f"{who} expected a noise out of {', '.join(NOISES)}, got {noise!r}")
        if objective not in LOSSES:
            raise ValueError(f"{who} expected an objective out of {', '.join(LOSSES)}, got {objective!r}")
        positive(who, code=code, k=k)
        if ahead != 0:
            positive(who, ahead=ahead)
        if output_range is not None and not output_range[0] < output_range[1]:
            raise ValueError(f"{who} expected an output_range (low, high), got {output_range}")
        self.generator, self.discriminator = generator, discriminator
        self.code, self.noise, self.objective = code, noise, objective
        self.k, self.ahead, self.output_range = k, ahead, output_range

    @classmethod
    def dense(
        cls,
        code: int = 100,
        hidden: int = 400,
        pixels: int = 784,
        *,
        dropout: float = 0.3,
        pixel_init: Init = glorot_uniform,
        rng: np.random.Generator,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """Two hidden layers in each net: batch norm and ReLU in G, which ends in a sigmoid; leaky ReLU in D.

        dropout : the share of D's hidden units that a step switches off. Without it, or without batch norm in
            G, D wins on digits and all codes become one picture (docs/gan.md).
        pixel_init : how the weights begin that touch pixels, D's first and G's last. `gan_networks.faint`
            makes digits clearer where G is faster than D (docs/gan.md, sections 10 and 12).
        """
        kind = {"pixel_init": pixel_init, "rng": rng, "dtype": dtype}
        critic = dense_critic(pixels, hidden, dropout=dropout, **kind)
        return cls(dense_generator(code, hidden, pixels, **kind), critic, code=code, **settings)

    def draw_noise(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """z, (n, K)."""
        shape = (n, self.code)
        z = rng.standard_normal(shape) if self.noise == "normal" else rng.uniform(-1, 1, shape)
        return z.astype(self.dtype)

    def discriminator_loss(self, x: np.ndarray, z: np.ndarray) -> tuple[float, DiscriminatorCache]:
        """(GAN.2) for m real examples and m that G draws from z; G's gradient isn't asked for."""
        fake, _ = self.generator.forward(z, training=True)      # (m, D)
        l_real, real_cache = self.discriminator.forward(x, training=True)  # two batches, so that batch
        l_fake, fake_cache = self.discriminator.forward(fake, training=True)  # norm does not mix them
        loss_real, dreal = bce_with_logits(l_real, np.ones_like(l_real))
        loss_fake, dfake = bce_with_logits(l_fake, np.zeros_like(l_fake))  # (GAN.2, GAN.3)
        d_real, d_fake = float(Bernoulli.mean(l_real).mean()), float(Bernoulli.mean(l_fake).mean())
        cache = DiscriminatorCache(real_cache, fake_cache, dreal, dfake, d_real, d_fake)
        return loss_real + loss_fake, cache                     # −V of (GAN.1)

    def discriminator_backward(self, cache: DiscriminatorCache) -> None:
        """Add D's gradients; nothing goes on to G."""
        self.discriminator.backward(cache.dfake, cache.fake, input_grad=False)
        self.discriminator.backward(cache.dreal, cache.real, input_grad=False)

    def generator_loss(self, z: np.ndarray) -> tuple[float, GeneratorCache]:
        """(GAN.5), or (GAN.4), for what G draws from z."""
        fake, gen = self.generator.forward(z, training=True)    # (m, D)
        logits, dis = self.discriminator.forward(fake, training=True)  # (m, 1)
        if self.objective == "minimax":
            loss, dlogits = bce_with_logits(logits, np.zeros_like(logits))
            loss, dlogits = -loss, -dlogits                     # (GAN.4)
        else:
            loss, dlogits = bce_with_logits(logits, np.ones_like(logits))  # (GAN.5)
        return loss, GeneratorCache(gen, dis, dlogits)

    def generator_backward(self, cache: GeneratorCache) -> dict[str, Any]:
        """Add G's gradients; D is held, and only hands the gradient through."""
        with self.discriminator.frozen():
            dfake = self.discriminator.backward(cache.dlogits, cache.dis)  # (GAN.6)
        self.generator.backward(dfake, cache.gen, input_grad=False)
        return {"dlogits": cache.dlogits, "dfake": dfake}

    def train_step(self, batch, optimizer, rng):
        """One round of Algorithm 1: k steps of D, each on m fresh examples, then one of G.

        While D has made fewer than `ahead` steps, G's turn is left out. How many D has made, its optimiser
        knows, so a resumed run does too. Records the losses, the mean of D(x) and D(G(z)), and the norms of
        both gradients; the generator's is 0 in a round that leaves it out.
        """
        alone = optimizer["discriminator"].steps < self.ahead
        x = batch[0] if self.augment is None else self.augment(batch[0], rng=rng)
        m = len(x) // self.k
        if m < 1:
            who = type(self).__name__
            raise ValueError(f"{who} expected batches of at least k = {self.k} examples, got {len(x)}")
        for i in range(self.k):
            values = self._discriminator_step(x[i * m : (i + 1) * m], optimizer, rng)
        if alone:
            loss, _ = self.generator_loss(self.draw_noise(m, rng))
            return values | {"generator_loss": loss, "generator_grad": 0.0}
        return values | self._generator_step(m, optimizer["generator"], rng)

    def _discriminator_step(self, x, optimizer, rng) -> dict[str, float]:
        optimizer["discriminator"].zero_grad()
        loss, cache = self.discriminator_loss(x, self.draw_noise(len(x), rng))
        expect_finite(self, loss, lambda: self.discriminator_backward(cache), "the discriminator's loss")
        self.discriminator_backward(cache)
        norm = optimizer["discriminator"].grad_norm()
        optimizer["discriminator"].step()
        return {"loss": loss, "d_real": cache.d_real, "d_fake": cache.d_fake, "discriminator_grad": norm}

    def _generator_step(self, m, optimizer, rng) -> dict[str, float]:
        optimizer.zero_grad()
        loss, cache = self.generator_loss(self.draw_noise(m, rng))
        expect_finite(self, loss, lambda: self.generator_backward(cache), "the generator's loss")
        self.generator_backward(cache)
        norm = optimizer.grad_norm()
        optimizer.step()
        return {"generator_loss": loss, "generator_grad": norm}

    def trainer(
        self,
        X,
        y=None,
        *,
        epochs,
        rng,
        batch_size=64,
        lr=None,
        discriminator_lr=None,
        betas=None,
        callbacks=(),
        validate=None,
    ):
        """Set up the run that `fit` makes: an optimiser for each net, m = batch_size.

        lr : of the generator;  discriminator_lr : of the discriminator, the same where it isn't given
        betas : of Adam. The defaults are those of the model's source.

        Equal rates are those of Radford et al. 2016. Another ratio is worth a trial: in one dimension a
        generator at a tenth of D's rate was better; on digits one at five to ten times, dense with a faint
        start or convolutional with hidden layers (docs/gan.md, section 10).
        """
        who = f"{type(self).__name__}.fit"
        expect_examples(who, X)
        self._expect_fit(X)
        if len(X) < self.k * batch_size:
            least = f"k·batch_size = {self.k}·{batch_size}"
            raise ValueError(f"{who} expected at least {least} examples, got {len(X)}")
        batches = Batches(X, batch_size=self.k * batch_size, rng=rng, drop_last=True)
        optimizers = self._optimizers(lr, discriminator_lr, betas)
        return Trainer(
            self, batches, optimizers, epochs=epochs, rng=rng, callbacks=callbacks, validate=validate
        )

    def _optimizers(self, lr, discriminator_lr, betas):
        """Adam for each, with 2e-4 and betas (0.5, 0.999) (Radford et al. 2016)."""
        lr, betas = 2e-4 if lr is None else lr, betas or (0.5, 0.999)
        discriminator_lr = lr if discriminator_lr is None else discriminator_lr
        return {
            "discriminator": Adam(self.discriminator.parameters(), discriminator_lr, betas),
            "generator": Adam(self.generator.parameters(), lr, betas),
        }

    def _expect_fit(self, X: np.ndarray) -> None:
        """Draw once and judge once, so that nets that don't fit are named before the first step."""
        who = type(self).__name__
        z = self.draw_noise(2, np.random.default_rng(0))        # (2, K)
        drawn = _first_pass(f"{who}: the generator does not take noise (N, {self.code})", self.generator, z)
        if drawn.shape != (2, X.shape[1]):
            raise ValueError(
                f"{who} expected a generator that draws {X.shape[1]} numbers, got {drawn.shape[1:]}"
            )
        refused = f"{who}: the discriminator does not take data (N, {X.shape[1]})"
        logits = _first_pass(refused, self.discriminator, X[:2])
        if logits.shape != (len(X[:2]), 1):
            raise ValueError(f"{who} expected a discriminator with one output, got {logits.shape[1:]}")
        if self.output_range is not None:
            low, high = self.output_range
            if X.min() < low or X.max() > high:
                raise ValueError(
                    f"{who} expected real data within the generator's output range [{low}, {high}], "
                    f"got {X.min():g} to {X.max():g}: D would tell real from drawn by that alone"
                )

    def sample(self, n, *, rng):
        """n draws, (n, D), by the generator in evaluation mode."""
        if n < 1:
            raise ValueError(f"{type(self).__name__} expected to draw at least one example, got n = {n}")
        return self.inverse_transform(self.draw_noise(n, rng))

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """What the generator makes of codes: (N, K) -> (N, D)."""
        expect_examples(f"{type(self).__name__}.inverse_transform", Z, features=self.code)
        return in_batches(lambda z: self.generator.forward(z)[0], Z)

    def judge(self, X: np.ndarray) -> np.ndarray:
        """D(x), how real each example looks: (N, D) -> (N,) between 0 and 1."""
        expect_examples(f"{type(self).__name__}.judge", X)
        return Bernoulli.mean(in_batches(lambda x: self.discriminator.forward(x)[0], X))[:, 0]

    def _because(self, verb):
        return ": it draws samples, and no formula says how probable they are"


def _first_pass(refused: str, net: Layer, x: np.ndarray) -> np.ndarray:
    """What a net makes of x; where one of its layers refuses, whose layer that was is said too."""
    try:
        return net.forward(x)[0]
    except (TypeError, ValueError) as error:
        raise type(error)(f"{refused}: {error}") from None
