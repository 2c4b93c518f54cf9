import numpy as np
import pytest

import scratchgen
from scratchgen.data import load_digits
from scratchgen.layers import Tanh
from scratchgen.models import ConvClassifier, MLPClassifier, NoLikelihood


def small(rng, dtype=np.float64):
    return MLPClassifier((5, 7, 3), rng=rng, activation=Tanh, dtype=dtype)


def test_mlp_classifier_probabilities_by_hand(rng):
    model, X = small(rng), rng.standard_normal((4, 5))
    p = {name: parameter.value for name, parameter in model.parameters().items()}
    h = np.tanh(X @ p["net.0.weight"] + p["net.0.bias"])
    logits = h @ p["net.2.weight"] + p["net.2.bias"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), expected.argmax(axis=1))


def test_mlp_classifier_loss_is_cross_entropy_and_its_gradient(rng):
    """(CE.1), (CE.2) with the model's own methods."""
    model, X, y = small(rng), rng.standard_normal((4, 5)), np.array([2, 0, 1, 1])
    loss, cache = model.loss(X, y)
    p = model.predict_proba(X)
    assert loss == pytest.approx(-np.log(p[np.arange(4), y]).mean(), rel=1e-12)
    np.testing.assert_allclose(model.backward(cache)["dlogits"], (p - np.eye(3)[y]) / 4, rtol=1e-10)


def test_mlp_classifier_gradient_of_the_first_layer(rng):
    """Every entry of the first layer's gradient against central differences."""
    model, X, y = small(rng), rng.standard_normal((4, 5)), np.array([2, 0, 1, 1])
    _, cache = model.loss(X, y)
    model.backward(cache)
    weight, h = model.parameters()["net.0.weight"], 1e-5
    for i in np.ndindex(weight.shape):
        before = weight.value[i]
        weight.value[i] = before + h
        up, _ = model.loss(X, y)
        weight.value[i] = before - h
        down, _ = model.loss(X, y)
        weight.value[i] = before
        assert weight.grad[i] == pytest.approx((up - down) / (2 * h), abs=1e-9)


def test_mlp_classifier_probabilities_of_huge_logits_stay_finite(rng):
    model = small(rng)
    model.parameters()["net.2.bias"].value[...] = [1e4, 0, -1e4]
    np.testing.assert_array_equal(model.predict_proba(np.zeros((2, 5))), [[1, 0, 0]] * 2)


def test_mlp_classifier_learns_classes_that_no_line_separates(rng, backend):
    X = rng.uniform(-1, 1, (200, 2)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    model = MLPClassifier((2, 16, 2), rng=rng)
    assert model.score(X, y) < 0.8
    model.fit(X, y, epochs=60, batch_size=20, lr=1e-2, rng=rng)
    assert model.score(X, y) > 0.95


def test_classifier_features_are_the_input_of_the_last_layer(rng):
    mlp, conv = small(rng), ConvClassifier((2, 3, 4), 6, 3, rng=rng, dtype=np.float64)
    for model, X, width in ((mlp, rng.standard_normal((4, 5)), 7), (conv, rng.uniform(size=(4, 784)), 6)):
        features, last = model.features(X), model.net.layers[-1]
        assert features.shape == (4, width)
        logits = features @ last.weight.value + last.bias.value
        np.testing.assert_array_equal(logits.argmax(axis=1), model.predict(X))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(p, model.predict_proba(X), rtol=1e-10)


def test_conv_classifier_is_translation_equivariant(rng):
    """If the image moves by two pixels, the output of the pooling moves by one."""
    model = ConvClassifier((2, 3, 4), 6, 3, rng=rng, dtype=np.float64)
    x = np.zeros((1, 28, 28))
    x[0, 8:14, 9:15] = rng.uniform(size=(6, 6))
    reshape, convolution, pool = model.net.layers[:3]

    def pooled(image):
        out = image.reshape(1, 784)
        for layer in (reshape, convolution, pool):
            out, _ = layer.forward(out)
        return out

    moved = pooled(np.roll(x, (2, 4), axis=(1, 2)))
    np.testing.assert_allclose(moved, np.roll(pooled(x), (1, 2), axis=(1, 2)), atol=1e-12)
    assert np.abs(moved - pooled(x)).max() > 0.05


@pytest.mark.slow
def test_conv_classifier_learns_digits_from_a_few():
    digits, rng = load_digits("embedded"), np.random.default_rng(0)
    model = ConvClassifier((8, 16, 16), 64, rng=rng)
    model.fit(digits.x_train[:2000], digits.y_train[:2000], epochs=4, batch_size=50, lr=2e-3, rng=rng)
    assert model.score(digits.x_test, digits.y_test) > 0.93


def test_mlp_classifier_has_no_density_and_no_samples(rng):
    with pytest.raises(NoLikelihood, match=r"it models P\(y \| x\)"):
        small(rng).score_samples(np.zeros((1, 5)))
    with pytest.raises(TypeError, match="cannot sample"):
        small(rng).sample(1, rng=rng)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, y, rng: m.fit(X, epochs=1, rng=rng), "expected labels y, one per example, got none"),
        (lambda m, X, y, rng: m.fit(X, y + 2, epochs=1, rng=rng), r"labels in 0\.\.2, got 2\.\.3"),
        (lambda m, X, y, rng: m.fit(X, y[:2], epochs=1, rng=rng), "expected 4 integer labels"),
        (lambda m, X, y, rng: m.fit(X * np.nan, y, epochs=1, rng=rng), "finite numbers, got NaN"),
        (lambda m, X, y, rng: m.predict(X[:, :3]), r"\(N, 5\), got \(4, 3\)"),
        (lambda m, X, y, rng: m.predict(X[:0]), "at least 1 example"),
        (lambda m, X, y, rng: m.score(X, y[:3]), "score expected 4 integer labels"),
        (lambda m, X, y, rng: MLPClassifier((5,), rng=rng), "two or more widths"),
        (lambda m, X, y, rng: m.features(X * np.inf), "MLPClassifier.features expected finite"),
        (
            lambda m, X, y, rng: ConvClassifier(rng=rng, dtype=X.dtype).predict(X),
            r"ConvClassifier.predict expected .* \(N, 784\), got \(4, 5\)",
        ),
    ],
)
def test_mlp_classifier_bad_input_is_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(small(rng), rng.uniform(size=(4, 5)), np.array([0, 1, 1, 0]), rng)


