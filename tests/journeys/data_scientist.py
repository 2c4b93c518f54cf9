"""A data scientist uses the models in scikit-learn's pipelines and searches, on a data frame.

    python tests/journeys/data_scientist.py
"""

import pickle

import numpy as np
import pandas as pd
from shell import Shell, run
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from scratchgen import models
from scratchgen.sklearn import (
    MLP,
    PCA,
    BayesClassifier,
    DecisionTree,
    LogisticRegression,
    QuadraticDiscriminant,
    RealNVP,
)


def wine() -> tuple[pd.DataFrame, pd.Series]:
    """The wine data with a column of text, and the names of the classes as labels."""
    data = load_wine(as_frame=True)
    frame = data.data.assign(bottle=np.where(data.data["alcohol"] > 13, "dark", "clear"))
    return frame, data.target.map(dict(enumerate(["barolo", "grignolino", "barbera"])))


def journey(shell: Shell) -> None:
    X, y = wine()
    X, new, y, labels = train_test_split(X, y, test_size=0.4, random_state=0, stratify=y)
    numbers = [column for column in X if column != "bottle"]
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), numbers), ("text", OneHotEncoder(), ["bottle"])]
    )
    search_in_a_pipeline(columns, X, y, new, labels)
    compare_classifiers(columns, X, y, new, labels)
    weigh_examples(X[numbers], y)
    model_the_density(X[numbers], y, new[numbers], labels)
    use_the_models_without_scikit_learn(X[numbers], y)


def search_in_a_pipeline(columns, X, y, new, labels) -> None:
    """Scaling, text, PCA and a classifier, and a search over the settings of both models."""
    pipeline = make_pipeline(columns, PCA(), LogisticRegression())
    grid = {"pca__n_components": [2, 8], "logisticregression__C": [0.01, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_params_["pca__n_components"] == 8 and search.score(new, labels) > 0.9
    assert set(search.predict(new)) == {"barolo", "grignolino", "barbera"}
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert (again.predict(new) == search.predict(new)).all()


def compare_classifiers(columns, X, y, new, labels) -> None:
    """Each fold starts anew, and probabilities can be calibrated."""
    for model in (DecisionTree(max_depth=4), MLP(hidden=16, epochs=60, lr=0.02, random_state=0)):
        pipeline = make_pipeline(columns, model)
        scores = cross_val_score(pipeline, X, y, cv=3)
        assert scores.min() > 0.75, scores
        shuffled = np.random.default_rng(0).permutation(y)
        assert cross_val_score(pipeline, X, shuffled, cv=3).mean() < 0.6     # nothing leaks between folds
    calibrated = CalibratedClassifierCV(make_pipeline(columns, DecisionTree(max_depth=4)), cv=3).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(new).sum(axis=1), 1, rtol=1e-6)


def weigh_examples(X, y) -> None:
    """A weight of 2 is two equal rows."""
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    repeated = X.iloc[np.repeat(np.arange(len(X)), weights)]
    model, same = DecisionTree(max_depth=3), DecisionTree(max_depth=3)
    model.fit(X, y, sample_weight=weights)
    same.fit(repeated, y.loc[repeated.index])
    np.testing.assert_allclose(model.predict_proba(X), same.predict_proba(X), atol=1e-12)


def model_the_density(X, y, new, labels) -> None:
    """Generative models classify, give log p(x), and sample; a flow's log-likelihood can be searched."""
    scaler = StandardScaler().fit(X)
    Z, Z_new = scaler.transform(X), scaler.transform(new)
    for model in (QuadraticDiscriminant(shrinkage=0.3), BayesClassifier(PCA(4))):
        assert model.fit(Z, y).score(Z_new, labels) > 0.85
        assert model.score_samples(Z_new).shape == (len(Z_new),)
    assert QuadraticDiscriminant(shrinkage=0.3).fit(Z, y).sample(5, random_state=0).shape == (5, 13)
    flow = RealNVP(hidden=16, couplings=2, random_state=0)
    search = GridSearchCV(flow, {"epochs": [1, 30]}, cv=2).fit(Z)
    assert search.best_params_ == {"epochs": 30}
    strange, density = np.full((1, 13), 8.0), search.best_estimator_
    assert density.score_samples(strange)[0] < density.score_samples(Z_new).min()


def use_the_models_without_scikit_learn(X, y) -> None:
    """The core takes arrays and numbers as labels, and says how to get them."""
    model = models.LogisticRegression()
    for data, target, advice in (
        (X, y, "pass np.asarray(x, np.float32), or use scratchgen.sklearn, which takes data frames"),
        (X.to_numpy(np.float32), y, "for example with names, y = np.unique(y, return_inverse=True)"),
    ):
        try:
            model.fit(data, target)
        except TypeError as error:
            assert str(error).endswith(advice), error
        else:
            raise AssertionError("expected a TypeError")
    names, numbers = np.unique(y, return_inverse=True)
    scaled = ((X - X.mean()) / X.std()).to_numpy(np.float32)
    mlp = models.MLPClassifier(rng=0).fit(scaled, numbers, epochs=30, lr=0.01, rng=0)
    assert mlp.sizes == (13, 64, 3) and mlp.score(scaled, numbers) > 0.95
    assert repr(mlp.history_).startswith("History(30 epochs, 30 steps; last epoch: loss ")


if __name__ == "__main__":
    run(journey)
