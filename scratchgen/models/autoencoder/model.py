"""The autoencoder: compress, decompress, and learn from the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from scratchgen.checks import expect_examples, expect_no_labels
from scratchgen.layers import Activation, Layer, Sequential, Sigmoid, SiLU
from scratchgen.losses import squared_error
from scratchgen.models.base import Model
from scratchgen.models.networks import conv_decoder, conv_encoder, dense, in_batches


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
        kind = {"rng": rng, "activation": activation, "dtype": dtype}
        return cls(dense(sizes, **kind), Sequential(*dense(sizes[::-1], **kind).layers, Sigmoid()))

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
        """Two 4×4 convolutions of stride 2 down to 7×7, a linear code, and their transposes back up."""
        kind = {"rng": rng, "activation": activation, "dtype": dtype}
        encoder = conv_encoder(code, channels, **kind)
        return cls(encoder, Sequential(*conv_decoder(code, channels, **kind).layers, Sigmoid()))

    def loss(self, x, *, rng=None, training=False):
        z, enc = self.encoder.forward(x, training)              # (AE.1)  (N, K)
        out, dec = self.decoder.forward(z, training)            # (AE.2)  (N, D)
        loss, dout = squared_error(out, x)                      # (AE.3), (AE.4)
        return loss, (enc, dec, dout)

    def backward(self, cache):
        enc, dec, dout = cache
        dz = self.decoder.backward(dout, dec)                   # (AE.5)  (N, K)
        self.encoder.backward(dz, enc, input_grad=False)
        return {"dout": dout, "dz": dz}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, None]:
        """Check X (N, D), values within [0, 1]."""
        expect_no_labels(self._who("fit"), y)
        expect_examples(self._who("fit"), X, low=0, high=1)
        return X, None

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

