"""Classical classifiers: discriminative models of P(y | x), and generative models of P(x, y)."""

from scratchgen.models.classical.base import NotConverged
from scratchgen.models.classical.bayes_classifier import BayesClassifier
from scratchgen.models.classical.decision_tree import DecisionTree
from scratchgen.models.classical.gaussian_discriminant import ConstantFeatures, GaussianDiscriminant
from scratchgen.models.classical.hidden_markov import HiddenMarkovModel
from scratchgen.models.classical.linear_svm import LinearSVM
from scratchgen.models.classical.logistic_regression import LogisticRegression
from scratchgen.models.classical.naive_bayes import BernoulliNaiveBayes, GaussianNaiveBayes
from scratchgen.models.classical.nearest_neighbours import NearestNeighbours
from scratchgen.models.classical.nets import ConvClassifier, MLPClassifier

__all__ = [
    "BayesClassifier",
    "BernoulliNaiveBayes",
    "ConstantFeatures",
    "ConvClassifier",
    "DecisionTree",
    "GaussianDiscriminant",
    "GaussianNaiveBayes",
    "HiddenMarkovModel",
    "LinearSVM",
    "LogisticRegression",
    "MLPClassifier",
    "NearestNeighbours",
    "NotConverged",
]
