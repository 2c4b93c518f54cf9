"""PixelCNN: the chain rule over the pixels of an image, by masked convolutions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.distributions import Bernoulli
from scratchgen.layers import Layer, MaskedConv2d, ReLU, Sequential
from scratchgen.layers.masked import raster_mask, rows_mask
from scratchgen.losses import bce_with_logits
from scratchgen.models.autoregressive.binary import BinaryModel
from scratchgen.models.autoregressive.pixelcnn_sampling import draw
from scratchgen.models.networks import in_batches


class PixelStacks(Layer):
    """Two stacks of masked convolutions: v sees the rows above, h the pixels to the left and v.

    (PIX.2)  v⁰ = V⁰*x,   vˡ = vˡ⁻¹ + Vˡ*r(vˡ⁻¹)                 V⁰ the rows above, Vˡ this one too
    (PIX.3)  h⁰ = H⁰*x + L⁰*r(v⁰),   hˡ = hˡ⁻¹ + Hˡ*r(hˡ⁻¹) + Lˡ*r(vˡ)
                                                                 H⁰ the pixels to the left, Hˡ this one too
    (PIX.4)  logits = O*r(hᴸ)                                    r(a) = max(a, 0), * a masked convolution
    (PIX.5)  drvˡ = Lˡᵀ·dhˡ + Vˡ⁺¹ᵀ·dvˡ⁺¹                        rv = r(v) is used twice
    (PIX.6)  dvˡ = dvˡ⁺¹ + r'·drvˡ
    (PIX.7)  dhˡ⁻¹ = dhˡ + r'·Hˡᵀ·dhˡ
    (PIX.8)  dx = V⁰ᵀ·dv⁰ + H⁰ᵀ·dh⁰

    L and O look at one place. v at a place doesn't see its row, so h may see v there; v never sees h.
    x, logits (N, H, W, 1), v, h (N, H, W, C).
    """

    def __init__(
        self, channels: int, layers: int, first: int, kernel: int, *, rng: np.random.Generator, dtype: Any
    ):
        def convolution(c_in, mask, c_out=channels):
            pad = (mask.shape[0] // 2, mask.shape[1] // 2)
            return MaskedConv2d(c_in, c_out, mask, padding=pad, rng=rng, dtype=dtype)

        one = raster_mask((1, 1), centre=True)
        forms = [(1, first, False), *[(channels, kernel, True)] * layers]   # c_in, size, sees its own place
        self.vertical = Sequential(*(convolution(c, rows_mask((k, k), own)) for c, k, own in forms))
        self.horizontal = Sequential(*(convolution(c, raster_mask((1, k), own)) for c, k, own in forms))
        self.link = Sequential(*(convolution(channels, one) for _ in forms))
        self.out = convolution(channels, one, 1)
        self.relu = ReLU()

    def forward(self, x, training=False):
        v, v_cache = self.vertical[0].forward(x)                # (PIX.2)  (N, H, W, C)
        rv, rv_cache = self.relu.forward(v)
        left, h_cache = self.horizontal[0].forward(x)
        above, l_cache = self.link[0].forward(rv)
        h = left + above                                        # (PIX.3)  (N, H, W, C)
        caches = [(v_cache, rv_cache, None, h_cache, l_cache)]
        for i in range(1, len(self.vertical)):
            step, v_cache = self.vertical[i].forward(rv)
            v = v + step                                        # (PIX.2)
            rv, rv_cache = self.relu.forward(v)
            rh, rh_cache = self.relu.forward(h)
            left, h_cache = self.horizontal[i].forward(rh)
            above, l_cache = self.link[i].forward(rv)
            h = h + left + above                                # (PIX.3)
            caches.append((v_cache, rv_cache, rh_cache, h_cache, l_cache))
        rh, rh_cache = self.relu.forward(h)
        logits, out_cache = self.out.forward(rh)                # (PIX.4)  (N, H, W, 1)
        return logits, (caches, rh_cache, out_cache)

    def backward(self, dout, cache, input_grad=True):
        caches, rh_cache, out_cache = cache
        drh = self.out.backward(dout, out_cache)                # logits = O*rh
        dh = self.relu.backward(drh, rh_cache)
        dv, drv = np.zeros_like(dh), np.zeros_like(dh)
        for i in range(len(caches) - 1, 0, -1):
            v_cache, rv_cache, rh_cache, h_cache, l_cache = caches[i]
            drv += self.link[i].backward(dh, l_cache)           # (PIX.5)  h = h + left + above
            drh = self.horizontal[i].backward(dh, h_cache)
            dh = dh + self.relu.backward(drh, rh_cache)         # (PIX.7)
            dv += self.relu.backward(drv, rv_cache)             # (PIX.6)  rv = r(v)
            drv = self.vertical[i].backward(dv, v_cache)        # (PIX.5)  v = v + step
        v_cache, rv_cache, _, h_cache, l_cache = caches[0]
        drv += self.link[0].backward(dh, l_cache)               # h = left + above
        dv += self.relu.backward(drv, rv_cache)                 # (PIX.6)
        dx_left = self.horizontal[0].backward(dh, h_cache, input_grad)
        dx_above = self.vertical[0].backward(dv, v_cache, input_grad)
        return dx_left + dx_above if input_grad else None       # (PIX.8)


class PixelCNNCache(NamedTuple):
    """What backward needs."""

    net: Any
    dlogits: np.ndarray


class PixelCNN(BinaryModel):
    """A PixelCNN without a blind spot (van den Oord et al. 2016a, 2016b), for pixels that are 0 or 1.

    (PIX.1)  log p(x) = Σ_d log p(x_d | x₁ … x_{d−1})           row by row; −log p(x) in nats is the loss

    The gradient of the loss with respect to the logits is (MADE.6). A single stack of convolutions, as in the
    first paper, never sees some of the pixels above and to the right (docs/autoregressive.md shows which).
    Two stacks do. Layers are plain: ReLU and residual sums in the place of the second paper's gates.

    shape : (H, W); examples are rows of D = H·W pixels
    channels, layers : C, and how many layers follow the first
    first, kernel : odd sizes of the first kernels, and of those that follow
    binarisation : "none", or "dynamic" for grey pixels
    """

    def __init__(
        self,
        shape: tuple[int, int] = (28, 28),
        *,
        channels: int = 32,
        layers: int = 5,
        first: int = 7,
        kernel: int = 3,
        rng: np.random.Generator,
        binarisation: str = "none",
        dtype: Any = np.float32,
    ):
        if len(shape) != 2 or min(*shape, channels) < 1 or layers < 0:
            got = f"{tuple(shape)}, {channels} and {layers}"
            raise ValueError(f"PixelCNN expected a shape (H, W), channels >= 1 and layers >= 0, got {got}")
        if min(first, kernel) < 1 or first % 2 == 0 or kernel % 2 == 0 or first == 1:
            raise ValueError(f"PixelCNN expected odd kernels, the first from 3 on, got {first} and {kernel}")
        super().__init__(shape[0] * shape[1], binarisation=binarisation)
        self.shape = tuple(shape)
        self.net = PixelStacks(channels, layers, first, kernel, rng=rng, dtype=dtype)

    def logits(self, x):
        """The D logits, and the net's cache: (N, D)."""
        if x.ndim != 2 or x.shape[1] != self.features:
            wanted = f"{self.shape[0]}·{self.shape[1]} = {self.features}"
            raise ValueError(f"PixelCNN expected rows of {wanted} pixels, got shape {x.shape}")
        out, cache = self.net.forward(x.reshape(len(x), *self.shape, 1))
        return out.reshape(x.shape), cache

    def loss(self, x, *, rng=None, training=False):
        """Return (loss, cache) for x (N, D)."""
        logits, net = self.logits(x)
        loss, dlogits = bce_with_logits(logits, x)              # (PIX.1, MADE.6)  (N, D)
        return loss, PixelCNNCache(net, dlogits)

    def backward(self, cache):
        """Add the parameters' gradients; return dlogits (N, D)."""
        dlogits = cache.dlogits.reshape(-1, *self.shape, 1)
        self.net.backward(dlogits, cache.net, input_grad=False)
        return {"dlogits": cache.dlogits}

    def score_samples(self, X):
        """log p(x) in nats, exact, one an example, (N,)."""
        self.expect_binary("score_samples", X)
        return in_batches(self._log_prob, X, 100)

    def _log_prob(self, x):
        return Bernoulli.log_prob(x, self.logits(x)[0]).sum(axis=1, dtype=np.float64)       # (PIX.1)

    def sample(self, n, *, rng):
        """n draws from p(x), (n, D)."""
        if n < 1:
            raise ValueError(f"PixelCNN expected to draw at least one example, got n = {n}")
        return self._draw(np.zeros((n, self.features), self.dtype), 0, rng)

    def complete(self, X: np.ndarray, observed: np.ndarray, *, rng: np.random.Generator):
        """Draw the pixels that are not observed exactly from p(those | the observed), (N, D).

        X (N, D), whose pixels outside `observed` don't matter; observed (D,) of bools, the first so many of
        them True. Raises ValueError where they are others.
        """
        known = self.known_places(observed, [np.arange(1, self.features + 1)])
        return self._draw(self.only_observed(X, observed), known, rng)

    def _draw(self, x, known, rng):
        draw(self, rng.random(x.shape, x.dtype), known, x)
        return x
