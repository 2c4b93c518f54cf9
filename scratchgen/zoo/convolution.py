"""Mistakes in convolution and pooling. Images are (N, H, W), with one channel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Outcome
from scratchgen.zoo.tools import Array, descend, layer_error, random_generator, squared_error, tail


def windows(x: Array) -> Array:
    """The 3×3 neighbourhood of every pixel, (N, H, W, 3, 3), with zeros around the image."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))


def correlate(x: Array, kernel: Array) -> Array:
    """out[i, j] = Σ x[i + a − 1, j + b − 1]·kernel[a, b]."""
    return np.einsum("nijab,ab->nij", windows(x), kernel)


class Conv:
    """A 3×3 convolution with padding 1, as in deep learning: forward does not flip the kernel."""

    @staticmethod
    def forward(x, kernel):
        return correlate(x, kernel), (x, kernel)

    @staticmethod
    def backward(dout, cache):
        x, kernel = cache
        dx = correlate(dout, kernel[::-1, ::-1])
        return dx, np.einsum("nijab,nij->ab", windows(x), dout)


class ConvByScatter(Conv):
    """The same, with a backward that adds each shifted copy of dout to a padded array."""

    @staticmethod
    def backward(dout, cache):
        x, kernel = cache
        n, h, w = x.shape
        dpadded = np.zeros((n, h + 2, w + 2))
        for a, b in np.ndindex(3, 3):
            dpadded[:, a : a + h, b : b + w] += dout * kernel[a, b]
        dkernel = np.einsum("nijab,nij->ab", windows(x), dout)
        return dpadded[:, 1:-1, 1:-1], dkernel


class StridedConv:
    """A convolution with stride 2: every second row and column of the output is kept."""

    @staticmethod
    def forward(x, kernel):
        return correlate(x, kernel)[:, ::2, ::2], (x, kernel)

    @staticmethod
    def backward(dout, cache):
        x, kernel = cache
        dfull = np.zeros_like(x)
        dfull[:, ::2, ::2] = dout
        dx = correlate(dfull, kernel[::-1, ::-1])
        return dx, np.einsum("nijab,nij->ab", windows(x), dfull)


