"""Two classes in the plane with known densities; models that learn the boundary or the densities."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.data import GaussianMixture
from scratchgen.layers import Tanh
from scratchgen.models import GaussianDiscriminant, GaussianNaiveBayes, LogisticRegression, MLPClassifier
from scratchgen.training.schedules import OneCycle

DENSITIES = (
    GaussianMixture([1.0], [[-1.2, 0.3]], [0.7]),
    GaussianMixture([0.6, 0.4], [[1.2, -0.4], [1.6, 1.6]], [0.8, 0.5]),
)
FAR = np.array([[9.0, 9.0]])    # a point far from all data
NET, QDA = "net 2-16-2", "QDA"


def points(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n points of each class: X (2n, 2), y (2n,)."""
    X = np.concatenate([density.sample(n, rng=rng) for density in DENSITIES])
    return X, np.repeat([0, 1], n)


def best_class(X: np.ndarray) -> np.ndarray:
    """The class with the higher true density, (N,): no classifier has a lower expected error."""
    return np.stack([density.log_density(X) for density in DENSITIES], axis=1).argmax(axis=1)


def fit_models(X: np.ndarray, y: np.ndarray, epochs: int, rng: np.random.Generator) -> dict[str, Any]:
    """Two discriminative and three generative models, by name. epochs : of the net."""
    net = MLPClassifier((2, 16, 2), rng=rng, activation=Tanh, dtype=np.float64)
    net.fit(X, y, epochs=epochs, batch_size=64, lr=OneCycle(0.02), rng=rng)
    return {
        "logistic regression": LogisticRegression(2, 2, dtype=np.float64).fit(X, y),
        NET: net,
        "naive Bayes": GaussianNaiveBayes().fit(X, y),
        "LDA": GaussianDiscriminant().fit(X, y),
        QDA: GaussianDiscriminant(shared=False).fit(X, y),
    }


def measure(model: Any, X: np.ndarray, X_test: np.ndarray, y_test: np.ndarray) -> dict[str, float]:
    """Error, agreement with the best class, and the model's probabilities at FAR."""
    predicted = model.predict(X_test)
    row = {
        "error": float((predicted != y_test).mean()),
        "agrees with best": float((predicted == best_class(X_test)).mean()),
        "P(y=1 | x) far away": float(model.predict_proba(FAR)[0, 1]),
    }
    if model.likelihood is not None:
        row["log p(x) far away"] = float(model.score_samples(FAR)[0])
        row["lowest in training"] = float(model.score_samples(X).min())
    return row
