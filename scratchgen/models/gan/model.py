"""The generative adversarial network: the losses of a generator and of a discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import as_generator, expect_no_labels
from scratchgen.distributions import Bernoulli
from scratchgen.initializers import glorot_uniform
from scratchgen.layers import Layer
from scratchgen.models.arguments import choice, count, layer, value_range
from scratchgen.models.examples import as_examples
from scratchgen.models.gan.game import Game
from scratchgen.models.gan.networks import Init, dense_players
from scratchgen.models.gan.objectives import OBJECTIVES, Objective
from scratchgen.models.networks import in_batches, input_width

LOSSES = tuple(OBJECTIVES)
NOISES = ("normal", "uniform")


class DiscriminatorCache(NamedTuple):
    """The values that the discriminator's backward needs; the two batches have separate caches."""

    real: Any           # cache of the real batch
    fake: Any           # cache of the generated batch
    dreal: np.ndarray   # (m, 1)
    dfake: np.ndarray   # (m, 1)
    d_real: float       # mean D(x), or mean l(x) for an objective without probabilities
    d_fake: float       # mean D(G(z)), or mean l(G(z))


class GeneratorCache(NamedTuple):
    """The values that the generator's backward needs."""

    gen: Any                # the generator's cache
    dis: Any                # the discriminator's cache
    dlogits: np.ndarray     # (m, 1)


