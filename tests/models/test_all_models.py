"""Common tests of all public models.

Each family's cases.py has a small example of each of its models. A test fails if a public model has none.
"""

import functools
import inspect
import math
import warnings

import numpy as np
import pytest

from scratchgen import models
from scratchgen.models import GAN, CastData, Estimator, Model, NoLikelihood
from scratchgen.models.cases import EXAMPLES
from scratchgen.training.loop import Callback

N, D, CLASSES = 24, 6, 3
RUN = {"epochs": 1, "batch_size": 8}
KINDS = {example.name: example for example in EXAMPLES}
EACH = pytest.mark.parametrize("name", sorted(KINDS))


def built(name, seed=0):
    return KINDS[name].build(np.random.default_rng(seed))


def data(name):
    """Training data (X, y); y is None for a model without labels."""
    rng = np.random.default_rng(5)
    y = np.arange(N) % CLASSES if KINDS[name].classes else None
    X = KINDS[name].text or rng.random(KINDS[name].shape).astype(np.float32)
    return X, y


def fitted(name, rng=3):
    """A model, fitted to small data."""
    model, (X, y), run = built(name), data(name), KINDS[name].fit
    return model.fit(X, y, **({} if run is None else {**run, "rng": rng}))


def labels_of(name, n):
    """Labels for `sample` and others, where they are needed."""
    return {"y": np.arange(n) % CLASSES} if KINDS[name].given_labels else {}


def outputs(model, name, X=None):
    """The outputs of a fitted model for its data: codes, predictions, log-likelihoods, or a text's score."""
    own, y = data(name)
    X = own if X is None else X
    if isinstance(X, str):
        return [model.log_probabilities(X)]
    found = []
    known = (y,) if KINDS[name].given_labels else ()
    binary = np.round(X) if hasattr(model, "binarisation") and X.dtype.kind == "f" else X
    for method in ("transform", "predict_proba", "predict", "predict_real", "critic_score", "score_samples"):
        if hasattr(model, method):
            try:
                found.append(getattr(model, method)(binary, *known if method != "predict" else ()))
            except (NoLikelihood, TypeError) as error:
                assert type(model).__name__ in str(error), "the error of a missing method names the model"
    assert found
    return found


def test_every_public_model_has_an_example():
    classes = [getattr(models, name) for name in models.__all__]
    public = {c.__name__ for c in classes if inspect.isclass(c) and issubclass(c, Estimator)}
    # The data of a Translator are pairs of sentences. tests/models/text/test_translator.py has its tests.
    assert set(KINDS) == public - {"Estimator", "Model", "Translator"}


@EACH
def test_model_shows_its_settings(name):
    model = built(name)
    text = repr(model)
    assert text.startswith(f"{name}(") and text.endswith(")") and " at 0x" not in text
    for network in ("encoder", "decoder"):
        assert (f"{network}=Sequential(" in text) == hasattr(model, network)
    shown = ("shrinkage=0.3", "smoothing=0.1", "threshold=0.5", "max_depth=2", "l2=0.1", "penalty=10.0")
    for setting in shown:
        key, value = setting.split("=")
        if getattr(model, key, None) == float(value):
            assert setting in text


@EACH
def test_model_refuses_labels_that_it_cannot_use(name):
    if KINDS[name].classes:
        model, (X, _) = built(name), data(name)
        with pytest.raises(ValueError, match=rf"^{name}\.fit expected labels y"):
            model.fit(X, **({} if KINDS[name].fit is None else {**RUN, "rng": 0}))
        return
    model, (X, _), run = built(name), data(name), KINDS[name].fit
    with pytest.raises(ValueError, match=rf"^{name}\.fit expected no labels y: "):
        model.fit(X, np.zeros(N, int), **({} if run is None else {**run, "rng": 0}))


@EACH
def test_model_takes_a_seed_for_a_generator(name):
    """`fit` and `sample` with rng=3 are those with default_rng(3); another seed differs, if it is used."""
    first, second = fitted(name, 3), fitted(name, np.random.default_rng(3))
    for a, b in zip(outputs(first, name), outputs(second, name), strict=True):
        np.testing.assert_array_equal(a, b)
    try:
        ours = first.sample(4, rng=7, **labels_of(name, 4))
    except TypeError as error:
        assert str(error).startswith(f"{name} cannot sample")
        return
    theirs = second.sample(4, rng=np.random.default_rng(7), **labels_of(name, 4))
    np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(ours, first.sample(4, rng=8, **labels_of(name, 4))) or ours.dtype.kind in "iu"


@EACH
def test_model_constructor_takes_a_seed_for_a_generator(name):
    ours, theirs = KINDS[name].build(4), KINDS[name].build(np.random.default_rng(4))
    if not isinstance(ours, Model):
        return
    for (key, p), q in zip(ours.parameters().items(), theirs.parameters().values(), strict=True):
        np.testing.assert_array_equal(p.value, q.value, err_msg=key)


