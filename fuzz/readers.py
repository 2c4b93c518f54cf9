"""The readers that are fuzzed: for each one, valid files to start from, and a check of its result.

`read(path)` calls the reader. It may raise ValueError with a message of one line, which is a refusal. Any
other error is a defect. If it returns, `check(result, data)` reads the same bytes in an independent way and
compares the results. Every error in `check` is a defect.

A file with compression or checksums is nearly always refused at once if one of its bytes is changed. For such
files, half of the changes are made to the content, which is then packed again.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from fuzz import checkpoints
from fuzz.reader import Reader, expect, same
from scratchgen.data import Table, read_csv, read_idx, read_image, read_npy, read_npz
from scratchgen.data.records import read_json

PNG_START = b"\x89PNG\r\n\x1a\n"


# --- IDX

def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def check_idx(array: np.ndarray, data: bytes) -> None:
    """Check that writing the array again gives the same file."""
    expect(idx_bytes(array) == gunzip(data), f"{array.shape} is not the array in the file")


def gunzip(data: bytes) -> bytes:
    """The content of a gzip file, or the data itself if it is another file."""
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def pack_gzip(data: bytes, file: bytes = b"") -> bytes:
    """A gzip file with this content."""
    return gzip.compress(data, 1, mtime=0)


def with_declared_size(data: bytes, file: bytes) -> bytes:
    """An IDX file whose data have the size that its header declares, up to 4,096 bytes."""
    start = 4 + 4 * data[3]
    size = math.prod(struct.unpack(f">{data[3]}I", data[4:start]))
    return data[:start] + (data[start:] + bytes(size))[:size] if size <= 4096 else data


# --- NPY and NPZ

def npy_bytes(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    """An NPY file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


def npz_bytes(compressed: bool, **arrays: np.ndarray) -> bytes:
    """An NPZ file."""
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def check_npy(array: np.ndarray, data: bytes) -> None:
    """Check that numpy.load returns the same array."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expect(same(array, np.load(io.BytesIO(data), allow_pickle=False)), "numpy.load reads another array")


def npy_header(data: bytes) -> bytes:
    """The header of an NPY file of version 1.0; KeyError for another version."""
    if data[6] != 1:
        raise KeyError(data[6])
    return data[10 : 10 + int.from_bytes(data[8:10], "little")]


def with_npy_header(header: bytes, data: bytes) -> bytes:
    """The file with another header, of version 1.0."""
    return data[:6] + b"\1\0" + struct.pack("<H", len(header)) + header + data[10 + len(npy_header(data)) :]


def check_npz(arrays: dict[str, np.ndarray], data: bytes) -> None:
    """Check that numpy.load returns the same arrays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.load(io.BytesIO(data), allow_pickle=False) as other:
            expect(set(arrays) == set(other.files), f"numpy.load finds {other.files}, not {list(arrays)}")
            for name, array in arrays.items():
                expect(same(array, other[name]), f"numpy.load reads another array {name!r}")


def unzip(data: bytes) -> bytes:
    """The content of the first member of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(archive.infolist()[0])


def pack_zip(data: bytes, file: bytes) -> bytes:
    """A zip archive with one array."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", data)
    return buffer.getvalue()


# --- CSV

def check_csv(table: Table, data: bytes) -> None:
    """Check that the numbers are those in the cells that the csv module finds in the whole text."""
    text = data.decode("utf-8").removeprefix("\ufeff")
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if table.names is not None:
        expect(tuple(cell.strip() for cell in rows.pop(0)) == table.names, "other names of columns")
    expect(np.isfinite(table.values).all(), "a number that is not finite")
    expect([[float(cell) for cell in row] for row in rows] == table.values.tolist(), "other numbers")


# --- pictures

