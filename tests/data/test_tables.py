"""CSV: every number is the one in the file, and a cell that is not a number is named."""

import numpy as np
import pytest

from scratchgen.data import read_csv


def table(tmp_path, text, **options):
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, **options)


def test_numbers_are_those_that_were_written(tmp_path, rng):
    values = rng.normal(size=(50, 7)) * 10.0 ** rng.integers(-300, 300, (50, 7))
    found = table(tmp_path, "\n".join(",".join(map(repr, row)) for row in values.tolist()))
    assert np.array_equal(found.values, values) and found.values.dtype == np.float64 and found.names is None
    found.values[0, 0] = 0      # the array belongs to the caller


@pytest.mark.parametrize(
    ("text", "options", "values", "names"),
    [
        ("a,b\n1,2\n", {}, [[1, 2]], ("a", "b")),
        ("1,2\n3,4", {}, [[1, 2], [3, 4]], None),
        ('"a"," b "\r\n"1", 2.5 \r\n\r\n-3e-5,+4\r\n', {}, [[1, 2.5], [-3e-5, 4]], ("a", "b")),
        (b"\xef\xbb\xbflength\n1\n", {}, [[1]], ("length",)),
        ("a;b\n1;2\n", {"delimiter": ";"}, [[1, 2]], ("a", "b")),
        ("1\t2\n", {"delimiter": "\t"}, [[1, 2]], None),
        ("1,2\n3,4\n", {"header": True}, [[3, 4]], ("1", "2")),
        ("größe\n5e-324\n", {}, [[5e-324]], ("größe",)),
    ],
)
def test_forms_that_are_accepted(tmp_path, text, options, values, names):
    found = table(tmp_path, text, **options)
    assert found.values.tolist() == values and found.names == names


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "a table of numbers, got an empty file"),
        ("a,b\n", {}, "at least one row of numbers, got only a header"),
        ("1,2\n3\n", {}, "line 2: expected 2 cells, as in the first line, got 1"),
        ("1,2\n\n3,4,5\n", {}, "line 3: expected 2 cells"),
        ("1,2\n3,x\n", {}, "line 2, column 2: expected a finite number, got 'x'"),
        ("1,2\n3,\n", {}, "line 2, column 2: expected a finite number, got ''"),
        ("1,nan\n", {}, "line 1, column 2: expected a finite number, got 'nan'"),
        ("1,2\n-inf,4\n", {}, "line 2, column 1: expected a finite number, got '-inf'"),
        ("1e999\n", {}, "line 1, column 1: expected a finite number, got '1e999'"),
        ("1;1,5\n", {"delimiter": ";"}, "line 1: expected numbers only or names only, got '1,5' in column 2"),
        ("a;b\n1;1,5\n", {"delimiter": ";"}, "column 2: .* got '1,5'; write a decimal point"),
        ('a,b\n"1,000",2\n', {}, "line 2, column 1: .*write a decimal point"),
        ("1,x\n2,3\n", {}, "line 1: expected numbers only or names only, got 'x' in column 2 beside numbers"),
        ("1_000\n2\n", {}, "line 1: expected numbers or names, got '1_000' in column 1"),
        ("1,2\n1_0,2\n", {}, "line 2, column 1"),
        ("0x10\n2\n", {}, "line 1: expected numbers or names, got '0x10' in column 1"),
        ("NA\n2\n", {}, "line 1: expected numbers or names, got 'NA' in column 1"),
        ("a;b\n1;2\n", {}, "line 2, column 1: expected a finite number, got '1;2'; pass the delimiter"),
        ("a,a\n1,2\n", {}, "different names of columns, got 'a' twice"),
        ("a\n1\n", {"header": False}, "line 1, column 1: expected a finite number, got 'a'"),
        ('1,"2\n', {}, "expected CSV, got line 1 with unexpected end of data"),
        ("größe\n1\n".encode("latin-1"), {}, "text in UTF-8, got byte 0xf6 after line 0"),
    ],
)
def test_refusal_names_the_line_and_the_column(tmp_path, text, options, message):
    with pytest.raises(ValueError, match=f"a.csv.*{message}") as caught:
        table(tmp_path, text, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("delimiter", ["", ",,", ".", "\n", "1", None])
def test_delimiter_must_be_one_character_that_numbers_do_not_have(tmp_path, delimiter):
    with pytest.raises(ValueError, match="read_csv expected a delimiter such as"):
        table(tmp_path, "1,2", delimiter=delimiter)
