"""NPY and NPZ, the formats of numpy.save and numpy.savez, read without pickle.

    NPY   a magic string, a version, the length of the header, the header, then the raw array
    NPZ   a zip archive with one NPY file per array, stored or deflated

Source: the documentation of numpy.lib.format. NumPy parses the header. This module adds two checks: only
arrays of numbers are read, and memory is allocated only if the declared size is the size of the file.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from typing import IO, BinaryIO

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

MAGIC = b"\x93NUMPY"
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")      # with members, without
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}       # of the header's length; version 3 is for names of fields only
LONGEST_HEADER = 10_000


def read_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an NPY file of numbers into a new array.

    The entries are booleans, integers or floating-point numbers, in the file's dtype and byte order.

    Raises ValueError for anything but one complete NPY file of numbers, for example another format, objects
    (which would need pickle), text or records, a header that declares more or less data than the file has, or
    booleans other than 0 and 1. Raises OSError if the file cannot be read.
    """
    name = os.fsdecode(path)
    with open_regular(path) as file:
        return _read_array(file, name, size_of(file))


def read_npz(path: str | os.PathLike[str], *, max_bytes: int | None = None) -> dict[str, np.ndarray]:
    """Read all arrays of an NPZ file, name -> array.

    max_bytes : the largest total size of the arrays; by default 64 million bytes, or 100 times the size of
                the file if this is larger

    Nothing is written to the disk, and names in the archive are never used as paths. The archive contains a
    checksum (CRC-32) of every array. Raises ValueError if the archive is damaged, if an array is larger than
    max_bytes or read_npy does not accept it, and if a member is not an NPY file, is encrypted, occurs twice
    or has a name such as "../x". Raises OSError if the file cannot be read.
    """
    name = os.fsdecode(path)
    with open_regular(path) as file, refusing_damage(name, "an NPZ file"):
        _check_start(file, name)
        return _read_archive(file, name, max_bytes)


def _check_start(file: BinaryIO, name: str) -> None:
    """Raise DamagedFile unless the file begins with an archive. (zipfile accepts other bytes before it.)"""
    start = file.read(4)
    if start not in ZIP_STARTS:
        found = start.hex(" ") if start else "an empty file"
        raise DamagedFile(f"{name}: expected an NPZ file (first bytes 50 4b), got {found}")


def _read_archive(file: BinaryIO, name: str, max_bytes: int | None) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        for member in members:
            _check_member(name, member)
        _check_names(name, [member.filename for member in members])
        expect_within(name, sum(m.file_size for m in members), packed_limit(size_of(file), max_bytes))
        arrays = {}
        for member in members:
            with archive.open(member) as stream:
                key = member.filename.removesuffix(".npy")
                arrays[key] = _read_array(stream, f"{name}: array {shown(key)}", member.file_size)
        return arrays


def _check_member(name: str, member: zipfile.ZipInfo) -> None:
    """Raise DamagedFile for a member that numpy.savez does not write."""
    inside = member.filename
    if not inside.endswith(".npy"):
        raise DamagedFile(f"{name}: expected NPY files in the archive, got {shown(inside)}")
    if inside.startswith("/") or "\\" in inside or ":" in inside or ".." in inside.split("/"):
        raise DamagedFile(f"{name}: expected names of arrays, got the path {shown(inside)}")
    if member.flag_bits & 1:
        raise DamagedFile(f"{name}: expected no encryption, but {shown(inside)} is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DamagedFile(f"{name}: expected stored or deflated arrays, but {shown(inside)} is neither")


def _check_names(name: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(inside for inside in names if names.count(inside) > 1)
        raise DamagedFile(f"{name}: expected each array once, got {shown(twice)} twice")


def _read_array(stream: IO[bytes], name: str, size: int) -> np.ndarray:
    """Read the NPY file in a stream of `size` bytes."""
    shape, fortran_order, dtype, start = _read_header(stream, name)
    if dtype.kind not in "biuf":
        what = "Python objects" if dtype.hasobject else f"dtype {shown(dtype)}"
        raise DamagedFile(f"{name}: expected an array of numbers, got {what}")
    if len(shape) > MOST_DIMENSIONS or any(n < 0 for n in shape):
        raise DamagedFile(
            f"{name}: expected a shape of at most {MOST_DIMENSIONS} dimensions >= 0, got {shown(shape)}"
        )
    expected = math.prod(shape) * dtype.itemsize
    if expected != size - start:
        what = "truncated" if expected > size - start else "extra bytes"
        raise DamagedFile(
            f"{name}: expected {shown(expected)} bytes of data for shape {shown(shape)} of {dtype}, "
            f"got {size - start} ({what})"
        )
    data = read_rest(stream, name, expected, f"for shape {shown(shape)} of {dtype}")
    if dtype.kind == "b" and data.size and data.max() > 1:
        raise DamagedFile(f"{name}: expected booleans stored as 0 or 1, got {data.max()}")
    with refusing_damage(name, "a shape that NumPy supports"):
        flat = data.view(dtype)
        return flat.reshape(shape[::-1]).T if fortran_order else flat.reshape(shape)


def _read_header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Return the shape, the order, the dtype, and the number of bytes before the data."""
    start = stream.read(8)
    if start[:6] != MAGIC:
        found = start[:6].hex(" ") if start else "an empty file"
        raise DamagedFile(f"{name}: expected an NPY file (first bytes {MAGIC.hex(' ')}), got {found}")
    version = tuple(start[6:])
    if version not in LENGTH_BYTES:
        raise DamagedFile(f"{name}: expected version 1.0 or 2.0 of the NPY format, got {version}")
    length_bytes = stream.read(LENGTH_BYTES[version])
    length = int.from_bytes(length_bytes, "little")
    if length > LONGEST_HEADER:
        raise DamagedFile(f"{name}: expected an NPY header of at most {LONGEST_HEADER} bytes, got {length}")
    header = io.BytesIO(length_bytes + stream.read(length))
    parse = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    with refusing_damage(name, "an NPY header"):
        shape, fortran_order, dtype = parse(header)
        return tuple(map(int, shape)), fortran_order, dtype, len(start) + header.tell()
