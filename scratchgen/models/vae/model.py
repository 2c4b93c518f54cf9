"""The variational autoencoder: a code with noise in it, and a prior that the noise is measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import expect_examples, expect_no_labels
from scratchgen.data import binarise
from scratchgen.distributions import Normal
from scratchgen.layers import Activation, Layer, SiLU
from scratchgen.models.base import Model
from scratchgen.models.networks import conv_decoder, conv_encoder, dense, in_batches
from scratchgen.models.vae.codes import draw_codes
from scratchgen.models.vae.observation import BernoulliPixels, Observation

BINARISATIONS = {
    "dynamic": "binarised anew each time: a grey pixel is the probability of a 1",
    "fixed": "binarised once, before training: a grey pixel is the probability of a 1",
    "none": "as they are",
}


class VAECache(NamedTuple):
    """What backward needs, and the loss in its parts: `nll` and `kl` are averages over the batch, in nats."""

    enc: Any
    dec: Any
    offset: np.ndarray  # mu − the prior's mean
    logvar: np.ndarray
    std: np.ndarray
    eps: np.ndarray
    y: np.ndarray | None
    dout: np.ndarray
    nll: float
    kl: float


class VAE(Model):
    """A variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014).

    z ~ N(0, I) is drawn from the prior, x ~ p(x | z) by the decoder; the encoder's q(z | x) = N(mu, std²)
    answers which z an x came from.

    (VAE.1)  log p(x) ≥ E_q[log p(x | z)] − KL(q(z | x) ‖ p(z))           the bound, ELBO
    (VAE.2)  KL = ½·Σ_k [mu² + std² − 1 − logvar]                        std² = exp(logvar)
    (VAE.3)  z = mu + std·eps,  eps ~ N(0, I)                            reparameterisation
    (VAE.4)  loss = 1/N · Σₙ [−log p(xₙ | zₙ) + beta·KLₙ]                 in nats
    (VAE.5)  dz = J_gᵀ·dout                                              the decoder's pull on the code
    (VAE.6)  dlogits = 1/N · (σ(logits) − x)                             dout of Bernoulli pixels
    (VAE.7)  dmu = dz + beta·mu / N                                      the decoder's pull, and the KL's
    (VAE.8)  dlogvar = ½·dz·eps·std + ½·beta·(std² − 1) / N

    x (N, D), z, mu, logvar, eps (N, K). Derived in docs/vae.md.

    encoder : x -> (N, 2K): its output is two heads side by side, mu and logvar
    decoder : z -> (N, D): logits for Bernoulli pixels, means for Normal ones
    observation : BernoulliPixels() or NormalPixels(std)
    beta : weight of the KL; 1 makes the loss a bound on −log p(x)
    binarisation : for Bernoulli pixels what `fit` does with grey ones: "dynamic", "fixed" or "none"
    """

    likelihood = "importance-sampled"

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        *,
        observation: Observation | None = None,
        beta: float = 1.0,
        binarisation: str = "dynamic",
    ):
        if not (math.isfinite(beta) and beta >= 0):
            raise ValueError(f"VAE expected a finite beta >= 0, got {beta}")
        if binarisation not in BINARISATIONS:
            known = ", ".join(BINARISATIONS)
            raise ValueError(f"VAE expected a binarisation out of {known}, got {binarisation!r}")
        self.encoder, self.decoder, self.beta = encoder, decoder, float(beta)
        self.observation = observation or BernoulliPixels()
        self.binarisation = binarisation if isinstance(self.observation, BernoulliPixels) else "none"

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int] = (784, 400, 20),
        *,
        rng: np.random.Generator,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """Linear layers of the given sizes down to a code of the last, and the same sizes back up."""
        kind = {"rng": rng, "activation": activation, "dtype": dtype}
        if len(sizes) < 2:
            raise ValueError(f"{cls.__name__}.dense expected two or more sizes, got {tuple(sizes)}")
        encoder = dense((*sizes[:-1], 2 * sizes[-1]), **kind)
        return cls(encoder, dense(sizes[::-1], **kind), **settings)

    @classmethod
    def convolutional(
        cls,
        code: int = 20,
        channels: tuple[int, int] = (16, 32),
        *,
        rng: np.random.Generator,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """Two 4×4 convolutions of stride 2 down to 7×7, a code, and their transposes back up."""
        kind = {"rng": rng, "activation": activation, "dtype": dtype}
        return cls(conv_encoder(2 * code, channels, **kind), conv_decoder(code, channels, **kind), **settings)

    @property
    def data_note(self) -> str:
        """One line that says what the pixels are, for whoever reports a figure."""
        kind = "Bernoulli" if isinstance(self.observation, BernoulliPixels) else "Normal"
        return f"{kind} pixels, {BINARISATIONS[self.binarisation]}"

    def loss(self, x, y=None, *, eps=None, rng=None, training=False):
        """Return (loss, cache) for x (N, D), and labels y (N,) where the form is conditional.

        eps (N, K) is the noise of (VAE.3); where it isn't given, it is drawn from rng. One of them must be.
        """
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

    def backward(self, cache):
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

    def _heads(self, h):
        """mu and logvar, the two halves of what the encoder says."""
        if h.ndim != 2 or h.shape[1] % 2:
            who = type(self).__name__
            raise ValueError(f"{who} expected an encoder with 2K outputs, mu and logvar, got shape {h.shape}")
        return np.split(h, 2, axis=1)

    # What a conditional form changes: what the networks see of the label, and where the prior's mean lies.

    def _encoder_input(self, x, y):
        return x

    def _decoder_input(self, z, y):
        return z

    def prior_mean(self, y, n):
        """Where the prior of n codes lies: (1, K), or (n, K) for n labels."""
        return np.zeros((1, self.code_width), self.dtype)

    def _prior_backward(self, dmu, y):
        pass

    def _noise(self, mu, eps, rng):
        who = type(self).__name__
        if eps is None and rng is None:
            raise ValueError(f"{who}.loss expected noise: pass eps, or an rng to draw it from")
        if eps is None:
            return rng.standard_normal(mu.shape, mu.dtype)
        if np.shape(eps) != mu.shape:
            raise ValueError(f"{who}.loss expected eps of shape {mu.shape}, got {np.shape(eps)}")
        return np.asarray(eps, mu.dtype)

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Check X (N, D): within [0, 1], or what the observation model takes if nothing is binarised."""
        if self.binarisation == "none":
            self.observation.expect(self._who("fit"), X)
        else:
            expect_examples(self._who("fit"), X, low=0, high=1)
        expect_no_labels(self._who("fit"), y)
        return X, None

    def check_augment(self) -> None:
        """Raise ValueError unless augmented pixels are binarised: Bernoulli pixels are 0 or 1."""
        if self.binarisation != "dynamic" and isinstance(self.observation, BernoulliPixels):
            raise ValueError(
                f"{self._who('fit')} with augment expected binarisation 'dynamic', got {self.binarisation!r}"
            )

    def before_training(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Binarise the data once, for binarisation 'fixed'."""
        return binarise(X, rng=rng) if self.binarisation == "fixed" else X

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Binarise the batch, for binarisation 'dynamic'."""
        x, *labels = batch
        return (binarise(x, rng=rng) if self.binarisation == "dynamic" else x, *labels)

    def report(self, loss: float, cache: VAECache) -> dict[str, float]:
        """The loss, its two parts, and the mean standard deviation of the codes."""
        return {"loss": loss, "reconstruction": cache.nll, "kl": cache.kl, "std": float(cache.std.mean())}

    def posterior(self, X: np.ndarray, y: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """mu and logvar of q(z | x), each (N, K)."""
        expect_examples(f"{type(self).__name__}.posterior", X)
        h = in_batches(lambda x: self.encoder.forward(x)[0], self._encoder_input(X, y))
        mu, logvar = self._heads(h)
        return mu, logvar

    def transform(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The codes of X, the means of q(z | x): (N, D) -> (N, K)."""
        return self.posterior(X, y)[0]

    def inverse_transform(self, Z: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The mean image of each code: (N, K) -> (N, D)."""
        return in_batches(self.observation.mean, self.decode(Z, y))

    def decode(self, Z: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """What the observation model takes, logits or means: (N, K) -> (N, D)."""
        expect_examples(f"{type(self).__name__}.decode", Z)
        return in_batches(lambda z: self.decoder.forward(z)[0], self._decoder_input(Z, y))

    def reconstruct(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """X through the mean of its code and back, (N, D)."""
        return self.inverse_transform(self.transform(X, y), y)

    def interpolate(self, start: np.ndarray, end: np.ndarray, steps: int = 8, *, label: int | None = None):
        """Images on the straight line between the codes of two examples (D,): (steps, D).

        label : for a conditional form, the class of both examples and of all between them
        """
        who = f"{type(self).__name__}.interpolate"
        if steps < 2:
            raise ValueError(f"{who} expected at least 2 steps, got {steps}")
        if np.ndim(start) != 1 or np.shape(start) != np.shape(end):
            raise ValueError(f"{who} expected two examples (D,), got {np.shape(start)} and {np.shape(end)}")
        a, b = self.transform(np.stack([start, end]), None if label is None else np.full(2, label))
        t = np.linspace(0, 1, steps, dtype=a.dtype)[:, None]
        return self.inverse_transform((1 - t) * a + t * b, None if label is None else np.full(steps, label))

    def prior_sample(self, n: int, *, rng: np.random.Generator, y: np.ndarray | None = None) -> np.ndarray:
        """n codes from the prior, (n, K)."""
        if n < 1:
            raise ValueError(f"{type(self).__name__} expected to draw at least one example, got n = {n}")
        eps = rng.standard_normal((n, self.code_width)).astype(self.dtype)
        return eps + self.prior_mean(y, n)

    def sample(self, n, *, rng, y=None):
        """n draws from p(x): z from the prior, then x ~ p(x | z), (n, D).

        The mean images are ``inverse_transform(prior_sample(n, rng=rng))``.
        """
        return self.observation.sample(self.decode(self.prior_sample(n, rng=rng, y=y), y), rng)

    @property
    def code_width(self) -> int:
        """K, the width of the code: half of what the encoder's last parameter has as its last axis."""
        last = list(self.encoder.parameters().values())[-1]
        return last.shape[-1] // 2

    def elbo(self, X: np.ndarray, y: np.ndarray | None = None, *, rng: np.random.Generator, samples: int = 1):
        """The bound (VAE.1) in nats, (N,): log p(x | z) averaged over `samples` codes, less the KL."""
        self._expect_samples("elbo", X, samples)
        mu, logvar = self.posterior(X, y)
        total = -Normal.kl(mu, logvar, self.prior_mean(y, len(X))).sum(axis=1, dtype=np.float64)
        for part, log_px, _ in draw_codes(self, X, y, (mu, logvar), samples, rng):
            total[part] += log_px.sum(axis=1, dtype=np.float64) / samples
        return total

    def score_samples(self, X, y=None, *, rng: np.random.Generator | None = None, samples: int = 100):
        """log p(x) in nats by importance sampling, one an example, (N,); given labels, log p(x | y).

        (VAE.11)  log p(x) ≈ log 1/S · Σ_s p(x | z_s)·p(z_s) / q(z_s | x),  z_s ~ q(z | x)

        On average it is too low, the less so the more `samples` there are (Burda et al. 2016, theorem 1).
        Without an rng the noise comes from a fixed seed, so that one X has one answer.
        """
        self._expect_samples("score_samples", X, samples)
        rng = rng if rng is not None else np.random.default_rng(0)
        mu, logvar = self.posterior(X, y)
        total = np.full(len(X), -np.inf)
        for part, log_px, log_ratio in draw_codes(self, X, y, (mu, logvar), samples, rng):
            log_weights = (log_px + log_ratio).astype(np.float64)  # (B, S)
            total[part] = np.logaddexp(total[part], np.logaddexp.reduce(log_weights, axis=1))
        return total - math.log(samples)                        # (VAE.11)

    def _expect_samples(self, verb, X, samples):
        who = f"{type(self).__name__}.{verb}"
        self.observation.expect(who, X)
        if not isinstance(samples, int | np.integer) or samples < 1:
            raise ValueError(f"{who} expected samples to be a whole number of at least 1, got {samples!r}")

