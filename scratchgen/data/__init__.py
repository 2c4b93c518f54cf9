"""Data for the models: handwritten digits, a text, toy densities, augmentation and batches."""

from scratchgen.data.augment import Jitter, binarise, dequantise
from scratchgen.data.batches import Batches
from scratchgen.data.digits import Digits, as_images, load_digits
from scratchgen.data.download import download_digits
from scratchgen.data.idx import read_idx
from scratchgen.data.text import Alphabet, RandomCrop, load_text, split_text, windows
from scratchgen.data.toy import (
    Density,
    GaussianMixture,
    GaussianMixture1D,
    checkerboard,
    eight_gaussians,
    pinwheel,
    two_moons,
    two_spirals,
)

__all__ = [
    "Alphabet",
    "Batches",
    "Density",
    "Digits",
    "GaussianMixture",
    "GaussianMixture1D",
    "Jitter",
    "RandomCrop",
    "as_images",
    "binarise",
    "checkerboard",
    "dequantise",
    "download_digits",
    "eight_gaussians",
    "load_digits",
    "load_text",
    "pinwheel",
    "read_idx",
    "split_text",
    "two_moons",
    "two_spirals",
    "windows",
]
