"""Download MNIST from one of several mirrors, and verify every file."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from scratchgen.data.files import write_whole
from scratchgen.data.idx import GZIP_MAGIC, uncompress
from scratchgen.data.mnist import MNIST, cache_folder, find_file, read_verified

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
LARGEST = 64_000_000        # bytes; the largest file has 47 million, so a longer answer is wrong


def download_digits(
    folder: str | Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    *,
    files: Mapping[str, str] = MNIST,
    timeout: float = 20.0,
) -> Path:
    """Download the full MNIST once, about 11 MB. Returns the folder with the files.

    folder  : the destination; by default the user's cache, where load_digits finds it
    mirrors : base addresses, to which a file's name is appended; tried in this order for each file
    files   : name -> SHA-256 of the uncompressed bytes
    timeout : seconds without an answer after which the next mirror is tried

    A file that is there and whole is kept. A file is written only when its SHA-256 is right, beside its
    place and then renamed, so that there is never half a file.

    Raises ConnectionError with the answer of each mirror if none had the file, and OSError if the folder
    cannot be written.
    """
    folder = cache_folder() if folder is None else Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        reason = err.strerror
        raise OSError(f"download_digits expected a folder to write to, got {folder} ({reason})") from err
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"download_digits expected a folder to write to, got {folder} (read-only)")
    order = list(mirrors)
    for name, sha256 in files.items():
        if _is_whole(find_file(folder, name), sha256):
            continue
        packed, mirror = _fetch(name, sha256, order, timeout)
        write_whole(folder / f"{name}.gz", packed)
        order.sort(key=lambda other: other != mirror)       # try the mirror that worked first from now on
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
    """The gzipped file from the first mirror with the right content, and the address of that mirror."""
    answers = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}.gz"
        try:
            came = _get(url, timeout)
            data = uncompress(came, "its answer")
        except (OSError, ValueError) as err:                # all errors of requests are OSErrors
            answers.append(f"{mirror}: {_in_short(err)}")
            continue
        got = hashlib.sha256(data).hexdigest()
        if got == sha256:
            # If the server declares gzip as a transfer encoding, the client has already uncompressed the
            # file.
            packed = came if came.startswith(GZIP_MAGIC) else gzip.compress(data, mtime=0)
            return packed, mirror
        answers.append(f"{mirror}: {len(data)} bytes with SHA-256 {got[:12]}…, expected {sha256[:12]}…")
    raise ConnectionError(f"no mirror had {name}: " + ("; ".join(answers) or "no mirror was given"))


class _Buffer(io.BytesIO):
    """A memory buffer with a maximum size."""

    def write(self, chunk, /):
        if self.tell() + len(chunk) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        return super().write(chunk)


def _get(url: str, timeout: float) -> bytes:
    import pooch  # imported here because it is slow to import and most runs never download

    buffer = _Buffer()
    pooch.HTTPDownloader(timeout=timeout, chunk_size=1 << 16)(url, buffer, None)
    return buffer.getvalue()


def _in_short(err: Exception) -> str:
    text = " ".join(str(err).split(" for url")[0].split()) or type(err).__name__
    return text if len(text) <= 300 else text[:299] + "…"
