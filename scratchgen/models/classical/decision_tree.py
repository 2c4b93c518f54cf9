"""A decision tree: questions of the form "is this feature below that threshold?", one after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.models.classical.base import Classifier, expect_labelled

COLUMNS = 16        # features looked at together, so that memory does not grow with their number
CRITERIA = ("gini", "entropy")


@dataclass
class Node:
    """A leaf, or a question: `share`, (C,), of the classes here; x[feature] ≤ threshold goes left."""

    share: np.ndarray
    feature: int = -1
    threshold: float = 0.0
    left: Node | None = None
    right: Node | None = None


class Split(NamedTuple):
    """The best question found: how much impurity is left after it, summed over examples."""

    impurity: float
    feature: int
    threshold: float


class DecisionTree(Classifier):
    """CART (Breiman et al. 1984): at each node the question that leaves the least impurity.

    (TREE.1)  gini = 1 − Σ_c p_c²,   entropy = −Σ_c p_c·log p_c        p_c: share of class c in a node
    (TREE.2)  split = argmin over features and thresholds of N_left·impurity_left + N_right·impurity_right

    Of questions that tie, the first feature and the lowest threshold. A node is split while it holds several
    classes, is not `max_depth` deep, and a question leaves `min_leaf` examples or more on both sides, whether
    or not the impurity falls: that two halves of an XOR are no purer doesn't keep the next question from
    parting them. P(y | x) is the share of y in the leaf of x. There is no gradient anywhere: a question moved
    a little changes no example's side, until it changes one at once. Derived in docs/discriminative.md.

    Raises ValueError for an unknown criterion, and for max_depth or min_leaf below 1.
    """

    def __init__(self, *, criterion: str = "gini", max_depth: int | None = None, min_leaf: int = 1):
        if criterion not in CRITERIA:
            known = ", ".join(CRITERIA)
            raise ValueError(f"DecisionTree expected a criterion out of {known}, got {criterion!r}")
        if (max_depth is not None and max_depth < 1) or min_leaf < 1:
            raise ValueError(
                f"DecisionTree expected max_depth and min_leaf >= 1, got {max_depth} and {min_leaf}"
            )
        self.criterion, self.max_depth, self.min_leaf = criterion, max_depth, min_leaf

    def fit(self, X, y=None):
        """Grow the tree on X (N, D), y (N,)."""
        y, classes = expect_labelled("DecisionTree.fit", X, y)
        self.features_ = X.shape[1]
        members = np.eye(classes)[y]                            # (N, C), one 1 a row
        self.root_ = Node(members.mean(axis=0))
        # a list and no recursion: where each question parts one example, the tree outgrows Python's stack
        waiting = [(self.root_, np.arange(len(X)), 0)]
        while waiting:
            node, rows, depth = waiting.pop()
            if depth == self.max_depth or (node.share > 0).sum() == 1 or len(rows) < 2 * self.min_leaf:
                continue
            split = best_split(X[rows], members[rows], self.criterion, self.min_leaf)
            if split is None:
                continue
            node.feature, node.threshold = split.feature, split.threshold
            left = X[rows, split.feature] <= split.threshold
            below, above = rows[left], rows[~left]
            node.left, node.right = Node(members[below].mean(axis=0)), Node(members[above].mean(axis=0))
            waiting += [(node.left, below, depth + 1), (node.right, above, depth + 1)]
        return self

    def predict_proba(self, X):
        self._expect_fitted("root_")
        expect_examples("DecisionTree.predict_proba", X, features=self.features_)
        out = np.empty((len(X), len(self.root_.share)))
        waiting = [(self.root_, np.arange(len(X)))]
        while waiting:
            node, rows = waiting.pop()
            if node.left is None:
                out[rows] = node.share
                continue
            left = X[rows, node.feature] <= node.threshold
            waiting += [(node.left, rows[left]), (node.right, rows[~left])]
        return out

    @property
    def leaves(self) -> int:
        """How many leaves the tree has."""
        self._expect_fitted("root_")
        waiting, found = [self.root_], 0
        while waiting:
            node = waiting.pop()
            if node.left is None:
                found += 1
            else:
                waiting += [node.left, node.right]
        return found


def impurity(counts, criterion: str) -> np.ndarray:
    """N times the impurity of nodes that hold `counts`, (C, …) -> (…); entropy in nats.

    N·gini = N − Σ_c N_c²/N,   N·entropy = N·log N − Σ_c N_c·log N_c
    """
    total = counts.sum(axis=0)
    if criterion == "gini":
        return total - (counts**2).sum(axis=0) / np.maximum(total, 1)           # (TREE.1)
    return _n_log_n(total) - _n_log_n(counts).sum(axis=0)                       # (TREE.1)


def best_split(X: np.ndarray, members: np.ndarray, criterion: str, min_leaf: int) -> Split | None:
    """The question that leaves the least impurity in X (N, D), classes `members` (N, C); None without one.

    Each feature is sorted once. Counts that run along the sorted examples then say what lies on the left of
    every threshold between two of them, for all features at a time.
    """
    best, n = None, len(X)
    total = members.sum(axis=0)[:, None, None]                  # (C, 1, 1)
    sizes = np.arange(1, n)[:, None]                            # examples on the left
    roomy = (sizes >= min_leaf) & (n - sizes >= min_leaf)
    for start in range(0, X.shape[1], COLUMNS):
        columns = X[:, start : start + COLUMNS]
        order = np.argsort(columns, axis=0, kind="stable")
        ordered = np.take_along_axis(columns, order, axis=0)
        below, above = ordered[:-1], ordered[1:]
        possible = (below < above) & roomy                      # between two that differ
        if not possible.any():
            continue
        left = np.stack([np.cumsum(of_class[order], axis=0)[:-1] for of_class in members.T])  # (C, N−1, ·)
        after = impurity(left, criterion) + impurity(total - left, criterion)   # (TREE.2)
        after = np.where(possible, after, np.inf).T             # by feature first, then by threshold
        d, i = np.unravel_index(after.argmin(), after.shape)
        if best is None or after[d, i] < best.impurity:
            middle = below[i, d] + (above[i, d] - below[i, d]) / 2
            threshold = middle if middle < above[i, d] else below[i, d]         # rounding may go up
            best = Split(float(after[d, i]), start + int(d), float(threshold))
    return best


def _n_log_n(n):
    return n * np.log(np.maximum(n, 1))
