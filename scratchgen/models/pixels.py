"""The base of models of pixels, which binarises grey pixels for `fit`."""

from __future__ import annotations

import numpy as np

from scratchgen.data import binarise
from scratchgen.data.augment import BINARISATIONS
from scratchgen.models.arguments import choice
from scratchgen.models.base import Model


class PixelModel(Model):
    """A model of pixels, which `fit` binarises if the pixels are Bernoulli variables.

    binarisation : what `fit` does with grey pixels. "none" raises ValueError for them. "dynamic" and "fixed"
        sample 0 or 1, with the intensity as the probability of a 1: "dynamic" in every epoch, "fixed" once
    """

    bernoulli = True

    def __init__(self, binarisation: str):
        self.binarisation = choice(type(self).__name__, "binarisation", binarisation, BINARISATIONS)

    @property
    def data_note(self) -> str:
        """One line that describes the pixels, to be printed next to a result."""
        kind = "Bernoulli" if self.bernoulli else "Normal"
        return f"{kind} pixels, {BINARISATIONS[self.binarisation]}"

    def check_augment(self) -> None:
        """Raise ValueError unless augmented pixels are binarised: Bernoulli pixels are 0 or 1."""
        if self.bernoulli and self.binarisation != "dynamic":
            raise ValueError(
                f"{self._who('fit')} with augment expected binarisation 'dynamic', got {self.binarisation!r}"
            )

    def before_training(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Binarise the data once, for binarisation "fixed"."""
        return binarise(X, rng=rng) if self.binarisation == "fixed" else X

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Binarise the batch, for binarisation "dynamic"."""
        x, *labels = batch
        return (binarise(x, rng=rng) if self.binarisation == "dynamic" else x, *labels)
