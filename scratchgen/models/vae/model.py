"""The variational autoencoder, an autoencoder with a distribution of latent codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import as_generator, expect_examples, expect_no_labels
from scratchgen.distributions import Normal
from scratchgen.layers import Activation, Layer, SiLU
from scratchgen.models.arguments import count, finite, layer
from scratchgen.models.examples import as_examples, cast
from scratchgen.models.networks import (
    conv_decoder,
    conv_encoder,
    convolutional_arguments,
    dense,
    dense_arguments,
    in_batches,
    input_width,
)
from scratchgen.models.pixels import PixelModel
from scratchgen.models.vae.likelihood import Posterior, importance_sampled, lower_bound
from scratchgen.models.vae.observation import ANY_NUMBERS, BernoulliPixels, Observation

Rng = np.random.Generator | int


class VAECache(NamedTuple):
    """The values that backward needs, and the two parts of the loss."""

    enc: Any                # the encoder's cache
    dec: Any                # the decoder's cache
    offset: np.ndarray      # mu − the prior's mean, (N, K)
    logvar: np.ndarray      # (N, K)
    std: np.ndarray         # (N, K)
    eps: np.ndarray         # (N, K)
    y: np.ndarray | None    # labels (N,)
    dout: np.ndarray        # (N, D)
    nll: float              # −log p(x | z) in nats, averaged over the batch
    kl: float               # KL in nats, averaged over the batch


class VAE(PixelModel):
    """A variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014).

    A latent code z ~ N(0, I) is drawn from the prior, and x ~ p(x | z) by the decoder. The encoder's
    q(z | x) = N(mu, std²) approximates the posterior, the distribution of the codes that lead to x.

    (VAE.1)  log p(x) ≥ E_q[log p(x | z)] − KL(q(z | x) ‖ p(z))           the bound, ELBO
    (VAE.2)  KL = ½·Σ_k [mu² + std² − 1 − logvar]                        std² = exp(logvar)
    (VAE.3)  z = mu + std·eps,  eps ~ N(0, I)                            reparameterisation
    (VAE.4)  loss = 1/N · Σₙ [−log p(xₙ | zₙ) + beta·KLₙ]                 in nats
    (VAE.5)  dz = J_gᵀ·dout                                              the decoder's gradient for z
    (VAE.6)  dlogits = 1/N · (σ(logits) − x)                             dout of Bernoulli pixels
    (VAE.7)  dmu = dz + beta·mu / N                                      from the decoder, and from the KL
    (VAE.8)  dlogvar = ½·dz·eps·std + ½·beta·(std² − 1) / N

    x (N, D), z, mu, logvar, eps (N, K). Derived in docs/vae.md.

    encoder : x -> (N, 2K), mu and logvar side by side
    decoder : z -> (N, D), logits for Bernoulli pixels, means for Normal ones
    observation : BernoulliPixels() or NormalPixels(std)
    beta : weight of the KL; with 1 the loss is a bound on −log p(x)
    binarisation : what `fit` does with grey pixels if pixels are Bernoulli: "dynamic", "fixed" or "none"
    """

    likelihood = "importance-sampled"
    classes = 0

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        *,
        observation: Observation | None = None,
        beta: float = 1.0,
        binarisation: str = "dynamic",
    ):
        super().__init__(binarisation)
        who = type(self).__name__
        self.encoder, self.decoder = layer(who, "encoder", encoder), layer(who, "decoder", decoder)
        self.beta = finite(who, "beta", beta, least=0)
        self.observation = BernoulliPixels() if observation is None else observation
        if not isinstance(self.observation, Observation):
            raise TypeError(
                f"{who} expected observation to be BernoulliPixels() or NormalPixels(std), "
                f"got {observation!r}"
            )
        if not self.bernoulli:
            self.binarisation = "none"

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int] | None = None,
        *,
        features: int | None = None,
        hidden: int | Sequence[int] | None = None,
        code: int | None = None,
        rng: Rng,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """Linear layers from `features` through the `hidden` widths to `code`, and the same widths back.

        features, hidden, code : by default 784, (400,) and 20
        sizes : the same widths in one sequence, (features, *hidden, code), instead of the three arguments
        settings : the other arguments of the constructor
        """
        sizes, net_args = dense_arguments(
            f"{cls.__name__}.dense", sizes, (784, 400, 20), features, hidden, code,
            rng=rng, activation=activation, dtype=dtype,
        )
        encoder = dense((*sizes[:-1], 2 * sizes[-1]), **net_args)
        return cls(encoder, dense(sizes[::-1], **net_args), **settings)

    @classmethod
    def convolutional(
        cls,
        code: int = 20,
        channels: tuple[int, int] = (16, 32),
        *,
        shape: tuple[int, int, int] = (28, 28, 1),
        rng: Rng,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """Two 4×4 convolutions of stride 2, a latent code, and a decoder of transposed convolutions.

        shape : (H, W, C) of the images, with H and W of at least 4; examples are rows of H·W·C numbers
        settings : the other arguments of the constructor
        """
        code, net_args = convolutional_arguments(
            f"{cls.__name__}.convolutional", code, channels, shape,
            rng=rng, activation=activation, dtype=dtype,
        )
        encoder = conv_encoder(2 * code, **net_args)
        return cls(encoder, conv_decoder(code, **net_args), **settings)

    @property
    def bernoulli(self) -> bool:    # type: ignore[override]  # here it depends on the observation model
        """Whether pixels are Bernoulli variables."""
        return isinstance(self.observation, BernoulliPixels)

    @property
    def features(self) -> int | None:
        """D, the number of input columns; None if the encoder does not begin with a Linear or Reshape."""
        return input_width(self.encoder)

    @property
    def code(self) -> int:
        """K, the width of the latent code: half the last axis of the encoder's last parameter."""
        last = list(self.encoder.parameters().values())[-1]
        return last.shape[-1] // 2

    def loss(
        self,
        x: np.ndarray,
        y: np.ndarray | None = None,
        *,
        eps: np.ndarray | None = None,
        rng: Rng | None = None,
        training: bool = False,
    ) -> tuple[float, VAECache]:
        """Return (loss, cache) for x (N, D), and for labels y (N,) if the VAE is conditional.

        eps (N, K) is the noise of (VAE.3), drawn from rng if it is not given. One of the two is required.
        """
        y = self._labels(y, len(x), "loss")
        h, enc = self.encoder.forward(self._encoder_input(x, y), training)
        mu, logvar = self._heads(h)                             # (N, K)
        std = Normal.std(logvar)
        eps = self._noise(mu, eps, rng)
        z = mu + std * eps                                      # (VAE.3)
        out, dec = self.decoder.forward(self._decoder_input(z, y), training)
        nll, dout = self.observation.nll(out, x)                # (VAE.6)  (N, D)
        offset = mu - self.prior_mean(y, len(x))
        kl = float(Normal.kl(offset, logvar).sum()) / len(x)    # (VAE.2)
        loss = nll + self.beta * kl                             # (VAE.4), (VAE.1)
        return loss, VAECache(enc, dec, offset, logvar, std, eps, y, dout, nll, kl)

    def backward(self, cache: VAECache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dout (N, D), and dz, dmu, dlogvar (N, K)."""
        n, width = cache.eps.shape
        dkl_dmu, dkl_dlogvar = Normal.kl_grad(cache.offset, cache.logvar)
        dz = self.decoder.backward(cache.dout, cache.dec)[:, :width]  # (VAE.5, CVAE.2)  (N, K)
        dmu = dz + self.beta / n * dkl_dmu                      # (VAE.7)
        dlogvar = 0.5 * dz * cache.eps * cache.std + self.beta / n * dkl_dlogvar  # (VAE.8)
        dh = np.concatenate([dmu, dlogvar], axis=1)
        self.encoder.backward(dh, cache.enc, input_grad=False)
        self._prior_backward(self.beta / n * dkl_dmu, cache.y)
        return {"dout": cache.dout, "dz": dz, "dmu": dmu, "dlogvar": dlogvar}

    def _heads(self, h: np.ndarray) -> Posterior:
        """mu and logvar, the two halves of the encoder's output."""
        if h.ndim != 2 or h.shape[1] % 2:
            who = type(self).__name__
            raise ValueError(f"{who} expected an encoder with 2K outputs, mu and logvar, got shape {h.shape}")
        mu, logvar = np.split(h, 2, axis=1)
        return mu, logvar

    def _noise(self, mu: np.ndarray, eps: np.ndarray | None, rng: Rng | None) -> np.ndarray:
        if eps is None and rng is None:
            raise ValueError(f"{self._who('loss')} expected noise: pass eps, or an rng to draw it from")
        if eps is None:
            return as_generator(self._who("loss"), rng).standard_normal(mu.shape, mu.dtype)
        if np.shape(eps) != mu.shape:
            raise ValueError(f"{self._who('loss')} expected eps of shape {mu.shape}, got {np.shape(eps)}")
        return np.asarray(eps, mu.dtype)

    # A conditional VAE overrides these: the inputs of the networks, and the mean of the prior.

    def _labels(self, y: Any, n: int, method: str) -> np.ndarray | None:
        """Check the labels y of n examples, and return them; a plain VAE takes no labels."""
        expect_no_labels(self._who(method), y)
        return None

    def _encoder_input(self, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        return x

    def _decoder_input(self, z: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        return z

    def prior_mean(self, y: np.ndarray | None, n: int) -> np.ndarray:
        """The mean of the prior of n codes: (1, K), or (n, K) if it depends on the n labels y."""
        return np.zeros((1, self.code), self.dtype)

    def _prior_backward(self, dmu: np.ndarray, y: np.ndarray | None) -> None:
        pass

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Check X (N, D): within [0, 1], or, without binarisation, valid for the observation model."""
        who = self._who("fit")
        X = cast(who, X, self.dtype)
        if self.binarisation == "none":
            self.observation.expect(who, X, self.features)
        else:
            expect_examples(who, X, features=self.features, low=0, high=1, hint=ANY_NUMBERS)
        return X, self._labels(y, len(X), "fit")

    def report(self, loss: float, cache: VAECache) -> dict[str, float]:
        """The loss, its two parts, and the mean standard deviation of the codes."""
        return {"loss": loss, "reconstruction": cache.nll, "kl": cache.kl, "std": float(cache.std.mean())}

    def posterior(self, X: np.ndarray, y: np.ndarray | None = None) -> Posterior:
        """mu and logvar of q(z | x), each (N, K)."""
        return self._posterior(X, y, "posterior")

    def _posterior(self, X: np.ndarray, y: Any, method: str) -> Posterior:
        X = as_examples(self._who(method), X, self.dtype, features=self.features)
        y = self._labels(y, len(X), method)
        h = in_batches(lambda x: self.encoder.forward(x)[0], self._encoder_input(X, y))
        return self._heads(h)

    def transform(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The latent codes of X, the means of q(z | x): (N, D) -> (N, K)."""
        return self._posterior(X, y, "transform")[0]

    def inverse_transform(self, Z: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The mean image of each latent code: (N, K) -> (N, D)."""
        return in_batches(self.observation.mean, self._decode(Z, y, "inverse_transform"))

    def decode(self, Z: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The decoder's output, the parameters of p(x | z): logits or means, (N, K) -> (N, D)."""
        return self._decode(Z, y, "decode")

    def _decode(self, Z: np.ndarray, y: Any, method: str) -> np.ndarray:
        Z = as_examples(self._who(method), Z, self.dtype, features=self.code)
        y = self._labels(y, len(Z), method)
        return in_batches(lambda z: self.decoder.forward(z)[0], self._decoder_input(Z, y))

    def reconstruct(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The mean image of each example's mean code, (N, D)."""
        return self.inverse_transform(self._posterior(X, y, "reconstruct")[0], y)

    def interpolate(
        self, start: np.ndarray, end: np.ndarray, steps: int = 8, *, label: int | None = None
    ) -> np.ndarray:
        """Images on the straight line between the codes of two examples (D,): (steps, D).

        label : for a conditional VAE, the class of both examples and of all images between them
        """
        who = self._who("interpolate")
        count(who, "steps", steps, least=2)
        if np.ndim(start) != 1 or np.shape(start) != np.shape(end):
            raise ValueError(f"{who} expected two examples (D,), got {np.shape(start)} and {np.shape(end)}")
        both = np.stack([start, end])
        (a, b), _ = self._posterior(both, None if label is None else np.full(2, label), "interpolate")
        t = np.linspace(0, 1, steps, dtype=a.dtype)[:, None]
        return self.inverse_transform((1 - t) * a + t * b, None if label is None else np.full(steps, label))

    def prior_sample(self, n: int, *, rng: Rng, y: np.ndarray | None = None) -> np.ndarray:
        """Draw n latent codes from the prior, (n, K)."""
        return self._prior_sample(n, rng, y, "prior_sample")

    def _prior_sample(self, n: int, rng: Rng, y: Any, method: str) -> np.ndarray:
        self._expect_count(n, method)
        y = self._labels(y, n, method)
        eps = as_generator(self._who(method), rng).standard_normal((n, self.code)).astype(self.dtype)
        return eps + self.prior_mean(y, n)

    def sample(self, n: int, *, rng: Rng, y: np.ndarray | None = None) -> np.ndarray:
        """Draw n examples from p(x): z from the prior, then x ~ p(x | z), (n, D).

        The mean images are ``inverse_transform(prior_sample(n, rng=rng))``.
        """
        rng = as_generator(self._who("sample"), rng)
        z = self._prior_sample(n, rng, y, "sample")
        return self.observation.sample(self.decode(z, y), rng)

    def elbo(
        self, X: np.ndarray, y: np.ndarray | None = None, *, rng: Rng, samples: int = 1
    ) -> np.ndarray:
        """The bound (VAE.1) in nats, (N,): log p(x | z) averaged over `samples` codes, minus the KL."""
        X = self._expect_samples("elbo", X, samples)
        rng = as_generator(self._who("elbo"), rng)
        return lower_bound(self, X, y, self._posterior(X, y, "elbo"), samples, rng)

    def score_samples(
        self, X: np.ndarray, y: np.ndarray | None = None, *, rng: Rng | None = None, samples: int = 100
    ) -> np.ndarray:
        """log p(x) in nats by importance sampling, (N,); with labels y, log p(x | y).

        (VAE.11)  log p(x) ≈ log 1/S · Σ_s p(x | z_s)·p(z_s) / q(z_s | x),  z_s ~ q(z | x)

        The estimate is too low on average. The error decreases with the number of `samples` (Burda et al.
        2016, theorem 1). Without an rng, the seed is 0, so that repeated calls give the same result.
        """
        X = self._expect_samples("score_samples", X, samples)
        rng = as_generator(self._who("score_samples"), 0 if rng is None else rng)
        posterior = self._posterior(X, y, "score_samples")
        return importance_sampled(self, X, y, posterior, samples, rng)          # (VAE.11)

    def _expect_samples(self, method: str, X: np.ndarray, samples: int) -> np.ndarray:
        X = cast(self._who(method), X, self.dtype)
        self.observation.expect(self._who(method), X, self.features)
        count(self._who(method), "samples", samples)
        return X
