"""Labels of any kind, seeds, warm starts, training in parts, dtypes, warnings, and the optional import."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from scratchgen import models
from scratchgen import sklearn as ours
from scratchgen.training.schedules import Cosine

X, labels = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
SMALL = {"epochs": 3, "random_state": 0}
CLASSIFIERS = {
    "LinearDiscriminant": {}, "GaussianNB": {}, "BernoulliNB": {}, "KNeighbors": {}, "DecisionTree": {},
    "LogisticRegression": {}, "LinearSVM": SMALL, "MLP": SMALL, "BayesClassifier": {},
}  # fmt: skip
FLOWS = {
    "NICE": {"hidden": 8, **SMALL}, "RealNVP": {"hidden": 8, "couplings": 2, **SMALL},
    "FlowMatching": {"hidden": 8, "blocks": 1, **SMALL},
}  # fmt: skip
TRAINED = {
    **FLOWS,
    "MLP": {"hidden": 8, **SMALL},
    "LinearSVM": SMALL,
    "Autoencoder": {"hidden": 8, **SMALL},
    "VAE": {"hidden": 8, **SMALL},
    "MADE": {"hidden": 8, **SMALL},
}


def build(name, **settings):
    return getattr(ours, name)(**{**CLASSIFIERS, **TRAINED}.get(name, {}) | settings)


def weights(estimator):
    return np.concatenate([p.value.ravel() for p in estimator.model_.parameters().values()])


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("kind", ["U1", object, int])
def test_labels_of_any_kind(name, kind):
    """The classes are sorted; renaming them does not change a prediction."""
    names = np.array([-1, 7, 3] if kind is int else ["b", "a", "c"], kind)
    ranks = np.argsort(np.argsort(names))
    model, plain = build(name).fit(X.tolist(), list(names[labels])), build(name).fit(X, ranks[labels])
    np.testing.assert_array_equal(model.classes_, np.sort(names))
    np.testing.assert_array_equal(model.predict(X), model.classes_[plain.predict(X)])
    assert model.n_features_in_ == 4


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_one_class_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name}.fit expected at least 2 classes, got 1 class, 'a'"):
        build(name).fit(X, ["a"] * len(X))


@pytest.mark.parametrize("name", ["LinearDiscriminant", "MLP", "LogisticRegression", "BayesClassifier"])
def test_scores_of_two_classes_are_one_column(name):
    y = np.where(labels == 0, "no", "yes")
    model = build(name).fit(X, y)
    scores, p = model.decision_function(X), model.predict_proba(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), p[:, 1], atol=1e-9)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, atol=1e-9)
    np.testing.assert_array_equal(model.predict(X) == "yes", scores > 0)


def test_svm_of_two_classes_has_the_scores_of_its_coefficients():
    model = ours.LinearSVM(epochs=50, random_state=0).fit(X, labels > 0)
    np.testing.assert_allclose(model.decision_function(X), (X @ model.coef_.T + model.intercept_)[:, 0])
    assert model.score(X, labels > 0) == 1


@pytest.mark.parametrize("name", TRAINED)
def test_fit_starts_anew_and_warm_start_continues(name):
    first, again = build(name).fit(X, labels), build(name).fit(X[::-1] * 2, labels[::-1]).fit(X, labels)
    np.testing.assert_array_equal(weights(first), weights(again))
    assert len(first.loss_curve_) == 3
    warm = build(name, warm_start=True).fit(X, labels)
    np.testing.assert_array_equal(weights(warm), weights(first))
    warm.set_params(epochs=10).fit(X, labels)
    assert len(warm.loss_curve_) == 10 and np.mean(warm.loss_curve_) < np.mean(first.loss_curve_)


@pytest.mark.parametrize("name", TRAINED)
def test_partial_fit_continues_to_the_same_bits_after_pickling(name):
    """The optimiser keeps its moments, also in a pickled copy."""
    model = build(name)
    for part in (slice(0, 60), slice(60, 150)):
        of_classes = (labels[part], [0, 1, 2]) if hasattr(model, "predict") else (None,)
        model.partial_fit(X[part], *of_classes)
    steps = model._optimizer.steps
    copy = pickle.loads(pickle.dumps(model))
    for estimator in (model, copy):
        estimator.partial_fit(X, labels)
    assert model._optimizer.steps == steps + 2
    np.testing.assert_array_equal(weights(model), weights(copy))
    assert (weights(model) != weights(build(name).fit(X, labels))).any()


@pytest.mark.parametrize("name", ["MLP", "LinearSVM"])
def test_partial_fit_learns_from_parts_without_some_classes(name):
    names = np.array(["setosa", "versicolor", "virginica"])
    model = build(name, lr=0.05)
    with pytest.raises(ValueError, match=f"{name}.partial_fit expected all classes in the first call"):
        model.partial_fit(X, names[labels])
    for _ in range(30):
        for k in (0, 2, 1):
            model.partial_fit(X[labels == k][:25], names[labels[labels == k]][:25], classes=names[::-1])
        model.partial_fit(X, names[labels])
    assert model.score(X, names[labels]) > 0.85
    with pytest.raises(ValueError, match=r"partial_fit expected labels that occurred .*, got 'rosa'"):
        model.partial_fit(X[:1], ["rosa"])
    with pytest.raises(ValueError, match="partial_fit expected lr to be a number, got Cosine"):
        model.set_params(lr=Cosine(0.1)).partial_fit(X, names[labels])


@pytest.mark.parametrize("name", TRAINED)
def test_results_have_the_dtype_of_the_data(name):
    for dtype, expected in ((np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float64)):
        data = (3 * X).astype(dtype)
        model = build(name, epochs=1).fit(data, labels)
        assert model.model_.dtype == expected
        for method in ("transform", "decision_function"):
            if hasattr(model, method):
                assert getattr(model, method)(data.tolist()).dtype == expected
        if hasattr(model, "sample"):
            assert model.sample(2).dtype == expected


@pytest.mark.parametrize("name", [*FLOWS, "PCA"])
def test_codes_are_mapped_back_to_the_examples(name):
    model = build(name).fit(X)
    Z = model.transform(X)
    assert Z.shape == X.shape and list(model.get_feature_names_out())[0] == f"{name.lower()}0"
    np.testing.assert_allclose(model.inverse_transform(Z), X, atol=1e-3 if name == "FlowMatching" else 1e-9)


@pytest.mark.parametrize("name", [*FLOWS, "VAE", "MADE"])
def test_densities_score_and_sample(name):
    model = build(name).fit(X)
    scores = model.score_samples(X)
    assert scores.shape == (150,) and model.score(X) == pytest.approx(scores.mean())
    assert model.sample(7).shape == (7, 4)
    np.testing.assert_array_equal(model.sample(7), model.sample(7, random_state=0))
    assert (model.sample(7) != model.sample(7, random_state=1)).any()
    with pytest.raises(NotFittedError):
        build(name).sample(1)


def test_longer_training_of_a_flow_raises_its_score():
    few, many = (ours.RealNVP(hidden=16, couplings=4, epochs=e, random_state=0).fit(X) for e in (1, 60))
    assert many.score(X) > few.score(X) + 1


def test_vae_of_zeros_and_ones_and_autoencoder_of_a_range():
    ones = (X > 0).astype(float)
    vae = ours.VAE(hidden=8, observation="bernoulli", epochs=3, random_state=0).fit(ones)
    assert set(np.unique(vae.sample(20))) <= {0, 1} and (vae.score_samples(ones) < 0).all()
    with pytest.raises(ValueError, match="VAE.fit expected observation to be 'normal' or 'bernoulli'"):
        ours.VAE(observation="beta").fit(X)
    scaled = ours.Autoencoder(hidden=8, output_range=(-1, 1), epochs=3, random_state=0)
    with pytest.raises(ValueError, match=r"Autoencoder.fit expected values within \[-1, 1\]"):
        scaled.fit(X)
    back = scaled.fit(X / 5).inverse_transform(100 * np.eye(2))
    assert -1 <= back.min() < back.max() <= 1


def test_longer_training_of_an_autoencoder_raises_its_score():
    few, many = (ours.Autoencoder(epochs=e, random_state=0).fit(X) for e in (1, 60))
    assert few.score(X) < many.score(X) < 0


def test_logistic_regression_warns_and_starts_warm():
    with pytest.warns(ConvergenceWarning, match="LogisticRegression.fit ended after 2 iterations"):
        ours.LogisticRegression(max_iter=2).fit(X, labels)
    model = ours.LogisticRegression(warm_start=True).fit(X, labels)
    assert model.n_iter_ > 5 and model.fit(X, labels).n_iter_ == 0
    with pytest.raises(ValueError, match="with warm_start expected weight of shape"):
        model.fit(X[:, :2], labels)
    for estimator in (ours.LogisticRegression(C=0), ours.LinearSVM(C=-1)):
        with pytest.raises(ValueError, match=r"fit expected C > 0, got"):
            estimator.fit(X, labels)


def test_features_that_are_not_seen_are_integrated_out():
    seen = np.array([False, False, True, True])
    hidden = np.where(seen, X, 1e6)
    for name in ("LinearDiscriminant", "QuadraticDiscriminant", "GaussianNB"):
        model = getattr(ours, name)().fit(X, labels)
        p = model.predict_proba(hidden, seen=seen)
        np.testing.assert_allclose(p, model.predict_proba(X, seen=seen))
        alone = getattr(ours, name)(**({"var_smoothing": 0} if name == "GaussianNB" else {}))
        np.testing.assert_allclose(p, alone.fit(X[:, seen], labels).predict_proba(X[:, seen]), atol=1e-6)
        assert (model.predict(hidden, seen=seen) == labels).mean() > 0.9


def test_examples_of_a_class_are_drawn():
    names = np.array(["a", "b", "c"])
    for model in (ours.LinearDiscriminant(random_state=0), ours.BayesClassifier(ours.PCA(3), random_state=0)):
        drawn = model.fit(X, names[labels]).sample(300, y=["c"] * 300)
        np.testing.assert_allclose(drawn.mean(axis=0), X[labels == 2].mean(axis=0), atol=0.2)
        assert model.sample(5).shape == (5, 4)
        with pytest.raises(ValueError, match="sample expected labels that occurred .*, got 'd'"):
            model.sample(1, y=["d"])


@pytest.mark.parametrize(
    "density",
    [
        ours.PCA(3), KernelDensity(bandwidth=0.4), GaussianMixture(1),
        pytest.param(
            ours.RealNVP(hidden=16, couplings=2, epochs=150, lr=0.02, random_state=0), marks=pytest.mark.slow
        ),
    ],
)
def test_bayes_classifier_over_any_density(density):
    """score_samples is log Σ_y p(y)·p(x | y) of the densities of the classes."""
    model = ours.BayesClassifier(density, random_state=0).fit(X, labels)
    np.testing.assert_array_equal(model.sample(9), model.sample(9))
    assert model.score(X, labels) > 0.93 and len(model.densities_) == 3
    each = np.stack([d.score_samples(X) for d in model.densities_], axis=1)
    np.testing.assert_allclose(model.score_samples(X), np.log(np.exp(each).mean(axis=1)), rtol=1e-6)
    assert model.sample(4).shape == (4, 4)


@pytest.mark.parametrize("density", [None, ours.PCA(2), KernelDensity(bandwidth=0.4)])
def test_bayes_classifier_passes_weights_on_to_its_densities(density):
    """An example of weight 2 counts as two equal examples, in p(y) and in each density."""
    w = np.random.default_rng(0).integers(0, 4, 150)
    weighted = ours.BayesClassifier(density).fit(X, labels, sample_weight=w)
    repeated = ours.BayesClassifier(density).fit(X.repeat(w, axis=0), labels.repeat(w))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(weighted.score_samples(X), repeated.score_samples(X), rtol=1e-6)
    plain = ours.BayesClassifier(density).fit(X, labels)
    assert np.abs(weighted.score_samples(X) - plain.score_samples(X)).max() > 1e-3


@pytest.mark.parametrize("density", [ours.RealNVP(), GaussianMixture(1)])
def test_bayes_classifier_refuses_weights_for_a_density_without_them(density):
    who = type(density).__name__
    with pytest.raises(ValueError, match=rf"expected no sample_weight, because {who}.fit takes none"):
        ours.BayesClassifier(density).fit(X, labels, sample_weight=np.ones(150))


def test_weights_of_neighbours_count_as_repetitions():
    w = np.random.default_rng(0).integers(0, 4, 150)
    weighted = ours.KNeighbors().fit(X, labels, sample_weight=w)
    repeated = ours.KNeighbors().fit(X.repeat(w, axis=0), labels.repeat(w))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-12)
    assert (weighted.predict_proba(X) != ours.KNeighbors().fit(X, labels).predict_proba(X)).any()


def test_estimators_hold_models_of_the_library():
    assert type(build("MLP").fit(X, labels).model_) is models.MLPClassifier
    assert ours.DecisionTree(max_depth=1).fit(X, labels).n_leaves_ == 2


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_import_without_scikit_learn_says_how_to_install_it():
    for statement in ("import scratchgen.sklearn", "import scratchgen; scratchgen.sklearn"):
        done = run(f"import sys; sys.modules['sklearn'] = None; {statement}")
        assert done.returncode == 1
        assert done.stderr.rstrip().endswith(
            'scratchgen.sklearn needs scikit-learn; install it with pip install "scratchgen[sklearn]"'
        )


@pytest.mark.slow
def test_scikit_learn_is_imported_only_with_the_package():
    code = (
        "import sys, scratchgen\n"
        "for name in scratchgen.__all__: getattr(scratchgen, name)\n"
        "assert 'sklearn' not in sys.modules\n"
        "assert scratchgen.sklearn.MLP\n"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
