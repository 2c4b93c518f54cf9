"""PixelCNN: the chain rule over the pixels of an image, with masked convolutions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import as_generator
from scratchgen.distributions import Bernoulli
from scratchgen.layers import Layer, MaskedConv2d, ReLU, Sequential
from scratchgen.layers.masked import raster_mask, rows_mask
from scratchgen.losses import bce_with_logits
from scratchgen.models.arguments import as_dtype, count, image_shape
from scratchgen.models.autoregressive.binary import BinaryModel
from scratchgen.models.autoregressive.pixelcnn_sampling import fill
from scratchgen.models.networks import in_batches


class StageCache(NamedTuple):
    """The caches of one stage of the two stacks."""

    v: Any
    rv: Any
    rh: Any         # None in the first stage
    h: Any
    link: Any


class StacksCache(NamedTuple):
    """The values that the backward pass of PixelStacks needs."""

    stages: list[StageCache]
    rh: Any
    out: Any


class PixelStacks(Layer):
    """Two stacks of masked convolutions: v for the rows above, h for the pixels to the left.

    (PIX.2)  v⁰ = V⁰*x,   vˡ = vˡ⁻¹ + Vˡ*r(vˡ⁻¹)                 V⁰ sees the rows above, Vˡ also this row
    (PIX.3)  h⁰ = H⁰*x + L⁰*r(v⁰),   hˡ = hˡ⁻¹ + Hˡ*r(hˡ⁻¹) + Lˡ*r(vˡ)
                                                                 H⁰ sees pixels to the left, Hˡ also this
    (PIX.4)  logits = O*r(hᴸ)                                    r(a) = max(a, 0), * a masked convolution
    (PIX.5)  drvˡ = Lˡᵀ·dhˡ + Vˡ⁺¹ᵀ·dvˡ⁺¹                        rv = r(v) is used twice
    (PIX.6)  dvˡ = dvˡ⁺¹ + r'·drvˡ
    (PIX.7)  dhˡ⁻¹ = dhˡ + r'·Hˡᵀ·dhˡ
    (PIX.8)  dx = V⁰ᵀ·dv⁰ + H⁰ᵀ·dh⁰

    L and O are 1×1. v at a place does not depend on its own row, so h may use it there; v never uses h.
    x, logits (N, H, W, 1), v, h (N, H, W, C).
    """

    def __init__(
        self, channels: int, layers: int, first: int, kernel: int, *, rng: np.random.Generator, dtype: Any
    ):
        def convolution(c_in: int, mask: np.ndarray, c_out: int = channels) -> MaskedConv2d:
            pad = (mask.shape[0] // 2, mask.shape[1] // 2)
            return MaskedConv2d(c_in, c_out, mask, padding=pad, rng=rng, dtype=dtype)

        one = raster_mask((1, 1), centre=True)
        forms = [(1, first, False), *[(channels, kernel, True)] * layers]   # c_in, size, sees its own place
        self.vertical = Sequential(*(convolution(c, rows_mask((k, k), own)) for c, k, own in forms))
        self.horizontal = Sequential(*(convolution(c, raster_mask((1, k), own)) for c, k, own in forms))
        self.link = Sequential(*(convolution(channels, one) for _ in forms))
        self.out = convolution(channels, one, 1)
        self.relu = ReLU()

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, StacksCache]:
        v, v_cache = self.vertical[0].forward(x)                # (PIX.2)  (N, H, W, C)
        rv, rv_cache = self.relu.forward(v)
        left, h_cache = self.horizontal[0].forward(x)
        above, l_cache = self.link[0].forward(rv)
        h = left + above                                        # (PIX.3)  (N, H, W, C)
        stages = [StageCache(v_cache, rv_cache, None, h_cache, l_cache)]
        for i in range(1, len(self.vertical)):
            step, v_cache = self.vertical[i].forward(rv)
            v = v + step                                        # (PIX.2)
            rv, rv_cache = self.relu.forward(v)
            rh, rh_cache = self.relu.forward(h)
            left, h_cache = self.horizontal[i].forward(rh)
            above, l_cache = self.link[i].forward(rv)
            h = h + left + above                                # (PIX.3)
            stages.append(StageCache(v_cache, rv_cache, rh_cache, h_cache, l_cache))
        rh, rh_cache = self.relu.forward(h)
        logits, out_cache = self.out.forward(rh)                # (PIX.4)  (N, H, W, 1)
        return logits, StacksCache(stages, rh_cache, out_cache)

    def backward(self, dout: np.ndarray, cache: StacksCache, input_grad: bool = True) -> Any:
        drh: Any = self.out.backward(dout, cache.out)           # logits = O*rh
        dh = self.relu.backward(drh, cache.rh)
        dv, drv = np.zeros_like(dh), np.zeros_like(dh)
        for i in range(len(cache.stages) - 1, 0, -1):
            stage = cache.stages[i]
            drv += self.link[i].backward(dh, stage.link)        # (PIX.5)  h = h + left + above
            drh = self.horizontal[i].backward(dh, stage.h)
            dh = dh + self.relu.backward(drh, stage.rh)         # (PIX.7)
            dv += self.relu.backward(drv, stage.rv)             # (PIX.6)  rv = r(v)
            drv = self.vertical[i].backward(dv, stage.v)        # (PIX.5)  v = v + step
        stage = cache.stages[0]
        drv += self.link[0].backward(dh, stage.link)            # h = left + above
        dv += self.relu.backward(drv, stage.rv)                 # (PIX.6)
        dx_left = self.horizontal[0].backward(dh, stage.h, input_grad)
        dx_above = self.vertical[0].backward(dv, stage.v, input_grad)
        return dx_left + dx_above if input_grad else None       # (PIX.8)


class PixelCNNCache(NamedTuple):
    """The values that backward needs."""

    net: StacksCache
    dlogits: np.ndarray     # (N, D)


class PixelCNN(BinaryModel):
    """A PixelCNN without a blind spot (van den Oord et al. 2016a, 2016b), for pixels that are 0 or 1.

    (PIX.1)  log p(x) = Σ_d log p(x_d | x₁ … x_{d−1})           row by row; −log p(x) in nats is the loss

    The gradient of the loss with respect to the logits is (MADE.6). A single stack of convolutions, as in the
    first paper, has a blind spot: it does not use some of the pixels above and to the right
    (docs/autoregressive.md shows which). Two stacks use all of them. ReLU and residual sums replace the gates
    of the second paper.

    shape : (H, W, 1) or (H, W); examples are rows of D = H·W pixels
    channels, layers : C, and the number of layers after the first
    first, kernel : odd sizes of the first kernels, and of the others
    binarisation : what `fit` does with grey pixels: "none", "dynamic" or "fixed"
    """

    def __init__(
        self,
        shape: tuple[int, ...] = (28, 28, 1),
        *,
        channels: int = 32,
        layers: int = 5,
        first: int = 7,
        kernel: int = 3,
        rng: np.random.Generator | int,
        binarisation: str = "none",
        dtype: Any = np.float32,
    ):
        shape = (*shape, 1) if isinstance(shape, list | tuple) and len(shape) == 2 else shape
        self.shape = height, width, depth = image_shape("PixelCNN", shape)
        if depth != 1:
            raise ValueError(
                f"PixelCNN expected shape (H, W, 1), images with one channel, got {shape}: its masks order "
                "pixels, not the channels of a pixel. Use MADE, which takes any rows of pixels"
            )
        self.channels = count("PixelCNN", "channels", channels)
        self.layers = count("PixelCNN", "layers", layers, least=0)
        self.first, self.kernel = count("PixelCNN", "first", first, 3), count("PixelCNN", "kernel", kernel)
        for name, size in (("first", first), ("kernel", kernel)):
            if size % 2 == 0:
                raise ValueError(f"PixelCNN expected {name} to be odd, the size of a kernel, got {size}")
        super().__init__(height * width, binarisation=binarisation)
        rng, dtype = as_generator("PixelCNN", rng), as_dtype("PixelCNN", dtype)
        self.net = PixelStacks(channels, layers, first, kernel, rng=rng, dtype=dtype)

    def logits(self, x: np.ndarray) -> tuple[np.ndarray, StacksCache]:
        """Return the D logits, (N, D), and the network's cache."""
        if x.ndim != 2 or x.shape[1] != self.features:
            wanted = f"{self.shape[0]}·{self.shape[1]} = {self.features}"
            raise ValueError(f"PixelCNN expected rows of {wanted} pixels, got shape {x.shape}")
        out, cache = self.net.forward(x.reshape(len(x), *self.shape))
        return out.reshape(x.shape), cache

    def loss(
        self, x: np.ndarray, *, rng: np.random.Generator | int | None = None, training: bool = False
    ) -> tuple[float, PixelCNNCache]:
        """Return (loss, cache) for x (N, D)."""
        logits, net = self.logits(x)
        loss, dlogits = bce_with_logits(logits, x)              # (PIX.1, MADE.6)  (N, D)
        return loss, PixelCNNCache(net, dlogits)

    def backward(self, cache: PixelCNNCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dlogits (N, D)."""
        dlogits = cache.dlogits.reshape(-1, *self.shape)
        self.net.backward(dlogits, cache.net, input_grad=False)
        return {"dlogits": cache.dlogits}

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Exact log p(x) in nats of each example, (N,)."""
        X = self.expect_binary("score_samples", X)
        return in_batches(self._log_prob, X, 100)

    def _log_prob(self, x: np.ndarray) -> np.ndarray:
        return Bernoulli.log_prob(x, self.logits(x)[0]).sum(axis=1, dtype=np.float64)       # (PIX.1)

    def sample(self, n: int, *, rng: np.random.Generator | int) -> np.ndarray:
        """Draw n examples from p(x), (n, D)."""
        self._expect_count(n)
        rng = as_generator(self._who("sample"), rng)
        return self._fill(np.zeros((n, self.features), self.dtype), 0, rng)

    def complete(
        self, X: np.ndarray, observed: np.ndarray, *, rng: np.random.Generator | int
    ) -> np.ndarray:
        """Draw the unobserved pixels from their exact distribution given the observed ones, (N, D).

        X (N, D), whose values at unobserved pixels are ignored; observed (D,) of bool. Raises ValueError
        unless all True in `observed` come before all False.
        """
        rng = as_generator(self._who("complete"), rng)
        known = self.known_places(observed, [np.arange(1, self.features + 1)])
        return self._fill(self.only_observed(X, observed), known, rng)

    def _fill(self, x: np.ndarray, known: int, rng: np.random.Generator) -> np.ndarray:
        """Sample the pixels of x (N, D) after the first `known`."""
        fill(self, rng.random(x.shape, x.dtype), known, x)
        return x
