"""Values become JSON and come back equal, or are refused."""

import enum
import json
import math
from collections import deque
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from helpers.same import expect_same
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scratchgen.saving.container import read_file, write_file
from scratchgen.saving.generators import as_generator, generator_state
from scratchgen.saving.values import Decoder, Encoder, Unstorable

SCALARS = hnp.scalar_dtypes().filter(lambda dtype: dtype.kind in "biufcSUmM")


@st.composite
def numpy_scalars(draw):
    dtype = draw(SCALARS)
    return draw(hnp.arrays(dtype, (1,)))[0]


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.builds(PurePosixPath, st.sampled_from(["a", "runs/ü", "/x y"])),
    st.builds(Path, st.just("a/b")),
    numpy_scalars(),
)
KEYS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.sampled_from(["$object", "$", ""]), st.binary()
)
LEAVES = st.one_of(PLAIN, st.just(()), st.sets(KEYS, max_size=3), st.frozensets(KEYS, max_size=3))
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(deque, st.lists(inner, max_size=3), st.sampled_from([None, 4]))
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(st.tuples(st.integers(), st.text()), inner, min_size=1, max_size=2)
    ),
    max_leaves=12,
)


def there_and_back(value):
    encoder = Encoder("a")
    text = json.dumps(encoder.encode(value), allow_nan=False)
    return Decoder(encoder.arrays).decode(json.loads(text))


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_value_comes_back_equal(value):
    expect_same(value, there_and_back(value))


@settings(max_examples=80, deadline=None)
@given(hnp.arrays(SCALARS, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)), st.integers(0, 3))
def test_array_comes_back_equal(tmp_path_factory, array, layout):
    path = tmp_path_factory.mktemp("a") / "file"
    reversed_columns = array.T[::-1] if array.ndim else array
    repeated = np.broadcast_to(array, (2, *array.shape))
    form = (array, np.asfortranarray(array), reversed_columns, repeated)[layout]
    write_file(path, {"x": form, "y": np.zeros(2)}, {})
    expect_same(form.copy(), read_file(path)[0]["x"].copy())


DTYPES = [
    "?",
    "i1",
    "<u8",
    ">i4",
    "<f2",
    ">f8",
    "g",
    "<c8",
    ">c16",
    "G",
    "<U3",
    ">U2",
    "S2",
    "M8[s]",
    "<m8[D]",
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)])
def test_array_of_any_dtype_comes_back_equal(tmp_path, dtype, shape):
    array = np.arange(math.prod(shape)).astype(dtype).reshape(shape)
    write_file(tmp_path / "file", {"x": array}, {})
    expect_same(array, read_file(tmp_path / "file")[0]["x"])


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Colour.RED, "of type Colour"),
        (Text("a"), "of type Text"),
        (bytearray(b"a"), "of type bytearray"),
        (range(3), "of type range"),
        (np.zeros(2, object), "of dtype object"),
        (np.zeros(2, "f4,f4"), "of dtype "),
        (np.void(b"ab"), "of dtype "),
        (np.ma.array([1]), "an array of type MaskedArray"),
        (print, "of type builtin_function_or_method"),
        (int, "of type type"),
        (1 << 20000, "an int of more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "value",
)
def test_other_values_are_refused_with_their_place(value, what):
    with pytest.raises(Unstorable) as error:
        Encoder("a", objects=False).encode({"rows": [0, (value,)]}, ("config",))
    assert str(error.value).startswith(f"config.rows.1.0 is {what}")
    assert str(error.value).endswith(", which a file cannot store")


def test_places_with_equal_names_have_different_arrays():
    value = {"a.b": np.zeros(2), "a": {"b": np.ones(2)}, "a/b": np.full(2, 2.0)}
    expect_same(value, there_and_back(value))


def test_array_that_occurs_twice_is_stored_once():
    array = np.arange(3.0)
    first, second = there_and_back([array, array])
    assert first is second


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_generator_comes_back_with_its_state(kind):
    generator = np.random.Generator(getattr(np.random, kind)(3))
    generator.integers(5, size=3, dtype=np.uint8)
    loaded = as_generator(json.loads(json.dumps(generator_state(generator))))
    np.testing.assert_array_equal(generator.random(700), loaded.random(700))


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"bit_generator": "Generator"},
        {"bit_generator": "os"},
        {**generator_state(np.random.Generator(np.random.Philox(0))), "buffer_pos": 5},
        {
            **generator_state(np.random.Generator(np.random.MT19937(0))),
            "state": {"key": [0] * 624, "pos": 625},
        },
        {
            **generator_state(np.random.Generator(np.random.MT19937(0))),
            "state": {"key": [0] * 624, "pos": -1},
        },
        {**generator_state(np.random.Generator(np.random.MT19937(0))), "state": None},
    ],
)
def test_impossible_generator_is_refused(state):
    with pytest.raises(ValueError, match="expected the (state|pos|buffer_pos) of a random generator"):
        as_generator(state)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(3)), st.lists(st.sampled_from([1, -1]), min_size=3, max_size=3))
def test_array_comes_back_with_its_memory_layout(axes, steps):
    array = np.arange(24.0).reshape(2, 3, 4).transpose(axes)[tuple(slice(None, None, step) for step in steps)]
    found = there_and_back(array)
    np.testing.assert_array_equal(found, array)
    assert found.strides == array.strides
