"""The models, each with scikit-learn's verbs and a gradient written by hand."""

from scratchgen.models.autoencoder import Autoencoder
from scratchgen.models.base import Model, NoLikelihood
from scratchgen.models.characters import CharacterModel
from scratchgen.models.classical import (
    BayesClassifier,
    BernoulliNaiveBayes,
    DecisionTree,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    HiddenMarkovModel,
    LinearSVM,
    LogisticRegression,
    NearestNeighbours,
)
from scratchgen.models.classifiers import ConvClassifier, MLPClassifier
from scratchgen.models.conditional_vae import ClassPriorVAE, ConditionalVAE
from scratchgen.models.dcgan import DCGAN
from scratchgen.models.flow import Flow, FlowOverflow
from scratchgen.models.gan import GAN
from scratchgen.models.gan_average import AveragedGenerator
from scratchgen.models.gan_watch import WatchGame
from scratchgen.models.latent import LatentUsage, latent_usage
from scratchgen.models.made import MADE
from scratchgen.models.ngram import NGram
from scratchgen.models.nice import NICE
from scratchgen.models.observation import BernoulliPixels, NormalPixels
from scratchgen.models.pca import PCA
from scratchgen.models.pixelcnn import PixelCNN
from scratchgen.models.realnvp import RealNVP
from scratchgen.models.vae import VAE
from scratchgen.models.wgan import WGAN

__all__ = [
    "DCGAN",
    "GAN",
    "MADE",
    "NICE",
    "PCA",
    "VAE",
    "WGAN",
    "Autoencoder",
    "AveragedGenerator",
    "BayesClassifier",
    "BernoulliNaiveBayes",
    "BernoulliPixels",
    "CharacterModel",
    "ClassPriorVAE",
    "ConditionalVAE",
    "ConvClassifier",
    "DecisionTree",
    "Flow",
    "FlowOverflow",
    "GaussianDiscriminant",
    "GaussianNaiveBayes",
    "HiddenMarkovModel",
    "LatentUsage",
    "LinearSVM",
    "LogisticRegression",
    "MLPClassifier",
    "Model",
    "NGram",
    "NearestNeighbours",
    "NoLikelihood",
    "NormalPixels",
    "PixelCNN",
    "RealNVP",
    "WatchGame",
    "latent_usage",
]
