"""The estimators agree with scikit-learn's own on its data, where both solve the same problem."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import (
    datasets,
    decomposition,
    discriminant_analysis,
    linear_model,
    naive_bayes,
    neighbors,
    svm,
    tree,
)
from sklearn.model_selection import train_test_split

from scratchgen import sklearn as ours
from scratchgen.training.schedules import Cosine

NAMES = ("iris", "wine", "breast_cancer", "digits")


def halves(name, standardised=True):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if standardised:
        spread = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)
    if name == "digits":        # a random half has pixels that differ from zero in one example only
        return train_test_split(X, y, train_size=900, shuffle=False)
    return train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)


def fitted(mine, theirs, X, y):
    return mine.fit(X, y), theirs.fit(X, y)


@pytest.mark.filterwarnings("ignore::scratchgen.models.classical.gaussian_discriminant.ConstantFeatures")
@pytest.mark.parametrize("shrinkage", [0.0, 0.2])
@pytest.mark.parametrize("name", NAMES)
def test_linear_discriminant(name, shrinkage):
    """Probabilities agree to 1e-6."""
    X, new, y, labels = halves(name)
    mine, theirs = fitted(
        ours.LinearDiscriminant(shrinkage, drop_constant=True),
        discriminant_analysis.LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage),
        X, y,
    )
    np.testing.assert_allclose(mine.predict_proba(new), theirs.predict_proba(new), atol=1e-6)
    assert mine.score(new, labels) == theirs.score(new, labels) > 0.85
    scores = new @ mine.coef_.T + mine.intercept_
    difference = scores[:, :1] if scores.shape[1] == 1 else scores - scores[:, :1]
    own = mine.decision_function(new).reshape(len(new), -1)
    own = own if own.shape[1] == 1 else own - own[:, :1]
    np.testing.assert_allclose(difference, own, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_quadratic_discriminant(name):
    """Probabilities agree to 1e-6; the solver "eigen" divides covariances by N_y, as we do."""
    X, new, y, labels = halves(name)
    mine, theirs = fitted(
        ours.QuadraticDiscriminant(shrinkage=0.1),
        discriminant_analysis.QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1),
        X, y,
    )
    np.testing.assert_allclose(mine.predict_proba(new), theirs.predict_proba(new), atol=1e-6)
    assert mine.score(new, labels) == theirs.score(new, labels) > 0.85


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_naive_bayes(name, weighted):
    """log p(x, y) agrees to 9 digits. With weights, scikit-learn's smoothing (NB.5) ignores them."""
    X, new, y, labels = halves(name, standardised=False)
    weights = np.random.default_rng(0).integers(1, 4, len(X)) if weighted else None
    smoothing = 0 if weighted else 1e-9
    pairs = [(ours.BernoulliNB(0.3, X.mean()), naive_bayes.BernoulliNB(alpha=0.3, binarize=X.mean()))]
    if not (weighted and name == "digits"):     # constant pixels need a smoothing
        pairs.append((ours.GaussianNB(smoothing), naive_bayes.GaussianNB(var_smoothing=smoothing)))
    for mine, theirs in pairs:
        mine.fit(X, y, sample_weight=weights)
        theirs.fit(X, y, sample_weight=weights)
        joint = mine.model_.log_joint(new)
        np.testing.assert_allclose(joint, theirs.predict_joint_log_proba(new), rtol=1e-9)
        np.testing.assert_allclose(mine.predict_log_proba(new), theirs.predict_log_proba(new), atol=1e-7)
        assert mine.score(new, labels) == theirs.score(new, labels)


@pytest.mark.parametrize("name", NAMES)
def test_nearest_neighbours(name):
    """Probabilities are equal if no two distances are."""
    X, new, y, labels = halves(name)
    new = new + 1e-3 * np.random.default_rng(0).standard_normal(new.shape)
    mine, theirs = fitted(ours.KNeighbors(5), neighbors.KNeighborsClassifier(5), X, y)
    np.testing.assert_array_equal(mine.predict_proba(new), theirs.predict_proba(new))
    assert mine.score(new, labels) == theirs.score(new, labels) > 0.85


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression(name, weighted):
    """With the same C, coefficients agree to 1e-4 and probabilities to 1e-5, for two and for more classes."""
    X, new, y, labels = halves(name)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X)) if weighted else None
    C = 0.01 if name == "digits" else 0.1
    mine, theirs = ours.LogisticRegression(C=C, tol=1e-7), linear_model.LogisticRegression(C=C, tol=1e-8)
    mine.fit(X, y, sample_weight=weights)
    theirs.set_params(max_iter=5000).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(mine.predict_proba(new), theirs.predict_proba(new), atol=1e-5)
    np.testing.assert_allclose(mine.decision_function(new), theirs.decision_function(new), atol=1e-3)
    assert mine.score(new, labels) == theirs.score(new, labels) > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_weighted_decision_tree(name):
    """Probabilities agree to 1e-9 if no two questions tie, which the noise makes unlikely."""
    X, new, y, labels = halves(name)
    rng = np.random.default_rng(0)
    X, w = X + 1e-3 * rng.standard_normal(X.shape), rng.uniform(0.2, 3, len(X))
    mine = ours.DecisionTree(max_depth=3, min_samples_leaf=9).fit(X, y, sample_weight=w)
    theirs = tree.DecisionTreeClassifier(max_depth=3, min_samples_leaf=9, random_state=0)
    theirs.fit(X, y, sample_weight=w)
    np.testing.assert_allclose(mine.predict_proba(new), theirs.predict_proba(new), atol=1e-9)
    assert mine.score(new, labels) == theirs.score(new, labels)


def test_weighted_linear_svm():
    """The scores come near those of SVC, which finds the minimum exactly, up to its tolerance."""
    X, new, y, _ = halves("breast_cancer")
    w = np.random.default_rng(0).uniform(0, 4, len(X))
    mine = ours.LinearSVM(C=0.1, epochs=1500, batch_size=len(X), lr=Cosine(0.02, 1500), random_state=0)
    theirs = svm.SVC(kernel="linear", C=0.1, tol=1e-6).fit(X, y, sample_weight=w)
    scores = mine.fit(X, y, sample_weight=w).decision_function(new)
    np.testing.assert_allclose(scores, theirs.decision_function(new), atol=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_pca(name):
    """Codes and reconstructions agree to 1e-8, up to the signs of the components."""
    X, new, _, _ = halves(name)
    mine, theirs = ours.PCA(3).fit(X), decomposition.PCA(3, svd_solver="full").fit(X)
    signs = np.sign((mine.components_ * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(mine.transform(new) * signs, theirs.transform(new), atol=1e-8)
    back = theirs.inverse_transform(theirs.transform(new))
    np.testing.assert_allclose(mine.inverse_transform(mine.transform(new)), back, atol=1e-8)
    np.testing.assert_allclose(mine.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-10)
    np.testing.assert_allclose(
        mine.explained_variance_ * len(X) / (len(X) - 1), theirs.explained_variance_, rtol=1e-9
    )
    share = decomposition.PCA(0.9, svd_solver="full").fit(X)
    assert ours.PCA(0.9).fit(X).n_components_ == share.n_components_
