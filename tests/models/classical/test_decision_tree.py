"""Decision trees: the impurity, and the best question against loops over all questions."""

import math
import sys

import numpy as np
import pytest

from scratchgen.models import DecisionTree
from scratchgen.models.classical import decision_tree
from scratchgen.models.classical.decision_tree import best_split, impurity


def by_hand(y, criterion):
    """N times the impurity."""
    shares = [(y == c).mean() for c in set(y.tolist())]
    if criterion == "gini":
        return len(y) * (1 - sum(p * p for p in shares))
    return -len(y) * sum(p * math.log(p) for p in shares)


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
def test_decision_tree_impurity_is_the_textbook_formula(criterion):
    """(TREE.1), also for an empty and a pure node."""
    counts = np.array([[3.0, 0, 5], [4, 0, 0], [1, 0, 0]])
    y = np.repeat([0, 1, 2], [3, 4, 1])
    np.testing.assert_allclose(impurity(counts, criterion), [by_hand(y, criterion), 0, 0], atol=1e-12)


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@pytest.mark.parametrize("min_leaf", [1, 5])
def test_decision_tree_takes_the_best_question(criterion, min_leaf, rng, monkeypatch):
    """(TREE.2): all features and all thresholds tried; rounded data has many equal values."""
    monkeypatch.setattr(decision_tree, "COLUMNS", 2)            # several groups, the last one smaller
    X, y = np.round(rng.standard_normal((30, 5)), 1), rng.integers(3, size=30)
    found = best_split(X, np.eye(3)[y], criterion, min_leaf)
    tried = {}
    for d in range(5):
        for threshold in X[:, d]:
            left = X[:, d] <= threshold
            if min_leaf <= left.sum() <= 30 - min_leaf:
                tried[d, threshold] = by_hand(y[left], criterion) + by_hand(y[~left], criterion)
    assert found.impurity == pytest.approx(min(tried.values()), abs=1e-9)
    left = X[:, found.feature] <= found.threshold
    after = by_hand(y[left], criterion) + by_hand(y[~left], criterion)
    assert after == pytest.approx(found.impurity, abs=1e-9)
    assert not np.isclose(X[:, found.feature], found.threshold).any()       # half way between two examples


def test_decision_tree_learns_xor(rng):
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    model = DecisionTree().fit(X, [0, 1, 1, 0])
    assert model.score(X, [0, 1, 1, 0]) == 1 and model.leaves == 4
    assert DecisionTree(max_depth=1).fit(X, [0, 1, 1, 0]).leaves == 2


def test_decision_tree_of_equal_examples_keeps_their_shares():
    X = np.ones((4, 2))
    model = DecisionTree().fit(X, [0, 1, 1, 1])
    np.testing.assert_allclose(model.predict_proba(X[:1]), [[0.25, 0.75]])
    assert model.leaves == 1


def test_decision_tree_threshold_between_neighbouring_floats():
    """There is no float between two neighbouring floats, so the lower one is the threshold."""
    X = np.array([[1.0], [np.nextafter(1.0, 2)]])
    assert DecisionTree().fit(X, [0, 1]).predict(X).tolist() == [0, 1]


def test_decision_tree_may_be_deeper_than_the_stack():
    """For alternating labels, each question separates one example from the rest."""
    n = sys.getrecursionlimit() + 50
    X, y = np.arange(float(n))[:, None], np.arange(n) % 2
    model = DecisionTree().fit(X, y)
    assert model.leaves == n and model.score(X, y) == 1


def test_decision_tree_limits_hold(rng):
    X, y = rng.standard_normal((200, 4)), rng.integers(3, size=200)
    full = DecisionTree().fit(X, y)
    assert full.score(X, y) == 1
    assert DecisionTree(max_depth=3).fit(X, y).leaves <= 8
    model = DecisionTree(min_leaf=20).fit(X, y)
    p, counts = np.unique(model.predict_proba(X), axis=0, return_counts=True)
    assert model.leaves <= 10 and counts.min() >= 20 and len(p) > 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X: DecisionTree(criterion="mse"), "criterion to be one of gini, entropy, got 'mse'"),
        (lambda m, X: DecisionTree(max_depth=0), "max_depth of at least 1, got 0"),
        (lambda m, X: DecisionTree(min_leaf=0), "min_leaf of at least 1, got 0"),
        (lambda m, X: m.predict(X), "DecisionTree is not fitted yet"),
        (lambda m, X: m.fit(X, [0, 0, 2]), r"each class 0\.\.2, got none of 1 among 3"),
        (lambda m, X: m.fit(X, [0, 0, 0]), "at least two classes"),
        (lambda m, X: m.fit(X, [0, 0, 1]).predict(X[:, :1]), r"\(N, 2\), got \(3, 1\)"),
        (lambda m, X: m.fit(X * np.nan, [0, 0, 1]), "finite numbers, got NaN"),
    ],
)
def test_decision_tree_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(DecisionTree(), np.arange(6.0).reshape(3, 2))


def test_decision_tree_takes_the_first_of_questions_that_tie_up_to_rounding():
    """x[1] ≤ 0.5 and x[1] ≤ 1.5 leave the same impurity, 16/5, up to rounding."""
    X = np.array([[2, 2], [1, 1], [2, 0], [1, 1], [2, 0], [2, 1], [1, 2], [2, 1]], float)
    y = np.array([1, 1, 1, 0, 0, 1, 1, 1])
    root = DecisionTree(max_depth=1).fit(X, y).root_
    assert (root.feature, root.threshold) == (1, 0.5)
