"""DCGAN: the same game, played by convolutions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from scratchgen.models.gan.model import GAN
from scratchgen.models.gan.networks import conv_critic, conv_generator


class DCGAN(GAN):
    """A GAN of convolutions for 28×28 digits (Radford et al. 2016): strides for pooling, and batch norm.

    G: code → 7×7×C2 → 14×14×C1 → 28×28×1, by `Linear` and two `ConvTranspose2d`;  D the same way back, by two
    `Conv2d`. Batch norm stands neither at G's output nor at D's input, where it would fix the brightness of
    what passes. Losses, steps and settings are the GAN's; images come and go as rows of 784.

    code : K, the width of the noise;  channels : (C1, C2), of the 14×14 and of the 7×7 maps
    hidden : the width of a dense layer that G has behind its code, and D before its logit; or 0 for none, as
        in the paper. There D's last convolution sees nearly the whole picture, here 10×10 pixels of 28×28:
        without a hidden layer D adds up what it sees in single places, and can't mind whether they fit
        together, and in G each of the 7×7 places is linear in the code (docs/gan.md, 13)
    settings : what else GAN takes (noise, objective, k, ahead)

    Its layers differ from the paper's, which draws 64×64 colour pictures, in number and in width, and G ends
    with a sigmoid in place of tanh since digits lie within [0, 1].
    """

    def __init__(
        self,
        code: int = 64,
        channels: tuple[int, int] = (32, 64),
        *,
        hidden: int = 0,
        rng: np.random.Generator,
        dtype: Any = np.float32,
        **settings: Any,
    ):
        kind = {"rng": rng, "dtype": dtype}
        generator = conv_generator(code, channels, hidden=hidden, **kind)
        critic = conv_critic(channels, batch_norm=True, hidden=hidden, **kind)
        super().__init__(generator, critic, code=code, **settings)

    @classmethod
    def dense(cls, *args: Any, **settings: Any) -> Self:
        """There is none: the name stands for convolutions. GAN.dense is the dense form."""
        raise TypeError("DCGAN is made of convolutions; GAN.dense makes a game of dense networks")