@EACH
def test_model_samples_have_the_shape_and_dtype_of_the_data(name):
    model, (X, _) = fitted(name), data(name)
    try:
        found = model.sample(5, rng=0, **labels_of(name, 5))
    except TypeError:
        return
    if isinstance(X, str):
        length = getattr(model, "window", 100)
        assert found.shape == (5, length) and set(np.unique(found)) <= {0, 1, 2}
        return
    width = 1 if name == "HiddenMarkovModel" else X.shape[1]
    assert found.shape == (5, width) and found.dtype.kind == "f" and np.isfinite(found).all()
    with pytest.raises(ValueError, match=rf"^{name}\.sample expected n .*at least 1, got 0"):
        model.sample(0, rng=0, **labels_of(name, 0))


@EACH
def test_model_prior_sample_fits_inverse_transform(name):
    """Models with latent codes have prior_sample(n, rng=, y=), whose codes decode to examples."""
    model = fitted(name)
    if not hasattr(model, "prior_sample"):
        return
    assert list(inspect.signature(model.prior_sample).parameters) == ["n", "rng", "y"]
    codes = model.prior_sample(5, rng=0, **labels_of(name, 5))
    assert codes.shape == (5, model.code)
    same = model.prior_sample(5, rng=np.random.default_rng(0), **labels_of(name, 5))
    np.testing.assert_array_equal(codes, same)
    X, _ = data(name)
    assert model.inverse_transform(codes, **labels_of(name, 5)).shape == (5, X.shape[1])
    if not KINDS[name].classes:
        with pytest.raises(ValueError, match=rf"^{name}\.prior_sample expected no labels y: "):
            model.prior_sample(5, rng=0, y=np.zeros(5, int))
    with pytest.raises(ValueError, match=rf"^{name}\.prior_sample expected n of at least 1, got 0"):
        model.prior_sample(0, rng=0, **labels_of(name, 0))


@EACH
def test_model_fit_lists_its_arguments(name):
    parameters = inspect.signature(type(built(name)).fit).parameters
    if name != "BayesClassifier":               # it passes them to the models of its classes
        assert not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    if KINDS[name].fit is not None:
        assert {"epochs", "rng", "batch_size", "lr", "callbacks", "validate"} <= set(parameters)
        trainer = set(inspect.signature(type(built(name)).trainer).parameters)
        assert set(parameters) <= trainer | {"self"}


@EACH
def test_model_refuses_data_by_the_name_of_fit(name):
    (X, y), model = data(name), built(name)
    settings = {} if KINDS[name].fit is None else {**RUN, "rng": 0}
    bad = [""] if isinstance(X, str) else [X * np.nan, X[:0], X[0], X.astype(complex), X.tolist()]
    for X_bad in bad:
        labels = None if y is None else y[: len(X_bad)]
        with pytest.raises((ValueError, TypeError), match=rf"^{name}\.fit expected"):
            model.fit(X_bad, labels, **settings)
    if not isinstance(X, str) and name not in {"HiddenMarkovModel"} and isinstance(model, Model):
        with pytest.raises(ValueError, match=rf"^{name}\.fit expected"):
            model.fit(X[:, :-1], y, **settings)


@EACH
@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_model_casts_numbers_of_another_dtype_and_says_so(name, dtype):
    """The results are those of data in the dtype of the model. Warnings name the method and this file."""
    X, y = data(name)
    if isinstance(X, str) or name == "HiddenMarkovModel":       # a text, and a sequence
        return
    X, ours, theirs = np.round(X), built(name), built(name)
    own = np.dtype(np.float64) if getattr(ours, "dtype", None) is None else ours.dtype
    settings = {} if KINDS[name].fit is None else {**KINDS[name].fit, "rng": 3}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours.fit(X.astype(dtype), y, **settings)
        found = outputs(ours, name, X.astype(dtype))
    expected = outputs(theirs.fit(X.astype(own), y, **settings), name, X.astype(own))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    said = [str(warning.message) for warning in caught if warning.category is CastData]
    assert len(said) == (len(found) + 1 if dtype != own else 0)
    change = f"casts data of {np.dtype(dtype)} to {own}. To avoid this warning, pass X.astype(np.{own})"
    assert all(text.startswith(f"{name}.") and change in text for text in said)
    assert all(warning.filename == __file__ for warning in caught)
    assert dtype == own or said[0].startswith(f"{name}.fit ")


@EACH
def test_model_casts_codes_of_another_dtype(name):
    model = fitted(name)
    if not hasattr(model, "inverse_transform"):
        return
    codes = np.ones((5, model.code), int)
    with pytest.warns(CastData, match=rf"^{name}\.inverse_transform casts data of int64 to float"):
        found = model.inverse_transform(codes, **labels_of(name, 5))
    own = getattr(model, "dtype", np.float64)
    expected = model.inverse_transform(codes.astype(own), **labels_of(name, 5))
    np.testing.assert_array_equal(found, expected)


