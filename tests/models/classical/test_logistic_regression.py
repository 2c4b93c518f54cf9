"""Logistic regression: loss and gradient by hand, the minimum, and the optimiser that finds it."""

from collections import deque

import numpy as np
import pytest

import scratchgen
from scratchgen.models import LogisticRegression, NoLikelihood
from scratchgen.models.classical.base import NotConverged
from scratchgen.training.lbfgs import direction, minimise

Y = np.array([2, 0, 1, 1, 0, 2, 2])


def small(rng, l2=0.3, dtype=np.float64):
    model = LogisticRegression(5, 3, l2=l2, dtype=dtype)
    for p in model.parameters().values():
        p.value[...] = rng.standard_normal(p.shape)
    return model


def by_hand(X, y, W, b, l2):
    scores = np.exp(X @ W + b)
    p = scores / scores.sum(axis=1, keepdims=True)
    return p, -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * l2 * (W**2).sum()


def test_logistic_regression_is_the_textbook_formula(rng, backend):
    """(LR.1), (LR.2)."""
    model, X = small(rng), rng.standard_normal((7, 5))
    p, loss = by_hand(X, Y, model.weight.value, model.bias.value, 0.3)
    np.testing.assert_allclose(model.predict_proba(X), p, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), p.argmax(axis=1))
    assert model.loss(X, Y)[0] == pytest.approx(loss, rel=1e-12)


def test_logistic_regression_gradient_is_the_slope(rng):
    """(LR.3): every entry of both gradients against central differences."""
    model, X, h = small(rng), rng.standard_normal((7, 5)), 1e-5
    _, cache = model.loss(X, Y)
    model.backward(cache)
    for p in model.parameters().values():
        for i in np.ndindex(p.shape):
            before = p.value[i]
            p.value[i] = before + h
            up, _ = model.loss(X, Y)
            p.value[i] = before - h
            down, _ = model.loss(X, Y)
            p.value[i] = before
            assert p.grad[i] == pytest.approx((up - down) / (2 * h), abs=1e-9)


def test_logistic_regression_fit_ends_where_the_slope_is_zero(rng):
    X = rng.standard_normal((7, 5))
    model = LogisticRegression(5, 3, l2=0.1, dtype=np.float64).fit(X, Y, tolerance=1e-10)
    assert model.converged_ and model.iterations_ < 60
    # The loss is convex, so another start leads to the same weights.
    again = small(rng, l2=0.1).fit(X, Y, tolerance=1e-10, warm_start=True)
    np.testing.assert_allclose(model.weight.value, again.weight.value, atol=1e-8)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=0), [2, 2, 3], atol=1e-8)     # db = 0: each class as often as it is
    np.testing.assert_allclose(X.T @ (np.eye(3)[Y] - p) / 7, 0.1 * model.weight.value, atol=1e-9)


def test_logistic_regression_of_float32_stays_float32(rng):
    X = rng.standard_normal((7, 5)).astype(np.float32)
    model = LogisticRegression(5, 3, l2=0.1).fit(X, Y, tolerance=1e-4)
    assert model.converged_ and model.predict_proba(X).dtype == model.weight.value.dtype == np.float32


def test_logistic_regression_of_separable_classes_ends_and_stays_finite():
    X = np.array([[-2.0], [-1], [1], [2]])
    model = LogisticRegression(1, 2, dtype=np.float64).fit(X, [0, 0, 1, 1])
    assert model.converged_ and model.score(X, [0, 0, 1, 1]) == 1
    assert np.isfinite(model.weight.value).all() and model.weight.value[0, 1] > 3
    np.testing.assert_allclose(model.predict_proba(1e6 * X)[:, 1], [0, 0, 1, 1])


def test_logistic_regression_learns_by_adam_too(rng):
    X = rng.standard_normal((60, 5)).astype(np.float32)
    y = (X @ rng.standard_normal((5, 3))).argmax(axis=1)
    model = LogisticRegression(5, 3)
    model.trainer(X, y, epochs=60, lr=0.05, batch_size=20, rng=rng).run()
    assert model.score(X, y) > 0.9


