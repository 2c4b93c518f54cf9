"""Hidden Markov model: the likelihood against all paths, gradients against posterior counts, EM."""

import itertools
import math

import numpy as np
import pytest

from scratchgen.distributions import Categorical
from scratchgen.gradcheck.checker import SMOOTH, check_model
from scratchgen.models import CastData, HiddenMarkovModel
from scratchgen.models.classical.base import NotConverged


def made(kind, rng, states=3, n=4, length=5):
    """A model and sequences for it."""
    if kind == "categorical":
        return HiddenMarkovModel.categorical(states, 4, rng=rng), rng.integers(4, size=(n, length))
    return HiddenMarkovModel.gaussian(states, rng=rng), 2 * rng.standard_normal((n, length))


def probabilities(model):
    return Categorical.probabilities(model.start.value), Categorical.probabilities(model.transition.value)


def paths(model, x):
    """Every path of states of one sequence (T,), and its joint probability with x."""
    start, A = probabilities(model)
    b = np.exp(model.emissions.log_prob(x[None]))[0]            # (T, K)
    for z in itertools.product(range(len(start)), repeat=len(x)):
        p = start[z[0]] * b[0, z[0]]
        for t in range(1, len(x)):
            p *= A[z[t - 1], z[t]] * b[t, z[t]]
        yield z, p


KINDS = pytest.mark.parametrize("kind", ["categorical", "gaussian"])


@KINDS
def test_hidden_markov_likelihood_is_the_sum_over_all_paths(kind, rng):
    """(HMM.1), (HMM.2): 243 paths, written out."""
    model, X = made(kind, rng)
    expected = [math.log(sum(p for _, p in paths(model, x))) for x in X]
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-10)
    assert model.loss(X)[0] == pytest.approx(-np.mean(expected), rel=1e-10)


@KINDS
def test_hidden_markov_gradient_is_posterior_counts(kind, rng):
    """(HMM.3), (HMM.4) against (HMM.5), (HMM.6), and both against the paths, weighted by p(z | x)."""
    model, X = made(kind, rng)
    _, cache = model.loss(X)
    grads = {name: -len(X) * g for name, g in model.backward(cache).items()}    # of Σ log p(x)
    states, steps = model.posterior_counts(X)
    np.testing.assert_allclose(grads["dlog_b"], states, atol=1e-12)
    np.testing.assert_allclose(grads["dlog_transition"], steps, atol=1e-12)
    np.testing.assert_allclose(grads["dlog_start"], states[:, 0].sum(axis=0), atol=1e-12)
    by_hand_states, by_hand_steps = np.zeros_like(states), np.zeros_like(steps)
    for n, x in enumerate(X):
        every = list(paths(model, x))
        total = sum(p for _, p in every)
        for z, p in every:
            by_hand_states[n, np.arange(5), z] += p / total
            for i, j in itertools.pairwise(z):
                by_hand_steps[i, j] += p / total
    np.testing.assert_allclose(states, by_hand_states, atol=1e-12)
    np.testing.assert_allclose(steps, by_hand_steps, atol=1e-12)
    assert steps.sum() == pytest.approx(4 * 4)                  # of each sequence, one less than its length


@KINDS
def test_hidden_markov_gradient_is_the_slope(kind, rng):
    """The gradients of all parameters, also through the softmaxes, for symbols and numbers."""
    model, X = made(kind, rng)
    results = check_model(model, lambda: model.loss(X), rng=rng, tolerance=SMOOTH)
    assert len(results) == len(model.parameters()) + 1
    assert all(r.verdict == "ok" for r in results)


def test_hidden_markov_of_one_step_is_a_mixture(rng):
    model, X = made("gaussian", rng, length=1)
    start, _ = probabilities(model)
    mu = model.emissions.mu.value
    density = (start * np.exp(-((X - mu) ** 2) / 2) / math.sqrt(2 * math.pi)).sum(axis=1)
    np.testing.assert_allclose(model.score_samples(X), np.log(density), rtol=1e-12)
    _, cache = model.loss(X)
    assert (model.backward(cache)["dlog_transition"] == 0).all()