@pytest.mark.parametrize("kind", [MLPClassifier, ConvClassifier])
def test_gradient_of_the_log_probability_is_that_of_differences(kind, rng):
    """(CE.3): every entry of the gradient with respect to the example, and parameters get no gradient."""
    if kind is MLPClassifier:
        model = MLPClassifier((16, 5, 3), rng=rng, dtype=np.float64)
    else:
        model = ConvClassifier((2, 2, 2), 4, 3, shape=(4, 4, 1), rng=rng, dtype=np.float64)
    X, y = rng.standard_normal((4, 16)), np.array([2, 0, 1, 1])
    found = model.log_prob_gradient(X, y)
    for d, step in enumerate(1e-6 * np.eye(16)):
        up, down = (np.log(model.predict_proba(X + move)[np.arange(4), y]) for move in (step, -step))
        np.testing.assert_allclose(found[:, d], (up - down) / 2e-6, atol=1e-7)
    assert all(not p.grad.any() for p in model.parameters().values())
    with pytest.raises(ValueError, match=rf"^{kind.__name__}\.log_prob_gradient expected data of shape"):
        model.log_prob_gradient(X[:, 1:], y)
    with pytest.raises(ValueError, match=rf"^{kind.__name__}\.log_prob_gradient expected labels in 0\.\.2"):
        model.log_prob_gradient(X, y + 1)
    with pytest.raises(ValueError, match=rf"^{kind.__name__}\.log_prob_gradient expected 4 integer labels"):
        model.log_prob_gradient(X, y[:3])


def test_mlp_classifier_takes_features_and_classes_from_the_data(rng):
    X, y = rng.standard_normal((9, 5)).astype(np.float32), np.arange(9) % 3
    model, same = MLPClassifier(hidden=(4,), rng=7), MLPClassifier((5, 4, 3), rng=7)
    assert repr(model) == "MLPClassifier(hidden=(4,))" and not model.parameters() and model.classes is None
    for call in (lambda: model.predict(X), lambda: model.loss(X, y), lambda: model.features(X)):
        with pytest.raises(ValueError, match="MLPClassifier is not fitted yet"):
            call()
    for m in (model, same):
        m.fit(X, y, epochs=2, rng=3)
    np.testing.assert_array_equal(model.predict_proba(X), same.predict_proba(X))
    assert repr(model) == repr(same) == "MLPClassifier((5, 4, 3))" and model.sizes == (5, 4, 3)
    with pytest.raises(ValueError, match=r"\(N, 5\), got \(9, 4\)"):
        model.fit(X[:, :4], y, epochs=1, rng=0, warm_start=True)
    with pytest.raises(ValueError, match=r"MLPClassifier.fit expected data of shape \(N, 3\), got \(9, 5\)"):
        MLPClassifier(features=3, rng=0).fit(X, y, epochs=1, rng=0)


def test_mlp_classifier_is_saved_before_its_first_fit(rng, tmp_path):
    X, y = rng.standard_normal((9, 5)).astype(np.float32), np.arange(9) % 3
    model = MLPClassifier(rng=7)
    scratchgen.save(model, tmp_path / "a.safetensors")
    again = scratchgen.load(tmp_path / "a.safetensors")
    for m in (model, again):
        m.fit(X, y, epochs=2, rng=3)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
