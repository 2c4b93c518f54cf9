"""Compare the classifiers with those of scikit-learn, if it is installed, on its data and on digits."""

import numpy as np
import pytest

from scratchgen.data import load_digits
from scratchgen.models import (
    BernoulliNaiveBayes,
    DecisionTree,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    LinearSVM,
    LogisticRegression,
    NearestNeighbours,
)
from scratchgen.training.schedules import Cosine

datasets = pytest.importorskip("sklearn.datasets")
NAMES = ("iris", "wine", "breast_cancer")


def standardised(name):
    """Half of the data for training and half for tests, with mean 0 and standard deviation 1."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    order = np.random.default_rng(1).permutation(len(X))
    X, y = X[order], y[order]
    half = len(X) // 2
    return X[:half], y[:half], X[half:]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("C", [0.1, 10.0])
def test_logistic_regression_agrees_with_scikit_learn(name, C):
    from sklearn.linear_model import LogisticRegression as Theirs

    X, y, new = standardised(name)
    classes = y.max() + 1
    l2 = 1 / (C * len(X))
    ours = LogisticRegression(X.shape[1], classes, l2=l2, dtype=np.float64).fit(X, y, tolerance=1e-9)
    theirs = Theirs(C=C, tol=1e-10, max_iter=10_000)
    if classes == 2:
        # for two classes, scikit-learn has one column w; ours are w/2 and −w/2, whose squares sum to w²/2
        theirs.set_params(C=2 * C)
    p = theirs.fit(X, y).predict_proba(new)
    np.testing.assert_allclose(ours.predict_proba(new), p, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_naive_bayes_agrees_with_scikit_learn(name):
    from sklearn.naive_bayes import BernoulliNB, GaussianNB

    X, y, new = standardised(name)
    ours, theirs = GaussianNaiveBayes(smoothing=1e-3).fit(X, y), GaussianNB(var_smoothing=1e-3).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), atol=1e-10)
    ours = BernoulliNaiveBayes(smoothing=0.3, threshold=0.0).fit(X, y)
    theirs = BernoulliNB(alpha=0.3, binarize=0.0).fit(X, y)
    np.testing.assert_allclose(ours.log_joint(new), theirs.predict_joint_log_proba(new), rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_gaussian_discriminant_agrees_with_scikit_learn(name):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

    X, y, new = standardised(name)
    for shrinkage in (0.0, 0.3):
        ours = GaussianDiscriminant(shrinkage=shrinkage).fit(X, y)
        theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(X, y)
        np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), atol=1e-7)
    ours = GaussianDiscriminant(shared=False).fit(X, y)
    theirs = QuadraticDiscriminantAnalysis(store_covariance=True, tol=1e-12).fit(X, y)
    for a, b in zip(ours.covariances_, theirs.covariance_, strict=True):    # older versions: over N − 1
        np.testing.assert_allclose(a / np.trace(a), b / np.trace(b), atol=1e-8)
    assert (ours.predict(new) == theirs.predict(new)).mean() > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_nearest_neighbours_agree_with_scikit_learn(name):
    from sklearn.neighbors import KNeighborsClassifier

    X, y, new = standardised(name)
    new = new + 1e-3 * np.random.default_rng(2).standard_normal(new.shape)   # avoids equal distances
    ours, theirs = NearestNeighbours(5).fit(X, y), KNeighborsClassifier(5).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new))
    np.testing.assert_array_equal(ours.predict(new), theirs.predict(new))


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@pytest.mark.parametrize("name", NAMES)
def test_decision_tree_agrees_with_scikit_learn(name, criterion):
    """Compare the purity of leaves. scikit-learn breaks ties at random, so the leaves may differ."""
    from sklearn.tree import DecisionTreeClassifier

    X, y, _ = standardised(name)
    ours = DecisionTree(criterion=criterion, max_depth=2, min_leaf=8).fit(X, y)
    theirs = DecisionTreeClassifier(criterion=criterion, max_depth=2, min_samples_leaf=8, random_state=0)
    theirs.fit(X, y)

    def purity(model):
        p = model.predict_proba(X)
        return (p**2).sum() if criterion == "gini" else np.log(p[np.arange(len(X)), y]).sum()

    assert purity(ours) == pytest.approx(purity(theirs), rel=1e-12)
    assert 2 < ours.leaves <= 4


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_linear_svm_comes_near_the_minimum_of_scikit_learn(name):
    """SVC solves the same problem of two classes exactly, up to its tolerance."""
    from sklearn.svm import SVC

    X, y, new = standardised(name)
    y, C = (y > 0).astype(int), 0.1
    ours = LinearSVM(X.shape[1], 2, l2=1 / (C * len(X)), dtype=np.float64)
    rng = np.random.default_rng(0)
    ours.fit(X, y, epochs=1500, batch_size=len(X), lr=Cosine(0.02, 1500), rng=rng)
    theirs = SVC(kernel="linear", C=C, tol=1e-6).fit(X, y)
    scores = ours.decision_function(new)
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1], atol=0.02)
    np.testing.assert_allclose(scores[:, 1], theirs.decision_function(new), atol=0.03)
    loss, _ = ours.loss(X, y)
    w, b = theirs.coef_[0], theirs.intercept_[0]
    ours.weight.value[...], ours.bias.value[...] = np.stack([-w, w], axis=1), [-b, b]
    assert ours.loss(X, y)[0] == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_weighted_linear_svm_comes_near_the_minimum_of_scikit_learn(name):
    """(LR.4): SVC multiplies C by the weight of each example."""
    from sklearn.svm import SVC

    X, y, new = standardised(name)
    y, C = (y > 0).astype(int), 0.1
    w = np.random.default_rng(0).uniform(0, 4, len(X))
    ours = LinearSVM(X.shape[1], 2, l2=1 / (C * w.sum()), dtype=np.float64)
    ours.fit(
        X, y, sample_weight=w, epochs=1500, batch_size=len(X), lr=Cosine(0.02, 1500),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    theirs = SVC(kernel="linear", C=C, tol=1e-6).fit(X, y, sample_weight=w)
    scores = ours.decision_function(new)[:, 1]
    np.testing.assert_allclose(scores, theirs.decision_function(new), atol=0.03)
    without = SVC(kernel="linear", C=C, tol=1e-6).fit(X, y)
    assert np.abs(scores - without.decision_function(new)).max() > 0.1


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@pytest.mark.parametrize("name", NAMES)
def test_weighted_tree_agrees_with_scikit_learn(name, criterion):
    """(BAYES.4): noise in the features makes ties unlikely, which scikit-learn breaks at random."""
    from sklearn.tree import DecisionTreeClassifier

    X, y, new = standardised(name)
    rng = np.random.default_rng(0)
    X, w = X + 1e-3 * rng.standard_normal(X.shape), rng.uniform(0.2, 3, len(X))
    ours = DecisionTree(criterion=criterion, max_depth=2, min_leaf=8).fit(X, y, sample_weight=w)
    theirs = DecisionTreeClassifier(criterion=criterion, max_depth=2, min_samples_leaf=8, random_state=0)
    theirs.fit(X.astype(np.float32), y, sample_weight=w)
    np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), atol=1e-9)
    without = DecisionTree(criterion=criterion, max_depth=2, min_leaf=8).fit(X, y)
    assert np.abs(ours.predict_proba(new) - without.predict_proba(new)).max() > 1e-3


@pytest.mark.slow
def test_classifiers_agree_with_scikit_learn_on_digits():
    """After training on 800 digits, at most two of 1,000 predictions differ."""
    from sklearn.linear_model import LogisticRegression as Theirs
    from sklearn.naive_bayes import BernoulliNB, GaussianNB

    d = load_digits("embedded")
    X, y = d.x_train[:800], d.y_train[:800]
    pairs = [
        (BernoulliNaiveBayes(threshold=0.5), BernoulliNB(binarize=0.5)),
        (GaussianNaiveBayes(smoothing=0.05), GaussianNB(var_smoothing=0.05)),
        (LogisticRegression(l2=0.01), Theirs(C=100 / 800, tol=1e-5, max_iter=1000)),
    ]
    for ours, theirs in pairs:
        ours.fit(X, y)
        theirs.fit(X.astype(np.float64), y)
        agree = (ours.predict(d.x_test) == theirs.predict(d.x_test.astype(np.float64))).mean()
        assert agree >= 0.998, type(ours).__name__


@pytest.mark.filterwarnings("ignore::scratchgen.models.classical.gaussian_discriminant.ConstantFeatures")
def test_linear_discriminant_agrees_with_scikit_learn_on_digits_with_constant_pixels():
    """lsqr estimates the same covariance; svd divides it by N − C, so only predictions are compared."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis as Theirs

    X, y = datasets.load_digits(return_X_y=True)
    ours = GaussianDiscriminant(drop_constant=True).fit(X[:900], y[:900])
    lsqr, svd = (Theirs(solver=solver).fit(X[:900], y[:900]) for solver in ("lsqr", "svd"))
    np.testing.assert_allclose(ours.predict_proba(X[900:]), lsqr.predict_proba(X[900:]), atol=1e-8)
    for theirs in (lsqr, svd):
        np.testing.assert_array_equal(ours.predict(X[900:]), theirs.predict(X[900:]))
    assert ours.score(X[900:], y[900:]) == lsqr.score(X[900:], y[900:]) > 0.9
