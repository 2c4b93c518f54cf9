"""The models, each with scikit-learn's verbs and a gradient written by hand."""

from scratchgen.models.autoencoder import Autoencoder
from scratchgen.models.base import Model, NoLikelihood
from scratchgen.models.pca import PCA

__all__ = ["PCA", "Autoencoder", "Model", "NoLikelihood"]
