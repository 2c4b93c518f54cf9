"""What the models learn from: handwritten digits, toy densities, and batches of them."""

from scratchgen.data.augment import Jitter, binarise
from scratchgen.data.batches import Batches
from scratchgen.data.digits import Digits, as_images, load_digits
from scratchgen.data.download import download_digits
from scratchgen.data.idx import read_idx
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
    "Batches",
    "Density",
    "Digits",
    "GaussianMixture",
    "GaussianMixture1D",
    "Jitter",
    "as_images",
    "binarise",
    "checkerboard",
    "download_digits",
    "eight_gaussians",
    "load_digits",
    "pinwheel",
    "read_idx",
    "two_moons",
    "two_spirals",
]
