"""The gradient cases of the classical classifiers, and of the hidden Markov model."""

from __future__ import annotations

from scratchgen.gradcheck.cases import ONE_EPOCH, Example, ModelCase
from scratchgen.models.autoencoder import PCA
from scratchgen.models.classical import (
    BayesClassifier,
    BernoulliNaiveBayes,
    ConvClassifier,
    DecisionTree,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    HiddenMarkovModel,
    LinearSVM,
    LogisticRegression,
    MLPClassifier,
    NearestNeighbours,
)

MODELS = (
    ModelCase(
        "ConvClassifier",
        lambda rng, dtype: ConvClassifier((2, 3, 2), 5, 4, rng=rng, dtype=dtype),
        (3, 784),
        classes=4,
    ),
    ModelCase(
        "MLPClassifier",
        lambda rng, dtype: MLPClassifier((9, 7, 3), rng=rng, dtype=dtype),
        (5, 9),
        classes=3,
    ),
    ModelCase(
        "LogisticRegression",
        lambda rng, dtype: LogisticRegression(9, 3, l2=0.3, dtype=dtype),
        (5, 9),
        classes=3,
    ),
    ModelCase(
        "LinearSVM",
        lambda rng, dtype: LinearSVM(9, 3, l2=0.3, dtype=dtype),
        (5, 9),
        classes=3,
        smooth=False,
    ),
    ModelCase(
        "HiddenMarkovModel Gaussian",
        lambda rng, dtype: HiddenMarkovModel.gaussian(3, rng=rng, dtype=dtype),
        (5, 9),
    ),
)

EXAMPLES = (
    Example("BayesClassifier", lambda rng: BayesClassifier(lambda: PCA(2)), classes=3),
    Example("BernoulliNaiveBayes", lambda rng: BernoulliNaiveBayes(threshold=0.5), classes=3),
    Example(
        "ConvClassifier",
        lambda rng: ConvClassifier((2, 3, 2), (5,), 3, shape=(8, 8, 1), rng=rng),
        (24, 64),
        ONE_EPOCH,
        classes=3,
    ),
    Example("DecisionTree", lambda rng: DecisionTree(max_depth=2), classes=3),
    Example("GaussianDiscriminant", lambda rng: GaussianDiscriminant(shrinkage=0.3), classes=3),
    Example("GaussianNaiveBayes", lambda rng: GaussianNaiveBayes(smoothing=0.1), classes=3),
    Example("HiddenMarkovModel", lambda rng: HiddenMarkovModel.gaussian(2, rng=rng)),
    Example("LinearSVM", lambda rng: LinearSVM(6, 3), fit=ONE_EPOCH, classes=3),
    Example("LogisticRegression", lambda rng: LogisticRegression(6, 3, l2=0.1), classes=3),
    Example("MLPClassifier", lambda rng: MLPClassifier((6, 5, 3), rng=rng), fit=ONE_EPOCH, classes=3),
    Example("NearestNeighbours", lambda rng: NearestNeighbours(3), classes=3),
)
