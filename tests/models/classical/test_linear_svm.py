"""The linear support vector machine: hinge loss, its subgradient, and the support vectors."""

import numpy as np
import pytest

from scratchgen.models import LinearSVM
from scratchgen.training.schedules import Cosine

Y = np.array([2, 0, 1, 1, 0, 2, 2])


def small(rng):
    model = LinearSVM(5, 3, l2=0.3, dtype=np.float64)
    for p in model.parameters().values():
        p.value[...] = rng.standard_normal(p.shape)
    return model


def test_linear_svm_loss_is_the_hinge(rng):
    """(SVM.1), (SVM.2) by loops."""
    model, X = small(rng), rng.standard_normal((7, 5))
    total = 0.0
    for x, y in zip(X, Y, strict=True):
        for c in range(3):
            s = x @ model.weight.value[:, c] + model.bias.value[c]
            total += max(0.0, 1 - s if c == y else 1 + s)
    penalty = 0.15 * (model.weight.value**2).sum()
    assert model.loss(X, Y)[0] == pytest.approx(total / 7 + penalty, rel=1e-12)


def test_linear_svm_gradient_is_the_slope(rng):
    """(SVM.3), (SVM.4): every entry against central differences; no margin lies at the kink."""
    model, X, h = small(rng), rng.standard_normal((7, 5)), 1e-6
    _, cache = model.loss(X, Y)
    assert np.abs(cache[2] - 1).min() > 1e-3
    dscores = model.backward(cache)["dscores"]
    assert set(np.unique(np.round(7 * dscores, 9))) == {-1, 0, 1}
    for p in model.parameters().values():
        for i in np.ndindex(p.shape):
            before = p.value[i]
            p.value[i] = before + h
            up, _ = model.loss(X, Y)
            p.value[i] = before - h
            down, _ = model.loss(X, Y)
            p.value[i] = before
            assert p.grad[i] == pytest.approx((up - down) / (2 * h), abs=1e-8)


def test_linear_svm_largest_margin_by_hand():
    """Two examples at −1 and 1 are on their margins, with score ±x; a distant example has no effect."""
    X, y = np.array([[-1.0], [1], [50]]), np.array([0, 1, 1])
    model = LinearSVM(1, 2, l2=0.1, dtype=np.float64)
    model.fit(X, y, epochs=3000, lr=Cosine(0.02, 3000), rng=np.random.default_rng(0))
    np.testing.assert_allclose(model.weight.value, [[-1, 1]], atol=0.01)
    np.testing.assert_allclose(model.bias.value, 0, atol=0.01)
    _, cache = model.loss(X, y)
    assert (model.backward(cache)["dscores"][2] == 0).all()


def test_linear_svm_of_float32_stays_float32(rng):
    X = rng.standard_normal((7, 5)).astype(np.float32)
    model = LinearSVM(5, 3).fit(X, Y, epochs=2, rng=rng)
    _, cache = model.loss(X, Y)
    assert model.backward(cache)["dscores"].dtype == model.decision_function(X).dtype == np.float32


def test_linear_svm_takes_features_and_classes_from_the_data(rng):
    X = rng.standard_normal((7, 5)).astype(np.float32)
    model, same = LinearSVM(), LinearSVM(5, 3)
    assert repr(model) == "LinearSVM()" and not model.parameters()
    with pytest.raises(ValueError, match="LinearSVM is not fitted yet"):
        model.predict(X)
    with pytest.raises(ValueError, match="LinearSVM is not fitted yet"):
        model.loss(X, Y)
    for m in (model, same):
        m.fit(X, Y, epochs=2, rng=3)
    np.testing.assert_array_equal(model.weight.value, same.weight.value)
    assert repr(model) == repr(same) == "LinearSVM(features=5, classes=3)" and model.score(X, Y) > 0


def test_linear_svm_gives_no_probabilities(rng):
    with pytest.raises(TypeError, match="LinearSVM has no probabilities: margins are not probabilities"):
        small(rng).predict_proba(np.zeros((1, 5)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, rng: m.fit(X, epochs=1, rng=rng), "LinearSVM.fit expected labels y"),
        (lambda m, X, rng: m.fit(X, Y % 2, epochs=1, rng=rng), r"each class 0\.\.2, got none of 2"),
        (lambda m, X, rng: m.loss(X, Y + 1), r"LinearSVM.loss expected labels in 0\.\.2, got 1\.\.3"),
        (lambda m, X, rng: m.predict(X[:, :2]), r"\(N, 5\), got \(7, 2\)"),
        (lambda m, X, rng: LinearSVM(0, 2), "features of at least 1, got 0"),
        (lambda m, X, rng: LinearSVM(5, 2, l2=-1), "finite l2 >= 0, got -1"),
    ],
)
def test_linear_svm_bad_input_is_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(small(rng), rng.standard_normal((7, 5)), rng)