@EACH
def test_model_is_not_changed_by_its_methods(name):
    """Calls change no parameter, buffer, fitted attribute or data, and repeated calls give equal results."""
    model, (X, _) = fitted(name), data(name)
    before = {key: np.copy(value) for key, value in arrays(model).items()}
    X_before = X if isinstance(X, str) else X.copy()
    first = outputs(model, name)
    second = outputs(model, name)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    for key, value in arrays(model).items():
        np.testing.assert_array_equal(value, before[key], err_msg=key)
    assert np.array_equal(X, X_before)


def arrays(model):
    found = {key: value for key, value in vars(model).items() if isinstance(value, np.ndarray)}
    if isinstance(model, Model):
        found |= {key: p.value for key, p in model.parameters().items()} | model.buffers()
    return found


@EACH
def test_model_likelihood_says_what_score_samples_returns(name):
    model = fitted(name)
    assert model.likelihood in ("exact", "lower bound", "importance-sampled", None)
    if model.likelihood is None:
        with pytest.raises(NoLikelihood, match=f"^{name} has no likelihood: "):
            model.score_samples(np.zeros((2, D), np.float32))
    elif not isinstance(data(name)[0], str):
        X = np.round(data(name)[0])
        known = (np.arange(N) % CLASSES,) if KINDS[name].given_labels else ()
        assert model.score_samples(X, *known).shape == (N,)


@EACH
def test_model_trained_by_gradients_has_a_summary_of_its_parameters(name):
    model = built(name)
    if not isinstance(model, Model):
        assert not hasattr(model, "trainer") and not hasattr(model, "parameters")
        return
    total = sum(p.size for p in model.parameters().values())
    assert f"{total:,}" in str(model.summary())


@EACH
def test_model_attributes_are_set_by_the_constructor_or_fit_alone(name):
    """`fit` adds no attributes to a model trained by gradients; it does not store `augment`."""
    if KINDS[name].fit is None:
        return
    before = set(vars(built(name)))
    assert set(vars(fitted(name))) == before and "augment" not in before


@EACH
def test_model_caches_of_more_than_two_entries_have_names(name):
    model = built(name)
    if not isinstance(model, Model) or isinstance(model, GAN):
        return
    X, y = data(name)
    x = np.zeros((3, 4), int) if isinstance(X, str) else np.round(X[:3])
    labels = () if y is None else (y[:3],)
    loss, cache = model.loss(x, *labels, rng=np.random.default_rng(0), training=True)
    assert math.isfinite(loss) and hasattr(cache, "_fields")
    grads = model.backward(cache)
    assert grads and all(isinstance(g, np.ndarray) for g in grads.values())


SETTINGS = {
    "epochs": [2.5, -1, "x", None, True, math.nan],
    "batch_size": [0, -1, 2.5, "x", None, True],
    "lr": [-1, math.nan, math.inf, "x", [], True],
    "discriminator_lr": [-1, math.nan, "x", True],
    "betas": [0.9, (0.9,), (0.9, 1), (-0.1, 0.9), "xy", (0.9, math.nan)],
    "rng": [None, -1, 2.5, "x", True],
    "optimizer": [None, 5, "adam", lambda parameters, lr: None],
    "augment": [5, "x"],
    "validate": [5, "x"],
    "callbacks": [5, None, Callback, [Callback], [print]],
    "drop_last": [None, 1, "x"],
    "clip": [0, -1, math.nan, "x", True],
    "clip_value": [0, -1, math.nan, "x", True],
    "validation_data": [5, "", (1, 2), [[0.5]]],
    "warm_start": [None, 1, "x"],
    "iterations": [0, -1, 2.5, "x", None, True],
    "tolerance": [-1, math.nan, "x", None],
    "smoothing": [0, -1, math.nan, "x", None],
    "sample_weight": [0, -1, math.nan, "x", [1.0], np.ones((2, 2))],
}


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        (name, setting)
        for name in sorted(KINDS)
        for setting in inspect.signature(type(built(name)).fit).parameters
        if setting not in ("self", "X", "y", "text", "run")
    ],
)
def test_wrong_settings_of_a_fit_are_named_by_the_class_and_the_setting(name, setting):
    """`fit` refuses them, not the trainer, the batches or the optimiser that it uses."""
    (X, y), run = data(name), KINDS[name].fit
    given = {} if run is None else {**run, "rng": 0}
    for method in ("fit", "trainer") if run is not None else ("fit",):
        for value in SETTINGS[setting]:
            if setting == "optimizer" and value is None and isinstance(built(name), GAN):
                continue        # the optimiser of the paper
            with pytest.raises((ValueError, TypeError), match=rf"^{name}\.fit expected .*{setting}") as error:
                getattr(built(name), method)(X, y, **given | {setting: value})
            assert "\n" not in str(error.value)


