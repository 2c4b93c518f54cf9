"""Download MNIST from one of several mirrors, and verify every file."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scratchgen.data.files import write_whole
from scratchgen.data.idx import GZIP_MAGIC, uncompress
from scratchgen.data.mnist import LARGEST, MNIST, cache_folder, find_file, read_verified

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)


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
    files   : name -> SHA-256 of the uncompressed bytes
    timeout : seconds without an answer after which the next mirror is tried

    A complete file in the folder is not downloaded again. A downloaded file is written only if its SHA-256 is
    right, to a temporary name and then renamed, so that no incomplete file can remain.

    Raises ConnectionError with the answer of each mirror if no mirror has the file, and OSError if the folder
    cannot be written to.
    """
    folder = cache_folder() if folder is None else Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        reason = err.strerror
        raise OSError(f"download_digits expected a writable folder, got {folder} ({reason})") from err
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"download_digits expected a writable folder, got {folder} (read-only)")
    order = list(mirrors)
    for name, sha256 in files.items():
        if _is_whole(find_file(folder, name), sha256):
            continue
        packed, mirror = _fetch(name, sha256, order, timeout)
        write_whole(folder / f"{name}.gz", packed)
        order.sort(key=lambda other: other != mirror)       # from now on, try first the mirror that worked
    return folder


def _is_whole(path: Path | None, sha256: str) -> bool:
    if path is None:
        return False
    try:
        read_verified(path, sha256)
    except ValueError:
        return False
    return True


def _fetch(name: str, sha256: str, mirrors: Sequence[str], timeout: float) -> tuple[bytes, str]:
    """Return the gzipped file from the first mirror with the right content, and that mirror's address."""
    answers = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}.gz"
        try:
            received = _get(url, timeout)
            data = uncompress(received, "the answer", LARGEST)
        except (OSError, ValueError) as err:                # all errors of requests are OSErrors
            answers.append(f"{mirror}: {_one_line(err)}")
            continue
        got = hashlib.sha256(data).hexdigest()
        if got == sha256:
            # If the server declares gzip as a content encoding, the client has already uncompressed it.
            packed = received if received.startswith(GZIP_MAGIC) else gzip.compress(data, mtime=0)
            return packed, mirror
        answers.append(f"{mirror}: {len(data)} bytes with SHA-256 {got[:12]}…, expected {sha256[:12]}…")
    raise ConnectionError(
        f"no mirror has {name}: {'; '.join(answers) or 'no mirror was given'} (is there a network? "
        "7,000 digits come with the package: load_digits('embedded'))"
    )


class _Buffer(io.BytesIO):
    """A memory buffer with a maximum size."""

    def write(self, chunk: Any, /) -> int:
        if self.tell() + len(chunk) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        return super().write(chunk)


def _get(url: str, timeout: float) -> bytes:
    import pooch  # imported here because it is slow to import and most runs never download

    buffer = _Buffer()
    pooch.HTTPDownloader(timeout=timeout, chunk_size=1 << 16)(url, buffer, None)
    return buffer.getvalue()


def _one_line(err: Exception) -> str:
    """The text of an error in one line, without the address; for a failed connection only its cause."""
    text = " ".join(str(err).split(" for url")[0].split()) or type(err).__name__
    cause = text.partition("(Caused by ")[2].partition(": ")[2].rstrip("'\")")     # requests wraps it twice
    text = cause or text
    return text if len(text) <= 150 else text[:149] + "…"
