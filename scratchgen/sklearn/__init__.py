"""Estimators for scikit-learn: the library's models with the conventions of its pipelines and searches.

    from scratchgen.sklearn import LinearDiscriminant
    cross_val_score(make_pipeline(StandardScaler(), LinearDiscriminant()), X, y)

Each estimator builds a model of `scratchgen.models` in `fit` and keeps it as `model_`. It needs scikit-learn,
which is optional: ``pip install "scratchgen[sklearn]"``. ``import scratchgen`` does not import it.
"""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        'scratchgen.sklearn needs scikit-learn; install it with pip install "scratchgen[sklearn]"'
    ) from error

from scratchgen.sklearn.classifiers import MLP, DecisionTree, KNeighbors, LinearSVM, LogisticRegression
from scratchgen.sklearn.densities import MADE, NICE, FlowMatching, RealNVP
from scratchgen.sklearn.generative import (
    BayesClassifier,
    BernoulliNB,
    GaussianNB,
    LinearDiscriminant,
    QuadraticDiscriminant,
)
from scratchgen.sklearn.transformers import PCA, VAE, Autoencoder

__all__ = [
    "MADE",
    "MLP",
    "NICE",
    "PCA",
    "VAE",
    "Autoencoder",
    "BayesClassifier",
    "BernoulliNB",
    "DecisionTree",
    "FlowMatching",
    "GaussianNB",
    "KNeighbors",
    "LinearDiscriminant",
    "LinearSVM",
    "LogisticRegression",
    "QuadraticDiscriminant",
    "RealNVP",
]