# Methods whose arguments are checked by their callers, and the loss of a batch, which layers check.
INNER = {
    "backward", "before_training", "expect_binary", "labels", "known_places", "logits", "loss", "onehot",
    "only_observed", "prepare", "prior_mean", "sample_posterior",
}
# Methods that `fit` calls. Their messages name `fit`.
NAMES_FIT = {"check_data", "trainer"}


def arguments(model, name):
    """Valid arguments of the public methods of a fitted model, by the name of the parameter."""
    X, y = data(name)
    run = KINDS[name].fit or RUN
    if isinstance(X, str):
        windows = np.zeros((3, 4), int)
        return {"X": windows, "text": X, "n": 3, "rng": 0, "c": "a", "context": "ab", "length": 3, **run}
    codes = np.zeros((N, getattr(model, "code", None) or 1), np.float32)
    binary = np.round(X) if hasattr(model, "binarisation") and X.dtype.kind == "f" else X
    found = {"X": binary, "Z": codes, "n": 3, "rng": 0, "observed": np.arange(X.shape[1]) < 2, **run}
    found |= {"x": X, "xt": X, "t": 1}          # a noisy example and its time
    found |= {"z": codes, "c": np.zeros((N, 2))}    # the latent codes of a GAN, and InfoGAN's own codes
    return found | ({} if y is None else {"y": y})


def walk():
    """Each public method of each model, and each of its parameters X, Z, n, y and text."""
    for name in sorted(KINDS):
        for method, function in inspect.getmembers(type(built(name)), inspect.isfunction):
            if method.startswith("_") or method in INNER:
                continue
            for parameter in inspect.signature(function).parameters:
                if parameter in ("X", "Z", "n", "y", "text"):
                    yield pytest.param(name, method, parameter, id=f"{name}.{method}-{parameter}")


@functools.cache
def refusing(name):
    """A fitted model that several tests share. All their calls are refused, so they do not change it."""
    return fitted(name)


def wrong_values(model, name, method, parameter, good):
    """Values that a method must refuse."""
    if parameter == "n":
        return [2.5, 3.0, 0, -1, True, "x", None, math.nan, [3]]
    text, for_fit = isinstance(data(name)[0], str), method in ("fit", "trainer", "check_data")
    if parameter == "y":
        n = 3 if method in ("sample", "prior_sample") else N
        labels = np.arange(n) % CLASSES
        if "y" not in good:
            return [labels]
        wrong = [labels[:-1], labels.astype(float), labels - 1, labels.astype(str), labels[:, None]]
        return wrong if for_fit and not hasattr(model, "classes") else [*wrong, labels + 97]
    if parameter == "text" or (text and for_fit):
        return [None, 5, "", "abd", ["a"]]
    X = good[parameter]
    if text:
        return [None, "abc", X.astype(float), X - 1, X[0], X + 99]
    nan = X.astype(np.float32)
    nan[1, 0] = math.nan
    wrong = [None, X.astype(str), X.astype(object), nan, X[0], X[:0], X.tolist()]
    free = name == "HiddenMarkovModel" or (for_fit and not hasattr(model, "features"))
    return wrong if free else [*wrong, X[:, :-1], np.hstack([X, X])]


@pytest.mark.parametrize(("name", "method", "parameter"), list(walk()))
def test_messages_name_the_method_that_the_user_called(name, method, parameter):
    """The message is one line. If the model does not have the method, the message says so instead."""
    model = refusing(name)
    good = arguments(model, name)
    taken = inspect.signature(getattr(model, method)).parameters
    given = {key: value for key, value in good.items() if key in taken}
    # Labels that are not given data, but those of p(x | y)
    if method not in ("score", "fit", "trainer", "check_data", "log_prob_gradient"):
        given.pop("y", None)
        given |= labels_of(name, 3 if "n" in taken else N) if "y" in taken else {}
    who = f"{name}.{'fit' if method in NAMES_FIT else method} "
    wrong = []
    for value in wrong_values(model, name, method, parameter, good):
        try:
            getattr(model, method)(**given | {parameter: value})
        except NoLikelihood:
            continue
        except (ValueError, TypeError) as error:
            text = str(error)
            missing = text.startswith((f"{name} cannot ", f"{name} has "))
            if "\n" in text or not (text.startswith(who) or missing):
                wrong.append(f"{value!r}: {type(error).__name__} {text}")
        except Exception as error:
            wrong.append(f"{value!r}: {type(error).__name__} {error}")
        else:
            wrong.append(f"{value!r} was accepted")
    assert not wrong, "\n".join(wrong)
