"""The autoencoder, and probabilistic principal component analysis (PCA), its linear counterpart."""

from scratchgen.models.autoencoder.model import Autoencoder
from scratchgen.models.autoencoder.pca import PCA

__all__ = [
    "Autoencoder",
    "PCA",
]