@pytest.mark.filterwarnings("ignore::scratchgen.models.classical.base.NotConverged")
@KINDS
def test_hidden_markov_fit_sets_expected_shares(kind, rng):
    """(HMM.7): one step of EM against counts weighted over all paths. No step lowers the likelihood."""
    model, X = made(kind, rng, n=6)
    model.emissions.start_from(X)                   # as `fit` does at the start
    states, steps = model.posterior_counts(X)
    model.fit(X, iterations=1, smoothing=1e-12)
    start, A = probabilities(model)
    np.testing.assert_allclose(A, steps / steps.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(start, states[:, 0].sum(axis=0) / 6, atol=1e-9)
    if kind == "categorical":
        counts = np.stack([states[s == X].sum(axis=0) for s in range(4)], axis=1)
        shares = np.exp(Categorical.log_probabilities(model.emissions.logits.value))
        np.testing.assert_allclose(shares, counts / counts.sum(axis=1, keepdims=True), atol=1e-9)
    else:
        weight = states.sum(axis=(0, 1))
        mu = (states * X[..., None]).sum(axis=(0, 1)) / weight
        var = (states * (X[..., None] - mu) ** 2).sum(axis=(0, 1)) / weight
        np.testing.assert_allclose(model.emissions.mu.value, mu, rtol=1e-9)
        np.testing.assert_allclose(np.exp(model.emissions.logvar.value), var, rtol=1e-8)
    model.fit(X, iterations=30, smoothing=1e-12, warm_start=True)
    assert np.diff(model.history_).min() > -1e-9 and model.history_[-1] > model.history_[0] + 0.1
    assert model.history_[-1] == pytest.approx(model.score_samples(X).mean(), rel=1e-9)


def test_hidden_markov_finds_the_chain_that_made_the_data(rng):
    true = HiddenMarkovModel.gaussian(2, rng=rng)
    true.start.value[...] = np.log([0.6, 0.4])
    true.transition.value[...] = np.log([[0.9, 0.1], [0.3, 0.7]])
    true.emissions.mu.value[...] = [-1, 2]
    true.emissions.logvar.value[...] = np.log([0.5, 1.0])
    X = true.sample(300, rng=rng, length=20)
    model = HiddenMarkovModel.gaussian(2, rng=np.random.default_rng(1)).fit(X)
    order = np.argsort(model.emissions.mu.value)
    _, A = probabilities(model)
    np.testing.assert_allclose(A[order][:, order], [[0.9, 0.1], [0.3, 0.7]], atol=0.03)
    np.testing.assert_allclose(model.emissions.mu.value[order], [-1, 2], atol=0.1)
    assert model.history_[-1] >= true.score_samples(X).mean()   # better on its data than the truth


def test_hidden_markov_samples_have_the_frequencies_of_the_chain(rng):
    model, n = HiddenMarkovModel.categorical(2, 3, rng=rng), 20_000
    start, A = probabilities(model)
    B = np.exp(Categorical.log_probabilities(model.emissions.logits.value))
    X = model.sample(n, rng=rng, length=2)
    pairs = np.bincount(3 * X[:, 0] + X[:, 1], minlength=9).reshape(3, 3) / n
    expected = B.T @ (start[:, None] * A) @ B
    assert (np.abs(pairs - expected) < 5 * np.sqrt(expected / n)).all()


def test_hidden_markov_learns_by_its_gradient_too(rng):
    X = made("categorical", rng, n=40, length=8)[1] // 2 * 3    # the symbols 0 and 3 alone
    model = HiddenMarkovModel.categorical(2, 4, rng=rng)
    before = model.loss(X)[0]
    model.fit(X, iterations=50)
    by_em = model.loss(X)[0]
    other = HiddenMarkovModel.categorical(2, 4, rng=rng)
    other.trainer(X, epochs=200, batch_size=40, lr=0.1, rng=rng).run()
    assert by_em < before - 1
    assert other.loss(X)[0] == pytest.approx(by_em, abs=0.1)


@pytest.mark.filterwarnings("ignore::scratchgen.models.classical.base.NotConverged")
def test_hidden_markov_smoothing_keeps_a_state_without_visits(rng):
    model = HiddenMarkovModel.gaussian(3, rng=rng)
    model.emissions.mu.value[...] = [0, 1, 1e4]                 # too far for any observation
    X = rng.standard_normal((5, 6))
    model.fit(X, iterations=10)
    assert all(np.isfinite(p.value).all() for p in model.parameters().values())
    assert np.isfinite(model.score_samples(X)).all()
    symbols = HiddenMarkovModel.categorical(2, 4, rng=rng).fit(np.zeros((3, 5), np.int64))
    assert np.isfinite(symbols.score_samples(np.array([[3, 0, 1]]))).all()  # symbols that it never saw


def test_hidden_markov_state_on_one_value_keeps_a_variance(rng):
    X = np.array([[0.0, 0, 0, 0, 5, 7, 0, 0]])
    model = HiddenMarkovModel.gaussian(2, rng=rng).fit(X, iterations=200)
    assert np.exp(model.emissions.logvar.value).min() >= 0.999e-3 * X.var()
    assert np.isfinite(model.history_).all()


def test_gaussian_emissions_smoothing_counts_as_observations_like_the_data(rng):
    """The result is that with a second copy of the data, each observation weighted by smoothing / N."""
    model, smoothing = HiddenMarkovModel.gaussian(2, rng=rng), 3.0
    x, weights = 2 + rng.standard_normal((6, 5)), rng.random((6, 5, 2))
    model.emissions.maximise(x, weights, smoothing)
    values = np.concatenate([x.ravel(), x.ravel()])
    for k in (0, 1):
        w = np.concatenate([weights[..., k].ravel(), np.full(x.size, smoothing / x.size)])
        mean = np.average(values, weights=w)
        assert model.emissions.mu.value[k] == pytest.approx(mean, rel=1e-12)
        variance = np.average((values - mean) ** 2, weights=w)
        assert np.exp(model.emissions.logvar.value[k]) == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, rng: m.loss(X + 3), r"HiddenMarkovModel.loss expected symbols in 0\.\.3, got"),
        (lambda m, X, rng: m.score_samples(X[0]), r"of shape \(N, T\), at least one of them, got \(5,"),
        (lambda m, X, rng: m.score_samples(X[:0]), r"at least one of them, got \(0, 5\)"),
        (lambda m, X, rng: m.fit(X, smoothing=0), "finite smoothing > 0, got 0"),
        (lambda m, X, rng: m.sample(3, rng=rng, length=0), "sample expected length of at least 1, got 0"),
        (
            lambda m, X, rng: HiddenMarkovModel.categorical(0, 4, rng=rng),
            r"HiddenMarkovModel\.categorical expected states of at least 1",
        ),
        (
            lambda m, X, rng: HiddenMarkovModel.gaussian(0, rng=rng),
            r"HiddenMarkovModel\.gaussian expected states of at least 1",
        ),
        (
            lambda m, X, rng: HiddenMarkovModel.gaussian(2, rng=rng).fit(np.ones((3, 4))),
            "expected observations that vary, but all are equal",
        ),
        (
            lambda m, X, rng: HiddenMarkovModel.gaussian(2, rng=rng).loss(np.full((3, 4), np.nan)),
            "HiddenMarkovModel.loss expected finite numbers, got NaN",
        ),
    ],
)
def test_hidden_markov_bad_input_is_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(*made("categorical", rng), rng)


