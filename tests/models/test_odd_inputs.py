"""Data of other kinds, given to every method of every public model: used rightly, or refused in one line.

The examples come from the cases of the families, and so a new model is tested, too.
"""

import inspect
import re
import warnings

import numpy as np
import pytest

from scratchgen.models import CastData, NoLikelihood
from scratchgen.models.cases import EXAMPLES
from scratchgen.models.classical.base import NotConverged

KINDS = {example.name: example for example in EXAMPLES if not example.text}
METHODS = ("score_samples", "transform", "reconstruct", "predict", "predict_proba", "score", "complete")


class Tensor:
    """Like a tensor of PyTorch: NumPy can read it, and it has a gradient."""

    requires_grad = True

    def __init__(self, x):
        self.x, self.shape = x, x.shape

    def __array__(self, dtype=None, copy=None):
        return self.x

    def __len__(self):
        return len(self.x)


def data(name):
    """X (N, D), which suits all models, and labels or None."""
    example, rng = KINDS[name], np.random.default_rng(5)
    X = (rng.random(example.shape) > 0.5).astype(np.float32) + np.float32(0)
    X = X if "binarisation" in vars(example.build(rng)) else rng.random(example.shape).astype(np.float32)
    return X, np.arange(len(X)) % example.classes if example.classes else None


@pytest.fixture(scope="module")
def fitted():
    """name -> the fitted model."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        for name, example in KINDS.items():
            X, y = data(name)
            run = {} if example.fit is None else {**example.fit, "rng": 0}
            found[name] = example.build(np.random.default_rng(0)).fit(X, y, **run)
    return found


def calls(name, model, X):
    """(method, function) for every method that takes X, with the labels that it needs."""
    example, (_, y) = KINDS[name], data(name)
    for method in METHODS:
        parameters = list(inspect.signature(getattr(model, method, lambda: 0)).parameters)
        if parameters[:1] != ["X"]:
            continue
        needed = {"score": y is not None, "complete": example.given_labels}
        more = {"y": y[: np.shape(X)[0] if np.ndim(X) else None]} if y is not None and needed.get(
            method, example.given_labels
        ) else {}
        more |= {"rng": 0} if "rng" in parameters else {}
        more |= {"observed": np.ones(example.shape[1], bool)} if method == "complete" else {}
        yield method, lambda m=method, k=more: getattr(model, m)(X, **k)


def fits(name, X):
    """The method fit of a new model."""
    example, (_, y) = KINDS[name], data(name)
    run = {} if example.fit is None else {**example.fit, "rng": 0}
    model = example.build(np.random.default_rng(0))
    yield "fit", lambda: model.fit(X, y, **run)


def data_frame(X):
    return pytest.importorskip("pandas").DataFrame(X)


def sparse(X):
    return pytest.importorskip("scipy.sparse").csr_matrix(X)


def with_number(X, number):
    X = X.copy()
    X[2, 1] = number
    return X


REFUSED = {
    "a list": (lambda X: X.tolist(), r"got list.*; pass np\.asarray\(x, np\."),
    "a data frame": (data_frame, r"got DataFrame; pass np\.asarray\(.* or use scratchgen\.sklearn, wh"),
    "a sparse matrix": (sparse, r"got csr_matrix; pass x\.toarray\(\)"),
    "a tensor": (Tensor, r"got Tensor; pass np\.asarray\(x\.detach\(\)\.cpu\(\)"),
    "a path": (lambda X: "data.csv", r"got str; read the file first, with load_images or load_table"),
    "text": (lambda X: X.astype(str), r"got dtype <U32; pass x\.astype\(.* encode the columns of text first"),
    "objects": (lambda X: X.astype(object), r"got dtype object; pass x\.astype\("),
    "a generator": (lambda X: iter(X), r"got \w+; pass np\.stack\(list\(x\)\)"),
    "complex numbers": (lambda X: X.astype(complex), "got dtype complex128"),
    "a masked array": (lambda X: np.ma.masked_array(X, X > 0.9), r"got a masked array, .* pass x\.filled"),
    "a matrix": (lambda X: X.view(np.matrix), r"got a matrix; pass np\.asarray\(x\)"),
    "bools": (lambda X: X > 0.5, r"got dtype bool; pass x\.astype\("),
    "nothing": (lambda X: None, "got NoneType"),
    "a dict": (lambda X: {"a": X}, "got dict"),
    "one example without an axis": (lambda X: X[0], r"got \(\d+,\)"),
    "images": (lambda X: X.reshape(len(X), 2, -1), r"got \(\d+, 2, \d+\); pass X\.reshape\(len\(X\), -1\)"),
    "no examples": (lambda X: X[:0], r"at least \d+ example|, got \(0, \d+\)"),
    "NaN": (lambda X: with_number(X, np.nan), "NaN|nan"),
    "infinity": (lambda X: with_number(X, np.inf), "infinity|inf"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", sorted(KINDS))
def test_data_that_a_model_cannot_use_are_refused_in_one_line(fitted, name, kind):
    change, message = REFUSED[kind]
    X = change(data(name)[0])
    for method, call in [*fits(name, X), *calls(name, fitted[name], X)]:
        with pytest.raises((TypeError, ValueError)) as caught:
            call()
        if isinstance(caught.value, NoLikelihood) or " has no probabilities: " in str(caught.value):
            continue
        text = str(caught.value)
        assert re.match(rf"{name}\.{method} expected ", text) and "\n" not in text, text
        assert re.search(message, text), text


def arrays(found):
    return [a for a in (found if isinstance(found, tuple) else (found,)) if isinstance(a, np.ndarray | float)]


USED = {
    "read-only": lambda X: read_only(X),
    "Fortran order": np.asfortranarray,
    "every second of a larger array": lambda X: np.repeat(X, 2, axis=0)[::2],
    "big-endian": lambda X: X.astype(">f4"),
    "float64": lambda X: X.astype(np.float64),
}


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


@pytest.mark.parametrize("kind", USED)
@pytest.mark.parametrize("name", sorted(KINDS))
def test_other_arrays_of_the_same_numbers_give_the_same_result(fitted, name, kind):
    """Except for rounding: a model that computes in float32 casts float64, and others compute in it."""
    X, _ = data(name)
    with warnings.catch_warnings():
        for category in (CastData, NotConverged):
            warnings.simplefilter("ignore", category)
        plain = dict(calls(name, fitted[name], X))
        for method, call in calls(name, fitted[name], USED[kind](X)):
            try:
                expected = plain[method]()
            except (NoLikelihood, TypeError):
                continue
            for found, wanted in zip(arrays(call()), arrays(expected), strict=True):
                np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-4, err_msg=method)
        for _, fit in fits(name, USED[kind](X)):
            fit()
