"""Weights of the examples: an example of weight 2 counts as two equal examples, one of weight 0 as none."""

import numpy as np
import pytest

from scratchgen.layers import Tanh
from scratchgen.models import (
    PCA,
    VAE,
    BayesClassifier,
    BernoulliNaiveBayes,
    ConditionalVAE,
    ConvClassifier,
    DecisionTree,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    LinearSVM,
    LogisticRegression,
    MLPClassifier,
    NearestNeighbours,
)

MODELS = {
    "lda": lambda: GaussianDiscriminant(),
    "qda": lambda: GaussianDiscriminant(shared=False, shrinkage=0.1),
    "gaussian": lambda: GaussianNaiveBayes(smoothing=0.01),
    "shared": lambda: GaussianNaiveBayes(shared=True),
    "bernoulli": lambda: BernoulliNaiveBayes(threshold=0.0),
    "logistic": lambda: LogisticRegression(3, 3, l2=0.1, dtype=np.float64),
    "gini": lambda: DecisionTree(max_depth=3),
    "entropy": lambda: DecisionTree(max_depth=3, criterion="entropy"),
    "neighbours": lambda: NearestNeighbours(7),
    "bayes": lambda: BayesClassifier(lambda: PCA(2)),
}
F64 = {"rng": 0, "dtype": np.float64}
# The models that are trained by batches; l2 is a weight of the penalty per example.
BATCHES = {
    "svm": lambda: LinearSVM(3, 3, l2=0.1, dtype=np.float64),
    "mlp": lambda: MLPClassifier((3, 5, 3), activation=Tanh, **F64),
    "inferred": lambda: MLPClassifier(hidden=5, **F64),
    "conv": lambda: ConvClassifier((2, 2, 2), 4, 3, shape=(4, 4, 1), **F64),
}


PRECISE = {"logistic": {"tolerance": 1e-9}}         # the others have a closed form
RTOL = {"logistic": 1e-6}


def data(rng, n=40):
    X, y = rng.standard_normal((n, 3)), np.arange(n) % 3
    X[y == 1] += 1
    return X, y, rng.integers(0, 4, n)


def scores(model, X):
    return model.decision_function(X) if isinstance(model, LinearSVM) else model.predict_proba(X)


@pytest.mark.parametrize("name", MODELS)
def test_weights_count_as_repetitions(rng, name):
    """(BAYES.4), (LR.4), (KNN.1)."""
    X, y, w = data(rng)
    settings, rtol = PRECISE.get(name, {}), RTOL.get(name, 1e-10)
    weighted = MODELS[name]().fit(X, y, sample_weight=w, **settings)
    repeated = MODELS[name]().fit(X.repeat(w, axis=0), y.repeat(w), **settings)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=rtol)
    without = MODELS[name]().fit(X, y, **settings)
    assert np.abs(without.predict_proba(X) - weighted.predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_equal_weights_change_nothing(rng, name):
    X, y, _ = data(rng)
    settings, rtol = PRECISE.get(name, {}), RTOL.get(name, 1e-10)
    plain = MODELS[name]().fit(X, y, **settings)
    weighted = MODELS[name]().fit(X, y, sample_weight=np.ones(len(X)), **settings)
    np.testing.assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), rtol=rtol)
    if name not in ("bernoulli", "neighbours"):     # they count examples, so the sum of the weights matters
        scaled = MODELS[name]().fit(X, y, sample_weight=np.full(len(X), 0.2), **settings)
        np.testing.assert_allclose(scaled.predict_proba(X), plain.predict_proba(X), rtol=rtol)


def test_weighted_means_and_frequencies_by_hand():
    """(BAYES.4)."""
    X = np.array([[1.0, 0], [3, 0], [5, 2], [9, 4]])
    model = GaussianNaiveBayes().fit(X, np.array([0, 0, 1, 1]), sample_weight=[1, 3, 0.5, 1.5])
    np.testing.assert_allclose(model.means_, [[2.5, 0], [8, 3.5]])
    np.testing.assert_allclose(np.exp(model.log_prior_), [4 / 6, 2 / 6])


