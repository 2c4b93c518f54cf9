"""NPY and NPZ: the arrays of numpy.save and numpy.savez are read exactly, without pickle."""

import gzip

import numpy as np
import pytest

from scratchgen.data import read_idx, read_npy, read_npz

ARRAYS = {
    "uint8": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "float16": np.array([0.5, np.nan, np.inf], np.float16),
    "other byte order": np.arange(4, dtype=">i4").reshape(2, 2),
    "Fortran order": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "bool": np.array([[True], [False]]),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3)),
    "64 dimensions": np.ones((1,) * 64, np.int8),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_read_npy_returns_the_saved_array(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    got = read_npy(tmp_path / "a.npy")
    assert (got.shape, got.dtype) == (array.shape, array.dtype) and got.tobytes() == array.tobytes()
    assert got.flags.writeable and got.flags.f_contiguous == array.flags.f_contiguous


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_read_npz_returns_all_saved_arrays(tmp_path, save):
    save(tmp_path / "a.npz", **{f"group/{name}": array for name, array in ARRAYS.items()})
    got = read_npz(tmp_path / "a.npz")
    assert list(got) == [f"group/{name}" for name in ARRAYS]
    for name, array in ARRAYS.items():
        assert got[f"group/{name}"].tobytes() == array.tobytes()
    np.savez(tmp_path / "none.npz")
    assert read_npz(tmp_path / "none.npz") == {}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}], object), "an array of numbers, got Python objects"),
        (np.array(["text"]), r"an array of numbers, got dtype dtype\('<U4'\)"),
        (np.zeros(2, [("a", "f4")]), "an array of numbers, got dtype"),
        (np.zeros(2, complex), "an array of numbers, got dtype"),
    ],
)
def test_arrays_that_are_not_numbers_are_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        read_npy(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", labels=array)
    with pytest.raises(ValueError, match=f"a.npz: array 'labels': expected {message}"):
        read_npz(tmp_path / "a.npz")


def test_npy_file_with_less_or_more_data_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 3)))
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(ValueError, match=r"48 bytes of data for shape \(2, 3\) of float64, got 47 \(trunc"):
        read_npy(path)
    path.write_bytes(data + b"x")
    with pytest.raises(ValueError, match=r"got 49 \(extra bytes\)"):
        read_npy(path)


def test_packed_files_are_limited_unless_the_caller_trusts_them(tmp_path, monkeypatch):
    monkeypatch.setattr("scratchgen.data.untrusted.SMALLEST_LIMIT", 1_000)
    zeros = np.zeros((100, 1_000), np.uint8)
    np.savez_compressed(tmp_path / "a.npz", x=zeros)
    header = bytes([0, 0, 8, 2]) + b"".join(n.to_bytes(4) for n in zeros.shape)
    (tmp_path / "a.gz").write_bytes(gzip.compress(header + zeros.tobytes()))
    for read, name in ((read_npz, "a.npz"), (read_idx, "a.gz")):
        with pytest.raises(ValueError, match="if you trust the file, pass a larger max_bytes"):
            read(tmp_path / name)
    assert read_npz(tmp_path / "a.npz", max_bytes=200_000)["x"].shape == (100, 1_000)
    assert np.array_equal(read_idx(tmp_path / "a.gz", max_bytes=100_000), zeros)
