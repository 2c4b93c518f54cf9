"""A decision tree: questions of the form "is this feature below that threshold?", one after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import one_hot
from scratchgen.models.arguments import choice, count
from scratchgen.models.classical.base import Classifier, expect_weighted
from scratchgen.models.examples import as_examples

COLUMNS = 16        # features examined together, so that memory does not grow with their number
CRITERIA = ("gini", "entropy")


@dataclass
class Node:
    """A leaf with the shares (C,) of the classes, or a question: x[feature] ≤ threshold goes left."""

    share: np.ndarray
    feature: int = -1
    threshold: float = 0.0
    left: Node | None = None
    right: Node | None = None


class Split(NamedTuple):
    """The best question found, and the impurity that is left after it, summed over examples."""

    impurity: float
    feature: int
    threshold: float


class DecisionTree(Classifier):
    """CART (Breiman et al. 1984), which asks at each node the question that leaves the least impurity.

    (TREE.1)  gini = 1 − Σ_c p_c²,   entropy = −Σ_c p_c·log p_c        p_c: share of class c in a node
    (TREE.2)  split = argmin over features and thresholds of N_left·impurity_left + N_right·impurity_right

    If questions tie, the tree takes the first feature and the lowest threshold. Impurities that differ only
    by rounding errors count as ties. A node is split if it has several classes, is less than `max_depth`
    deep, and a question leaves at least `min_leaf` examples on both sides. The impurity need not fall: to
    learn XOR, a tree has to ask a first question that does not reduce it. P(y | x) is the share of y in the
    leaf of x. The loss has no useful gradient, as it is constant almost everywhere. Derived in
    docs/discriminative.md.

    criterion : "gini" or "entropy";  max_depth : None for no limit;  min_leaf : examples in a leaf

    Raises ValueError for an unknown criterion, and for max_depth or min_leaf below 1.
    """

    def __init__(self, *, criterion: str = "gini", max_depth: int | None = None, min_leaf: int = 1):
        self.criterion = choice("DecisionTree", "criterion", criterion, CRITERIA)
        self.max_depth = None if max_depth is None else count("DecisionTree", "max_depth", max_depth)
        self.min_leaf = count("DecisionTree", "min_leaf", min_leaf)

    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Grow the tree on X (N, D), y (N,).

        sample_weight : (N,), weights >= 0; an example of weight 2 counts as two equal examples in N and p_c
            (BAYES.4), but as one for `min_leaf`
        """
        X, y, weights, classes = expect_weighted("DecisionTree.fit", X, y, sample_weight)
        self.features_ = X.shape[1]
        members = one_hot(y, classes)                           # (N, C)
        if weights is not None:
            members *= weights[:, None]                         # (BAYES.4)
        self.root_ = Node(shares(members))
        # A list instead of recursion, since a deep tree would exceed Python's recursion limit.
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
            node.left, node.right = Node(shares(members[below])), Node(shares(members[above]))
            waiting += [(node.left, below, depth + 1), (node.right, above, depth + 1)]
        return self

    def saved_state(self) -> dict[str, Any]:
        """The attributes to save, with the nodes as arrays."""
        state = dict(vars(self))
        if "root_" in state:
            state["root_"] = nodes_to_arrays(self.root_)
        return state

    def restore_state(self, state: dict[str, Any]) -> None:
        """Set the attributes that saved_state returned."""
        if "root_" in state:
            state = {**state, "root_": nodes_from_arrays(**state["root_"])}
        vars(self).update(state)

    def _number_of_classes(self) -> int:
        return len(self.root_.share)

    def _probabilities(self, method: str, X: np.ndarray) -> np.ndarray:  # type: ignore[override]
        self._expect_fitted("root_")
        X = as_examples(self._who(method), X, features=self.features_)
        out = np.empty((len(X), len(self.root_.share)))
        waiting = [(self.root_, np.arange(len(X)))]
        while waiting:
            node, rows = waiting.pop()
            if node.left is None or node.right is None:
                out[rows] = node.share
                continue
            left = X[rows, node.feature] <= node.threshold
            waiting += [(node.left, rows[left]), (node.right, rows[~left])]
        return out

    @property
    def leaves(self) -> int:
        """The number of leaves."""
        self._expect_fitted("root_")
        waiting, found = [self.root_], 0
        while waiting:
            node = waiting.pop()
            if node.left is None or node.right is None:
                found += 1
            else:
                waiting += [node.left, node.right]
        return found


