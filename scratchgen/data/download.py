"""Download MNIST or Fashion-MNIST from one of several mirrors, and verify every file."""

from __future__ import annotations

import gzip
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scratchgen.data.files import write_whole
from scratchgen.data.idx import GZIP_MAGIC, uncompress
from scratchgen.data.mnist import (
    FASHION_MNIST,
    LARGEST,
    MD5,
    MNIST,
    cache_folder,
    find_file,
    found_hash,
    read_verified,
)

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
FASHION_MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
NO_NETWORK = "; is there a network connection? Files that you already have are read with --data FOLDER"


def download_digits(
    folder: str | Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    *,
    files: Mapping[str, str] = MNIST,
    timeout: float = 20.0,
) -> Path:
    """Download full MNIST, about 11 MB, unless it is there already. Returns the folder with the files.

    folder  : the destination; by default the user's cache, where load_digits finds it
    mirrors : base addresses, to which the name of a file is appended; tried in this order
    files   : name -> hash, as in data/mnist.py
    timeout : seconds without an answer after which the next mirror is tried

    A complete file in the folder is not downloaded again. A downloaded file is written only if its hash is
    right, to a temporary name and then renamed, so that no incomplete file can remain.

    Raises ConnectionError with the answer of each mirror if no mirror has the file, and OSError if the folder
    cannot be written to.
    """
    folder = cache_folder() if folder is None else Path(folder)
    return _download("download_digits", folder, mirrors, files, timeout)


def download_fashion_mnist(
    folder: str | Path | None = None, mirrors: Sequence[str] = FASHION_MIRRORS, *, timeout: float = 20.0
) -> Path:
    """Download Fashion-MNIST, about 31 MB, unless it is there already. Returns the folder with the files.

    The arguments and errors are those of download_digits. The files are compared with the MD5 hashes that the
    authors publish (Xiao, Rasul and Vollgraf 2017); no SHA-256 is published.
    """
    folder = cache_folder("fashion-mnist") if folder is None else Path(folder)
    return _download("download_fashion_mnist", folder, mirrors, FASHION_MNIST, timeout)


def _download(
    who: str, folder: Path, mirrors: Sequence[str], files: Mapping[str, str], timeout: float
) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise OSError(f"{who} expected a writable folder, got {folder} ({err.strerror})") from err
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{who} expected a writable folder, got {folder} (read-only)")
    order = list(mirrors)
    for name, expected in files.items():
        if _is_whole(find_file(folder, name), expected):
            continue
        packed, mirror = _fetch(name, expected, order, timeout)
        write_whole(folder / f"{name}.gz", packed)
        order.sort(key=lambda other: other != mirror)       # from now on, try first the mirror that worked
    return folder


def _is_whole(path: Path | None, expected: str) -> bool:
    if path is None:
        return False
    try:
        read_verified(path, expected)
    except ValueError:
        return False
    return True


def _fetch(name: str, expected: str, mirrors: Sequence[str], timeout: float) -> tuple[bytes, str]:
    """Return the gzipped file from the first mirror with the right content, and that mirror's address."""
    answers, unreachable = [], 0
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}.gz"
        try:
            received = _get(url, timeout)
            data = uncompress(received, "the answer", LARGEST)
        except (OSError, ValueError) as err:                # all errors of requests are OSErrors
            reason = _one_line(err)
            unreachable += reason.startswith("Failed to")
            answers.append(f"{mirror}: {reason}")
            continue
        got = found_hash(expected, received, data)
        if got == expected:
            # If the server declares gzip as a content encoding, the client has already uncompressed it.
            packed = received if received.startswith(GZIP_MAGIC) else gzip.compress(data, mtime=0)
            return packed, mirror
        kind = "MD5" if expected.startswith(MD5) else "SHA-256"
        short, found = expected.removeprefix(MD5)[:12], got.removeprefix(MD5)[:12]
        answers.append(f"{mirror}: {len(data)} bytes with {kind} {found}…, expected {short}…")
    hint = NO_NETWORK if answers and unreachable == len(answers) else ""
    raise ConnectionError(f"no mirror has {name}: {'; '.join(answers) or 'no mirror was given'}{hint}")


class _Buffer(io.BytesIO):
    """A memory buffer with a maximum size."""

    def write(self, chunk: Any, /) -> int:
        if self.tell() + len(chunk) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        return super().write(chunk)


def _get(url: str, timeout: float) -> bytes:
    import pooch  # imported here because it is slow to import and most runs never download

    buffer = _Buffer()
    # Without this header, a server may declare a .gz file to be an encoding, and its MD5 would be lost.
    headers = {"Accept-Encoding": "identity"}
    pooch.HTTPDownloader(timeout=timeout, chunk_size=1 << 16, headers=headers)(url, buffer, None)
    return buffer.getvalue()


def _one_line(err: Exception) -> str:
    """The error as one line; without the names of the connection objects if there was no connection."""
    text = " ".join(str(err).split(" for url")[0].split()) or type(err).__name__
    failed = re.search(r"Failed to (establish|resolve).*", text)
    if failed:
        text = failed[0].rstrip("'\")")
    return text if len(text) <= 300 else text[:299] + "…"