def test_bfgs_direction_applies_the_update(rng):
    """(BFGS.1) written out with matrices, from the oldest step to the newest."""
    n = 5
    A = rng.standard_normal((n, n))
    A = A @ A.T + np.eye(n)
    steps = deque((s, A @ s) for s in rng.standard_normal((3, n)))
    s, r = steps[-1]
    H = np.eye(n) * (s @ r) / (r @ r)
    for s, r in steps:
        left = np.eye(n) - np.outer(s, r) / (s @ r)
        H = left @ H @ left.T + np.outer(s, s) / (s @ r)        # (BFGS.1)
        np.testing.assert_allclose(H @ r, s, rtol=1e-9)
    grad = rng.standard_normal(n)
    np.testing.assert_allclose(direction(grad, steps), H @ grad, rtol=1e-9)


def test_bfgs_minimises_the_rosenbrock_function():
    def rosenbrock(w):
        a, b = w
        slope = np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])
        return float((1 - a) ** 2 + 100 * (b - a * a) ** 2), slope

    found = minimise(rosenbrock, np.array([-1.2, 1.0]), tolerance=1e-8, iterations=200)
    assert found.converged and found.iterations < 100
    np.testing.assert_allclose(found.w, [1, 1], atol=1e-7)
    cut = minimise(rosenbrock, np.array([-1.2, 1.0]), tolerance=1e-8, iterations=5)
    assert not cut.converged and cut.iterations == 5


def test_bfgs_says_when_rounding_ends_the_search():
    """The loss is constant, although its reported gradient is 1."""
    found = minimise(lambda w: (float(np.abs(w).sum()), np.ones(2)), np.zeros(2), tolerance=0.5, iterations=9)
    assert not found.converged and found.iterations == 0


def test_logistic_regression_has_no_density_of_x(rng):
    with pytest.raises(NoLikelihood, match=r"it models P\(y \| x\)"):
        small(rng).score_samples(np.zeros((1, 5)))
    with pytest.raises(TypeError, match="LogisticRegression cannot sample"):
        small(rng).sample(1, rng=rng)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, y: m.fit(X), "LogisticRegression.fit expected labels y, one per example, got none"),
        (lambda m, X, y: m.fit(X, y[:3]), r"expected 7 integer labels, one per example, got shape \(3,\)"),
        (lambda m, X, y: m.fit(X, y + 1), r"labels in 0\.\.2, got 1\.\.3"),
        (lambda m, X, y: m.fit(X, y - 1), r"labels in 0\.\.2, got -1\.\.1"),
        (lambda m, X, y: m.fit(X, y % 2), r"each class 0\.\.2, got none of 2 among 7 examples"),
        (lambda m, X, y: m.fit(X[:1], y[:1]), "got none of 0, 1 among 1 examples"),
        (lambda m, X, y: m.fit(X * np.nan, y), "finite numbers, got NaN"),
        (lambda m, X, y: m.fit(X[:, :3], y), r"\(N, 5\), got \(7, 3\)"),
        (lambda m, X, y: m.predict(X[:0]), "at least 1 example, got 0"),
        (lambda m, X, y: m.score(X, y[:2]), "LogisticRegression.score expected 7 integer labels"),
        (lambda m, X, y: LogisticRegression(5, 1), "classes of at least 2, got 1"),
        (lambda m, X, y: LogisticRegression(5, 3, l2=-1), "finite l2 >= 0, got -1"),
        (lambda m, X, y: LogisticRegression(5, 3, l2=np.nan), "finite l2 >= 0, got nan"),
    ],
)
def test_logistic_regression_bad_input_is_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(small(rng), rng.standard_normal((7, 5)), Y)


