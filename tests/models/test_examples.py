"""The cast of data to the dtype of a model."""

import warnings

import numpy as np
import pytest

from scratchgen.models import CastData, LogisticRegression, RealNVP
from scratchgen.models.examples import as_examples, cast

X = np.array([[0.0, 1.0], [2.0, 3.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, None])
def test_data_in_the_dtype_of_the_model_are_not_copied(dtype):
    own = X.astype(dtype or np.float32)
    assert cast("f", own, None if dtype is None else np.dtype(dtype)) is own


@pytest.mark.parametrize("given", [np.int8, np.uint64, np.float16, np.longdouble, ">f4", ">f8", ">i4"])
@pytest.mark.parametrize(("dtype", "result"), [("f4", np.float32), ("f8", np.float64), (None, np.float64)])
def test_numbers_become_the_dtype_of_the_model(given, dtype, result):
    other = X.astype(given)
    if other.dtype == result:           # a long double may be a double
        return
    with pytest.warns(CastData, match=f"^f casts data of {other.dtype} to {np.dtype(result)}"):
        found = as_examples("f", other, None if dtype is None else np.dtype(dtype), features=2)
    assert found.dtype == result and found.dtype.isnative
    np.testing.assert_array_equal(found, other.astype(float))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X.tolist(), "f expected an array of float32 or float64, got list; pass np.asarray"),
        (X > 1, "f expected an array of float32 or float64, got dtype bool; pass x.astype"),
        (X.astype(complex), "f expected an array of float32 or float64, got dtype complex128"),
        (X.astype(object), "f expected an array of float32 or float64, got dtype object"),
        (np.ma.masked_array(X, X > 1), "f expected an array of float32 or float64, got a masked array"),
        (X.view(np.matrix), "f expected an array of float32 or float64, got a matrix"),
        (None, "f expected an array of float32 or float64, got NoneType"),
    ],
)
def test_anything_but_an_array_of_numbers_is_refused(data, message):
    with pytest.raises(TypeError, match=message):
        as_examples("f", data, np.dtype("f4"))


def test_number_beyond_the_range_is_not_called_infinite():
    message = "^f expected numbers within the range of float32, got 0 to "
    for largest in (1e39, [1e39, np.inf]):
        with pytest.raises(ValueError, match=message):
            cast("f", np.append(0.0, largest), np.dtype("f4"))
    with pytest.raises(ValueError, match=r"^f expected finite .* NaN or infinity \(first in row 1\)"):
        as_examples("f", np.array([[0, 1e38], [np.inf, 0]]), np.dtype("f4"))


def test_warning_names_the_other_way_only_where_there_is_one():
    both = r"pass X\.astype\(np\.float32\), or build the model with dtype=np\.float64$"
    with pytest.warns(CastData, match=both):
        cast("f", X, np.dtype("f4"))
    with pytest.warns(CastData, match=r"pass X\.astype\(np\.float32\)$"):
        cast("f", X.astype(int), np.dtype("f4"))


def test_warning_is_shown_once_for_each_method_and_names_the_line_of_the_user():
    table = np.random.default_rng(0).normal(size=(60, 13))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model = RealNVP.dense(13, (8,), 2, rng=0).fit(table, epochs=1, rng=0)
        for _ in range(3):
            model.score_samples(table)
    assert [str(w.message).split(" casts")[0] for w in caught] == ["RealNVP.fit", "RealNVP.score_samples"]
    assert {w.filename for w in caught} == {__file__}


def test_a_table_as_it_comes_and_labels_from_zero_are_all_that_a_classifier_needs():
    table, y = np.arange(24).reshape(8, 3) % 2, np.arange(8) % 2
    with pytest.warns(CastData, match="int64 to float32"):
        model = LogisticRegression(l2=0.1).fit(table, y)
    assert model.features == 3 and model.classes == 2 and model.weight.dtype == np.float32
