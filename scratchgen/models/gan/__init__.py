"""Generative adversarial networks: dense, convolutional, Wasserstein, with labels and with codes to read."""

from scratchgen.models.gan.average import AveragedGenerator
from scratchgen.models.gan.conditional import ConditionalGAN
from scratchgen.models.gan.dcgan import DCGAN
from scratchgen.models.gan.info import InfoGAN
from scratchgen.models.gan.model import GAN
from scratchgen.models.gan.watch import WatchGame
from scratchgen.models.gan.wgan import WGAN

__all__ = [
    "AveragedGenerator",
    "ConditionalGAN",
    "DCGAN",
    "GAN",
    "InfoGAN",
    "WGAN",
    "WatchGame",
]
