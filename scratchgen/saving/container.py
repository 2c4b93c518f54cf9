"""The file: a safetensors file with a checksum over everything.

Each array is one tensor. Arrays of a dtype that safetensors does not support, such as text or numbers in the
other byte order, are stored as bytes, and the metadata entry `dtypes` contains their dtypes and shapes.
The metadata entry `halves` names the tensors that were rounded to float16 to make the file smaller; they are
read as float32. Everything else is text in the metadata. Two of its entries are checksums (SHA-256):

    data_checksum   of the bytes of all tensors
    checksum        of the header, with this entry set to zeros; the header has data_checksum, too

Therefore, the header can be checked without reading the tensors, and a change of any bit is detected. Files
of the format "scratchgen 1" have no checksums and can still be read.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scratchgen import __version__
from scratchgen.data.files import expect_memory, write_whole
from scratchgen.data.untrusted import LONGEST_REASON, shown

FORMAT = "scratchgen 2"
FORMER = "scratchgen 1"
ZEROS = "0" * 64
WRONG_CONTENT = (
    ValueError, TypeError, LookupError, AttributeError, SyntaxError, OverflowError, RecursionError
)  # fmt: skip
LARGEST_HEADER = 2**24      # bytes; a forged header cannot fill the memory
LARGEST_HALF = 65_504       # the largest number of float16


def write_file(
    path: Path,
    tensors: Mapping[str, np.ndarray],
    metadata: Mapping[str, str],
    halves: Sequence[str] = (),
) -> None:
    """Write tensors and metadata to `path`, atomically.

    halves : names of float32 tensors to round to float16

    Raises OSError if the file cannot be written, and ValueError for numbers that are too large for float16.
    """
    from safetensors.numpy import save as to_bytes  # here, so that the models need no safetensors

    direct, dtypes = {}, {}
    for name, array in tensors.items():
        if name in halves:
            array = _as_half(path, name, array)
        # safetensors writes the memory of an array as it is, so it must be in C order.
        ordered = np.asarray(array, order="C")
        if not _is_native(ordered.dtype):
            dtypes[name] = [ordered.dtype.str, ordered.shape]
            ordered = np.frombuffer(ordered.tobytes(), np.uint8)
        direct[name] = ordered
    text = {
        "format": FORMAT, "version": __version__, **metadata, "dtypes": json.dumps(dtypes),
        **({"halves": json.dumps(list(halves))} if halves else {}),
        "data_checksum": ZEROS, "checksum": ZEROS,
    }
    expect_memory(3 * sum(array.nbytes for array in direct.values()))      # for the copies of to_bytes
    whole = to_bytes(direct, metadata=text)
    start = 8 + int.from_bytes(whole[:8], "little")
    if start > LARGEST_HEADER:
        raise ValueError(f"{path} would need a header of {start:,} bytes; the largest is {LARGEST_HEADER:,}")
    data = memoryview(whole)[start:]
    header = _with_entry(whole[:start], "data_checksum", ZEROS, sha256(data).hexdigest())
    header = _with_entry(header, "checksum", ZEROS, sha256(header).hexdigest())
    write_whole(path, b"".join([header, data]))


def read_metadata(path: Path) -> dict[str, str]:
    """Read and check the metadata of a file, without its tensors.

    Raises ValueError for a file that is damaged, not a safetensors file, or of another format.
    """
    with _open(path) as file:
        return _metadata(path, _header(path, file))


def read_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read and check a file; return its tensors and its metadata. Raises the errors of read_metadata."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    with _open(path) as file:
        header = _header(path, file)
        metadata = _metadata(path, header)
        file.seek(0)
        whole = file.read()
        expect_memory((4 if "halves" in metadata else 2) * len(whole))      # for the copies of from_bytes
    data = memoryview(whole)[len(header):]
    if metadata["format"] != FORMER and sha256(data).hexdigest() != metadata.get("data_checksum"):
        raise ValueError(f"{path} is damaged: the checksum of its data does not agree")
    try:
        tensors: dict[str, np.ndarray] = from_bytes(whole)
        for name, (dtype, shape) in json.loads(metadata.get("dtypes", "{}")).items():
            tensors[name] = _from_memory(tensors[name].tobytes(), np.dtype(dtype), tuple(shape))
        for name in json.loads(metadata.get("halves", "[]")):
            if tensors[name].dtype != np.float16:
                raise ValueError(f"a tensor of {tensors[name].dtype} in place of float16")
            tensors[name] = tensors[name].astype(np.float32)
    except (SafetensorError, *WRONG_CONTENT) as error:
        reason = shown(error, quote=False, longest=LONGEST_REASON)      # may have a name from the file
        raise ValueError(f"{path} is not a complete safetensors file: {reason}") from None
    return tensors, metadata


def _as_half(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """A float32 array, rounded to float16."""
    largest = float(np.abs(array).max(initial=0))
    if array.dtype != np.float32 or largest >= LARGEST_HALF:
        what = f"{largest:.3g}" if array.dtype == np.float32 else f"the dtype {array.dtype}"
        raise ValueError(
            f"{path} expected float32 numbers below {LARGEST_HALF:,} to store in half precision, "
            f"got {what} in {name}"
        )
    return array.astype(np.float16)


def _is_native(dtype: np.dtype) -> bool:
    """Whether safetensors stores the dtype and returns it unchanged."""
    return dtype.isnative and dtype.kind in "biuf" and dtype.itemsize <= 8


def _from_memory(data: bytes, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if dtype.kind not in "biufcSUmM":
        raise ValueError(f"an array of dtype {dtype}")
    declared = math.prod(shape) * dtype.itemsize
    if declared != len(data) or dtype.itemsize == 0:        # before memory is allocated for the shape
        raise ValueError(f"an array of shape {shape} and dtype {dtype} has {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape) if data else np.empty(shape, dtype)


def _open(path: Path) -> BinaryIO:
    """Open a regular file. Opening a pipe would wait until another process writes into it."""
    if not stat.S_ISREG(os.stat(path).st_mode) and not path.is_dir():
        raise ValueError(f"{path} is not a complete safetensors file: it is a device, a pipe or a socket")
    return open(path, "rb")


def _header(path: Path, file: BinaryIO) -> bytes:
    """The header, with its length in front."""
    size = os.fstat(file.fileno()).st_size
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > min(size - 8, LARGEST_HEADER):
        raise ValueError(f"{path} is not a complete safetensors file: its header is longer than the file")
    return first + file.read(length)


def _metadata(path: Path, header: bytes) -> dict[str, str]:
    try:
        content = json.loads(header[8:])
        metadata = content.get("__metadata__", {})
    except (ValueError, RecursionError, AttributeError) as error:
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from None
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError(f"{path} is not a complete safetensors file: its metadata is not text")
    found = metadata.get("format", "none")
    if found == FORMER and "checksum" not in metadata:
        return metadata
    if found != FORMAT:
        raise ValueError(f"{path}: expected the format {FORMAT!r}, the file has {found[:40]!r}")
    checksum = metadata.get("checksum", "")
    if sha256(_with_entry(header, "checksum", checksum, ZEROS)).hexdigest() != checksum:
        raise ValueError(f"{path} is damaged: the checksum of its header does not agree")
    return metadata


def _with_entry(header: bytes, key: str, old: str, new: str) -> bytes:
    """Replace the value of one entry of the metadata, a text of 64 digits."""
    return header.replace(f'"{key}":"{old}"'.encode(), f'"{key}":"{new}"'.encode(), 1)


def parsed(path: Path, metadata: Mapping[str, str], key: str) -> Any:
    """The JSON in one entry of the metadata; None if there is none."""
    with one_line_errors(path):
        return json.loads(metadata[key]) if key in metadata else None


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Raise ValueError, with the path, for any error that JSON of the wrong form causes in the block."""
    try:
        yield
    except ValueError as error:
        said = " ".join(str(error).split())
        raise ValueError(said if str(path) in said else f"{path}: {said}") from None
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MemoryError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path} has contents of the wrong form: {said[:200]}") from None