def test_gradient_of_the_weighted_logistic_loss_is_its_slope(rng):
    """(LR.4)."""
    X, y, w = data(rng, 9)
    model, h = MODELS["logistic"](), 1e-5
    model.weight.value[...] = rng.standard_normal((3, 3))
    _, cache = model.loss(X, y, sample_weight=w)
    model.backward(cache)
    for p in model.parameters().values():
        for i in np.ndindex(p.shape):
            slope = 0.0
            for sign in (1, -1):
                p.value[i] += sign * h
                slope += sign * model.loss(X, y, sample_weight=w)[0] / (2 * h)
                p.value[i] -= sign * h
            assert p.grad[i] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (np.ones(7), ValueError, r"fit expected sample_weight of shape \(40,\), got \(7,\)"),
        (np.full(40, -1.0), ValueError, "fit expected a finite sample_weight >= 0, got -1 to -1"),
        (np.full(40, np.nan), ValueError, "fit expected a finite sample_weight >= 0, got nan to nan"),
        (["1"] * 40, TypeError, "fit expected sample_weight to be numbers, got dtype <U1"),
        (np.arange(40) % 3 != 2, ValueError, "a sample_weight above zero in each class, got none in class 2"),
    ],
)
def test_bad_weights_are_refused(rng, name, weights, error, message):
    X, y, _ = data(rng)
    with pytest.raises(error, match=message):
        MODELS[name]().fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"loss expected sample_weight of shape \(9,\)"),
        (np.zeros(9), "loss expected a sample_weight above zero"),
    ],
)
def test_logistic_loss_refuses_bad_weights(rng, weights, message):
    X, y, _ = data(rng, 9)
    with pytest.raises(ValueError, match=message):
        MODELS["logistic"]().loss(X, y, sample_weight=weights)


def batch_data(rng, name, n=40):
    X, y, w = data(rng, n)
    return (X if name != "conv" else rng.uniform(size=(n, 16)), y, w)


