"""DCGAN, a GAN of convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from scratchgen.models.arguments import image_shape, widths
from scratchgen.models.gan.model import GAN
from scratchgen.models.gan.networks import conv_players


class DCGAN(GAN):
    """A GAN of convolutions (Radford et al. 2016), with strides instead of pooling, and batch norm.

    G: code → H/4×W/4×C2 → H/2×W/2×C1 → H×W×C, by `Linear` and two `ConvTranspose2d`; D is the reverse, with
    two `Conv2d`. G's output and D's input have no batch norm, because it would fix the brightness of the
    images. Losses, steps and settings are those of GAN; images are rows of H·W·C numbers.

    code : K, the width of the latent code;  channels : (C1, C2), of the larger and of the smaller maps
    hidden : widths of dense layers, in G after its code and in D before its logit; the paper has none.
        Without them, the logit of D is a sum of terms that each depend on 10×10 pixels, so D cannot tell
        whether distant parts of an image fit together. In G, each of the H/4×W/4 places is then linear in the
        code (docs/gan.md, section 13). An int stands for one layer, 0 for none
    shape : (H, W, C) of the images, with H and W of at least 4; H/2 and so on are rounded down
    spectral_norm : whether each Linear and Conv2d of D is inside a SpectralNorm, in place of batch norm
    settings : other arguments of GAN (noise, objective, k, ahead)

    The number and the widths of the layers differ from the paper, which generates 64×64 colour images. G ends
    with a sigmoid instead of tanh because intensities lie within [0, 1].
    """

    def __init__(
        self,
        code: int = 64,
        channels: tuple[int, int] = (32, 64),
        *,
        hidden: int | Sequence[int] = (),
        shape: tuple[int, int, int] = (28, 28, 1),
        output_range: tuple[float, float] | None = (0.0, 1.0),
        spectral_norm: bool = False,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ):
        who = type(self).__name__
        generator, critic = conv_players(
            who, code, channels, hidden, shape, batch_norm=True,
            output_range=output_range, spectral_norm=spectral_norm, rng=rng, dtype=dtype,
        )
        super().__init__(generator, critic, code=code, output_range=output_range, **settings)
        self.channels, self.hidden = tuple(channels), widths(who, "hidden", hidden)
        self.shape = image_shape(who, shape)

    @classmethod
    def dense(cls, *args: Any, **settings: Any) -> Self:
        """Raise TypeError: a DCGAN is convolutional. Use GAN.dense for dense networks."""
        raise TypeError("DCGAN is made of convolutions; use GAN.dense for dense networks")
