"""AUROC and calibration."""

import numpy as np
import pytest

from scratchgen.metrics import auroc, expected_calibration_error, reliability


def test_auroc_by_hand():
    """3 is above all three negatives; 1 is above 0, equal to 1 and below 2: 4½ of 6 pairs."""
    scores, y = np.array([3.0, 1.0, 0.0, 1.0, 2.0]), np.array([1, 1, 0, 0, 0])
    assert auroc(scores, y) == pytest.approx((3 + 1 + 0.5) / 6)


def test_auroc_is_the_share_of_ordered_pairs_with_ties(rng):
    scores, y = rng.integers(0, 6, 80).astype(float), rng.integers(0, 2, 80)
    pairs = [(p > n) + (p == n) / 2 for p in scores[y == 1] for n in scores[y == 0]]
    assert auroc(scores, y) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert auroc(-scores, y) == pytest.approx(1 - np.mean(pairs), rel=1e-12)


def test_auroc_equals_those_of_scikit_learn_and_scipy(rng):
    metrics, stats = pytest.importorskip("sklearn.metrics"), pytest.importorskip("scipy.stats")
    y = rng.integers(0, 2, 500)
    for scores in (rng.standard_normal(500) + y, np.round(rng.standard_normal(500) + y), np.zeros(500)):
        assert auroc(scores, y) == pytest.approx(metrics.roc_auc_score(y, scores), rel=1e-12)
        u = stats.mannwhitneyu(scores[y == 1], scores[y == 0]).statistic
        assert auroc(scores, y) == pytest.approx(u / (y.sum() * (1 - y).sum()), rel=1e-12)


def test_auroc_of_perfect_rankings_and_infinite_scores():
    scores, y = np.array([-np.inf, 0.0, 5.0, np.inf]), np.array([False, False, True, True])
    assert auroc(scores, y) == 1 and auroc(-scores, y) == 0
    assert auroc(np.ones(4), y) == 0.5


def test_reliability_by_hand():
    """Two bins: confidence 0.5 is in the lower bin, as its upper edge, and 0.8, 0.9, 1.0 are in the upper."""
    p = np.array([[0.5, 0.5], [0.8, 0.2], [0.1, 0.9], [1.0, 0.0]])
    table = reliability(p, np.array([1, 0, 1, 1]), bins=2)
    np.testing.assert_array_equal(table.low, [0.0, 0.5])
    np.testing.assert_array_equal(table.high, [0.5, 1.0])
    np.testing.assert_allclose(table.share, [0.25, 0.75])
    np.testing.assert_allclose(table.confidence, [0.5, 0.9])
    np.testing.assert_allclose(table.accuracy, [0.0, 2 / 3])
    expected = 0.25 * 0.5 + 0.75 * (0.9 - 2 / 3)
    assert expected_calibration_error(p, np.array([1, 0, 1, 1]), bins=2) == pytest.approx(expected)


def test_reliability_omits_empty_bins():
    table = reliability(np.array([[0.95, 0.05], [0.97, 0.03]]), np.array([0, 1]), bins=10)
    assert len(table.low) == 1 and table.low[0] == pytest.approx(0.9) and table.share[0] == 1


def test_reliability_equals_the_calibration_curve_of_scikit_learn(rng):
    """For two classes. scikit-learn uses the probability of class 1, so class 1 is made the more probable."""
    calibration = pytest.importorskip("sklearn.calibration")
    q = rng.uniform(0.5001, 1, 400)
    y = (rng.random(400) < q**2).astype(int)
    right, confidence = calibration.calibration_curve(y, q, n_bins=10)
    table = reliability(np.stack([1 - q, q], axis=1), y, bins=10)
    np.testing.assert_allclose(table.accuracy, right, rtol=1e-12)
    np.testing.assert_allclose(table.confidence, confidence, rtol=1e-12)


def test_expected_calibration_error_is_larger_for_overconfident_predictions(rng):
    """It is almost 0 for labels drawn from the probabilities, and large for sharpened probabilities."""
    p = rng.dirichlet([1, 1, 1], 4000)
    y = np.array([rng.choice(3, p=row) for row in p])
    sharper = p**4 / (p**4).sum(axis=1, keepdims=True)
    assert expected_calibration_error(p, y) < 0.03
    assert expected_calibration_error(sharper, y) > 0.15


P = np.array([[0.5, 0.5], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: auroc(np.zeros(3), np.zeros(2)), ValueError, r"got \(3,\) and \(2,\)"),
        (lambda: auroc(np.array([0.0, np.nan]), np.array([0, 1])), ValueError, r"got NaN \(first at index 1"),
        (lambda: auroc(np.zeros(2), np.array([1, 2])), ValueError, "labels 0 and 1"),
        (lambda: auroc(np.zeros(2), np.array([1, 1])), ValueError, "got 2 of label 1 and 0 of label 0"),
        (lambda: auroc(np.zeros(0), np.zeros(0)), ValueError, "both labels, got 0 of label 1"),
        (lambda: reliability(P * 2, np.array([0, 1])), ValueError, r"within \[0, 1\]"),
        (lambda: reliability(P / 2, np.array([0, 1])), ValueError, "row 0 sums to 0.5"),
        (lambda: reliability(P, np.array([0, 2])), ValueError, r"labels in 0\.\.1, got 0\.\.2"),
        (lambda: reliability(P, np.array([0, 1]), bins=0), ValueError, "bins of at least 1, got 0"),
        (lambda: reliability(P, np.array([0.0, 1.0])), TypeError, "integer labels"),
        (lambda: expected_calibration_error(P, np.array([0])), ValueError, "2 integer labels, one per"),
    ],
)
def test_score_metrics_error_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
