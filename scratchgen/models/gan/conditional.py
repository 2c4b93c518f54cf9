"""The conditional GAN, whose two networks are given a label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from scratchgen.checks import as_generator, expect_labels, one_hot
from scratchgen.distributions import Bernoulli
from scratchgen.initializers import glorot_uniform
from scratchgen.layers import Layer, Linear, Sequential, SpectralNorm
from scratchgen.models.arguments import count, flag
from scratchgen.models.examples import as_examples
from scratchgen.models.gan.heads import LabelMaps, Projection
from scratchgen.models.gan.model import GAN, DiscriminatorCache, GeneratorCache
from scratchgen.models.gan.networks import Init, conv_players, dense_players
from scratchgen.models.networks import in_batches, input_width


class ConditionalGAN(GAN):
    """A GAN whose generator draws an example of a given class (Mirza & Osindero 2014).

    (CGAN.1)  x̃ = G([z, r]),  r = onehot(y)
    (CGAN.2)  loss_D on l = D([x, r]) and l̃ = D([x̃, r])        x̃ was generated for the same label r
    (CGAN.3)  dx̃ = the first D columns of J_Dᵀ·dl̃              the label is given, and has no gradient

    The loss of l and l̃ is that of the objective, as in GAN. D sees pairs of an example and a label, so a good
    example of another class is as easy to reject as a bad one. Generated examples have the labels of the real
    batch. Derived in docs/conditional-gan.md.

    generator : [z, r] (N, K + classes) -> x̃ (N, D);  discriminator : [x, r] (N, D + classes) -> l (N, 1)
    code : K, the width of z without the label
    classes : number of labels, 0 … classes − 1
    settings : the other arguments of GAN (noise, objective, k, ahead, output_range)
    """

    def __init__(
        self, generator: Layer, discriminator: Layer, *, code: int, classes: int = 10, **settings: Any
    ):
        super().__init__(generator, discriminator, code=code, **settings)
        self.classes = count(type(self).__name__, "classes", classes)

    @classmethod
    def dense(  # type: ignore[override]  # classes and projection
        cls,
        code: int = 100,
        hidden: int | Sequence[int] = (400, 400),
        features: int = 784,
        *,
        classes: int = 10,
        projection: bool = False,
        dropout: float = 0.3,
        pixel_init: Init = glorot_uniform,
        output_range: tuple[float, float] | None = (0.0, 1.0),
        spectral_norm: bool = False,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """The networks of GAN.dense, which also take the label.

        projection : whether D compares the label with its last hidden layer, (PROJ.1); otherwise the label is
            next to the pixels. The first Linear then adds a learnt row for each class to its output, which is
            an embedding of the label.
        The other arguments are those of GAN.dense.
        """
        who = f"{cls.__name__}.dense"
        classes, projection = count(who, "classes", classes), flag(who, "projection", projection)
        rng = as_generator(who, rng)
        critic, generator = dense_players(
            who, code, hidden, features, dropout=dropout, pixel_init=pixel_init, output_range=output_range,
            spectral_norm=spectral_norm, labels=(0 if projection else classes, classes), rng=rng, dtype=dtype,
        )
        discriminator: Layer = projected(critic, features, classes, rng) if projection else critic
        return cls(
            generator, discriminator, code=code, classes=classes, output_range=output_range, **settings
        )

    @classmethod
    def convolutional(
        cls,
        code: int = 64,
        channels: tuple[int, int] = (32, 64),
        *,
        hidden: int | Sequence[int] = (),
        shape: tuple[int, int, int] = (28, 28, 1),
        classes: int = 10,
        projection: bool = False,
        output_range: tuple[float, float] | None = (0.0, 1.0),
        spectral_norm: bool = False,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """The networks of DCGAN, which also take the label.

        projection : whether D compares the label with its last hidden layer, (PROJ.1); otherwise the label is
            one further channel for each class, (LABEL.1)
        The other arguments are those of DCGAN.
        """
        who = f"{cls.__name__}.convolutional"
        classes, projection = count(who, "classes", classes), flag(who, "projection", projection)
        rng = as_generator(who, rng)
        generator, critic = conv_players(
            who, code, channels, hidden, shape, batch_norm=True, output_range=output_range,
            spectral_norm=spectral_norm, labels=(0 if projection else classes, classes), rng=rng, dtype=dtype,
        )
        discriminator: Layer
        if projection:
            discriminator = projected(critic, math.prod(shape), classes, rng)
        else:
            discriminator = Sequential(LabelMaps(shape, classes), *critic.layers[1:])
        return cls(
            generator, discriminator, code=code, classes=classes, output_range=output_range, **settings
        )

    @property
    def features(self) -> int | None:
        """D, the number of columns of the data; None if the first layer of D does not determine it."""
        width = input_width(self.discriminator)
        return None if width is None else width - self.classes

    def prior_sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n latent codes z from the prior, (n, K), which is the same for all labels y."""
        self._expect_count(n, "prior_sample")
        if y is not None:
            self._labels(y, n, "prior_sample")
        return super().prior_sample(n, rng=rng)

    def random_input(self, n: int, rng: np.random.Generator | int) -> np.ndarray:
        """The inputs of G for n random examples, [z, r] with all labels equally often, (n, K + classes)."""
        return self._with_label(super().random_input(n, rng), np.arange(n) % self.classes)

    def _labels(self, y: Any, n: int, method: str) -> np.ndarray:
        return expect_labels(self._who(method), y, n, self.classes)

    def _with_label(self, a: np.ndarray, y: np.ndarray) -> np.ndarray:
        """[a, onehot(y)], (N, width + classes)."""
        return np.concatenate([a, one_hot(y, self.classes, a.dtype)], axis=1)

    def discriminator_loss(  # type: ignore[override]  # labels
        self, x: np.ndarray, z: np.ndarray, y: np.ndarray
    ) -> tuple[float, DiscriminatorCache]:
        """Return D's loss and its cache, for m real examples x, latent codes z and labels y of both."""
        y = self._labels(y, len(x), "discriminator_loss")
        fake, _ = self.generator.forward(self._with_label(z, y), training=True)     # (CGAN.1)
        l_real, real_cache = self.discriminator.forward(self._with_label(x, y), training=True)
        l_fake, fake_cache = self.discriminator.forward(self._with_label(fake, y), training=True)
        return self._discriminator_cache(l_real, l_fake, real_cache, fake_cache)    # (CGAN.2)

    def generator_loss(  # type: ignore[override]  # labels
        self, z: np.ndarray, y: np.ndarray, x: np.ndarray | None = None
    ) -> tuple[float, GeneratorCache]:
        """Return G's loss and its cache, for m latent codes z and labels y.

        x : real examples of the same classes (m, D), which only the objective "relativistic" needs
        """
        y = self._labels(y, len(z), "generator_loss")
        fake, gen = self.generator.forward(self._with_label(z, y), training=True)   # (CGAN.1)
        logits, dis = self.discriminator.forward(self._with_label(fake, y), training=True)
        l_real = self._real_scores(None if x is None else self._with_label(x, y))
        loss, dlogits = self._rule.generator(l_real, logits)
        return loss, GeneratorCache(gen, dis, dlogits)

    def generator_backward(self, cache: GeneratorCache) -> dict[str, Any]:
        """Add G's gradients. D is frozen and only passes the gradient on."""
        with self.discriminator.frozen():
            dinput = self.discriminator.backward(cache.dlogits, cache.dis)
        dfake = np.ascontiguousarray(dinput[:, : -self.classes])    # (CGAN.3)
        self.generator.backward(dfake, cache.gen, input_grad=False)
        return {"dlogits": cache.dlogits, "dfake": dfake}

    def _discriminator_inputs(
        self, batch: list[np.ndarray], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        return super()._discriminator_inputs(batch, rng) | {"y": batch[1]}

    def _generator_inputs(self, batch: list[np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
        return super()._generator_inputs(batch, rng) | {"y": batch[1]}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) and its labels y (N,), and that both networks have the right shapes for them."""
        X = as_examples(self._who("fit"), X, self.dtype)
        y = self._labels(y, len(X), "fit")
        self._expect_fit(X, self._with_label(X[:2], y[:2]))
        return X, y

    def sample(self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None) -> np.ndarray:
        """Generate n examples of the classes y (n,), (n, D), with the generator in evaluation mode."""
        self._expect_count(n)
        y = self._labels(y, n, "sample")
        return self.inverse_transform(self.prior_sample(n, rng=as_generator(self._who("sample"), rng)), y)

    def inverse_transform(self, Z: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Generate an example from each latent code and label: (N, K) and (N,) -> (N, D)."""
        Z = as_examples(self._who("inverse_transform"), Z, self.dtype, features=self.code)
        y = self._labels(y, len(Z), "inverse_transform")
        return in_batches(lambda z: self.generator.forward(z)[0], self._with_label(Z, y))

    def score_samples(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Raise NoLikelihood: the generator gives samples, but no formula for their density."""
        return super().score_samples(X)

    def critic_score(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """l(x, y), the output of D for each example and its label: (N, D) and (N,) -> (N,)."""
        return self._scores(X, y, "critic_score")

    def predict_real(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The probability that each example with its label is real: (N, D) and (N,) -> (N,) within (0, 1).

        Raises TypeError for an objective without probabilities.
        """
        self._expect_probabilities()
        return Bernoulli.mean(self._scores(X, y, "predict_real"))

    def _scores(self, X: np.ndarray, y: Any, method: str) -> np.ndarray:
        X = as_examples(self._who(method), X, self.dtype, features=self.features)
        labelled = self._with_label(X, self._labels(y, len(X), method))
        return in_batches(lambda x: self.discriminator.forward(x)[0], labelled)[:, 0]


def projected(critic: Sequential, features: int, classes: int, rng: np.random.Generator) -> Projection:
    """The same critic with the term ⟨e, h⟩ of (PROJ.1), where h is the input of its last Linear."""
    *body, head = critic.layers
    normalised = isinstance(head, SpectralNorm)
    linear: Any = head.layer if isinstance(head, SpectralNorm) else head
    embedding = Linear(classes, linear.in_features, bias=False, rng=rng, dtype=linear.dtype)
    table: Layer = SpectralNorm(embedding) if normalised else embedding
    return Projection(Sequential(*body), head, table, features, classes)
