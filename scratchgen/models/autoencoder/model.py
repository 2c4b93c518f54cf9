"""The autoencoder: compress an input to a code, decompress it, and minimise the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import expect_no_labels
from scratchgen.layers import Activation, Layer, Sequential, SiLU
from scratchgen.losses import squared_error
from scratchgen.models.arguments import layer, value_range
from scratchgen.models.base import Model
from scratchgen.models.examples import as_examples
from scratchgen.models.networks import (
    conv_decoder,
    conv_encoder,
    convolutional_arguments,
    dense,
    dense_arguments,
    in_batches,
    input_width,
    output_layers,
)


class AutoencoderCache(NamedTuple):
    """The values that backward needs."""

    enc: Any            # the encoder's cache
    dec: Any            # the decoder's cache
    dout: np.ndarray    # (N, D)


class Autoencoder(Model):
    """A narrow latent code between two networks (Rumelhart et al. 1986; Hinton & Salakhutdinov 2006).

    (AE.1)  z    = f(x)                                     f the encoder; x (N, D), z (N, K), K < D
    (AE.2)  out  = g(z)                                     g the decoder; out (N, D)
    (AE.3)  loss = 1/N · Σₙ ‖outₙ − xₙ‖²                     summed over features, averaged over examples
    (AE.4)  dout = 2/N · (out − x)
    (AE.5)  dz   = J_gᵀ·dout                                the decoder's backward; the encoder's takes dz

    It has no likelihood, as it defines neither a distribution of codes nor one of x given a code.
    Derived in docs/autoencoder.md.

    encoder, decoder : any two layers whose shapes match; `dense` and `convolutional` build the usual ones
    output_range : the range of the decoder's output, within which the data must lie; None for any data
    """

    output_range: tuple[float, float] | None = (0.0, 1.0)

    def __init__(
        self, encoder: Layer, decoder: Layer, *, output_range: tuple[float, float] | None = (0.0, 1.0)
    ):
        who = type(self).__name__
        self.encoder, self.decoder = layer(who, "encoder", encoder), layer(who, "decoder", decoder)
        output_range = value_range(who, output_range)
        if output_range != self.output_range:   # files of earlier versions have no range, which means (0, 1)
            self.output_range = output_range

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int] | None = None,
        *,
        features: int | None = None,
        hidden: int | Sequence[int] | None = None,
        code: int | None = None,
        rng: np.random.Generator | int,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
        output_range: tuple[float, float] | None = (0.0, 1.0),
    ) -> Self:
        """Linear layers from `features` through the `hidden` widths to `code`, and the same widths back.

        The code is linear. By default, the output goes through a sigmoid, so it lies within [0, 1] as
        intensities do.

        features, hidden, code : by default 784, (1000, 500, 250) and 30
        sizes : the same widths in one sequence, (features, *hidden, code), instead of the three arguments
        output_range : the decoder ends with a sigmoid that is scaled to this range; None makes its output
            linear, for any table

        Raises ValueError for fewer than two sizes.
        """
        default = (784, 1000, 500, 250, 30)
        sizes, net_args = dense_arguments(
            f"{cls.__name__}.dense", sizes, default, features, hidden, code,
            rng=rng, activation=activation, dtype=dtype,
        )
        last = output_layers(value_range(f"{cls.__name__}.dense", output_range))
        encoder = dense(sizes, **net_args)
        decoder = Sequential(*dense(sizes[::-1], **net_args).layers, *last)
        return cls(encoder, decoder, output_range=output_range)

    @classmethod
    def convolutional(
        cls,
        code: int = 30,
        channels: tuple[int, int] = (16, 32),
        *,
        shape: tuple[int, int, int] = (28, 28, 1),
        rng: np.random.Generator | int,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
        output_range: tuple[float, float] | None = (0.0, 1.0),
    ) -> Self:
        """Two 4×4 convolutions of stride 2, a linear code, and a decoder of transposed convolutions.

        shape : (H, W, C) of the images, with H and W of at least 4; examples are rows of H·W·C numbers
        output_range : as for `dense`
        """
        code, net_args = convolutional_arguments(
            f"{cls.__name__}.convolutional", code, channels, shape,
            rng=rng, activation=activation, dtype=dtype,
        )
        last = output_layers(value_range(f"{cls.__name__}.convolutional", output_range))
        encoder = conv_encoder(code, **net_args)
        decoder = Sequential(*conv_decoder(code, **net_args).layers, *last)
        return cls(encoder, decoder, output_range=output_range)

    @property
    def features(self) -> int | None:
        """D, the number of input columns; None if the encoder does not begin with a Linear or Reshape."""
        return input_width(self.encoder)

    @property
    def code(self) -> int | None:
        """K, the width of the latent code; None if the decoder does not begin with a Linear or Reshape."""
        return input_width(self.decoder)

    def loss(
        self, x: np.ndarray, *, rng: np.random.Generator | int | None = None, training: bool = False
    ) -> tuple[float, AutoencoderCache]:
        """Return (loss, cache) for x (N, D)."""
        z, enc = self.encoder.forward(x, training)              # (AE.1)  (N, K)
        out, dec = self.decoder.forward(z, training)            # (AE.2)  (N, D)
        loss, dout = squared_error(out, x)                      # (AE.3), (AE.4)
        return loss, AutoencoderCache(enc, dec, dout)

    def backward(self, cache: AutoencoderCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dout (N, D) and dz (N, K)."""
        dz = self.decoder.backward(cache.dout, cache.dec)       # (AE.5)  (N, K)
        self.encoder.backward(dz, cache.enc, input_grad=False)
        return {"dout": cache.dout, "dz": dz}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, None]:
        """Check X (N, D), values within the `output_range`."""
        expect_no_labels(self._who("fit"), y)
        low, high = (None, None) if self.output_range is None else self.output_range
        hint = ", or build the model with output_range=None, for any numbers"
        X = as_examples(
            self._who("fit"), X, self.dtype, features=self.features, low=low, high=high, hint=hint
        )
        return X, None

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The latent codes of X: (N, D) -> (N, K)."""
        return self._encode(X, "transform")

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Decode latent codes: (N, K) -> (N, D)."""
        Z = as_examples(self._who("inverse_transform"), Z, self.dtype, features=self.code)
        return in_batches(lambda z: self.decoder.forward(z)[0], Z)

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        """Encode and decode X, (N, D)."""
        return self.inverse_transform(self._encode(X, "reconstruct"))

    def _encode(self, X: np.ndarray, method: str) -> np.ndarray:
        X = as_examples(self._who(method), X, self.dtype, features=self.features)
        return in_batches(lambda x: self.encoder.forward(x)[0], X)

    def _because(self, method: str) -> str:
        return (
            ": it has no distribution of codes. A VAE has a prior for them, and probabilistic PCA has one in "
            "closed form"
        )
