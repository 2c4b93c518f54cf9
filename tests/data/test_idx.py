"""IDX files: whole ones are read exactly, and each way of being broken has its own clear message."""

import gzip
import struct

import numpy as np
import pytest

from scratchgen.data import read_idx


def idx(shape, data, kind=8, start=b"\0\0"):
    return start + bytes([kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data


GOOD = idx((2, 3), bytes(range(6)))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 5), (0, 4)])
def test_read_idx_gives_back_what_was_written(tmp_path, rng, shape, packed):
    array = rng.integers(0, 256, size=shape, dtype=np.uint8)
    data = idx(shape, array.tobytes())
    path = tmp_path / ("a-ubyte.gz" if packed else "a-ubyte")
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    got = read_idx(path)
    assert got.dtype == np.uint8
    assert np.array_equal(got, array) and got.shape == shape


def test_read_idx_sees_gzip_by_content_not_only_by_name(tmp_path):
    path = tmp_path / "no-suffix"
    path.write_bytes(gzip.compress(GOOD, mtime=0))
    assert read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("f", b"", "first bytes 00 00.*an empty file"),
        ("f", b"\0\0\x08", "first bytes 00 00.*00 00 08"),
        ("f", b"<html>403</html>", "first bytes 00 00.*3c 68 74 6d"),
        ("f", idx((2,), b"ab", start=b"\0\1"), "first bytes 00 00.*00 01 08 01"),
        ("f", idx((2,), bytes(8), kind=0x0D), "type 0x08.*got 0x0d"),
        ("f", idx((), b""), "at least 1 dimension, got 0"),
        ("f", GOOD[:10], "header of 12 bytes, got 10"),
        ("f", GOOD[:-1], r"6 bytes of data for shape \(2, 3\), got 5 \(truncated\)"),
        ("f", GOOD + b"x", r"6 bytes of data for shape \(2, 3\), got 7 \(extra bytes\)"),
        ("f", idx((2**32 - 1,) * 3, b"abc"), r"got 3 \(truncated\)"),
        ("f.gz", GOOD, "a gzip file.*got 00 00"),
        ("f.gz", b"", "a gzip file.*got an empty file"),
        ("f.gz", gzip.compress(GOOD, mtime=0)[:-9], "a complete gzip file"),
        ("f.gz", gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), "a complete gzip file"),
        ("f.gz", gzip.compress(GOOD, mtime=0)[:10] + b"\xff" * 20, "a complete gzip file"),
        ("f.gz", gzip.compress(GOOD, mtime=0) + b"junk", "a complete gzip file"),
    ],
)
def test_read_idx_names_what_is_wrong_in_one_line(tmp_path, name, data, said):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ValueError, match=said) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: expected")
    assert "\n" not in str(caught.value)


def test_read_idx_of_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        read_idx(tmp_path / "nothing-here")
