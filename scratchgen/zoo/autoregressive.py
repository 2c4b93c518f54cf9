"""Mistakes in autoregressive models of binary data, such as MADE."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from scratchgen.zoo.entry import Entry, Outcome
from scratchgen.zoo.tools import Array, adam, loss_error, random_generator, tail

PIXELS = 6


class MADE:
    """One hidden layer. A unit of degree m sees inputs of degree 1 … m; output d sees units below d."""

    @staticmethod
    def first_mask(inputs, hidden):
        return inputs[:, None] <= hidden[None, :]       # (D, H)

    @staticmethod
    def second_mask(hidden, outputs):
        return hidden[:, None] < outputs[None, :]       # (H, D)

    @classmethod
    def masks(cls, n):
        degrees, hidden = np.arange(1, n + 1), np.array([1, 3, 2, 5, 4, 1])[:n]
        return cls.first_mask(degrees, hidden), cls.second_mask(hidden, degrees)

    @classmethod
    def loss(cls, w1, w2, bias, x):
        """The mean over rows of −log p(x), in nats."""
        m1, m2 = cls.masks(x.shape[1])
        h = np.tanh(x @ (w1 * m1))
        logits = h @ (w2 * m2) + bias
        dlogits = (0.5 * (1 + np.tanh(0.5 * logits)) - x) / len(x)
        dh = dlogits @ (w2 * m2).T * (1 - h**2)
        loss = (np.logaddexp(0, logits) - x * logits).sum() / len(x)
        return loss, (x.T @ dh * m1, h.T @ dlogits * m2, dlogits.sum(axis=0))


class Pair:
    """Two binary pixels that are equal with probability 0.95, modelled in both orderings."""

    agree = np.log(19.0)                                # the logit of 0.95

    @classmethod
    def logits(cls, x, first):
        """The logits of both pixels, (N, 2); `first` is the pixel that comes first and is 0 or 1 evenly."""
        logits = np.zeros((len(x), 2))
        logits[:, 1 - first] = np.where(x[:, first] == 1, cls.agree, -cls.agree)
        return logits

    @staticmethod
    def bernoulli(x, logits):
        return (x * logits - np.logaddexp(0, logits)).sum(axis=1)

    @classmethod
    def log_prob(cls, x):
        each = [cls.bernoulli(x, cls.logits(x, first)) for first in (0, 1)]
        return np.logaddexp(*each) - np.log(2)          # log of the mean

    @classmethod
    def sample(cls, n, rng):
        x = np.zeros((n, 2))
        for d in range(2):              # each pixel sees the one before it
            p = 1 / (1 + np.exp(-cls.logits(x, 0)[:, d]))
            x[:, d] = rng.random(n) < p
        return x


class MaskEntry(Entry):
    """An entry about the masks of MADE, trained on random bits: no model can do better than log 2 each."""

    measure = "negative log-likelihood of random bits; 4.16 nats is the limit"
    direction = "lower"
    apart = 0.3
    caught_by = "dependence test: flipping input d changes no output up to d"
    bound = 0.0
    passes_gradient_check = True
    where = "scratchgen/layers/masks.py"
    gradcheck = "MaskedLinear"
    exercise = "masked-linear"
    Right = MADE

    def gradient_error(self, code: Any) -> float:
        rng = random_generator()
        weights = rng.standard_normal((4, 4)), rng.standard_normal((4, 4)), rng.standard_normal(4)
        return loss_error(code.loss, *weights, fixed=((rng.random((5, 4)) < 0.5).astype(float),))

    def check(self, code: Any) -> float:
        """The number of outputs that depend on their own input or on a later one."""
        first, second = code.masks(PIXELS)
        reaches = first.astype(int) @ second.astype(int) > 0            # (input, output)
        return float(np.tril(reaches).sum())

    def run(self, code: Any) -> Outcome:
        rng = random_generator()

        def gradient(step, w1, w2, bias):
            x = (rng.random((128, PIXELS)) < 0.5).astype(float)
            return code.loss(w1, w2, bias, x)

        start = 0.3 * rng.standard_normal((PIXELS, PIXELS)), 0.3 * rng.standard_normal((PIXELS, PIXELS))
        losses, _ = adam(gradient, (*start, np.zeros(PIXELS)), lr=0.05, steps=300)
        return Outcome(tail(losses), losses)


class MaskNotStrict(MaskEntry):
    title = "the output mask uses ≤ in place of <, so an output sees its own input"
    symptom = "The likelihood is far too good, and samples are noise: the network copies its input."
    numbers = (4.16, 0.77)
    fix = "Hidden units may see inputs up to their degree (≤); outputs only units of a smaller degree (<)."
    seen = "MADE and PixelCNN (mask A and mask B exchanged)"

    class Wrong(MADE):
        @staticmethod
        def second_mask(hidden, outputs):
            return hidden[:, None] <= outputs[None, :]


class MaskTransposed(MaskEntry):
    title = "the first mask is transposed; the layer is square, so its shape fits"
    symptom = "The likelihood is better than the data allow, because some outputs see later inputs."
    numbers = (4.16, 1.12)
    fix = "Rows are inputs and columns are units here. Test with layers that are not square."
    seen = "masks for weights of shape (out, in), used with weights of shape (in, out)"

    class Wrong(MADE):
        @staticmethod
        def first_mask(inputs, hidden):
            return hidden[:, None] <= inputs[None, :]


class PairEntry(Entry):
    """An entry about several orderings and about sampling."""

    where = "scratchgen/models/autoregressive/made.py"
    passes_gradient_check = None
    gradcheck = "MADE"
    exercise = "masked-linear"
    Right = Pair


class LogitsAveraged(PairEntry):
    title = "an ensemble of orderings averages the logits in place of the probabilities"
    symptom = "The reported likelihood is better than the entropy of the data: each pixel sees all others."
    numbers = (0.873, 0.541)
    measure = "negative log-likelihood that is reported"
    direction = "lower"
    apart = 0.1
    caught_by = "sum test: the probabilities of all images sum to 1"
    bound = 1e-12
    x_label = "number of images"
    y_label = "reported NLL, nats"
    fix = "Average probabilities of whole images: log-mean-exp of log p(x) over the orderings."
    seen = "MADE implementations with several masks in the test loop"

    class Wrong(Pair):
        @classmethod
        def log_prob(cls, x):
            mean = np.mean([cls.logits(x, first) for first in (0, 1)], axis=0)
            return cls.bernoulli(x, mean)

    def check(self, code: Any) -> float:
        images = np.array(list(product((0.0, 1.0), repeat=2)))
        return abs(float(np.exp(code.log_prob(images)).sum()) - 1)

    def run(self, code: Any) -> Outcome:
        nll = -code.log_prob(Pair.sample(2000, random_generator()))
        counts = np.arange(50, 2001, 50)
        return Outcome(float(nll.mean()), np.array([nll[:n].mean() for n in counts]), x=counts)


class SampledAtOnce(PairEntry):
    title = "all pixels are sampled from one forward pass of an empty image"
    symptom = "The likelihood is right, but samples have no structure: the pixels are independent."
    numbers = (0.973, 0.563)
    measure = "share of samples with equal pixels; 0.95 in the data"
    direction = "lower"
    apart = 0.2
    caught_by = "moment test: the pixels of samples agree as often as in the model"
    bound = 0.03
    fix = "Sample one pixel, put it into the input, and run the network again."
    seen = "autoregressive models used like an autoencoder"

    class Wrong(Pair):
        @classmethod
        def sample(cls, n, rng):
            x = np.zeros((n, 2))
            p = 1 / (1 + np.exp(-cls.logits(x, 0)))
            return (rng.random((n, 2)) < p) * 1.0

    @staticmethod
    def agreement(samples: Array) -> float:
        """The share of rows whose pixels are equal."""
        return float((samples[:, 0] == samples[:, 1]).mean())

    def check(self, code: Any) -> float:
        return abs(self.agreement(code.sample(5000, random_generator())) - 0.95)

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        samples = code.sample(300, rng)
        return Outcome(self.agreement(samples), sample=samples + 0.08 * rng.standard_normal((300, 2)))
