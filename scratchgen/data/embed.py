"""Choose the part of MNIST that comes with the package; the command is `scratchgen data --embed FOLDER`.

Each class has the same share as in the full set, and a fixed seed selects its digits. Therefore, the arrays
are always the same, but the bytes of the file also depend on the version of zlib.
"""

from __future__ import annotations

import io
import zipfile

import numpy as np

SEED = 2006
TRAIN, TEST = 6_000, 1_000


def stratified(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the ascending indices of n random examples in which each class has its share of all labels.

    The counts are rounded by the largest-remainder method. labels (N,) are non-negative integers.
    Raises ValueError unless 1 <= n <= N.
    """
    if not 1 <= n <= len(labels):
        raise ValueError(f"stratified expected 1 <= n <= {len(labels)} (the number of examples), got {n}")
    exact = n * np.bincount(labels) / len(labels)
    counts = np.floor(exact).astype(int)
    short = n - counts.sum()
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
    # Shuffle by sorting uniform numbers: this uses only the generator's raw stream, which NumPy keeps stable.
    order = rng.random(len(labels)).argsort(kind="stable")
    chosen = [order[labels[order] == label][:count] for label, count in enumerate(counts)]
    return np.sort(np.concatenate(chosen))


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """Return the bytes of an npz file without dates, so that equal arrays give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3         # otherwise it depends on the operating system
            npy = io.BytesIO()
            np.lib.format.write_array(npy, array, version=(1, 0), allow_pickle=False)
            archive.writestr(entry, npy.getvalue(), compresslevel=9)
    return out.getvalue()


def embed(full: list[np.ndarray], n_train: int = TRAIN, n_test: int = TEST) -> bytes:
    """Return the bytes of the embedded file, given the four uint8 arrays of the full set from read_folder.

    The file also contains train_index and test_index, the positions of the digits in the full set.
    """
    x_train, y_train, x_test, y_test = full
    rng = np.random.default_rng(SEED)
    train, test = stratified(y_train, n_train, rng), stratified(y_test, n_test, rng)
    return pack(
        {
            "x_train": x_train[train].reshape(n_train, -1),
            "y_train": y_train[train],
            "x_test": x_test[test].reshape(n_test, -1),
            "y_test": y_test[test],
            "train_index": train.astype(np.uint16),
            "test_index": test.astype(np.uint16),
        }
    )
