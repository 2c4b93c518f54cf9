"""Autoregressive models of binary pixels: each pixel given those before it."""

from scratchgen.models.autoregressive.made import MADE
from scratchgen.models.autoregressive.pixelcnn import PixelCNN

__all__ = [
    "MADE",
    "PixelCNN",
]