def test_hidden_markov_wrong_types_are_named(rng):
    model, X = made("categorical", rng)
    with pytest.raises(TypeError, match="expected an array of integers, the symbols, got dtype float64"):
        model.score_samples(X * 0.9)
    with pytest.raises(ValueError, match=r"a list of arrays \(T,\), got list at index 0; pass np.asarray\(x"):
        model.score_samples(X.tolist())


def test_hidden_markov_casts_whole_numbers_to_symbols_and_integers_to_numbers(rng):
    model, X = made("categorical", rng)
    with pytest.warns(CastData, match=r"score_samples casts data of float64 to int64") as caught:
        found = model.score_samples(X * 1.0)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(found, model.score_samples(X))
    with pytest.warns(CastData, match="fit, in sequence 1, casts data of float32 to int64"):
        model.fit([X[0], X[1].astype(np.float32)], iterations=1, tolerance=1e9)
    gaussian, numbers = HiddenMarkovModel.gaussian(2, rng=rng), rng.integers(0, 9, (5, 6))
    with pytest.warns(CastData, match="loss casts data of int64 to float64"):
        loss, _ = gaussian.loss(numbers)
    assert loss == gaussian.loss(numbers.astype(np.float64))[0]


def test_hidden_markov_gradient_keeps_its_digits_in_float32_after_an_outlier(rng):
    """With an outlier at 1,000, log p(x) is near −500,000, and differences of states are about 1."""
    single = HiddenMarkovModel.gaussian(3, rng=np.random.default_rng(0), dtype=np.float32)
    double = HiddenMarkovModel.gaussian(3, rng=np.random.default_rng(0))
    for p, twin in zip(single.parameters().values(), double.parameters().values(), strict=True):
        twin.value[...] = p.value
    x = rng.normal(size=(4, 12)).astype(np.float32)
    x[:, 3] = 1000
    grads = [m.backward(m.loss(data)[1]) for m, data in ((single, x), (double, x.astype(np.float64)))]
    for model, of_model in zip((single, double), grads, strict=True):
        of_model.update({name: p.grad for name, p in model.parameters().items()})
    for name, expected in grads[1].items():
        np.testing.assert_allclose(grads[0][name], expected, atol=1e-5 * np.abs(expected).max())
    states, _ = single.posterior_counts(x)
    np.testing.assert_allclose(states.sum(axis=2), 1, atol=1e-9)


