"""The IDX format, in which MNIST is handed out: a header of big-endian integers, then the raw array.

    bytes 0, 1      0 0
    byte  2         the type of the entries; 8 = unsigned byte, the only one that MNIST has
    byte  3         the number of dimensions, D
    4·D bytes       the dimensions
    the rest        the entries, last dimension fastest

Source: the description that Y. LeCun, C. Cortes and C. Burges gave with MNIST.
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
    """Read one IDX file of unsigned bytes, gzipped or not: a read-only array, its shape from the header.

    Raises ValueError, naming the file, what came and what was expected, for anything but one whole IDX
    file: not gzip, a damaged or truncated file, another type of entry, bytes left over. OSError where the
    file can't be read.
    """
    return parse_idx(read_bytes(path), str(path))


def read_bytes(path: str | Path) -> bytes:
    """The uncompressed bytes of a file; raises ValueError when a gzip stream is none or is damaged."""
    path = Path(path)
    return uncompress(path.read_bytes(), str(path), must_be_gzip=path.suffix == ".gz")


def uncompress(data: bytes, name: str, must_be_gzip: bool = False) -> bytes:
    """Undo gzip where there is gzip (an IDX file starts with zeros, so the first two bytes tell)."""
    if not data.startswith(GZIP_MAGIC):
        if must_be_gzip:
            raise ValueError(f"{name}: expected a gzip file (first bytes 1f 8b), got {_first_bytes(data, 2)}")
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as err:
        raise ValueError(f"{name}: expected a whole gzip file, got a damaged or cut one ({err})") from err


def parse_idx(data: bytes, name: str) -> np.ndarray:
    """The array in the (uncompressed) bytes of an IDX file; `name` is for the messages, as in read_idx."""
    if len(data) < 4 or data[:2] != b"\0\0":
        raise ValueError(f"{name}: expected an IDX file (first bytes 00 00), got {_first_bytes(data, 4)}")
    kind, ndim = data[2], data[3]
    if kind != UNSIGNED_BYTE:
        raise ValueError(f"{name}: expected IDX entries of type 0x08 (unsigned byte), got 0x{kind:02x}")
    if ndim == 0:
        raise ValueError(f"{name}: expected an IDX array of 1 dimension or more, got 0")
    start = 4 + 4 * ndim
    if len(data) < start:
        raise ValueError(f"{name}: expected an IDX header of {start} bytes, got {len(data)} bytes in all")
    shape = struct.unpack(f">{ndim}I", data[4:start])
    expected, got = math.prod(shape), len(data) - start
    if got != expected:
        what = "truncated" if got < expected else "bytes left over"
        raise ValueError(f"{name}: expected {expected} bytes of data for shape {shape}, got {got} ({what})")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _first_bytes(data: bytes, n: int) -> str:
    return data[:n].hex(" ") if data else "an empty file"
