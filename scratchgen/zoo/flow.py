"""Mistakes in normalizing flows."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import Array, adam, loss_error, random_generator, tail


class Flow:
    """The parts of a flow of coupling layers: half of the features is scaled by eˢ and moved by t.

    nll : the mean of −log N(z; 0, I) − log|dz/dx| over rows, without the constant; and dz, dlogdet
    """

    @staticmethod
    def half(layer):
        return layer % 2                        # the feature that changes

    @staticmethod
    def forward(x, s, t):
        return x * np.exp(s) + t, s, (x, s)     # z, log |dz/dx|, cache

    @staticmethod
    def backward(dz, dlogdet, cache):
        x, s = cache
        dx, ds, dt = dz * np.exp(s), dz * x * np.exp(s) + dlogdet, dz
        return dx, ds, dt

    @staticmethod
    def inverse(z, s, t):
        return (z - t) * np.exp(-s)

    @staticmethod
    def nll(z, logdet):
        n = len(z)
        loss = (0.5 * z**2).sum() / n - logdet.mean()
        return loss, z / n, np.full(n, -1 / n)


class Bits:
    """Bits per dimension of grey levels 0 … 255 from the log-density of (level + u) / 256, in nats."""

    @staticmethod
    def per_dimension(log_density, features):
        return -log_density / (features * np.log(2)) + np.log2(256)


def train(code: Any, steps: int = 250) -> tuple[Array, Array]:
    """Fit a flow of three couplings to points on a curve. The losses, and the trained nets (3, 2, 3)."""
    rng = random_generator()
    a = rng.standard_normal(200)
    x = np.stack([a, a**2 - 1 + 0.3 * rng.standard_normal(200)], axis=1)

    def gradient(step, nets):
        u, logdet = x.copy(), np.zeros(len(x))
        caches: list[Any] = []
        for layer, net in enumerate(nets):
            i = code.half(layer)
            other = u[:, 1 - i]
            features = np.stack([np.ones_like(other), other, other**2], axis=1)
            s, t = np.tanh(features @ net[0]), features @ net[1]
            u = u.copy()
            u[:, i], log_scale, cache = code.forward(u[:, i], s, t)
            logdet = logdet + log_scale
            caches.append((i, other, features, s, cache))
        loss, dz, dlogdet = code.nll(u, logdet)
        dnets = np.zeros_like(nets)
        for layer in (2, 1, 0):
            i, other, features, s, cache = caches[layer]
            dx, ds, dt = code.backward(dz[:, i], dlogdet, cache)
            ds = ds * (1 - s**2)
            dnets[layer] = ds @ features, dt @ features
            (_, s1, s2), (_, t1, t2) = nets[layer]
            dz[:, i] = dx
            dz[:, 1 - i] += ds * (s1 + 2 * s2 * other) + dt * (t1 + 2 * t2 * other)
        return loss, (dnets,)

    losses, (nets,) = adam(gradient, (0.1 * rng.standard_normal((3, 2, 3)),), lr=0.02, steps=steps)
    return losses, nets


class FlowEntry(Entry):
    """An entry about a flow, whose gradient check is that of one coupling and its loss."""

    measure = "negative log-likelihood that is reported"
    where = "scratchgen/layers/coupling.py"
    gradcheck = "AffineCoupling"
    exercise = "affine-coupling"
    Right = Flow

    def gradient_error(self, code: Any) -> float:
        def loss(x, s, t):
            z, logdet, cache = code.forward(x, s, t)
            number, dz, dlogdet = code.nll(z[:, None], logdet)
            return number, code.backward(dz[:, 0], dlogdet, cache)

        return loss_error(loss, *random_generator().standard_normal((3, 5)))

    def run(self, code: Any) -> Outcome:
        losses, _ = train(code)
        return Outcome(tail(losses), losses)


class LogDetSign(FlowEntry):
    title = "the log-determinant is subtracted from the log-likelihood in place of added"
    symptom = "The loss falls without end: the flow shrinks all data to a point."
    numbers = (0.0266, -2.87)
    direction = "lower"
    apart = 1.0
    caught_by = "integral test: the density of a flow in one dimension integrates to 1"
    bound = 1e-3
    passes_gradient_check = True
    fix = "log p(x) = log p(z) + log |dz/dx| for z = f(x); with x = g(z) the sign is the other one."
    seen = "flows that mix formulas for the two directions"
    where = "scratchgen/models/flow/model.py"

    class Wrong(Flow):
        @staticmethod
        def nll(z, logdet):
            n = len(z)
            loss = (0.5 * z**2).sum() / n + logdet.mean()
            return loss, z / n, np.full(n, 1 / n)

    def check(self, code: Any) -> float:
        grid = np.linspace(-12, 12, 4001)
        nll: list[float] = []
        for x in grid:
            z, logdet, _ = code.forward(np.array([x]), np.array([0.7]), np.array([0.3]))
            nll.append(code.nll(z[:, None], logdet)[0])
        density = np.exp(-np.array(nll)) / np.sqrt(2 * np.pi)
        return abs(float(density.sum() * (grid[1] - grid[0])) - 1)


class LogDetNotDifferentiated(FlowEntry, CaughtByGradient):
    title = "the gradient of the scale lacks the log-determinant"
    symptom = "The flow shrinks the data, because nothing in the gradient rewards a large scale."
    numbers = (0.0266, 2.48)
    apart = 0.5
    fix = "s is also the log-determinant: its gradient is added, ds = dz·x·eˢ + dlogdet."
    seen = "coupling layers that return the log-determinant and forget it in backward"

    class Wrong(Flow):
        @staticmethod
        def backward(dz, dlogdet, cache):
            x, s = cache
            dx, ds, dt = dz * np.exp(s), dz * x * np.exp(s), dz
            return dx, ds, dt


class ScaleMissing(FlowEntry, CaughtByGradient):
    title = "the gradient of the coupling's input lacks the scale eˢ"
    symptom = "The last layers learn, the layers below get a gradient of the wrong size."
    numbers = (0.0266, 0.581)
    apart = 0.005
    fix = "z = x·eˢ + t, so dx = dz·eˢ. With additive coupling the scale is 1, and both agree."
    seen = "additive couplings (NICE) that were extended to affine ones (RealNVP)"

    class Wrong(Flow):
        @staticmethod
        def backward(dz, dlogdet, cache):
            x, s = cache
            dx, ds, dt = dz, dz * x * np.exp(s) + dlogdet, dz
            return dx, ds, dt


class HalvesNotSwapped(FlowEntry):
    title = "every coupling layer changes the same half"
    symptom = "It trains and it inverts, but half of the data is never transformed."
    numbers = (0.0266, 0.853)
    apart = 0.1
    caught_by = "coverage: after two layers, every feature was changed"
    bound = 0.0
    passes_gradient_check = True
    fix = "Swap the mask from layer to layer."
    seen = "masks that are built once outside the loop, or transposed twice"

    class Wrong(Flow):
        @staticmethod
        def half(layer):
            return 0

    def check(self, code: Any) -> float:
        return float(2 - len({code.half(layer) for layer in range(2)}))


class InverseOrder(FlowEntry):
    title = "the inverse scales first and subtracts the shift afterwards"
    symptom = "The likelihood is right, and the samples are in the wrong place."
    numbers = (0.0, 0.412)
    measure = "error of data that were mapped to z and back"
    apart = 0.1
    caught_by = "round trip: inverse(forward(x)) = x"
    bound = 1e-12
    passes_gradient_check = True
    x_label = "shift t"
    y_label = "error of the round trip"
    fix = "Undo the steps in the opposite order: (z − t)·e⁻ˢ."
    seen = "flows whose sampling was never tested; threads titled: my flow can't invert"

    class Wrong(Flow):
        @staticmethod
        def inverse(z, s, t):
            return z * np.exp(-s) - t

    def check(self, code: Any) -> float:
        x, s, t = random_generator().standard_normal((3, 20))
        return float(np.abs(code.inverse(code.forward(x, s, t)[0], s, t) - x).max())

    def run(self, code: Any) -> Outcome:
        x = random_generator().standard_normal(100)
        shifts = np.linspace(-2, 2, 21)
        back = np.array([code.inverse(code.forward(x, 0.5, t)[0], 0.5, t) for t in shifts])
        errors = np.abs(back - x).mean(axis=1)
        return Outcome(float(errors.mean()), errors, x=shifts)


class OffsetOfBits(Entry):
    title = "bits per dimension without the 8 bits of the division by 256"
    symptom = "The figure is 8 bits too good, or negative."
    numbers = (8.0, 0.0)
    measure = "bits per dimension of uniform grey levels"
    direction = "lower"
    apart = 1.0
    caught_by = "closed form: uniform levels 0 … 255 cost 8 bits each"
    bound = 1e-12
    passes_gradient_check = None
    x_label = "standard deviation of the pixels"
    y_label = "bits per dimension"
    fix = "A density of x / 256 is 256 times that of x in each dimension: add log2(256) = 8."
    seen = "threads of several flow and diffusion repositories about negative bits per dimension"
    where = "scratchgen/metrics/likelihood.py"
    gradcheck = "RealNVP"
    exercise = "affine-coupling"
    Right = Bits

    class Wrong(Bits):
        @staticmethod
        def per_dimension(log_density, features):
            return -log_density / (features * np.log(2))

    def check(self, code: Any) -> float:
        return abs(float(code.per_dimension(0.0, 784)) - 8)

    def run(self, code: Any) -> Outcome:
        """The curve: pixels with a normal density of growing standard deviation."""
        stds = np.arange(1, 11) / 20
        curve = np.array([code.per_dimension(-0.5 * (np.log(2 * np.pi * s**2) + 1), 1) for s in stds])
        return Outcome(float(code.per_dimension(0.0, 784)), curve, x=stds)
