"""Results that must not change: with the unit, a shift, the order of examples, classes or features, the
memory layout, and the number of examples in a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sweep.entries import ENTRIES
from sweep.measure import Entry, results

from scratchgen import losses, metrics
from scratchgen.distributions import Categorical, Normal, log_sum_exp
from scratchgen.layers import BatchNorm, LayerNorm
from scratchgen.models import (
    PCA,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    HiddenMarkovModel,
    NearestNeighbours,
)

TWINS = [name for name, entry in ENTRIES.items() if entry.twin and not name.startswith("models.Log")]
STEPS = [name for name in TWINS if "optimisers" in name]
PRODUCTS = [
    n for n in TWINS if n.startswith(("layers.linear", "layers.masked", "layers.conv", "layers.pooling"))
]

WITHOUT_EXAMPLES = ("weight_grad", "bias_grad", "masked_weight")     # the result has no axis of examples


def ordinary(name: str, dtype: Any = np.float64) -> tuple:
    """Arguments of ordinary size for a function of the sweep."""
    cases = ENTRIES[name].cases(dtype, np.random.default_rng(4))
    return cases[min(4, len(cases) - 1)]


def run(entry: Entry, given: tuple) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return results(entry.call(*given))


def changed(given: tuple, change: Callable[[np.ndarray], np.ndarray]) -> tuple:
    """The arguments with every array of floats (also in tuples) changed."""
    return tuple(
        changed(a, change)
        if type(a) is tuple
        else change(a)
        if isinstance(a, np.ndarray) and a.dtype.kind == "f"
        else a
        for a in given
    )


def unaligned(a: np.ndarray) -> np.ndarray:
    """A copy whose first byte is at an odd address."""
    buffer = np.empty(a.nbytes + 1, np.uint8)
    out = buffer[1:].view(a.dtype).reshape(a.shape)
    out[...] = a
    return out


def read_only(a: np.ndarray) -> np.ndarray:
    out = a.copy()
    out.setflags(write=False)
    return out


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": lambda a: np.array(a, order="F"),
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: a[..., ::-1].copy()[..., ::-1],
    "reversed rows": lambda a: a[::-1].copy()[::-1],
    "unaligned": unaligned,
    "read-only": read_only,
}


@pytest.mark.slow  # slow because it compiles the kernels for read-only arrays and for arrays with gaps
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", TWINS)
def test_the_memory_layout_does_not_matter(name, layout, backend):
    if layout == "read-only" and name in STEPS:
        pytest.skip("a step changes its arrays; see the test of read-only arrays")
    entry, given = ENTRIES[name], ordinary(name)
    expected = run(entry, changed(given, np.copy))
    found = run(entry, changed(given, LAYOUTS[layout]))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(
            b, a, rtol=1e-13, atol=1e-13 * np.abs(a[np.isfinite(a)]).max(initial=1e-300)
        )


@pytest.mark.parametrize("name", TWINS)
def test_big_endian_arrays_are_computed_right_or_refused(name, backend):
    entry, given = ENTRIES[name], ordinary(name)
    expected = run(entry, changed(given, np.copy))
    try:
        found = run(entry, changed(given, lambda a: a.astype(a.dtype.newbyteorder(">"))))
    except TypeError as error:
        assert "expected" in str(error)
        return
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_takes_a_read_only_gradient_and_refuses_read_only_values(name, backend):
    given = ordinary(name)
    step = ENTRIES[name].call
    with np.errstate(all="ignore"):
        step(given[0].copy(), read_only(given[1]), *changed(given[2:], np.copy))
        with pytest.raises(ValueError, match="read-only"):
            step(read_only(given[0]), given[1], *changed(given[2:], np.copy))


@pytest.mark.parametrize("exponent", [-300, -40, 40, 300])
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_homogeneous_to_the_last_bit(name, exponent, backend):
    """f(2ᵏ·x) = 2ᵏ·f(x), because multiplying by a power of two changes no digit."""
    entry, given = ENTRIES[name], list(ordinary(name))
    if any(name.endswith(end) for end in ("affine", "conv2d", "conv_transpose2d")):
        given[2] = np.zeros_like(given[2])  # the bias
    expected = run(entry, tuple(given))
    found = run(entry, (given[0] * 2.0**exponent, *given[1:]))
    np.testing.assert_array_equal(found[0], expected[0] * 2.0**exponent)


@pytest.mark.parametrize("name", [n for n in PRODUCTS if not n.endswith(WITHOUT_EXAMPLES)])
def test_an_example_alone_has_the_same_result(name, backend):
    entry, given = ENTRIES[name], ordinary(name)
    together = run(entry, given)
    for n in range(len(given[0])):
        rows = [given[0][n : n + 1], *given[1:]]
        if name.endswith("max_pool_backward"):
            rows[1] = given[1][n : n + 1]
        for all_rows, row in zip(together, run(entry, tuple(rows)), strict=True):
            np.testing.assert_allclose(row[0], all_rows[n], rtol=1e-13, atol=1e-13 * np.abs(all_rows).max())


DYADIC = np.round(np.random.default_rng(8).standard_normal((12, 4)) * 64) / 64  # exact sums with integers
LABELS = np.arange(12) % 3
SHIFTS = [-3.0, 512.0, 2.0**20]
POWERS = [-700, -60, 60, 400]


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_of_the_logits_changes_nothing(shift, backend):
    loss, gradient = losses.softmax_cross_entropy(DYADIC, LABELS)
    moved, moved_gradient = losses.softmax_cross_entropy(DYADIC + shift, LABELS)
    assert moved == loss
    np.testing.assert_array_equal(moved_gradient, gradient)
    for function in (Categorical.log_probabilities, Categorical.probabilities):
        np.testing.assert_array_equal(function(DYADIC + shift), function(DYADIC))
    np.testing.assert_allclose(log_sum_exp(DYADIC + shift), log_sum_exp(DYADIC) + shift, rtol=1e-15)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("layer", [LayerNorm, BatchNorm])
def test_a_shift_of_the_data_does_not_change_its_normalisation(layer, shift, backend):
    norm = layer(4, dtype=np.float64)
    expected, _ = norm.forward(DYADIC, training=True)
    np.testing.assert_allclose(norm.forward(DYADIC + shift, training=True)[0], expected, atol=1e-9)


def test_a_normalisation_does_not_depend_on_the_unit(backend):
    """Up to the largest numbers in float32, where eps is negligible."""
    for layer in (LayerNorm, BatchNorm):
        for dtype, top in ((np.float32, 124), (np.float64, 1020)):
            norm, x = layer(4, eps=1e-30, dtype=dtype), DYADIC.astype(dtype)
            expected = norm.forward(x, training=True)[0]
            with np.errstate(over="ignore"):  # the running variance becomes infinite
                found = norm.forward(x * dtype(2) ** top, training=True)[0]
            np.testing.assert_allclose(
                found, expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-6
            )


MEASURES: dict[str, Callable[[np.ndarray, float], float | np.ndarray]] = {
    "nearest_distance": lambda X, unit: metrics.nearest_distance(X[:5], X[5:]) / unit,
    "silhouette_score": lambda X, unit: metrics.silhouette_score(X, LABELS),
    "knn_accuracy": lambda X, unit: metrics.knn_accuracy(X[:8], LABELS[:8], X[8:], LABELS[8:], k=3),
    "kmeans": lambda X, unit: metrics.kmeans(X, 3, rng=0) / unit,
    "parzen": lambda X, unit: metrics.parzen_log_likelihood(X[:5], X[5:], 0.3 * unit) + 4 * np.log(unit),
    "neighbours": lambda X, unit: NearestNeighbours(3).fit(X, LABELS).predict_proba(X),
}


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("name", MEASURES)
def test_the_unit_does_not_matter(name, power):
    if name == "neighbours" and power > 60:
        with pytest.raises(ValueError, match="^NearestNeighbours.predict_proba expected examples with"):
            MEASURES[name](DYADIC * 2.0**600, 1)
        return
    expected, found = MEASURES[name](DYADIC, 1.0), MEASURES[name](DYADIC * 2.0**power, 2.0**power)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("power", [-500, -40, 40, 500])
def test_frechet_distance_has_the_square_of_the_unit(power):
    expected = metrics.frechet_distance(DYADIC[:6], DYADIC[6:])
    found = metrics.frechet_distance(DYADIC[:6] * 2.0**power, DYADIC[6:] * 2.0**power)
    assert found == expected * 2.0**power * 2.0**power


def test_frechet_distance_of_a_flat_set_to_itself_is_zero(rng):
    """A rounding error of 1e-16 must not become an error of 1e-8 in the root of an eigenvalue."""
    X = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 20))
    assert metrics.frechet_distance(X, X[::-1]) < 1e-12 * np.trace(np.cov(X.T))


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("name", [name for name in MEASURES if name != "kmeans"])
def test_a_shift_of_the_data_does_not_change_distances(name, shift):
    np.testing.assert_allclose(MEASURES[name](DYADIC + shift, 1), MEASURES[name](DYADIC, 1), rtol=1e-12)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_moves_the_centroids(shift):
    found = metrics.kmeans(DYADIC + shift, 3, rng=0) - shift
    np.testing.assert_allclose(found, metrics.kmeans(DYADIC, 3, rng=0), atol=1e-9)


@pytest.mark.parametrize("name", [name for name in MEASURES if name != "kmeans"])
def test_the_order_of_the_features_does_not_matter(name):
    np.testing.assert_allclose(
        MEASURES[name](DYADIC[:, ::-1].copy(), 1), MEASURES[name](DYADIC, 1), rtol=1e-12
    )


def test_the_order_of_examples_and_classes_does_not_matter(rng, backend):
    order, classes = rng.permutation(12), rng.permutation(4)
    loss, gradient = losses.softmax_cross_entropy(DYADIC, LABELS)
    moved, moved_gradient = losses.softmax_cross_entropy(DYADIC[order], LABELS[order])
    assert moved == pytest.approx(loss, rel=1e-14)
    np.testing.assert_array_equal(moved_gradient, gradient[order])
    renamed, by_class = losses.softmax_cross_entropy(DYADIC[:, classes].copy(), classes.argsort()[LABELS])
    assert renamed == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(by_class, gradient[:, classes], rtol=1e-14, atol=1e-16)
    assert metrics.silhouette_score(DYADIC[order], LABELS[order]) == pytest.approx(
        metrics.silhouette_score(DYADIC, LABELS), rel=1e-12
    )
    swapped = metrics.frechet_distance(DYADIC[order][:6], DYADIC[order][6:])
    assert swapped == pytest.approx(metrics.frechet_distance(DYADIC[order][6:], DYADIC[order][:6]), rel=1e-12)


def components(model: PCA) -> np.ndarray:
    """The projections on the components, which do not depend on their signs."""
    return model.components_.T @ model.components_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pca_follows_shifts_units_and_orders(dtype, rng):
    X = (DYADIC * [4, 2, 1, 0.5]).astype(dtype)
    model, order = PCA(2).fit(X), rng.permutation(4)
    scores = model.score_samples(X)
    for shift in (-3, 512):
        moved = PCA(2).fit(X + dtype(shift))
        np.testing.assert_allclose(components(moved), components(model), atol=1e-9)
        np.testing.assert_allclose(moved.score_samples(X + dtype(shift)), scores, rtol=1e-9)
    for power in (-60, 60):
        unit = dtype(2) ** power
        scaled = PCA(2).fit(X * unit)
        np.testing.assert_array_equal(components(scaled), components(model))
        assert scaled.noise_variance_ == model.noise_variance_ * float(unit) ** 2
        np.testing.assert_allclose(
            scaled.score_samples(X * unit), scores - 4 * np.log(float(unit)), rtol=1e-11
        )
    np.testing.assert_allclose(
        PCA(2).fit(X[:, order].copy()).score_samples(X[:, order].copy()), scores, rtol=1e-9
    )
    np.testing.assert_allclose(PCA(2).fit(X[::-1].copy()).score_samples(X), scores, rtol=1e-9)


@pytest.mark.parametrize("unit", [2.0**-600, 2.0**600])
def test_pca_refuses_variances_that_are_not_representable(unit):
    with pytest.raises(ValueError, match="^PCA.fit expected variances between"):
        PCA(2).fit(DYADIC * unit)


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "LDA": lambda: GaussianDiscriminant(shared=True),
    "QDA": lambda: GaussianDiscriminant(shared=False, shrinkage=0.2),
    "naive Bayes": GaussianNaiveBayes,
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_gaussian_classifiers_follow_shifts_units_and_orders(name, rng):
    X, order = DYADIC, rng.permutation(4)
    expected = CLASSIFIERS[name]().fit(X, LABELS).predict_proba(X)
    changes = [X + 512, X * 2.0**60, X * 2.0**-60, X[:, order].copy()]
    if name == "LDA":
        changes.append(X * 2.0 ** np.array([50, -50, 0, 9]))  # a unit for each feature
    for other in changes:
        found = CLASSIFIERS[name]().fit(other, LABELS).predict_proba(other)
        np.testing.assert_allclose(found, expected, rtol=1e-6 if other is changes[0] else 1e-9, atol=1e-12)
    renamed = CLASSIFIERS[name]().fit(X, 2 - LABELS).predict_proba(X)
    np.testing.assert_allclose(renamed[:, ::-1], expected, rtol=1e-9)
    for n in range(len(X)):
        alone = CLASSIFIERS[name]().fit(X, LABELS).predict_proba(X[n : n + 1])
        np.testing.assert_allclose(alone[0], expected[n], rtol=1e-12)


def test_a_hidden_markov_model_follows_shifts_and_the_order_of_states(rng):
    model, x = HiddenMarkovModel.gaussian(3, rng=0), DYADIC
    expected, path = model.score_samples(x), model.viterbi(x)
    model.emissions.mu.value += 512
    np.testing.assert_allclose(model.score_samples(x + 512), expected, rtol=1e-11)
    np.testing.assert_array_equal(model.viterbi(x + 512), path)
    model.emissions.mu.value -= 512
    order = np.array([2, 0, 1])
    for p in (model.start, model.emissions.mu, model.emissions.logvar):
        p.value[...] = p.value[order]
    model.transition.value[...] = model.transition.value[np.ix_(order, order)]
    np.testing.assert_allclose(model.score_samples(x), expected, rtol=1e-12)
    np.testing.assert_array_equal(order[model.viterbi(x)], path)
    for n in range(len(x)):
        np.testing.assert_allclose(model.score_samples(x[n : n + 1])[0], expected[n], rtol=1e-13)


def test_metrics_of_one_example_are_those_of_many():
    X, Y = DYADIC[:5], DYADIC[5:]
    for function in (metrics.nearest_distance, lambda A, B: metrics.parzen_log_likelihood(A, B, 0.3)):
        together = function(X, Y)
        for n in range(len(X)):
            np.testing.assert_allclose(function(X[n : n + 1], Y), together[n : n + 1], rtol=1e-13)


def test_a_kl_divergence_is_never_negative_and_zero_for_equal_distributions():
    for dtype in (np.float32, np.float64):
        info = np.finfo(dtype)
        small = np.concatenate(
            [np.logspace(np.log10(float(info.tiny)), 0, 4001), np.arange(4000) * float(info.eps)]
        )
        logvar = np.concatenate([small, -small]).astype(dtype)
        kl = Normal.kl(np.zeros_like(logvar), logvar)
        assert (kl >= 0).all()
        offset = np.logspace(-10, 3, 200).astype(dtype)
        assert (Normal.kl(offset[:, None], logvar[::40][None]) > 0).all()
        assert Normal.kl(dtype(3), dtype(0), dtype(3)) == 0


def test_probabilities_are_in_the_unit_interval_and_sum_to_one(rng):
    for dtype in (np.float32, np.float64):
        for size in (1e-30, 1.0, 30.0, 700.0, 1e30):
            p = Categorical.probabilities((size * rng.standard_normal((50, 7))).astype(dtype))
            assert ((p >= 0) & (p <= 1)).all()
            assert np.abs(p.sum(axis=1, dtype=np.float64) - 1).max() <= 7 * np.finfo(dtype).eps
            assert (
                Categorical.log_probabilities((size * rng.standard_normal((50, 7))).astype(dtype)) <= 0
            ).all()


def test_weights_of_attention_are_probabilities(backend):
    for given in ENTRIES["layers.attention.attention"].cases(np.float32, np.random.default_rng(2)):
        with np.errstate(all="ignore"):
            p = ENTRIES["layers.attention.attention"].call(*given)[1]
        p = p[np.isfinite(p).all(axis=(1, 2, 3))]
        assert ((p >= 0) & (p <= 1 + 1e-6)).all()
        np.testing.assert_allclose(p.sum(axis=3), 1, rtol=1e-6)
