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
import math
import struct
import zlib
from pathlib import Path

import numpy as np

UNSIGNED_BYTE = 8
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzipped or not, into a read-only array.

    Raises ValueError if the file is not one complete IDX file, for example if it is damaged or truncated, has
    another type of entries, or has extra bytes. The message names the file, what was expected and what was
    found. Raises OSError if the file cannot be read.
    """
    return parse_idx(read_bytes(path), str(path))


def read_bytes(path: str | Path) -> bytes:
    """Return the uncompressed bytes of a file. Raises ValueError if a .gz file is not gzip or is damaged."""
    path = Path(path)
    return uncompress(path.read_bytes(), str(path), must_be_gzip=path.suffix == ".gz")


def uncompress(data: bytes, name: str, must_be_gzip: bool = False) -> bytes:
    """Uncompress the data if its first two bytes are those of gzip. An IDX file begins with two zeros.

    Raises ValueError for damaged data, and with must_be_gzip for data that is not gzip.
    """
    if not data.startswith(GZIP_MAGIC):
        if must_be_gzip:
            raise ValueError(f"{name}: expected a gzip file (first bytes 1f 8b), got {_first_bytes(data, 2)}")
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as err:
        raise ValueError(
            f"{name}: expected a complete gzip file, got a damaged or truncated one ({err})"
        ) from err


def parse_idx(data: bytes, name: str) -> np.ndarray:
    """Return the array in the uncompressed bytes of an IDX file.

    name : the name of the file, for error messages

    Raises ValueError for anything but one complete IDX file of unsigned bytes.
    """
    if len(data) < 4 or data[:2] != b"\0\0":
        raise ValueError(f"{name}: expected an IDX file (first bytes 00 00), got {_first_bytes(data, 4)}")
    kind, ndim = data[2], data[3]
    if kind != UNSIGNED_BYTE:
        raise ValueError(f"{name}: expected IDX entries of type 0x08 (unsigned byte), got 0x{kind:02x}")
    if ndim == 0:
        raise ValueError(f"{name}: expected an IDX array of at least 1 dimension, got 0")
    start = 4 + 4 * ndim
    if len(data) < start:
        raise ValueError(f"{name}: expected an IDX header of {start} bytes, got {len(data)} bytes in all")
    shape = struct.unpack(f">{ndim}I", data[4:start])
    expected, got = math.prod(shape), len(data) - start
    if got != expected:
        what = "truncated" if got < expected else "extra bytes"
        raise ValueError(f"{name}: expected {expected} bytes of data for shape {shape}, got {got} ({what})")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _first_bytes(data: bytes, n: int) -> str:
    return data[:n].hex(" ") if data else "an empty file"
