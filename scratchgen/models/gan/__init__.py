"""Generative adversarial networks: dense, convolutional and Wasserstein."""

from scratchgen.models.gan.average import AveragedGenerator
from scratchgen.models.gan.dcgan import DCGAN
from scratchgen.models.gan.model import GAN
from scratchgen.models.gan.watch import WatchGame
from scratchgen.models.gan.wgan import WGAN

__all__ = [
    "AveragedGenerator",
    "DCGAN",
    "GAN",
    "WGAN",
    "WatchGame",
]
