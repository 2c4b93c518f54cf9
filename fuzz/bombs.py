"""Files that declare more data than they have, or unpack to far more than their size."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from fuzz.checkpoints import header_size, weights, with_checksums
from fuzz.readers import PNG_START, npy_bytes
from scratchgen.data.pictures import START_OF_SCAN


def bombs() -> dict[str, dict[str, bytes]]:
    """Reader -> kind -> file."""
    return {
        "idx": idx(), "npy": npy(), "npz": npz(), "csv": csv(), "png": png(), "jpeg": jpeg(),
        "json": records(), "checkpoint": checkpoints(),
    }  # fmt: skip


def idx_header(*shape: int) -> bytes:
    """The header of an IDX file of unsigned bytes."""
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def idx() -> dict[str, bytes]:
    """IDX files."""
    billion, largest = idx_header(1000, 1000, 1000), 2**32 - 1
    return {
        "a billion elements": billion + bytes(10),
        "a billion elements, gzipped": gzip.compress(billion + bytes(10)),
        "a billion elements that are there, gzipped": zeros_gzipped(billion, 1_000_000_000),
        "more data than declared, gzipped": zeros_gzipped(idx_header(2, 2), 1_000_000_000),
        "a size that overflows": idx_header(largest, largest, largest, 4),
        "no elements of a shape that overflows": idx_header(0, largest, largest, largest, largest),
        "65 dimensions": idx_header(*[1] * 65) + b"a",
        "255 dimensions": idx_header(*[1] * 255) + b"a",
    }


def zeros_gzipped(start: bytes, n: int) -> bytes:
    """Gzipped: start, then n zeros. The members of a gzip file are unpacked one after the other."""
    return gzip.compress(start) + gzip.compress(bytes(1_000_000)) * (n // 1_000_000)


def npy_header(text: str, version: int = 1) -> bytes:
    """The start of an NPY file with this header."""
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode()


def npy() -> dict[str, bytes]:
    """NPY files."""

    def declared(shape: str, dtype: str = "'<f8'") -> bytes:
        return npy_header(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}") + bytes(16)

    objects = io.BytesIO()
    np.save(objects, np.array([print, {}], object), allow_pickle=True)
    return {
        "a billion elements": declared("(1000000000,)"),
        "a negative size": declared("(-2, -1)"),
        "a size that overflows": declared("(4294967296, 4294967296)"),
        "a size that overflows to 2": declared("(9223372036854775809, 2)"),
        "no elements of a shape that overflows": declared("(0, 9223372036854775807, 9)"),
        "a size of 9,000 digits": declared(f"(0x1{'0' * 8000},)"),
        "65 dimensions": declared(f"({'1, ' * 65})", "'<u1'"),
        "objects": objects.getvalue(),
        "a pickle": pickle.dumps([1, 2]),
        "an object in a record": declared("(1,)", "[('a', '<f8'), ('b', '|O')]"),
        "text": npy_bytes(np.array(["ab"])),
        "booleans of 2": npy_header("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}") + b"\2",
        "a header that is called": declared("(print('called'),)"),
        "a header that is nested": npy_header("(" * 5000, 2),
        "a header of 4 GB": b"\x93NUMPY\2\0\xff\xff\xff\xff{}",
        "version 3": b"\x93NUMPY\3\0" + bytes(8),
    }


def zipped(members: dict[str, bytes], **options: int) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def npz() -> dict[str, bytes]:
    """NPZ files."""
    array = npy_bytes(np.arange(3))
    many = npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (70000000,)}")
    plain = zipped({"x.npy": array}, compression=zipfile.ZIP_STORED)
    place = plain.index(b"PK\1\2")
    encrypted = plain[: place + 8] + b"\1\0" + plain[place + 10 :]
    longer = plain[: place + 24] + struct.pack("<I", 2**31) + plain[place + 28 :]
    twice = zipped({"x.npy": array, "y.npy": array}).replace(b"y.npy", b"x.npy")
    return {
        "70 million elements that are there": zipped({"x.npy": many + bytes(70_000_000)}),
        "a billion elements": zipped({"x.npy": npy()["a billion elements"]}),
        "objects": zipped({"x.npy": npy()["objects"]}),
        "a parent folder": zipped({"../../x.npy": array}),
        "an absolute path": zipped({"/etc/x.npy": array}),
        "a path of Windows": zipped({"C:\\x.npy": array}),
        "another file": zipped({"x.npy": array, "run.py": b"print()"}),
        "an archive in an archive": zipped({"x.npy": zipped({"x.npy": array})}),
        "the same name twice": twice,
        "an encrypted member": encrypted,
        "a member of 2 GB": longer,
        "lzma": zipped({"x.npy": array}, compression=zipfile.ZIP_LZMA),
        "bytes before the archive": b"#!/bin/sh\n" + plain,
    }


def csv() -> dict[str, bytes]:
    """CSV files."""
    return {
        "a long line": b"1," * 2_000_000,
        "a long cell": b"1" * 1_000_000,
        "a quote that is not closed": b'1,"2\n' + b"3,4\n" * 50_000,
        "a number that is not finite": b"1e999\n",
        "a number of 5,000 digits": b"9" * 5000,
        "zeros": bytes(100_000),
        "another encoding": "1,2\n3,4\n".encode("utf-16"),
        "not UTF-8": b"1,2\n\xff,4\n",
        "digits of another script": "１,２\n".encode(),
        "an underscore": b"1_000,2\n",
        "a formula": b"=cmd|' /C calc'!A0,1\n",
    }


def png() -> dict[str, bytes]:
    """PNG files."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def declared(width: int, height: int, depth: int = 8, content: bytes = b"") -> bytes:
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
        return PNG_START + head + content + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")

    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9))
    return {
        "a billion pixels": declared(40_000, 25_000),
        "the largest size": declared(2**31 - 1, 2**31 - 1),
        "a size of zero": declared(0, 5),
        "16 bits": declared(3, 3, depth=16),
        "fewer rows than declared": declared(100, 100),
        "a text that unpacks to 50 MB": declared(3, 3, content=text),
        "an animation": buffer.getvalue(),
        "another format": b"GIF89a" + bytes(100),
        "a chunk of 4 GB": PNG_START + b"\xff\xff\xff\xffIHDR",
    }


