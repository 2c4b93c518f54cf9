"""Fetching MNIST: several mirrors, none of them trusted."""

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
LARGEST = 64_000_000        # bytes; the largest file has 47 million, so a mirror that sends more is lying


def download_digits(
    folder: str | Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    *,
    files: Mapping[str, str] = MNIST,
    timeout: float = 20.0,
) -> Path:
    """Download the full MNIST once, about 11 MB; returns the folder that holds it.

    folder  : where to; the user's cache by default, where load_digits finds it again
    mirrors : addresses that a file's name is appended to, tried in this order for each file
    files   : name -> SHA-256 of the uncompressed bytes
    timeout : seconds that a mirror may stay silent before the next one is tried

    A file that is there and whole is kept. A file is written only when its SHA-256 is right, beside its
    place and then renamed, so that there is never half a file.

    Raises ConnectionError listing each mirror and what it answered when none had the file, and OSError
    when the folder can't be written.
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
        order.sort(key=lambda other: other != mirror)       # the one that worked comes first from now on
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
    """The gzipped file from the first mirror that has the right one, and that mirror."""
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
            # A server that declares gzip as its transfer encoding has it undone on the way.
            packed = came if came.startswith(GZIP_MAGIC) else gzip.compress(data, mtime=0)
            return packed, mirror
        answers.append(f"{mirror}: {len(data)} bytes with SHA-256 {got[:12]}…, expected {sha256[:12]}…")
    raise ConnectionError(f"no mirror had {name}: " + ("; ".join(answers) or "no mirror was given"))


class _Buffer(io.BytesIO):
    """Bytes in memory that refuse to grow for ever."""

    def write(self, chunk, /):
        if self.tell() + len(chunk) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        return super().write(chunk)


def _get(url: str, timeout: float) -> bytes:
    import pooch  # here, because it is slow to import and most runs never download

    buffer = _Buffer()
    pooch.HTTPDownloader(timeout=timeout, chunk_size=1 << 16)(url, buffer, None)
    return buffer.getvalue()


def _in_short(err: Exception) -> str:
    text = " ".join(str(err).split(" for url")[0].split()) or type(err).__name__
    return text if len(text) <= 300 else text[:299] + "…"