@pytest.mark.parametrize("name", BATCHES)
def test_weights_count_as_repetitions_in_a_batch(rng, name):
    """(LR.4): with all examples in one batch, every update is the same."""
    X, y, w = batch_data(rng, name)
    run = {"epochs": 20, "batch_size": 200, "lr": 0.05, "rng": 0}
    weighted = BATCHES[name]().fit(X, y, sample_weight=w, **run)
    repeated = BATCHES[name]().fit(X.repeat(w, axis=0), y.repeat(w), **run)
    np.testing.assert_allclose(scores(weighted, X), scores(repeated, X), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(weighted.history_.epochs["loss"], repeated.history_.epochs["loss"], rtol=1e-9)
    without = BATCHES[name]().fit(X, y, **run)
    assert np.abs(scores(without, X) - scores(weighted, X)).max() > 1e-3


@pytest.mark.parametrize("name", BATCHES)
def test_examples_of_weight_zero_are_left_out_and_equal_weights_change_nothing(rng, name):
    X, y, w = batch_data(rng, name)
    run = {"epochs": 3, "batch_size": 8, "rng": 0}
    some = BATCHES[name]().fit(X, y, sample_weight=5.0 * (w > 0), **run)
    subset = BATCHES[name]().fit(X[w > 0], y[w > 0], **run)
    np.testing.assert_allclose(scores(some, X), scores(subset, X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", BATCHES)
def test_the_mean_gradient_of_the_batches_is_that_of_all_examples(rng, name):
    """(LR.4): batches of equal size are unbiased, whatever the weights in them."""
    X, y, w = batch_data(rng, name)
    w = w / w.mean()
    model = BATCHES[name]()
    model.trainer(X, y, epochs=1, rng=0)                    # builds the network
    for p in model.parameters().values():
        p.value[...] = rng.standard_normal(p.shape)

    def gradient(rows):
        model.zero_grad()
        loss, cache = model.loss(X[rows], y[rows], w[rows])
        model.backward(cache)
        return loss, {key: p.grad.copy() for key, p in model.parameters().items()}

    loss, whole = gradient(slice(None))
    parts = [gradient(slice(i, i + 8)) for i in range(0, 40, 8)]
    assert loss == pytest.approx(np.mean([part for part, _ in parts]), rel=1e-12)
    for key, expected in whole.items():
        np.testing.assert_allclose(np.mean([g[key] for _, g in parts], axis=0), expected, atol=1e-12)


@pytest.mark.parametrize("name", BATCHES)
def test_gradient_of_the_weighted_loss_is_its_slope(rng, name):
    """(LR.4), along a random line."""
    X, y, w = batch_data(rng, name, 9)
    model = BATCHES[name]()
    model.trainer(X, y, epochs=1, rng=0)
    parameters = model.parameters().values()
    for p in parameters:
        p.value[...] = rng.standard_normal(p.shape)
    directions = [rng.standard_normal(p.shape) for p in parameters]
    model.backward(model.loss(X, y, w)[1])
    slope = sum((p.grad * d).sum() for p, d in zip(parameters, directions, strict=True))

    def moved(step):
        for p, d in zip(parameters, directions, strict=True):
            p.value += step * d
        loss = model.loss(X, y, w)[0]
        for p, d in zip(parameters, directions, strict=True):
            p.value -= step * d
        return loss

    assert slope == pytest.approx((moved(1e-6) - moved(-1e-6)) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
def test_a_tree_does_not_depend_on_the_scale_of_the_weights(rng, criterion):
    X, y, _ = data(rng, 200)
    w = rng.uniform(0.1, 3, 200)
    first = DecisionTree(criterion=criterion).fit(X, y, sample_weight=w)
    for scale in (1e-9, 1e9):
        again = DecisionTree(criterion=criterion).fit(X, y, sample_weight=scale * w)
        np.testing.assert_array_equal(again.predict(X + 0.1), first.predict(X + 0.1))
        assert again.leaves == first.leaves


def test_a_model_without_weights_refuses_them(rng):
    with pytest.raises(ValueError, match="^VAE.fit expected no sample_weight: the model does not"):
        VAE.dense(features=3, hidden=4, code=2, rng=0).fit(
            rng.uniform(size=(9, 3)).astype(np.float32), epochs=1, rng=0, sample_weight=np.ones(9)
        )


@pytest.mark.parametrize("name", BATCHES)
def test_bad_weights_of_batches_are_refused(rng, name):
    X, y, _ = batch_data(rng, name)
    for weights, error, message in [
        (np.ones(7), ValueError, r"fit expected sample_weight of shape \(40,\), got \(7,\)"),
        (np.full(40, -1.0), ValueError, "fit expected a finite sample_weight >= 0, got -1 to -1"),
        (np.zeros(40), ValueError, "fit expected a sample_weight above zero, got only zeros"),
        (["1"] * 40, TypeError, "fit expected sample_weight to be numbers"),
    ]:
        with pytest.raises(error, match=message):
            BATCHES[name]().fit(X, y, sample_weight=weights, epochs=1, rng=0)


def test_votes_of_neighbours_by_hand():
    """(KNN.1): the nearest examples have weights 1, 0.5 and 4, and the last one has the rest of the votes."""
    X, y = np.array([[0.0], [1], [2], [3]]), np.array([0, 1, 2, 0])
    model = NearestNeighbours(3).fit(X, y, sample_weight=[1, 0.5, 4, 9])
    np.testing.assert_allclose(model.predict_proba(np.array([[-1.0]])), [[1 / 3, 0.5 / 3, 1.5 / 3]])
    np.testing.assert_allclose(model.predict_proba(np.array([[9.0]])), [[1, 0, 0]])
    with pytest.raises(ValueError, match=r"whose sum is at least k = 3, got 1; multiply it by len\(X\)"):
        NearestNeighbours(3).fit(X, y, sample_weight=np.full(4, 0.25))


@pytest.mark.parametrize("scale", [0.01, 0.3, 100.0])
def test_votes_of_neighbours_are_the_same_in_blocks_of_any_weights(rng, scale):
    """Compared with the sum over all examples in the order of their distance."""
    X, y, _ = data(rng, 120)
    w = scale * rng.uniform(0.5, 3, 120)
    k = 1 if scale < 0.1 else 9
    found = NearestNeighbours(k).fit(X, y, sample_weight=w).predict_proba(X + 0.1)
    for x, p in zip(X + 0.1, found, strict=True):
        order, left, votes = np.argsort(((X - x) ** 2).sum(axis=1)), float(k), np.zeros(3)
        for n in order:
            votes[y[n]] += min(w[n], left)
            left -= min(w[n], left)
        np.testing.assert_allclose(p, votes / k, atol=1e-12)


def test_weights_of_pca_count_as_repetitions(rng):
    """(PCA.1), (PCA.5)."""
    X, _, w = data(rng)
    X, w = X.astype(np.float32), w.astype(float)
    weighted, repeated = PCA(2).fit(X, sample_weight=w), PCA(2).fit(X.repeat(w.astype(int), axis=0))
    np.testing.assert_allclose(weighted.score_samples(X), repeated.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(weighted.explained_variance_, repeated.explained_variance_, rtol=1e-9)
    scaled = PCA(2).fit(X, sample_weight=1e-3 * w)
    np.testing.assert_allclose(scaled.score_samples(X), weighted.score_samples(X), rtol=1e-9)
    assert np.abs(PCA(2).fit(X).score_samples(X) - weighted.score_samples(X)).max() > 1e-3
    with pytest.raises(ValueError, match=r"^PCA.fit expected sample_weight of shape \(40,\), got \(3,\)"):
        PCA(2).fit(X, sample_weight=np.ones(3))


def test_bayes_classifier_refuses_weights_that_its_densities_do_not_use(rng):
    X, y, w = data(rng)
    for model in (
        lambda: VAE.dense(features=3, hidden=4, code=2, rng=0),
        ConditionalVAE.dense(features=3, hidden=4, code=2, classes=3, rng=0),
    ):
        with pytest.raises(ValueError, match=r"expected no sample_weight, because \w*VAE.fit does not"):
            BayesClassifier(model).fit(X, y, sample_weight=w, epochs=1, rng=0)


def test_pca_needs_two_examples_with_a_weight():
    with pytest.raises(ValueError, match="expected at least two examples with a weight above 0"):
        PCA(1).fit(np.eye(3), sample_weight=[1.0, 0, 0])
