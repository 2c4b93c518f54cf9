"""The card of the classifiers."""

from __future__ import annotations

from scratchgen.models import (
    BernoulliNaiveBayes,
    DecisionTree,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    LinearSVM,
    LogisticRegression,
    MLPClassifier,
    NearestNeighbours,
)
from scratchgen.studies.cards.card import Card, TimedClassifier, Trainable
from scratchgen.training.schedules import Cosine

JOINT, CONDITIONAL = "p(x, y)", "P(y given x)"
DESCENT = {"epochs": 10, "batch_size": 128, "lr": Cosine(1e-3)}     # of the SVM

CARD = Card(
    title="classifier",
    classifiers=(
        TimedClassifier(
            "naive Bayes, Bernoulli pixels", JOINT, lambda: BernoulliNaiveBayes(threshold=0.5)
        ),
        TimedClassifier(
            "naive Bayes, Gaussian, smoothing 0.1", JOINT, lambda: GaussianNaiveBayes(smoothing=0.1)
        ),
        TimedClassifier(
            "Gaussians, shared covariance, shrinkage 0.1", JOINT, lambda: GaussianDiscriminant(shrinkage=0.1)
        ),
        TimedClassifier(
            "Gaussians, a covariance each, shrinkage 0.1",
            JOINT,
            lambda: GaussianDiscriminant(shared=False, shrinkage=0.1),
        ),
        TimedClassifier("logistic regression", CONDITIONAL, LogisticRegression, {"iterations": 100}),
        TimedClassifier("linear SVM", "a boundary", LinearSVM, DESCENT | {"rng": 0}),
        TimedClassifier("decision tree", CONDITIONAL, DecisionTree),
        TimedClassifier("5 nearest neighbours", CONDITIONAL, NearestNeighbours),
    ),
    trainable=(
        Trainable(MLPClassifier, {"standard": {"hidden": (200, 200)}}),
        Trainable(BernoulliNaiveBayes, {"standard": {"threshold": 0.5}}),
        Trainable(GaussianDiscriminant, {"standard": {"shrinkage": 0.1}}),
        Trainable(GaussianNaiveBayes, {"standard": {"smoothing": 0.1}}),
    ),
)
