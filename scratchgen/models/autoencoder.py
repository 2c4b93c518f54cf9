"""The autoencoder: compress, decompress, and learn from the difference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from scratchgen.layers import (
    Activation,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    Linear,
    Reshape,
    Sequential,
    Sigmoid,
    SiLU,
)
from scratchgen.losses import squared_error
from scratchgen.models.base import Model, expect_examples


class Autoencoder(Model):
    """A narrow code between two networks (Rumelhart, Hinton & Williams 1986; Hinton & Salakhutdinov 2006).

    (AE.1)  z    = f(x)                                     f the encoder; x (N, D), z (N, K), K < D
    (AE.2)  out  = g(z)                                     g the decoder; out (N, D)
    (AE.3)  loss = 1/N · Σₙ ‖outₙ − xₙ‖²                     summed over pixels, averaged over examples
    (AE.4)  dout = 2/N · (out − x)
    (AE.5)  dz   = J_gᵀ·dout                                the decoder's backward
            and the encoder's backward takes dz; dx is asked for by nobody

    It has no likelihood: nothing says how probable a code is, nor how probable an x is given its code.
    Derived in docs/autoencoder.md.

    encoder, decoder : any two layers that fit each other; `dense` and `convolutional` build the usual ones
    """

    def __init__(self, encoder: Layer, decoder: Layer):
        self.encoder, self.decoder = encoder, decoder

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int] = (784, 1000, 500, 250, 30),
        *,
        rng: np.random.Generator,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
    ) -> Self:
        """Linear layers of the given sizes down to the code, and the same sizes back up.

        The code is linear; the output goes through a sigmoid, so it lies within [0, 1] like the pixels.
        Raises ValueError for fewer than two sizes.
        """
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"Autoencoder.dense expected two or more sizes ≥ 1, got {tuple(sizes)}")
        encoder = _dense(sizes, activation, rng, dtype)
        decoder = _dense(sizes[::-1], activation, rng, dtype)
        return cls(Sequential(*encoder), Sequential(*decoder, Sigmoid()))

    @classmethod
    def convolutional(
        cls,
        code: int = 30,
        channels: tuple[int, int] = (16, 32),
        *,
        rng: np.random.Generator,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
    ) -> Self:
        """Two 4×4 convolutions of stride 2 down to 7×7, a linear code, and their transposes back up.

            784 → 28×28×1 → 14×14×C1 → 7×7×C2 → code → 7×7×C2 → 14×14×C1 → 28×28×1 → 784
        """
        c1, c2 = channels
        kind = {"rng": rng, "dtype": dtype}
        encoder = Sequential(
            Reshape(28, 28, 1),
            Conv2d(1, c1, 4, stride=2, padding=1, **kind),
            activation(),
            Conv2d(c1, c2, 4, stride=2, padding=1, **kind),
            activation(),
            Flatten(),
            Linear(7 * 7 * c2, code, **kind),
        )
        decoder = Sequential(
            Linear(code, 7 * 7 * c2, **kind),
            activation(),
            Reshape(7, 7, c2),
            ConvTranspose2d(c2, c1, 4, stride=2, padding=1, **kind),
            activation(),
            ConvTranspose2d(c1, 1, 4, stride=2, padding=1, **kind),
            Flatten(),
            Sigmoid(),
        )
        return cls(encoder, decoder)

    def loss(self, x, *, rng=None, training=False):
        z, enc = self.encoder.forward(x, training)              # (AE.1)  (N, K)
        out, dec = self.decoder.forward(z, training)            # (AE.2)  (N, D)
        loss, dout = squared_error(out, x)                      # (AE.3), (AE.4)
        return loss, (enc, dec, dout)

    def backward(self, cache, dloss=None, input_grad=False):
        enc, dec, dout = cache
        dz = self.decoder.backward(dout, dec)                   # (AE.5)  (N, K)
        self.encoder.backward(dz, enc, input_grad=False)
        return {"dout": dout, "dz": dz}

    def fit(self, X, y=None, **run):
        """Train on X (N, D) within [0, 1], by Adam; y is not looked at. Takes what `trainer` takes."""
        expect_examples("Autoencoder.fit", X, low=0, high=1)
        return super().fit(X, None, **run)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The codes of X: (N, D) -> (N, K)."""
        expect_examples("Autoencoder.transform", X)
        return in_batches(lambda x: self.encoder.forward(x)[0], X)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """What the codes decode to: (N, K) -> (N, D)."""
        expect_examples("Autoencoder.inverse_transform", Z)
        return in_batches(lambda z: self.decoder.forward(z)[0], Z)

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        """X through the code and back, (N, D)."""
        return self.inverse_transform(self.transform(X))

    def _because(self, verb):
        return (
            ": nothing says how probable a code is; a VAE puts a prior on the codes, "
            "and PCA (probabilistic) has one in closed form"
        )


def in_batches(f, X: np.ndarray, size: int = 1000) -> np.ndarray:
    """f over X in parts of at most `size` rows, so that memory does not grow with the data."""
    return np.concatenate([f(X[i : i + size]) for i in range(0, len(X), size)])


def _dense(sizes, activation, rng, dtype) -> list[Layer]:
    """Linear layers from size to size, with an activation between any two of them."""
    layers: list[Layer] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [Linear(fan_in, fan_out, rng=rng, dtype=dtype), activation()]
    return layers[:-1]