def test_logistic_regression_wrong_types_are_named(rng):
    X = rng.standard_normal((7, 5))
    with pytest.raises(TypeError, match="expected integer labels, got dtype float64"):
        small(rng).fit(X, Y / 2)
    with pytest.raises(TypeError, match="LogisticRegression.loss expected .* float64, got dtype float32"):
        small(rng).loss(X.astype(np.float32), Y)
    with pytest.raises(TypeError, match="LogisticRegression expected dtype to be float32 or .*, got .*int64"):
        LogisticRegression(5, 3, dtype=np.int64)


def test_logistic_regression_takes_features_and_classes_from_the_data(rng):
    X = rng.standard_normal((7, 5))
    model = LogisticRegression(l2=0.1, dtype=np.float64)
    assert repr(model) == "LogisticRegression(l2=0.1)" and not model.parameters()
    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(ValueError, match="LogisticRegression is not fitted yet"):
            getattr(model, method)(X)
    with pytest.raises(ValueError, match="LogisticRegression is not fitted yet"):
        model.loss(X, Y)
    with pytest.raises(ValueError, match="finite numbers"):
        model.fit(X * np.nan, Y)
    same = LogisticRegression(5, 3, l2=0.1, dtype=np.float64).fit(X, Y)
    np.testing.assert_array_equal(model.fit(X, Y).weight.value, same.weight.value)
    assert (model.features, model.classes) == (5, 3) and repr(model) == repr(same)
    with pytest.raises(ValueError, match=r"\(N, 5\), got \(7, 4\)"):
        model.fit(X[:, 1:], Y)
    assert LogisticRegression(classes=3).fit(X.astype(np.float32), Y).weight.shape == (5, 3)
    with pytest.raises(ValueError, match=r"\(N, 4\), got \(7, 5\)"):
        LogisticRegression(4, dtype=np.float64).fit(X, Y)


def test_logistic_regression_without_sizes_is_saved_before_and_after_fit(rng, tmp_path):
    X, model = rng.standard_normal((7, 5)).astype(np.float32), LogisticRegression(l2=0.1)
    for step in ("before", "after"):
        scratchgen.save(model, tmp_path / step)
        loaded = scratchgen.load(tmp_path / step)
        np.testing.assert_array_equal(loaded.fit(X, Y).predict(X), model.fit(X, Y).predict(X))


def test_logistic_regression_warns_when_it_did_not_converge(rng):
    X = rng.standard_normal((30, 5)) * [1, 10, 100, 1000, 1e4]
    y = rng.integers(3, size=30)
    with pytest.warns(NotConverged, match="ended after 2 iterations with a gradient of .*, above .* 1e-05"):
        model = LogisticRegression(5, 3, dtype=np.float64).fit(X, y, iterations=2)
    assert not model.converged_


def test_logistic_regression_fit_starts_anew_unless_it_is_a_warm_start(rng):
    """With l2 = 0 and few iterations, the result depends on the start, so each fold must start from zero."""
    X = rng.standard_normal((7, 5))
    fresh, used = (LogisticRegression(5, 3, dtype=np.float64) for _ in range(2))
    fresh.fit(X, Y, tolerance=0.1)
    used.fit(-X, Y, tolerance=0.1).fit(X, Y, tolerance=0.1)
    np.testing.assert_array_equal(used.weight.value, fresh.weight.value)
    steps = used.iterations_
    assert used.fit(X, Y, tolerance=0.1, warm_start=True).iterations_ == 0 < steps


def test_data_in_a_large_unit_is_not_silently_left_unfitted():
    """With entries of 1e-5, the gradient at zero weights is below the tolerance, so that no step is made."""
    y = np.arange(60) % 3
    X = 1e-5 * (np.random.default_rng(0).normal(size=(60, 4)) + 3 * np.eye(4)[y])
    with pytest.warns(NotConverged, match="after 0 iterations, maybe far .* standardise X, or set a tol"):
        LogisticRegression(4, 3, dtype=np.float64).fit(X, y)
    model = LogisticRegression(4, 3, dtype=np.float64).fit(X, y, tolerance=1e-9)
    assert model.score(X, y) > 0.9
    LogisticRegression(4, 3, dtype=np.float64).fit(0 * X, y)       # nothing to fit, and no warning