def test_hidden_markov_refuses_observations_far_from_every_state(rng):
    model = HiddenMarkovModel.gaussian(2, rng=rng)
    x = rng.normal(size=(4, 3))
    x[2, 1] = 1e200
    for method in (model.score_samples, model.posterior_counts, model.loss, model.fit):
        with pytest.raises(ValueError, match=r"too far from all states \(first in row 2\)"):
            method(x)


def test_gaussian_hidden_markov_fit_does_not_depend_on_units(rng):
    """log p(a·x + b) = log p(x) − T·log a after a whole fit, as for other units of temperature."""
    z = np.repeat(rng.integers(2, size=(8, 10)), 4, axis=1)
    X = 4.0 * z + rng.standard_normal(z.shape)
    X = (X - X.mean()) / X.std()
    plain = HiddenMarkovModel.gaussian(2, rng=3).fit(X, iterations=30, tolerance=0)
    for scale, offset in ((2.0, 289.0), (0.001, 0.0), (1000.0, 5000.0)):
        model = HiddenMarkovModel.gaussian(2, rng=3).fit(scale * X + offset, iterations=30, tolerance=0)
        expected = plain.history_[-1] - X.shape[1] * np.log(scale)
        assert model.history_[-1] == pytest.approx(expected, abs=1e-4)


def test_gaussian_hidden_markov_starts_from_parameters_that_were_set(rng):
    model = HiddenMarkovModel.gaussian(2, rng=3)
    model.emissions.mu.value[...] = 1, 2
    model.emissions.start_from(100 + rng.standard_normal((3, 5)))
    assert model.emissions.mu.value.tolist() == [1, 2]


@KINDS
def test_viterbi_path_is_the_most_likely_of_all_paths(kind, rng):
    """(HMM.8), (HMM.9) against 243 paths, written out."""
    for _ in range(5):
        model, X = made(kind, rng)
        found = model.viterbi(X)
        assert found.shape == X.shape and found.dtype == np.int64
        for x, path in zip(X, found, strict=True):
            best, _ = max(paths(model, x), key=lambda pair: pair[1])
            assert tuple(path) == best


def test_viterbi_path_is_not_the_most_likely_state_of_each_step():
    """The first state alone is most likely 0, but the likeliest path starts in 1, which is seldom left."""
    model = HiddenMarkovModel.categorical(3, 2, rng=0)
    model.start.value[...] = np.log([0.4, 0.32, 0.28])
    model.transition.value[...] = np.log([[0.35, 0.35, 0.3], [0.01, 0.98, 0.01], [0.01, 0.01, 0.98]])
    model.emissions.logits.value[...] = 0
    X = np.zeros((1, 2), np.int64)
    assert model.posterior_counts(X)[0][0, 0].argmax() == 0
    assert model.viterbi(X).tolist() == [[1, 1]]


