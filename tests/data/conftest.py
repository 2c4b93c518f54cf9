"""A tiny set of files in the shape of MNIST, for tests that read, download and embed."""

import gzip
import hashlib
import os
import struct

import numpy as np
import pytest


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def tiny_arrays(rng):
    """x_train, y_train, x_test, y_test in the format of the MNIST files, with 40 and 20 examples."""
    return [
        rng.integers(0, 256, size=(40, 28, 28), dtype=np.uint8),
        np.repeat(np.arange(10, dtype=np.uint8), 4),
        rng.integers(0, 256, size=(20, 28, 28), dtype=np.uint8),
        np.repeat(np.arange(10, dtype=np.uint8), 2),
    ]


@pytest.fixture
def tiny_files(tiny_arrays):
    """name -> the uncompressed bytes of the IDX file."""
    names = ("train-images", "train-labels", "test-images", "test-labels")
    return {name: idx_bytes(array) for name, array in zip(names, tiny_arrays, strict=True)}


@pytest.fixture
def tiny_hashes(tiny_files):
    """name -> SHA-256, in the form that the tested functions expect."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in tiny_files.items()}


@pytest.fixture
def put_files():
    """Return a function that writes files (name -> bytes) into a folder, gzipped or not."""

    def put(folder, files, packed=True):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(data) if packed else data)
        return folder

    return put


@pytest.fixture
def tiny_mnist(tiny_hashes, tmp_path, monkeypatch):
    """Replace the hashes and the cache folder of the library by those of the tiny set; return the folder."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("scratchgen.data.digits.MNIST", tiny_hashes)
    monkeypatch.setattr("scratchgen.data.digits.cache_folder", lambda: cache)
    monkeypatch.delenv("SCRATCHGEN_DATA", raising=False)
    return cache


@pytest.fixture(params=["embedded", "full"] if os.environ.get("SCRATCHGEN_DATA") else ["embedded"])
def source(request):
    """Each source of real digits that is available on this machine without a network."""
    return request.param
