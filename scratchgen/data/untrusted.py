"""Functions that all file readers share: open only regular files, and limit the size of unpacked data.

A file from someone else may be damaged or malicious. A reader checks the sizes that a file declares before it
allocates memory. If a file is not accepted, the reader raises `DamagedFile`, a ValueError of one line.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

import numpy as np

SMALLEST_LIMIT = 64_000_000     # bytes that any packed file may contain
LARGEST_RATIO = 100             # MNIST is packed 5:1; files made to fill the memory have about 1000:1
MOST_DIMENSIONS = 64    # of a NumPy array
LONGEST, LONGEST_REASON = 60, 200       # how many characters of a value and of a reason a message shows


class DamagedFile(ValueError):
    """A file is damaged, does not have the expected format, or declares more data than is allowed."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading.

    Raises IsADirectoryError for a folder, OSError for a device, a pipe or a socket (reading them might never
    end), and the errors of `open`.
    """
    # Without O_NONBLOCK, opening a pipe waits until another process writes to it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"expected a file to read, but {os.fsdecode(path)} is a folder")
    raise OSError(f"expected a regular file to read, but {os.fsdecode(path)} is a device, a pipe or a socket")


def size_of(file: BinaryIO) -> int:
    """The size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def packed_limit(size: int, max_bytes: int | None) -> int:
    """The number of bytes that a packed file of `size` bytes may contain: `max_bytes` if it is not None."""
    return max(SMALLEST_LIMIT, LARGEST_RATIO * size) if max_bytes is None else max_bytes


def expect_within(name: str, declared: int, limit: int) -> None:
    """Raise DamagedFile if a packed file declares more than `limit` bytes of data."""
    if declared > limit:
        raise DamagedFile(
            f"{name}: expected at most {limit} bytes after unpacking, the file declares {shown(declared)}; "
            "if you trust the file, pass a larger max_bytes"
        )


def read_rest(stream: IO[bytes], name: str, expected: int, what: str) -> np.ndarray:
    """Read the rest of a stream, which must have `expected` bytes, into a new array of uint8.

    what : a text that says why this number is expected, such as "for shape (2, 3)"

    Raises DamagedFile if the stream has fewer or more bytes.
    """
    data = np.empty(expected, np.uint8)
    got = 0
    while got < expected and (n := stream.readinto(data[got : got + 2**20])):     # type: ignore[attr-defined]
        got += n
    if got < expected:
        raise DamagedFile(f"{name}: expected {expected} bytes of data {what}, got {got} (truncated)")
    if stream.read(1):
        raise DamagedFile(f"{name}: expected {expected} bytes of data {what}, got more (extra bytes)")
    return data


@contextlib.contextmanager
def refusing_damage(name: str, expected: str) -> Iterator[None]:
    """Turn every error that another library raises for a damaged file into a DamagedFile of one line.

    Parsers of damaged files raise errors of many types, which their documentation does not list. Warnings
    about the content are not shown.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (DamagedFile, MemoryError):
        raise
    except Exception as error:
        reason = shown(" ".join(str(error).split()), quote=False, longest=LONGEST_REASON)
        if not reason or isinstance(error, LookupError | AttributeError):
            reason = f"{type(error).__name__} {reason}".strip()
        raise DamagedFile(f"{name}: expected {expected}, got a damaged file ({reason})") from error


def shown(value: Any, quote: bool = True, longest: int = LONGEST) -> str:
    """A value from a file as text for a message: one line of limited length."""
    try:
        text = repr(value) if quote else str(value)
    except ValueError:      # an integer of more than 4,300 digits
        return "a huge number"
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return "".join(c if c.isprintable() else "?" for c in text)