def picture_bytes(mode: str, kind: str = "PNG", **options: object) -> bytes:
    """A picture of 5 x 7 pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def check_png(pixels: np.ndarray, data: bytes) -> None:
    """Check the checksum of every chunk, and that pillow decodes the same intensities."""
    expect(data.startswith(PNG_START), "a file without the first bytes of PNG")
    for kind, content, crc in png_chunks(data):
        expect(kind == b"IEND" or crc == zlib.crc32(kind + content), f"wrong checksum of chunk {kind!r}")
    check_pixels(pixels, data)


def check_pixels(pixels: np.ndarray, data: bytes) -> None:
    """Check that pillow decodes the same levels. In a rotated picture, they are in another order."""
    expect(pixels.dtype == np.float32 and pixels.ndim == 3, f"{pixels.dtype} of shape {pixels.shape}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as picture:
            levels = np.asarray(picture.convert("L" if pixels.shape[2] == 1 else "RGB"))
    found = np.rint(255 * pixels).astype(np.uint8)
    expect(np.array_equal(found / np.float32(255), pixels), "intensities that are no levels / 255")
    expect(np.array_equal(np.sort(found, axis=None), np.sort(levels, axis=None)), "other levels")


def png_chunks(data: bytes) -> list[tuple[bytes, bytes, int]]:
    """The kind, the content and the checksum of each chunk, up to the end chunk."""
    chunks, place = [], len(PNG_START)
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        content = data[place + 8 : place + 8 + length]
        crc = data[place + 8 + length : place + 12 + length]
        if len(crc) < 4:
            break
        chunks.append((kind, content, int.from_bytes(crc)))
        place += 12 + length
        if kind == b"IEND":
            break
    return chunks


def pack_png(data: bytes, file: bytes) -> bytes:
    """The same chunks with the right checksums."""
    return PNG_START + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content, _ in png_chunks(data)
    )


# --- JSON

def check_json(value: Any, data: bytes) -> None:
    """Check that the json module finds the same value."""
    expect(repr(value) == repr(json.loads(data)), "another value")


NUMBERS = np.arange(6, dtype=np.uint8).reshape(2, 3)


def idx() -> Reader:
    """IDX, gzipped or not; the last file is gzipped zeros."""
    seeds = (idx_bytes(NUMBERS), pack_gzip(idx_bytes(NUMBERS)), pack_gzip(bytes(2_000_000)))
    return Reader(seeds, read_idx, check_idx, ((gunzip, pack_gzip), (gunzip, with_declared_size)))


def npy() -> Reader:
    """NPY in both versions, both orders and both byte orders."""
    seeds = (
        npy_bytes(NUMBERS),
        npy_bytes(np.asfortranarray(NUMBERS.astype(">f4")), (2, 0)),
        npy_bytes(np.array([True, False])),
        npy_bytes(np.array(1.5)),
    )
    return Reader(seeds, read_npy, check_npy, ((npy_header, with_npy_header),))


def npz() -> Reader:
    """NPZ, compressed or not."""
    seeds = (npz_bytes(False, x=NUMBERS), npz_bytes(True, x=NUMBERS, y=np.arange(2)))
    return Reader(seeds, read_npz, check_npz, ((unzip, pack_zip),))


def csv_table() -> Reader:
    """CSV with a header, a byte order mark, an empty line, quotes and numbers that are refused."""
    seeds = (
        b'a,b\n1,2.5\n-3e-5,"4"\n',
        b"\xef\xbb\xbf1,2\r\n3,4\r\n",
        b"1, 2\n\n3 ,4",
        b"x\n1e308\nnan\n1_0\n",
        b'"1,5"\n',
    )
    return Reader(seeds, read_csv, check_csv)


def png() -> Reader:
    """PNG in all modes that pillow writes with 8 bits per channel."""
    seeds = tuple(picture_bytes(mode) for mode in ("L", "RGB", "P", "1", "RGBA", "LA"))
    return Reader(seeds, read_image, check_png, ((bytes, pack_png),))


def jpeg() -> Reader:
    """JPEG, grey, progressive and CMYK."""
    seeds = (
        picture_bytes("L", "JPEG"),
        picture_bytes("RGB", "JPEG", progressive=True),
        picture_bytes("CMYK", "JPEG"),
    )
    return Reader(seeds, read_image, check_pixels)


def json_record() -> Reader:
    """JSON; the last file is nested too deeply."""
    seeds = (b'{"a": [1, 2.5e3, null, "\\u00e9"], "b": {"a": true}}', b"[NaN, -1]", b'"x"', b"[" * 2000)
    return Reader(seeds, read_json, check_json)


READERS: dict[str, Callable[[], Reader]] = {
    "idx": idx,
    "npy": npy,
    "npz": npz,
    "csv": csv_table,
    "png": png,
    "jpeg": jpeg,
    "json": json_record,
    "checkpoint": checkpoints.weights,
    "run": checkpoints.run,
}