def test_viterbi_of_a_long_sequence_does_not_underflow(rng):
    """A product of 20,000 probabilities is far below the smallest float; clear emissions give the states."""
    model = HiddenMarkovModel.gaussian(2, rng=0)
    model.emissions.mu.value[...] = -5, 5
    states = rng.integers(2, size=(1, 20_000))
    np.testing.assert_array_equal(model.viterbi(np.where(states, 5.0, -5.0)), states)


@KINDS
def test_sequences_of_different_lengths_are_scored_and_decoded_each_as_alone(kind, rng):
    model, X = made(kind, rng, n=6)
    ragged = [x[:length] for x, length in zip(X, (5, 1, 3, 5, 2, 3), strict=True)]
    np.testing.assert_allclose(
        model.score_samples(ragged), [model.score_samples(x[None])[0] for x in ragged], rtol=1e-12
    )
    decoded = model.viterbi(ragged)
    assert isinstance(decoded, list)
    for path, x in zip(decoded, ragged, strict=True):
        np.testing.assert_array_equal(path, model.viterbi(x[None])[0])
    np.testing.assert_array_equal(model.score_samples(list(X)), model.score_samples(X))


@pytest.mark.filterwarnings("ignore::scratchgen.models.classical.base.NotConverged")
@KINDS
def test_fit_on_sequences_of_different_lengths_weighs_them_by_their_paths(kind, rng):
    """(HMM.7): one step against the counts of every path of every sequence; no step lowers the likelihood."""
    model, X = made(kind, rng, n=5)
    ragged = [x[:length] for x, length in zip(X, (5, 2, 4, 2, 1), strict=True)]
    if kind == "gaussian":
        model.emissions.logvar.value[...] = 0.1         # otherwise fit starts from the data
    start, steps = np.zeros(3), np.zeros((3, 3))
    for x in ragged:
        every = list(paths(model, x))
        for z, p in every:
            share = p / sum(p for _, p in every)
            start[z[0]] += share
            for a, b in itertools.pairwise(z):
                steps[a, b] += share
    model.fit(ragged, iterations=1, smoothing=1e-12)
    np.testing.assert_allclose(probabilities(model)[0], start / start.sum(), atol=1e-10)
    np.testing.assert_allclose(probabilities(model)[1], steps / steps.sum(axis=1, keepdims=True), atol=1e-10)
    model.fit(ragged, iterations=20, warm_start=True)
    assert (np.diff(model.history_) > -1e-4).all()
    assert model.history_[-1] == pytest.approx(model.score_samples(ragged).mean(), rel=1e-12)


@pytest.mark.filterwarnings("ignore::scratchgen.models.classical.base.NotConverged")
@KINDS
def test_list_of_equal_lengths_is_fitted_to_the_same_bits_as_an_array(kind, rng):
    X = made(kind, rng, n=6)[1]
    models = [made(kind, np.random.default_rng(2))[0].fit(data, iterations=5) for data in (X, list(X))]
    for name, p in models[0].parameters().items():
        np.testing.assert_array_equal(models[1].parameters()[name].value, p.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "fit expected at least one sequence, got an empty list"),
        ([np.zeros((2, 3), int)], r"expected a list of arrays \(T,\), got shape \(2, 3\) at index 0"),
        ([np.zeros(2, int), [0, 1]], "got list at index 1"),
        ([np.zeros(2, int), np.array([], int)], "in sequence 1, expected sequences of shape"),
        ([np.zeros(2, int), np.array([7])], r"in sequence 1, expected symbols in 0\.\.3, got 7"),
    ],
)
def test_list_that_is_not_of_sequences_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        HiddenMarkovModel.categorical(2, 4, rng=0).fit(data)


def test_fit_that_ends_before_it_converges_warns(rng):
    X = rng.standard_normal((5, 20))
    message = r"^HiddenMarkovModel\.fit ended after 3 iterations.* tolerance of 1e-06"
    with pytest.warns(NotConverged, match=message):
        HiddenMarkovModel.gaussian(2, rng=0).fit(X, iterations=3)
    HiddenMarkovModel.gaussian(2, rng=0).fit(X, iterations=3, tolerance=10)     # warnings are errors