class MaxPool:
    """The maximum of each 2×2 block."""

    @staticmethod
    def forward(x):
        n, h, w = x.shape
        blocks = x.reshape(n, h // 2, 2, w // 2, 2).swapaxes(2, 3).reshape(n, h // 2, w // 2, 4)
        return blocks.max(axis=3), (blocks, x.shape)

    @staticmethod
    def mask(blocks):
        return np.arange(4) == blocks.argmax(axis=3)[..., None]

    @classmethod
    def backward(cls, dout, cache):
        blocks, (n, h, w) = cache
        dblocks = cls.mask(blocks) * dout[..., None]
        return (dblocks.reshape(n, h // 2, w // 2, 2, 2).swapaxes(2, 3).reshape(n, h, w),)


class AveragePool:
    """The mean of each 2×2 block."""

    @staticmethod
    def forward(x):
        n, h, w = x.shape
        return x.reshape(n, h // 2, 2, w // 2, 2).mean(axis=(2, 4)), None

    @staticmethod
    def backward(dout, cache):
        return (dout.repeat(2, axis=1).repeat(2, axis=2) / 4,)


class ConvEntry(CaughtByGradient):
    """An entry that fits two convolutions, one after the other, to those of two known kernels."""

    measure = "training loss at the end"
    where = "scratchgen/layers/conv.py"
    apart = 0.1
    gradcheck = "Conv2d"
    exercise = "convolution"

    def gradient_error(self, code: Any) -> float:
        rng = random_generator()
        return layer_error(code, rng.standard_normal((2, 4, 4)), rng.standard_normal((3, 3)))

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        x = rng.standard_normal((8, 8, 8))
        known = [rng.standard_normal((3, 3)) / 3 for _ in range(2)]
        target = code.forward(np.tanh(code.forward(x, known[0])[0]), known[1])[0]

        def gradient(step, k1, k2):
            a, first = code.forward(x, k1)
            h = np.tanh(a)
            out, second = code.forward(h, k2)
            loss, dout = squared_error(out, target)
            dh, dk2 = code.backward(dout, second)
            _, dk1 = code.backward(dh * (1 - h**2), first)
            return loss, (dk1, dk2)

        start = [k + 0.3 * rng.standard_normal((3, 3)) for k in known]
        losses, _ = descend(gradient, start, lr=0.005, steps=150)
        return Outcome(tail(losses), losses)


class KernelNotFlipped(ConvEntry):
    title = "convolution's dx correlates dout with the kernel as it is"
    symptom = "The layer itself learns, but those below get a wrong signal. A symmetric kernel is right."
    numbers = (0.00298, 2.95)
    caught_by = "adjoint test: ⟨conv(x), u⟩ = ⟨x, dx(u)⟩"
    bound = 1e-12
    fix = "Pixel i reaches output j through kernel[i − j + 1]; backward needs kernel[j − i + 1], flipped."
    seen = "first convolutions in NumPy, tested with blur kernels, which are symmetric"
    Right = Conv

    class Wrong(Conv):
        @staticmethod
        def backward(dout, cache):
            x, kernel = cache
            dx = correlate(dout, kernel)
            return dx, np.einsum("nijab,nij->ab", windows(x), dout)

    def check(self, code: Any) -> float:
        rng = random_generator()
        x, u = rng.standard_normal((2, 2, 5, 5))
        out, cache = code.forward(x, rng.standard_normal((3, 3)))
        dx, _ = code.backward(u, cache)
        return abs(float((out * u).sum() - (x * dx).sum())) / float(np.abs(out * u).sum())


class PaddingCropped(ConvEntry):
    title = "the padding of dx is cropped from one side only"
    symptom = "The gradient of the image is shifted by one pixel; no shape is wrong."
    numbers = (0.00298, 20.5)
    fix = "The padded gradient has one extra row and column on each side: crop both, [1:-1]."
    seen = "im2col implementations with padding, and transposed convolutions"
    Right = ConvByScatter

    class Wrong(ConvByScatter):
        @staticmethod
        def backward(dout, cache):
            x, kernel = cache
            n, h, w = x.shape
            dpadded = np.zeros((n, h + 2, w + 2))
            for a, b in np.ndindex(3, 3):
                dpadded[:, a : a + h, b : b + w] += dout * kernel[a, b]
            dkernel = np.einsum("nijab,nij->ab", windows(x), dout)
            return dpadded[:, :h, :w], dkernel


class StrideRepeated(ConvEntry):
    title = "the backward of stride 2 repeats dout in place of inserting zeros"
    symptom = "Gradients are too large and blurred: pixels that no output uses get a gradient."
    numbers = (0.123, 0.828)
    fix = "Outputs that were skipped have no gradient: put dout at every second place, and zeros between."
    seen = "strided convolutions whose backward was written as an upsampling"
    Right = StridedConv

    class Wrong(StridedConv):
        @staticmethod
        def backward(dout, cache):
            x, kernel = cache
            dfull = dout.repeat(2, axis=1).repeat(2, axis=2)
            dx = correlate(dfull, kernel[::-1, ::-1])
            return dx, np.einsum("nijab,nij->ab", windows(x), dfull)


class PoolEntry(CaughtByGradient):
    """An entry about pooling of images that are mostly background, with a brightness to learn before it."""

    measure = "training loss at the end"
    where = "scratchgen/layers/pooling.py"
    apart = 1.0

    def gradient_error(self, code: Any) -> float:
        return layer_error(code, random_generator().standard_normal((2, 4, 4)))

    def run(self, code: Any) -> Outcome:
        x = (random_generator().random((16, 8, 8)) < 0.05).astype(float)
        target = code.forward(x + 1)[0]

        def gradient(step, brightness):
            out, cache = code.forward(x + brightness)
            loss, dout = squared_error(out, target)
            return loss, (code.backward(dout, cache)[0].sum(),)

        losses, _ = descend(gradient, (0.0,), lr=0.025, steps=20)
        return Outcome(tail(losses), losses)


class MaxPoolTies(PoolEntry):
    title = "max pooling sends the gradient to every entry that equals the maximum"
    symptom = "On images with a constant background the gradient is four times too large."
    numbers = (0.0, math.inf)
    caught_by = "sum test: dx of a constant image has the same sum as dout"
    bound = 1e-12
    passes_gradient_check = True
    fix = "Send each dout to one entry, for example the first that has the maximum."
    seen = "masks x == out, which a check with random inputs, all different, does not test"
    gradcheck = "MaxPool2d"
    exercise = "max-pooling"
    Right = MaxPool

    class Wrong(MaxPool):
        @staticmethod
        def mask(blocks):
            return blocks == blocks.max(axis=3, keepdims=True)

    def check(self, code: Any) -> float:
        dout = random_generator().standard_normal((2, 2, 2))
        _, cache = code.forward(np.zeros((2, 4, 4)))
        return abs(float(code.backward(dout, cache)[0].sum() - dout.sum()))


class AverageWithoutDivision(PoolEntry):
    title = "the backward of average pooling does not divide by the size of the block"
    symptom = "Each pooling multiplies the gradient by four, so deep networks diverge."
    numbers = (0.0, math.inf)
    fix = "Each entry has the weight 1/4 in the mean, so it gets a quarter of dout."
    seen = "upsampling used as the backward of pooling"
    gradcheck = "AvgPool2d"
    exercise = "average-pooling"
    Right = AveragePool

    class Wrong(AveragePool):
        @staticmethod
        def backward(dout, cache):
            return (dout.repeat(2, axis=1).repeat(2, axis=2),)

