"""The forms of pixels that models use: binary, dequantised or grey. Each likelihood describes one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scratchgen.data import binarise, dequantise

SEED = 0


@dataclass(frozen=True)
class Space:
    """The data that a likelihood describes.

    name     : for a heading
    made     : how the data is made from grey digits, including the seed. Two spaces that differ here have
        different test data
    discrete : True for probabilities of pixels that are 0 or 1, False for densities of continuous pixels
    levels   : number of grey levels that were dequantised; None without dequantisation
    features : number of pixels in an example
    """

    name: str
    made: str
    discrete: bool
    levels: int | None = None
    features: int = 784

    def __post_init__(self) -> None:
        if self.features < 1:
            raise ValueError(f"Space expected features of at least 1, got {self.features}")
        if self.discrete and self.levels is not None:
            raise ValueError(f"Space expected no levels for binary pixels, got {self.levels}")

    def prepare(self, x: np.ndarray, seed: int = SEED) -> np.ndarray:
        """Convert grey digits (N, D) in [0, 1] to this space. The same seed gives the same result."""
        if self.discrete:
            return binarise(x, rng=np.random.default_rng(seed))
        if self.levels is not None:
            return dequantise(x, rng=np.random.default_rng(seed))
        return x


BINARY = Space(
    "binary pixels",
    f"each sampled once, with its grey value as the probability of a 1, seed {SEED}",
    discrete=True,
)
DEQUANTISED = Space(
    "dequantised pixels",
    f"uniform noise of one grey level added to each, divided by 256, seed {SEED}",
    discrete=False,
    levels=256,
)
GREY = Space("grey pixels", "256 levels, taken as continuous numbers", discrete=False)
SPACES = (BINARY, DEQUANTISED, GREY)
NUMBERS = Space("the numbers as given", "taken from a table", discrete=False, features=1)
