"""Mistakes in flow matching and diffusion. The data are numbers: a mixture of N(−2, 0.3²) and N(2, 0.3²)."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import Entry, Outcome
from scratchgen.zoo.tools import Array, loss_error, random_generator


class FlowMatching:
    """Straight paths from noise x0 to data x1; a linear model of fixed features learns the velocity."""

    @staticmethod
    def times(n, rng):
        return rng.random(n)

    @staticmethod
    def network_input(x0, x1, t):
        return (1 - t) * x0 + t * x1

    @staticmethod
    def target(x0, x1, rng):
        return x1 - x0

    @staticmethod
    def embedded(t):
        return np.stack([t**i for i in range(5)], axis=1)

    @classmethod
    def features(cls, x, t):
        of_x = np.stack([np.ones_like(x), *(np.tanh(3 * (x - c)) for c in np.linspace(-3, 3, 9))], axis=1)
        return (of_x[:, :, None] * cls.embedded(t)[:, None, :]).reshape(len(x), -1)

    @classmethod
    def loss(cls, weight, x0, x1, t, rng):
        """The mean square of predicted minus true velocity, and the gradient of the weights."""
        features = cls.features(cls.network_input(x0, x1, t), t)
        diff = features @ weight - cls.target(x0, x1, rng)
        return (diff**2).mean(), (2 / len(t) * features.T @ diff,)


class Noising:
    """x_t = √ā·x0 + √(1 − ā)·eps, with ā_t the product of 1 − β up to step t of 50.

    step : one step of the sampler, from t to t − 1, given its mean and its standard deviation
    """

    beta = np.linspace(0.02, 0.2, 50)

    @classmethod
    def alpha_bar(cls):
        return np.cumprod(1 - cls.beta)

    @classmethod
    def noised(cls, x0, eps, t):
        a = cls.alpha_bar()[t]
        return np.sqrt(a) * x0 + np.sqrt(1 - a) * eps

    @staticmethod
    def step(mean, sigma, t, rng):
        return mean + (sigma if t > 0 else 0) * rng.standard_normal(mean.shape)


def data(n: int, rng: np.random.Generator) -> Array:
    """n numbers from the mixture."""
    return rng.choice([-2.0, 2.0], n) + 0.3 * rng.standard_normal(n)


def fitted(code: Any, n: int = 3000) -> tuple[Array, float]:
    """The best weights for n examples, by least squares, and their loss."""
    rng = random_generator()
    x1, x0 = data(n, rng), rng.standard_normal(n)
    t = code.times(n, rng)
    features = code.features(code.network_input(x0, x1, t), t)
    gram = features.T @ features / n + 1e-6 * np.eye(features.shape[1])
    weight = np.linalg.solve(gram, features.T @ code.target(x0, x1, rng) / n)
    return weight, code.loss(weight, x0, x1, t, random_generator())[0]


def generated(code: Any, n: int = 1000, steps: int = 40) -> Array:
    """Samples: follow the learned velocity from noise at t = 0 to t = 1."""
    weight, _ = fitted(code)
    x = np.random.default_rng(1).standard_normal(n)
    for i in range(steps):
        x = x + code.features(x, np.full(n, i / steps)) @ weight / steps
    return x


class PathEntry(Entry):
    """An entry about flow matching: the distance of samples to the data, in one dimension."""

    measure = "mean distance of sorted samples to sorted data"
    where = "scratchgen/models/diffusion/flow_matching.py"
    passes_gradient_check = True
    apart = 0.2
    gradcheck = "FlowMatching"
    exercise = "flow-matching"
    Right = FlowMatching

    def gradient_error(self, code: Any) -> float:
        rng = random_generator()
        x0, x1, t = rng.standard_normal(6), rng.standard_normal(6), rng.random(6)
        weight = rng.standard_normal(code.features(x0, t).shape[1])

        def loss(w):
            return code.loss(w, x0, x1, t, random_generator())

        return loss_error(loss, weight)

    def run(self, code: Any) -> Outcome:
        samples, known = generated(code), data(1000, random_generator())
        return Outcome(float(np.abs(np.sort(samples) - np.sort(known)).mean()), sample=samples)


class DataFedIn(PathEntry):
    title = "the network gets the data x1 in place of the point x_t on the path"
    symptom = "The loss looks normal, the samples are not: in sampling the network meets inputs it never saw."
    numbers = (0.0828, 1.94)
    caught_by = "closed form: at t = 0 the network's input is the noise x0"
    bound = 1e-12
    fix = "The input is x_t = (1 − t)·x0 + t·x1."
    seen = "an issue of a flow-matching library, about training that ends in nothing"

    class Wrong(FlowMatching):
        @staticmethod
        def network_input(x0, x1, t):
            return x1

    def check(self, code: Any) -> float:
        x0, x1 = random_generator().standard_normal((2, 10))
        return float(np.abs(code.network_input(x0, x1, np.zeros(10)) - x0).max())


class TimeNotEmbedded(PathEntry):
    title = "the network does not see the time"
    symptom = "The loss is a little higher, and samples end between the modes or too far out."
    numbers = (0.0828, 0.379)
    apart = 0.1
    caught_by = "dependence test: the features of one x differ between t = 0.2 and t = 0.8"
    bound = 0.0
    fix = "Embed t and give it to every block."
    seen = "networks that accept t and never use it, so no argument is missing"
    where = "scratchgen/layers/time_embedding.py"
    gradcheck = "TimeEmbedding"
    exercise = "time-embedding"

    class Wrong(FlowMatching):
        @staticmethod
        def embedded(t):
            return np.ones((len(t), 1))

    def check(self, code: Any) -> float:
        x = np.linspace(-2, 2, 5)
        early, late = (code.features(x, np.full(5, t)) for t in (0.2, 0.8))
        return float(np.allclose(early, late))


class FreshNoiseInTarget(PathEntry):
    title = "the target uses new noise, not the x0 of the path"
    symptom = "The loss stays high, and samples spread too little around the middle."
    numbers = (0.0828, 0.79)
    caught_by = "closed form: x_t + (1 − t)·target = x1"
    bound = 1e-12
    fix = "Draw x0 once, and use it for x_t and for the target x1 − x0."
    seen = "an issue of a flow-matching library that asks which noise belongs in the target"

    class Wrong(FlowMatching):
        @staticmethod
        def target(x0, x1, rng):
            return x1 - rng.standard_normal(x1.shape)

    def check(self, code: Any) -> float:
        rng = random_generator()
        x0, x1 = rng.standard_normal((2, 10))
        t = rng.random(10)
        end = FlowMatching.network_input(x0, x1, t) + (1 - t) * code.target(x0, x1, rng)
        return float(np.abs(end - x1).max())


class OneTimePerBatch(PathEntry):
    title = "one time, and so one level of noise, for the whole batch"
    symptom = "The loss jumps from batch to batch, and training is slower; the average is right."
    numbers = (0.46, 1.9)
    measure = "standard deviation of the loss over batches"
    apart = 0.1
    caught_by = "moment test: the times of a batch have the variance 1/12"
    bound = 0.3
    x_label = "batch"
    fix = "Draw a time for each example: rng.random(n)."
    seen = "loops over t outside of the loop over batches"

    class Wrong(FlowMatching):
        @staticmethod
        def times(n, rng):
            return np.full(n, rng.random())

    def check(self, code: Any) -> float:
        return abs(12 * float(code.times(1000, random_generator()).var()) - 1)

    def run(self, code: Any) -> Outcome:
        weight, _ = fitted(FlowMatching)
        rng = random_generator()
        losses = np.zeros(100)
        for i in range(len(losses)):
            x1, x0 = data(128, rng), rng.standard_normal(128)
            losses[i] = code.loss(weight, x0, x1, code.times(128, rng), rng)[0]
        return Outcome(float(losses.std()), losses)


class NoisingEntry(Entry):
    """An entry about the forward process of diffusion and the last step of its sampler."""

    where = "scratchgen/models/diffusion/diffusion.py"
    passes_gradient_check = None
    gradcheck = "Diffusion"
    exercise = "diffusion"
    Right = Noising
    x_label = "step of the noise"

    @staticmethod
    def moments(code: Any, statistic: Any) -> Array:
        """A statistic of (x0, x_t) for every step t, for data with variance 1."""
        rng = random_generator()
        x0, eps = data(4000, rng) / np.sqrt(4.09), rng.standard_normal(4000)
        return np.array([statistic(x0, code.noised(x0, eps, t)) for t in range(len(code.beta))])


class WrongSigma(NoisingEntry):
    title = "the noise is scaled with 1 − ā in place of its root"
    symptom = "The network meets inputs of a smaller spread in training than in sampling."
    numbers = (1.0, 0.873)
    measure = "smallest standard deviation of x_t over the steps"
    y_label = "standard deviation of x_t"
    direction = "lower"
    apart = 0.1
    caught_by = "moment test: x_t has the variance 1 if the data have"
    bound = 0.1
    fix = "Variances add up: ā + (1 − ā) = 1, so the factors are √ā and √(1 − ā)."
    seen = "hand-written schedules, where sigma and its square were mixed up"

    class Wrong(Noising):
        @classmethod
        def noised(cls, x0, eps, t):
            a = cls.alpha_bar()[t]
            return np.sqrt(a) * x0 + (1 - a) * eps

    def check(self, code: Any) -> float:
        return float(np.abs(self.moments(code, lambda x0, x: x.var()) - 1).max())

    def run(self, code: Any) -> Outcome:
        stds = self.moments(code, lambda x0, x: x.std())
        return Outcome(float(stds.min()), stds)


class ProductForgotten(NoisingEntry):
    title = "the noise level of step t uses 1 − β_t in place of the product of all steps"
    symptom = "The data are still visible in the last step, and sampling starts from noise the net never saw."
    numbers = (0.0629, 0.896)
    measure = "correlation of x_t with the data in the last step"
    y_label = "correlation with the data"
    apart = 0.3
    caught_by = "moment test: in the last step nothing of the data is left"
    bound = 0.1
    fix = "ā_t = (1 − β_1)·…·(1 − β_t)."
    seen = "code with alpha and alpha_bar under one name"
    where = "scratchgen/models/diffusion/schedule.py"

    class Wrong(Noising):
        @classmethod
        def alpha_bar(cls):
            return 1 - cls.beta

    @staticmethod
    def correlation(x0: Array, x: Array) -> float:
        """The correlation coefficient."""
        return float(np.corrcoef(x0, x)[0, 1])

    def check(self, code: Any) -> float:
        return float(self.moments(code, self.correlation)[-1])

    def run(self, code: Any) -> Outcome:
        course = self.moments(code, self.correlation)
        return Outcome(float(course[-1]), course)


class NoiseInLastStep(NoisingEntry):
    title = "the sampler adds noise in its last step, too"
    symptom = "Samples are grainy: each has noise that no later step removes."
    numbers = (0.288, 0.324)
    measure = "standard deviation of samples around the modes, 0.3 in the data"
    apart = 0.02
    caught_by = "closed form: the last step returns its mean"
    bound = 0.0
    fix = "No noise at t = 0."
    seen = "sampling loops without the case t = 0"
    where = "scratchgen/models/diffusion/sampling.py"

    class Wrong(Noising):
        @staticmethod
        def step(mean, sigma, t, rng):
            return mean + sigma * rng.standard_normal(mean.shape)

    def check(self, code: Any) -> float:
        return float(np.abs(code.step(np.ones(10), 0.1, 0, random_generator()) - 1).max())

    def run(self, code: Any) -> Outcome:
        """Sample from what the best network would say: the mean of x0 given x_t, for this mixture."""
        rng = random_generator()
        x, a = rng.standard_normal(2000), code.alpha_bar()
        for t in range(len(a) - 1, -1, -1):
            before = a[t - 1] if t > 0 else 1.0
            alpha = a[t] / before
            denoised = posterior_mean(x, a[t])
            mean = (np.sqrt(before) * (1 - alpha) * denoised + np.sqrt(alpha) * (1 - before) * x) / (1 - a[t])
            x = code.step(mean, np.sqrt(1 - alpha), t, rng)
        return Outcome(float((np.abs(x) - 2).std()), sample=x)


def posterior_mean(x: Array, a: float) -> Array:
    """E[x0 | x_t = x] for the mixture and ā = a."""
    variance = 0.09 * a + 1 - a
    sign = np.tanh(2 * np.sqrt(a) * x / variance)                   # P(+) − P(−) of the two modes
    means = [m + 0.09 * np.sqrt(a) * (x - np.sqrt(a) * m) / variance for m in (2.0, -2.0)]
    return 0.5 * (1 + sign) * means[0] + 0.5 * (1 - sign) * means[1]
