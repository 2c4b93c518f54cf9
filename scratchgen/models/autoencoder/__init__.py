"""The autoencoder, and PCA, its linear and probabilistic relative."""

from scratchgen.models.autoencoder.model import Autoencoder
from scratchgen.models.autoencoder.pca import PCA

__all__ = [
    "Autoencoder",
    "PCA",
]
