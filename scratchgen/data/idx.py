"""The IDX format, in which MNIST is distributed: a header of big-endian integers, then the raw array.

    bytes 0, 1      0 0
    byte  2         the type of the entries; 8 = unsigned byte, the only one used by MNIST
    byte  3         the number of dimensions, D
    4·D bytes       the dimensions
    the rest        the entries, last dimension fastest

Source: the description by Y. LeCun, C. Cortes and C. Burges that comes with MNIST.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
from typing import Any, BinaryIO

import numpy as np

from scratchgen.data.untrusted import (
    MOST_DIMENSIONS,
    DamagedFile,
    expect_within,
    open_regular,
    packed_limit,
    read_rest,
    refusing_damage,
    shown,
    size_of,
)

UNSIGNED_BYTE = 8
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str], *, max_bytes: int | None = None) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzipped or not, into a new array.

    max_bytes : the largest size of the array in a gzipped file; by default 64 million bytes, or 100 times the
                size of the file if this is larger

    The declared size is checked before memory is allocated. Raises ValueError unless the file is one complete
    IDX file, for example if it is damaged or truncated, contains another type of entries, or has extra bytes.
    The message says what was expected in which file, and what was found. Raises OSError if the file cannot be
    read.
    """
    name = os.fsdecode(path)
    with open_regular(path) as file:
        start = file.read(len(GZIP_MAGIC))
        file.seek(0)
        _check_suffix(name, start)
        if start != GZIP_MAGIC:
            return _read_array(file, name, size=size_of(file), limit=size_of(file))
        with refusing_damage(name, "a complete gzip file"), gzip.GzipFile(fileobj=file) as unpacked:
            return _read_array(unpacked, name, size=None, limit=packed_limit(size_of(file), max_bytes))


def read_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """Return the bytes of a file, uncompressed if it is gzipped.

    Raises ValueError if a .gz file is damaged or is not a gzip file, or if there are more than `limit` bytes.
    """
    with open_regular(path) as file:
        return _unpack(file, os.fsdecode(path), limit)


def uncompress(data: bytes, name: str, limit: int) -> bytes:
    """Uncompress the data if it begins with the two bytes of gzip. (An IDX file begins with two zeros.)

    Raises ValueError if the data is damaged or has more than `limit` bytes.
    """
    return _unpack(io.BytesIO(data), name, limit)


def parse_idx(data: bytes, name: str) -> np.ndarray:
    """Return the array in the uncompressed bytes of an IDX file.

    name : the name of the file, for error messages

    Raises ValueError for anything but one complete IDX file of unsigned bytes.
    """
    return _read_array(io.BytesIO(data), name, size=len(data), limit=len(data))


def _unpack(file: BinaryIO, name: str, limit: int) -> bytes:
    start = file.read(len(GZIP_MAGIC))
    file.seek(0)
    _check_suffix(name, start)
    if start != GZIP_MAGIC:
        data = file.read(limit + 1)
    else:
        with refusing_damage(name, "a complete gzip file"), gzip.GzipFile(fileobj=file) as unpacked:
            data = unpacked.read(limit + 1)
    if len(data) > limit:
        raise DamagedFile(f"{name}: expected at most {limit} bytes after unpacking, got more")
    return data


def _check_suffix(name: str, start: bytes) -> None:
    if name.endswith(".gz") and start != GZIP_MAGIC:
        raise DamagedFile(f"{name}: expected a gzip file (first bytes 1f 8b), got {_bytes(start)}")


def _read_array(stream: Any, name: str, size: int | None, limit: int) -> np.ndarray:
    """Read an IDX file from a stream.

    size  : the number of bytes in the stream, or None if it is not known
    limit : the largest number of bytes in the array
    """
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0":
        raise DamagedFile(f"{name}: expected an IDX file (first bytes 00 00), got {_bytes(start)}")
    kind, ndim = start[2], start[3]
    if kind != UNSIGNED_BYTE:
        raise DamagedFile(f"{name}: expected IDX entries of type 0x08 (unsigned byte), got 0x{kind:02x}")
    if not 1 <= ndim <= MOST_DIMENSIONS:
        least = "at least 1 dimension" if ndim == 0 else f"at most {MOST_DIMENSIONS} dimensions"
        raise DamagedFile(f"{name}: expected an IDX array of {least}, got {ndim}")
    header = start + stream.read(4 * ndim)
    if len(header) < 4 + 4 * ndim:
        raise DamagedFile(
            f"{name}: expected an IDX header of {4 + 4 * ndim} bytes, got {len(header)} bytes in all"
        )
    shape = struct.unpack(f">{ndim}I", header[4:])
    expected = math.prod(shape)
    if size is not None and size - len(header) != expected:
        got = size - len(header)
        what = "truncated" if got < expected else "extra bytes"
        raise DamagedFile(
            f"{name}: expected {shown(expected)} bytes of data for shape {shown(shape)}, got {got} ({what})"
        )
    expect_within(name, expected, limit)
    data = read_rest(stream, name, expected, f"for shape {shown(shape)}")
    with refusing_damage(name, "a shape that NumPy supports"):
        return data.reshape(shape)


def _bytes(data: bytes) -> str:
    return data.hex(" ") if data else "an empty file"
