"""The estimators inside scikit-learn's tools: pipelines, searches, cross-validation, calibration, columns."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scratchgen import sklearn as ours


def test_cross_validation_of_a_pipeline_equals_that_of_scikit_learn():
    X, y = load_wine(return_X_y=True)
    mine = make_pipeline(StandardScaler(), ours.PCA(5), ours.LinearDiscriminant())
    theirs = make_pipeline(StandardScaler(), ours.PCA(5), LinearDiscriminantAnalysis(solver="lsqr"))
    scores = cross_val_score(mine, X, y, cv=5)
    np.testing.assert_array_equal(scores, cross_val_score(theirs, X, y, cv=5))
    assert scores.mean() > 0.9


@pytest.mark.slow
def test_random_labels_are_predicted_at_chance_in_each_fold():
    """Each fold starts with a new network: nothing is left from the fold before."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 5)), rng.integers(0, 3, 300)
    scores = cross_val_score(ours.MLP(hidden=32, epochs=100, lr=0.02, random_state=0), X, y, cv=5)
    assert abs(scores.mean() - 1 / 3) < 0.08


def test_grid_search_of_a_classifier_in_a_pipeline():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    pipeline = make_pipeline(StandardScaler(), ours.MLP(epochs=40, batch_size=32, lr=0.02, random_state=0))
    search = GridSearchCV(pipeline, {"mlp__hidden": [(), 16]}, cv=3).fit(X, names)
    assert search.best_score_ > 0.9 and set(search.predict(X)) == set(names)


def test_grid_search_of_a_density_uses_its_log_likelihood():
    X, _ = load_iris(return_X_y=True)
    flow = ours.RealNVP(hidden=16, couplings=2, epochs=5, random_state=0)
    search = GridSearchCV(flow, {"epochs": [0, 60]}, cv=2, error_score="raise").fit(X)
    assert search.best_params_ == {"epochs": 60}
    assert search.score(X) == pytest.approx(search.best_estimator_.score_samples(X).mean())


def test_grid_search_inside_a_bayes_classifier():
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(ours.BayesClassifier(ours.PCA()), {"density__n_components": [1, 3]}, cv=3)
    best = search.fit(X, y).best_params_["density__n_components"]
    assert [d.n_components_ for d in search.best_estimator_.densities_] == [best] * 3
    assert search.best_score_ > 0.9


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_gives_the_svm_probabilities(method):
    X, y = load_iris(return_X_y=True)
    svm = ours.LinearSVM(epochs=60, random_state=0)
    assert not hasattr(svm, "predict_proba")
    p = CalibratedClassifierCV(svm, method=method, cv=3).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == y).mean() > 0.9
    calibrated = CalibratedClassifierCV(ours.GaussianNB(), method=method, cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.9


def test_column_transformer_with_codes_of_some_columns():
    X, y = load_wine(return_X_y=True)
    columns = ColumnTransformer(
        [
            ("pca", ours.PCA(2), [0, 1, 2, 3]),
            ("code", make_pipeline(StandardScaler(), ours.Autoencoder(epochs=2, random_state=0)), [4, 5, 6]),
        ],
        remainder="passthrough",
    )
    names = columns.fit(X).get_feature_names_out()
    assert list(names[:4]) == ["pca__pca0", "pca__pca1", "code__autoencoder0", "code__autoencoder1"]
    model = make_pipeline(columns, StandardScaler(), ours.LogisticRegression()).fit(X, y)
    assert model.score(X, y) > 0.9


def test_data_frames_keep_their_names():
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    y = y.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    model = ours.GaussianNB().fit(X, y)
    assert list(model.feature_names_in_) == list(X.columns) and model.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[X.columns[::-1]])
    codes = ours.PCA(2).set_output(transform="pandas").fit(X).transform(X)
    assert isinstance(codes, pandas.DataFrame) and list(codes.columns) == ["pca0", "pca1"]
    assert ours.MLP(hidden=4, epochs=1).fit(X, y).predict(X).dtype == object


@pytest.mark.parametrize("name", ours.__all__)
def test_clone_has_the_same_parameters(name):
    estimator = getattr(ours, name)()
    assert repr(clone(estimator)) == repr(estimator) == f"{name}()"