class GAN(Game):
    """A generative adversarial network (Goodfellow et al. 2014), trained by their Algorithm 1.

    G generates x̃ = G(z) from noise z. D gives a logit l, and D(x) = σ(l) is its probability that x is real.

    (GAN.1)  min_G max_D V = E[log D(x)] + E[log(1 − D(G(z)))]           the game
    (GAN.6)  dx̃ = J_Dᵀ·dl, with D frozen;  then G's backward takes dx̃

    (GAN.2) to (GAN.5), the losses of both players and their gradients dl, are in gan/objectives.py.

    When D is sure that x̃ is generated, D(x̃) ≈ 0, the gradient of (GAN.4) is nearly zero, while that of
    (GAN.5) is largest. A GAN has no likelihood: G gives samples, not densities. Derived in docs/gan.md.

    generator : z (N, K) -> x̃ (N, D);  discriminator : x (N, D) -> logits (N, 1)
    code : K, the width of the latent code;  noise : its prior, "normal" N(0, I) or "uniform" U(−1, 1)
    objective : "non-saturating" (GAN.5) or "minimax" (GAN.4), two losses of G; or "least-squares" (LSGAN.1),
        "hinge" (HINGE.1), which needs spectral_norm or another limit of D's slope, or "relativistic"
        (RAGAN.1). For these three, l is a score and not a logit (docs/conditional-gan.md)
    k : discriminator steps per generator step
    ahead : discriminator steps before the first generator step, rounded up to a multiple of k
    output_range : the range of G's output, or None. Real data must lie within it, too; otherwise the range
        alone would tell D which examples are real
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
        self.generator = layer(who, "generator", generator)
        self.discriminator = layer(who, "discriminator", discriminator)
        self.code = count(who, "code", code)
        self.noise = choice(who, "noise", noise, NOISES)
        self.objective = choice(who, "objective", objective, LOSSES)
        self.k, self.ahead = count(who, "k", k), count(who, "ahead", ahead, least=0)
        self.output_range = value_range(who, output_range)

    @classmethod
    def dense(
        cls,
        code: int = 100,
        hidden: int | Sequence[int] = (400, 400),
        features: int = 784,
        *,
        dropout: float = 0.3,
        pixel_init: Init = glorot_uniform,
        output_range: tuple[float, float] | None = (0.0, 1.0),
        spectral_norm: bool = False,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """Two dense networks: batch norm and ReLU in G, leaky ReLU and dropout in D.

        hidden : widths of the hidden layers of D, and of G; an int stands for one layer of that width
        dropout : probability with which a hidden unit of D is dropped. Without it, or without batch norm in
            G, D wins on digits and G outputs the same image for all codes (docs/gan.md).
        pixel_init : initializer of the weights next to the pixels: the first of D and the last of G. With
            gan.networks.small_pixel_init and a larger learning rate for G, generated digits are clearer
            (docs/gan.md, sections 10 and 12).
        output_range : G ends with a sigmoid that is scaled to this range; None makes its output linear
        spectral_norm : whether each Linear of D is inside a SpectralNorm
        settings : the other arguments of the constructor
        """
        critic, generator = dense_players(
            f"{cls.__name__}.dense", code, hidden, features, dropout=dropout, pixel_init=pixel_init,
            output_range=output_range, spectral_norm=spectral_norm, rng=rng, dtype=dtype,
        )
        return cls(generator, critic, code=code, output_range=output_range, **settings)

    @property
    def features(self) -> int | None:
        """D, the number of columns of the data; None if D does not begin with a Linear or Reshape."""
        return input_width(self.discriminator)

    def prior_sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n latent codes z from the prior, (n, K)."""
        expect_no_labels(self._who("prior_sample"), y)
        self._expect_count(n, "prior_sample")
        rng, shape = as_generator(self._who("prior_sample"), rng), (n, self.code)
        z = rng.standard_normal(shape) if self.noise == "normal" else rng.uniform(-1, 1, shape)
        return z.astype(self.dtype)

    def loss(
        self, x: Any, *, rng: np.random.Generator | int | None = None, training: bool = False
    ) -> tuple[float, Any]:
        """Raise TypeError: a GAN has two losses."""
        raise TypeError(
            f"{type(self).__name__} has no single loss; use discriminator_loss and generator_loss"
        )

    def discriminator_loss(self, x: np.ndarray, z: np.ndarray) -> tuple[float, Any]:
        """Return D's loss, such as (GAN.2), and its cache, for m real examples x and m latent codes z."""
        fake, _ = self.generator.forward(z, training=True)      # (m, D)
        # Two separate batches, so that batch norm does not mix them.
        l_real, real_cache = self.discriminator.forward(x, training=True)       # (m, 1)
        l_fake, fake_cache = self.discriminator.forward(fake, training=True)
        return self._discriminator_cache(l_real, l_fake, real_cache, fake_cache)

    def _discriminator_cache(
        self, l_real: np.ndarray, l_fake: np.ndarray, real_cache: Any, fake_cache: Any
    ) -> tuple[float, DiscriminatorCache]:
        """The loss of the objective, −V of (GAN.1) for the first two, and what backward needs."""
        loss, dreal, dfake = self._rule.discriminator(l_real, l_fake)
        d_real, d_fake = self._mean_output(l_real), self._mean_output(l_fake)
        return loss, DiscriminatorCache(real_cache, fake_cache, dreal, dfake, d_real, d_fake)

    @property
    def _rule(self) -> Objective:
        return OBJECTIVES[self.objective]

    def _mean_output(self, logits: np.ndarray) -> float:
        """The mean of D(x) = σ(l), or of l if the objective has no probabilities."""
        return float((Bernoulli.mean(logits) if self._rule.probabilities else logits).mean())

    def discriminator_backward(self, cache: Any) -> Any:
        """Add D's gradients. No gradient is computed for G."""
        self.discriminator.backward(cache.dfake, cache.fake, input_grad=False)
        self.discriminator.backward(cache.dreal, cache.real, input_grad=False)

    def generator_loss(self, z: np.ndarray, x: np.ndarray | None = None) -> tuple[float, GeneratorCache]:
        """Return G's loss, such as (GAN.5), and its cache, for latent codes z (m, K).

        x : real examples (m, D), which only the objective "relativistic" needs
        """
        fake, gen = self.generator.forward(z, training=True)    # (m, D)
        logits, dis = self.discriminator.forward(fake, training=True)  # (m, 1)
        l_real = self._real_scores(x)
        loss, dlogits = self._rule.generator(l_real, logits)
        return loss, GeneratorCache(gen, dis, dlogits)

    def _real_scores(self, x: np.ndarray | None) -> np.ndarray | None:
        """l(x) if the loss of G depends on it; otherwise None."""
        if not self._rule.uses_real:
            return None
        if x is None:
            who = self._who("generator_loss")
            raise ValueError(f"{who} expected real examples x for the objective {self.objective}, got none")
        return self.discriminator.forward(x, training=True)[0]

    def _generator_inputs(self, batch: list[np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
        real = {"x": batch[0]} if self._rule.uses_real else {}
        return super()._generator_inputs(batch, rng) | real

    def generator_backward(self, cache: GeneratorCache) -> dict[str, Any]:
        """Add G's gradients. D is frozen and only passes the gradient on."""
        with self.discriminator.frozen():
            dfake = self.discriminator.backward(cache.dlogits, cache.dis)  # (GAN.6)
        self.generator.backward(dfake, cache.gen, input_grad=False)
        return {"dlogits": cache.dlogits, "dfake": dfake}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Check X (N, D), and that both networks have the right shapes for it."""
        expect_no_labels(self._who("fit"), y)
        X = as_examples(self._who("fit"), X, self.dtype)
        self._expect_fit(X, X[:2])
        return X, None

    outputs = 1     # of the discriminator

    def random_input(self, n: int, rng: np.random.Generator | int) -> np.ndarray:
        """The inputs of G for n random examples: here the latent codes, (n, K)."""
        self._expect_count(n, "random_input")
        return self.prior_sample(n, rng=as_generator(self._who("random_input"), rng))

    def _expect_fit(self, X: np.ndarray, real: np.ndarray) -> None:
        """Apply both networks once, so that an error names the one with a wrong shape before training.

        real : the inputs of D for the first examples
        """
        who = self._who("fit")
        z = self.random_input(2, rng=0)                         # (2, K)
        fake = _first_pass(f"{who}: the generator does not take noise (N, {z.shape[1]})", self.generator, z)
        if fake.shape != (2, X.shape[1]):
            raise ValueError(
                f"{who} expected a generator with {X.shape[1]} outputs, got {fake.shape[1:]}"
            )
        refused = f"{who}: the discriminator does not take data (N, {X.shape[1]})"
        logits = _first_pass(refused, self.discriminator, real)
        if logits.shape != (len(real), self.outputs):
            wanted = "one output" if self.outputs == 1 else f"{self.outputs} outputs"
            raise ValueError(f"{who} expected a discriminator with {wanted}, got {logits.shape[1:]}")
        if self.output_range is not None:
            low, high = self.output_range
            if X.min() < low or X.max() > high:
                raise ValueError(
                    f"{who} expected real data within the generator's output range [{low}, {high}], "
                    f"got {X.min():g} to {X.max():g}: the range alone would tell D which examples are real; "
                    "scale the data to this range, or build the model with output_range=None, for any numbers"
                )

    def sample(self, n: int, *, rng: np.random.Generator | int) -> np.ndarray:
        """Generate n examples, (n, D), with the generator in evaluation mode."""
        self._expect_count(n)
        return self.inverse_transform(self.prior_sample(n, rng=as_generator(self._who("sample"), rng)))

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Generate an example from each latent code: (N, K) -> (N, D)."""
        Z = as_examples(self._who("inverse_transform"), Z, self.dtype, features=self.code)
        return in_batches(lambda z: self.generator.forward(z)[0], Z)

    def predict_real(self, X: np.ndarray) -> np.ndarray:
        """D(x), the probability that each example is real: (N, D) -> (N,) within (0, 1).

        Raises TypeError for an objective without probabilities.
        """
        self._expect_probabilities()
        X = as_examples(self._who("predict_real"), X, self.dtype, features=self.features)
        return Bernoulli.mean(in_batches(lambda x: self.discriminator.forward(x)[0], X))[:, 0]

    def critic_score(self, X: np.ndarray) -> np.ndarray:
        """l(x), the output of D for each example, (N, D) -> (N,): for the first two objectives a logit."""
        X = as_examples(self._who("critic_score"), X, self.dtype, features=self.features)
        return in_batches(lambda x: self.discriminator.forward(x)[0], X)[:, 0]

    def _expect_probabilities(self) -> None:
        if not self._rule.probabilities:
            who = self._who("predict_real")
            raise TypeError(
                f"{who} expected an objective with probabilities, got {self.objective}; use critic_score"
            )

    def _because(self, method: str) -> str:
        return ": its generator gives samples, but no formula for their density"


def _first_pass(refused: str, net: Layer, x: np.ndarray) -> np.ndarray:
    """Apply a network to x. If one of its layers raises an error, add the name of the network to it."""
    try:
        return net.forward(x)[0]
    except (TypeError, ValueError) as error:
        raise type(error)(f"{refused}: {error}") from None