def shares(members: np.ndarray) -> np.ndarray:
    """p_c, the share of each class, (C,), in a node with the rows `members`, (N, C)."""
    counts: np.ndarray = members.sum(axis=0)
    return counts / counts.sum()


def impurity(counts: np.ndarray, criterion: str) -> np.ndarray:
    """N times the impurity of nodes that hold `counts`, (C, …) -> (…), the weights of classes; in nats.

    N·gini = N − Σ_c N_c²/N,   N·entropy = N·log N − Σ_c N_c·log N_c
    """
    total = counts.sum(axis=0)
    if criterion == "gini":
        return total - (counts**2).sum(axis=0) / np.where(total > 0, total, 1)  # (TREE.1)
    return _n_log_n(total) - _n_log_n(counts).sum(axis=0)                       # (TREE.1)


def best_split(X: np.ndarray, members: np.ndarray, criterion: str, min_leaf: int) -> Split | None:
    """The question that leaves the least impurity in X (N, D), or None.

    members : (N, C), the weight of each example in the column of its class, else 0

    Each feature is sorted once. Cumulative counts along the sorted examples give the classes to the left of
    every threshold, for several features at a time.
    """
    best: Split | None = None
    n = len(X)
    members = members * (n / members.sum())                     # so that the sum of the weights is n
    # Impurities are sums of numbers up to N·log N. Differences within their rounding errors are ties.
    rounding = 8 * n * np.log2(n + 1) * np.finfo(np.float64).eps
    total = members.sum(axis=0)[:, None, None]                  # (C, 1, 1)
    sizes = np.arange(1, n)[:, None]                            # examples on the left
    large_enough = (sizes >= min_leaf) & (n - sizes >= min_leaf)
    for start in range(0, X.shape[1], COLUMNS):
        columns = X[:, start : start + COLUMNS]
        order = np.argsort(columns, axis=0, kind="stable")
        ordered = np.take_along_axis(columns, order, axis=0)
        below, above = ordered[:-1], ordered[1:]
        possible = (below < above) & large_enough               # between two different values
        if not possible.any():
            continue
        left = np.stack([np.cumsum(of_class[order], axis=0)[:-1] for of_class in members.T])  # (C, N−1, ·)
        after = impurity(left, criterion) + impurity(total - left, criterion)   # (TREE.2)
        after = np.where(possible, after, np.inf).T             # by feature first, then by threshold
        d, i = np.unravel_index(np.argmax(after <= after.min() + rounding), after.shape)    # the first tie
        if best is None or after[d, i] < best.impurity - rounding:
            middle = below[i, d] + (above[i, d] - below[i, d]) / 2
            threshold = middle if middle < above[i, d] else below[i, d]         # the middle may be rounded up
            best = Split(float(after[d, i]), start + int(d), float(threshold))
    return best


def nodes_to_arrays(root: Node) -> dict[str, np.ndarray]:
    """The nodes of a tree as arrays, M rows each: shares, features, thresholds, and the rows of the children.

    A parent comes before its children. A leaf has −1 for its children.
    """
    nodes, children = [root], []
    for node in nodes:                                          # the list grows while it is read
        if node.left is None or node.right is None:
            children.append((-1, -1))
            continue
        children.append((len(nodes), len(nodes) + 1))
        nodes += [node.left, node.right]
    return {
        "share": np.stack([node.share for node in nodes]),      # (M, C)
        "feature": np.array([node.feature for node in nodes]),
        "threshold": np.array([node.threshold for node in nodes]),
        "children": np.array(children),                         # (M, 2)
    }


def nodes_from_arrays(
    share: np.ndarray, feature: np.ndarray, threshold: np.ndarray, children: np.ndarray
) -> Node:
    """The root of the tree in arrays from `nodes_to_arrays`. Raises ValueError if the rows are not a tree."""
    nodes = [Node(*row) for row in zip(share, feature.tolist(), threshold.tolist(), strict=True)]
    following = 1                                               # the row of the next child
    for node, pair in zip(nodes, children.tolist(), strict=True):
        if pair == [-1, -1]:
            continue
        if pair != [following, following + 1] or following + 1 >= len(nodes):
            expected = [following, following + 1]
            raise ValueError(f"DecisionTree expected the rows of children to be {expected}, got {pair}")
        node.left, node.right = nodes[following : following + 2]
        following += 2
    if following != len(nodes):
        raise ValueError(f"DecisionTree expected {following} nodes, got {len(nodes)}")
    return nodes[0]


def _n_log_n(n: np.ndarray) -> np.ndarray:
    return n * np.log(np.where(n > 0, n, 1))
