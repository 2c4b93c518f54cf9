"""Autoregressive models of binary pixels, which predict each pixel from those before it."""

from scratchgen.models.autoregressive.made import MADE
from scratchgen.models.autoregressive.pixelcnn import PixelCNN

__all__ = [
    "MADE",
    "PixelCNN",
]