def jpeg() -> dict[str, bytes]:
    """JPEG files."""
    buffer = io.BytesIO()
    Image.new("L", (2000, 2000)).save(buffer, "JPEG", progressive=True)
    picture = buffer.getvalue()
    place = picture.rindex(START_OF_SCAN)
    size = picture.index(b"\xff\xc2") + 5
    return {
        "3,000 scans of the same pixels": picture[:place] + picture[place:-2] * 3_000 + picture[-2:],
        "the largest size": picture[:size] + b"\xff\xdc\xff\xdc" + picture[size + 4 :],
        "half a picture": picture[: len(picture) // 2],
    }


def records() -> dict[str, bytes]:
    """JSON files."""
    return {
        "nested lists": b"[" * 1_000_000,
        "nested objects": b'{"a":' * 500_000,
        "a key twice": b'{"a": 1, "a": 2}',
        "a number of 5,000 digits": b"9" * 5000,
        "not UTF-8": b'"\xff"',
        "two values": b"1 2",
        "half a value": b'{"a": [1, 2',
    }


def safetensors(header: bytes, data: bytes = b"") -> bytes:
    """A safetensors file."""
    return struct.pack("<Q", len(header)) + header + data


def checkpoints() -> dict[str, bytes]:
    """Checkpoints."""

    def tensor(shape: list[int], end: int, dtype: str = "F32") -> bytes:
        entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}
        text = {"format": "scratchgen 1", "config": "{}"}
        return safetensors(json.dumps({"__metadata__": text, "model.weight": entry}).encode(), bytes(16))

    return {
        "a billion elements": tensor([10**9], 4 * 10**9),
        "a size that overflows": tensor([2**62, 4], 16),
        "no elements of a shape that overflows": tensor([0, 2**40, 2**40], 0),
        "65 dimensions": tensor([1] * 64 + [16], 16, "U8"),
        "an unknown dtype": tensor([8], 16, "BF16"),
        "a header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
        "a header of 90 MB": struct.pack("<Q", 90_000_000) + b"{}",
        "nested metadata": safetensors(b'{"__metadata__":' + b"[" * 100_000),
        "a pickle": pickle.dumps({"model.weight": [1.0]}),
        "a billion elements, behind a checksum": forged({"x": ["<f8", [10**9]]}),
        "a long text, behind a checksum": forged({"x": ["<U100000000", [4]]}),
        "no text of no length, behind a checksum": forged({"x": ["<U0", [10**9]]}),
        "objects, behind a checksum": forged({"x": ["|O", [1]]}),
        "nested dtypes, behind a checksum": forged("[" * 100_000),
    }


def forged(dtypes: object) -> bytes:
    """A checkpoint with a tensor "x" of no bytes, other `dtypes` in its metadata, and the right checksums."""
    seed = weights().seeds[0]
    size = header_size(seed)
    header, end = json.loads(seed[8:size]), len(seed) - size
    header["x"] = {"dtype": "U8", "shape": [0], "data_offsets": [end, end]}
    header["__metadata__"]["dtypes"] = dtypes if isinstance(dtypes, str) else json.dumps(dtypes)
    text = json.dumps(header, separators=(",", ":")).encode()
    return with_checksums(len(text).to_bytes(8, "little") + text + seed[size:])
