"""The models, each with scikit-learn's verbs and a gradient written by hand."""

from scratchgen.models.autoencoder import Autoencoder
from scratchgen.models.base import Model, NoLikelihood
from scratchgen.models.classifiers import ConvClassifier, MLPClassifier
from scratchgen.models.conditional_vae import ClassPriorVAE, ConditionalVAE
from scratchgen.models.dcgan import DCGAN
from scratchgen.models.gan import GAN
from scratchgen.models.latent import LatentUsage, latent_usage
from scratchgen.models.made import MADE
from scratchgen.models.observation import BernoulliPixels, NormalPixels
from scratchgen.models.pca import PCA
from scratchgen.models.vae import VAE
from scratchgen.models.wgan import WGAN

__all__ = [
    "DCGAN",
    "GAN",
    "MADE",
    "PCA",
    "VAE",
    "WGAN",
    "Autoencoder",
    "BernoulliPixels",
    "ClassPriorVAE",
    "ConditionalVAE",
    "ConvClassifier",
    "LatentUsage",
    "MLPClassifier",
    "Model",
    "NoLikelihood",
    "NormalPixels",
    "latent_usage",
]
