# Written by tools/write_stubs.py (make stubs). Do not edit.
from scratchgen.models.autoencoder.model import Autoencoder as Autoencoder
from scratchgen.models.autoencoder.pca import PCA as PCA
from scratchgen.models.autoregressive.made import MADE as MADE
from scratchgen.models.autoregressive.pixelcnn import PixelCNN as PixelCNN
from scratchgen.models.base import Model as Model
from scratchgen.models.base import NoLikelihood as NoLikelihood
from scratchgen.models.classical.bayes_classifier import BayesClassifier as BayesClassifier
from scratchgen.models.classical.decision_tree import DecisionTree as DecisionTree
from scratchgen.models.classical.gaussian_discriminant import GaussianDiscriminant as GaussianDiscriminant
from scratchgen.models.classical.hidden_markov import HiddenMarkovModel as HiddenMarkovModel
from scratchgen.models.classical.linear_svm import LinearSVM as LinearSVM
from scratchgen.models.classical.logistic_regression import LogisticRegression as LogisticRegression
from scratchgen.models.classical.naive_bayes import BernoulliNaiveBayes as BernoulliNaiveBayes
from scratchgen.models.classical.naive_bayes import GaussianNaiveBayes as GaussianNaiveBayes
from scratchgen.models.classical.nearest_neighbours import NearestNeighbours as NearestNeighbours
from scratchgen.models.classical.nets import ConvClassifier as ConvClassifier
from scratchgen.models.classical.nets import MLPClassifier as MLPClassifier
from scratchgen.models.flow.model import Flow as Flow
from scratchgen.models.flow.model import FlowOverflow as FlowOverflow
from scratchgen.models.flow.nice import NICE as NICE
from scratchgen.models.flow.realnvp import RealNVP as RealNVP
from scratchgen.models.gan.average import AveragedGenerator as AveragedGenerator
from scratchgen.models.gan.dcgan import DCGAN as DCGAN
from scratchgen.models.gan.model import GAN as GAN
from scratchgen.models.gan.watch import WatchGame as WatchGame
from scratchgen.models.gan.wgan import WGAN as WGAN
from scratchgen.models.text.characters import CharacterModel as CharacterModel
from scratchgen.models.text.ngram import NGram as NGram
from scratchgen.models.vae.codes import LatentUsage as LatentUsage
from scratchgen.models.vae.codes import latent_usage as latent_usage
from scratchgen.models.vae.conditional import ClassPriorVAE as ClassPriorVAE
from scratchgen.models.vae.conditional import ConditionalVAE as ConditionalVAE
from scratchgen.models.vae.model import VAE as VAE
from scratchgen.models.vae.observation import BernoulliPixels as BernoulliPixels
from scratchgen.models.vae.observation import NormalPixels as NormalPixels

FAMILIES: tuple[str, ...]
