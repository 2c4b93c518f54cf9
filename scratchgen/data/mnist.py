"""The files of MNIST and Fashion-MNIST: their names and hashes, and how to find and read them.

The hash of a file is the SHA-256 of its uncompressed bytes, or "md5:" and the MD5 of the gzipped file. MD5 is
what the authors of Fashion-MNIST publish. It finds damaged downloads, but it is no protection against a file
that someone changed on purpose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scratchgen.data.idx import parse_idx, read_bytes

# name -> SHA-256 of the uncompressed bytes, because mirrors compress the same files differently.
MNIST: dict[str, str] = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

# Source: the table of files in the README of https://github.com/zalandoresearch/fashion-mnist
FASHION_MNIST: dict[str, str] = {
    "train-images-idx3-ubyte": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "md5:25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "md5:bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "md5:bb300cfdad3c16e7a12a480ee83cd310",
}
PUBLISHED = {"mnist": MNIST, "fashion-mnist": FASHION_MNIST}     # that download_digits can fetch

MD5 = "md5:"
LARGEST = 64_000_000        # bytes; the largest of the files has 47 million


def cache_folder(name: str = "mnist") -> Path:
    """Return the folder for this user's downloads of one data set.

    Raises FileNotFoundError if there is no home folder.
    """
    import pooch

    try:
        folder = Path(pooch.os_cache("scratchgen")) / name
    except RuntimeError:            # raised by platformdirs; older versions return a path that starts with ~
        folder = Path("~")
    if folder.parts[0] == "~":
        raise FileNotFoundError(
            "expected a home folder for downloads, found none; set HOME, or SCRATCHGEN_DATA to a folder with "
            "the MNIST files"
        )
    return folder


def find_file(folder: Path, name: str) -> Path | None:
    """Find a file, gzipped or not, in the folder or its subfolder mnist/; return None if it is missing."""
    candidates = (place / full for place in (folder, folder / "mnist") for full in (f"{name}.gz", name))
    return next((path for path in candidates if path.is_file()), None)


def read_verified(path: Path, expected: str) -> np.ndarray:
    """Read an IDX file and check its hash.

    Raises ValueError for a damaged file (see read_idx) and for a file with another hash.
    """
    data = read_bytes(path, LARGEST)
    array = parse_idx(data, str(path))
    got = found_hash(expected, path.read_bytes() if expected.startswith(MD5) else b"", data)
    if got != expected:
        what = "a gzipped file with MD5" if expected.startswith(MD5) else "uncompressed bytes with SHA-256"
        hashes = (text.removeprefix(MD5) for text in (expected, got))
        raise ValueError("{}: expected {} {}, got {}".format(path, what, *hashes))
    return array


def found_hash(expected: str, packed: bytes, data: bytes) -> str:
    """The hash of a file, of the same kind as `expected`, from its gzipped or its uncompressed bytes."""
    if expected.startswith(MD5):
        return MD5 + hashlib.md5(packed, usedforsecurity=False).hexdigest()
    return hashlib.sha256(data).hexdigest()


def read_folder(folder: str | Path, files: Mapping[str, str] = MNIST) -> list[np.ndarray]:
    """Read files (name -> hash) from a folder or its subfolder mnist/; return their arrays in order.

    Raises FileNotFoundError for a missing folder or file, and ValueError for a file that is damaged or has
    another hash.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder with the MNIST files, but {folder} does not exist")
    arrays = []
    for name, expected in files.items():
        path = find_file(folder, name)
        if path is None:
            raise FileNotFoundError(f"expected {name} or {name}.gz in {folder} or its mnist/, found neither")
        arrays.append(read_verified(path, expected))
    return arrays
