"""Mistakes in variational autoencoders. All train one small linear VAE, whose optimum is known.

The data are x = 2·z·u + noise in eight dimensions, with a unit vector u, z ~ N(0, 1) and noise ~ N(0, I). The
best posterior has the variance 1/5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import Array, adam, layer_error, loss_error, random_generator, tail

FEATURES = 8


class VAE:
    """The parts of a VAE that are not a network: noise, the sample of z, and both terms of the loss."""

    @staticmethod
    def noise(shape, rng):
        return rng.standard_normal(shape)

    @staticmethod
    def sample(mu, logvar, eps):
        std = np.exp(0.5 * logvar)
        return mu + std * eps, (std, eps)

    @staticmethod
    def sample_backward(dz, cache):
        std, eps = cache
        return dz, 0.5 * dz * std * eps         # dmu, dlogvar

    @staticmethod
    def kl(mu, logvar):
        kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum() / len(mu)
        return kl, (mu / len(mu), 0.5 * (np.exp(logvar) - 1) / len(mu))

    @staticmethod
    def reconstruction(out, x):
        diff = out - x
        return 0.5 * (diff**2).sum() / len(x), (diff / len(x),)


class Trained(NamedTuple):
    """The losses and KL terms of each step, and the variance of the posterior at the end."""

    losses: Array
    kls: Array
    variance: float


def train(code: Any) -> Trained:
    """Train encoder mu = x·A, logvar = c and decoder N(z·W, I) for 400 steps on one batch."""
    rng = random_generator()
    direction = np.full((1, FEATURES), FEATURES**-0.5)
    x = 2 * rng.standard_normal((256, 1)) @ direction + rng.standard_normal((256, FEATURES))
    kls: list[float] = []

    def gradient(step, encoder, c, decoder):
        mu, logvar = x @ encoder, np.full((len(x), 1), float(c))
        z, cache = code.sample(mu, logvar, code.noise(mu.shape, rng))
        loss, (dout,) = code.reconstruction(z @ decoder, x)
        kl, (dmu, dlogvar) = code.kl(mu, logvar)
        kls.append(kl)
        dmu_of_z, dlogvar_of_z = code.sample_backward(dout @ decoder.T, cache)
        dencoder, dc = x.T @ (dmu + dmu_of_z), (dlogvar + dlogvar_of_z).sum()
        return loss + kl, (dencoder, dc, z.T @ dout)

    start = 0.3 * rng.standard_normal((FEATURES, 1)), 0.0, rng.standard_normal((1, FEATURES))
    losses, (_, c, _) = adam(gradient, start, lr=0.03, steps=400)
    return Trained(losses, np.array(kls), float(np.exp(c)))


class SampleEntry(Entry):
    """An entry about z = mu + std·eps."""

    where = "scratchgen/distributions.py"
    gradcheck = "VAE"
    exercise = "vae"
    Right = VAE

    def gradient_error(self, code: Any) -> float:
        eps = random_generator().standard_normal((4, 2))

        class Sample:
            backward = code.sample_backward

            @staticmethod
            def forward(mu, logvar):
                return code.sample(mu, logvar, eps)

        return layer_error(Sample, *np.random.default_rng(1).standard_normal((2, 4, 2)))


class KlEntry(Entry):
    """An entry about the KL term."""

    where = "scratchgen/distributions.py"
    gradcheck = "VAE"
    exercise = "kl"
    Right = VAE
    passes_gradient_check = True

    def gradient_error(self, code: Any) -> float:
        return loss_error(code.kl, *random_generator().standard_normal((2, 4, 2)))


class HalfMissingInGradient(CaughtByGradient, SampleEntry):
    title = "the gradient of logvar through the sample lacks its ½"
    symptom = "The posterior is narrower than the best one, and nothing else looks wrong."
    numbers = (0.198, 0.0647)
    measure = "variance of the posterior at the end; 0.2 is right"
    direction = "lower"
    apart = 0.05
    fix = "std = exp(½·logvar), so d std / d logvar = ½·std."
    seen = "hand-written VAEs in NumPy"

    class Wrong(VAE):
        @staticmethod
        def sample_backward(dz, cache):
            std, eps = cache
            return dz, dz * std * eps

    def run(self, code: Any) -> Outcome:
        found = train(code)
        return Outcome(found.variance, found.losses)


class StdIsExpLogvar(SampleEntry):
    title = "exp(logvar) is used as the standard deviation"
    symptom = "The reported bound is better than the true likelihood allows: the KL term has another std."
    numbers = (4.83, 4.35)
    measure = "the loss that is reported at the end"
    direction = "lower"
    apart = 0.05
    caught_by = "moment test: samples of z have the variance exp(logvar)"
    bound = 0.05
    passes_gradient_check = True
    fix = "Decide what the network returns, and use std = exp(½·logvar) in the sample and in the KL term."
    seen = "VAE tutorials that name the output log_sigma in one place and logvar in another"

    class Wrong(VAE):
        @staticmethod
        def sample(mu, logvar, eps):
            std = np.exp(logvar)
            return mu + std * eps, (2 * std, eps)

    def check(self, code: Any) -> float:
        eps = random_generator().standard_normal((20_000, 1))
        z, _ = code.sample(np.zeros_like(eps), np.full_like(eps, -1.5), eps)
        return abs(float(z.var() / np.exp(-1.5)) - 1)

    def run(self, code: Any) -> Outcome:
        losses = train(code).losses
        return Outcome(tail(losses), losses)


class HalfMissingInKl(KlEntry):
    title = "the KL term lacks its ½, in the loss and in the gradient"
    symptom = "The posterior is pulled to the prior twice as hard: wider posteriors, blurred reconstructions."
    numbers = (0.198, 0.394)
    measure = "variance of the posterior at the end; 0.2 is right"
    apart = 0.05
    caught_by = "Monte Carlo test: the mean of log q(z) − log p(z) over samples of q"
    bound = 0.05
    fix = "KL = ½·Σ (mu² + exp(logvar) − 1 − logvar). The gradient of a wrong loss can be right."
    seen = "VAE code that writes the KL from memory; threads that ask about its weight"

    class Wrong(VAE):
        @staticmethod
        def kl(mu, logvar):
            kl = (mu**2 + np.exp(logvar) - 1 - logvar).sum() / len(mu)
            return kl, (2 * mu / len(mu), (np.exp(logvar) - 1) / len(mu))

    def check(self, code: Any) -> float:
        z = 1.2 + 0.5 * random_generator().standard_normal(100_000)
        estimate = (-np.log(0.5) - 0.5 * ((z - 1.2) / 0.5) ** 2 + 0.5 * z**2).mean()
        return abs(float(code.kl(np.array([[1.2]]), np.array([[2 * np.log(0.5)]]))[0] / estimate) - 1)

    def run(self, code: Any) -> Outcome:
        found = train(code)
        return Outcome(found.variance, found.losses)


class KlSign(KlEntry):
    title = "the KL term has the wrong sign"
    symptom = "The loss falls below zero without end, and samples from the prior are not like the data."
    numbers = (4.83, -5930.0)
    measure = "the loss that is reported at the end"
    direction = "lower"
    apart = 1.0
    caught_by = "closed form: KL(N(1, 1) ‖ N(0, 1)) = ½"
    bound = 1e-12
    fix = "−½·Σ (1 + logvar − mu² − exp(logvar)) is positive. Add it to the loss."
    seen = "loss = reconstruction − kl, where the bound (to be maximised) and the loss were mixed up"

    class Wrong(VAE):
        @staticmethod
        def kl(mu, logvar):
            kl = 0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum() / len(mu)
            return kl, (-mu / len(mu), 0.5 * (1 - np.exp(logvar)) / len(mu))

    def check(self, code: Any) -> float:
        return abs(float(code.kl(np.array([[1.0]]), np.array([[0.0]]))[0]) - 0.5)

    def run(self, code: Any) -> Outcome:
        losses = train(code).losses
        return Outcome(tail(losses), losses)


class PixelsAveraged(Entry):
    title = "the reconstruction is averaged over pixels, and the KL term is summed"
    symptom = "The KL term goes to zero: the code carries nothing, and all reconstructions are the mean."
    numbers = (0.815, 0.000234)
    measure = "KL term at the end"
    y_label = "KL term, nats"
    direction = "lower"
    apart = 0.3
    caught_by = "additivity: an image pasted twice costs twice as much"
    bound = 1e-12
    passes_gradient_check = True
    fix = "Sum over pixels and average over the batch, in both terms."
    seen = "the default reduction of a framework's loss; many threads about sum, mean and KL weights"
    where = "scratchgen/models/vae/model.py"
    gradcheck = "VAE"
    exercise = "vae"
    Right = VAE

    class Wrong(VAE):
        @staticmethod
        def reconstruction(out, x):
            diff = out - x
            return 0.5 * (diff**2).mean(), (diff / diff.size,)

    def gradient_error(self, code: Any) -> float:
        out, x = random_generator().standard_normal((2, 4, 3))
        return loss_error(code.reconstruction, out, fixed=(x,))

    def check(self, code: Any) -> float:
        out, x = random_generator().standard_normal((2, 4, 3))
        once, twice = (code.reconstruction(np.tile(out, n), np.tile(x, n))[0] for n in (1, 2))
        return abs(float(twice / once - 2))

    def run(self, code: Any) -> Outcome:
        kls = train(code).kls
        return Outcome(tail(kls), kls)


class NoiseShared(SampleEntry):
    title = "all examples of a batch get the same noise"
    symptom = "Every gradient is right on average, but the loss is noisier, and a larger batch does not help."
    numbers = (0.0459, 0.546)
    measure = "standard deviation of the loss near the end"
    apart = 0.05
    caught_by = "moment test: the mean of N noise values has the variance 1/N"
    bound = 0.5
    passes_gradient_check = True
    fix = "Draw noise of the shape of mu, (N, latent)."
    seen = "noise of shape (latent,) that broadcasts over the batch"
    where = "scratchgen/models/vae/model.py"

    class Wrong(VAE):
        @staticmethod
        def noise(shape, rng):
            return np.broadcast_to(rng.standard_normal(shape[1:]), shape)

    def check(self, code: Any) -> float:
        rng = random_generator()
        means = np.array([code.noise((50, 3), rng).mean(axis=0) for _ in range(100)])
        return abs(50 * float((means**2).mean()) - 1)

    def run(self, code: Any) -> Outcome:
        losses = train(code).losses
        return Outcome(float(losses[-100:].std()), losses)
