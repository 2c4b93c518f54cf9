"""Checkpoints to fuzz: files of weights and of whole runs.

The fuzzer changes the file itself or the JSON in its metadata. Afterwards, the checksums are corrected.
"""

from __future__ import annotations

import contextlib
import json
import re
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as to_bytes

from fuzz.reader import Reader, expect, same

ZEROS = b"0" * 64


def weights() -> Reader:
    """A file of a layer's weights."""
    from scratchgen.training import checkpoint  # imported here because it is slow to import

    def write(path: Path) -> None:
        checkpoint.save_model(path, layer(), {"hidden": [3], "name": "a layer"})

    entries = ("config", "model", "dtypes")
    seeds = (written(write), former())
    return Reader(seeds, read_weights, check_weights, (whole, *map(metadata_entry, entries)))


def run() -> Reader:
    """A file of a whole run."""
    from scratchgen.training import checkpoint

    def write(path: Path) -> None:
        trained = trainer()
        trained.run()
        checkpoint.save(path, trained, {"seed": 0})

    entries = ("config", "run", "model")
    return Reader((written(write),), read_run, check_run, (whole, *map(metadata_entry, entries)))


def former() -> bytes:
    """A file of weights in the former format, which has no checksums and no description of the model."""
    tensors = {f"model.{name}": parameter.value for name, parameter in layer().parameters().items()}
    return to_bytes(tensors, metadata={"format": "scratchgen 1", "config": '{"hidden": [3]}'})


def layer() -> Any:
    """The layer in the files of weights."""
    from scratchgen.layers import Linear

    return Linear(3, 2, rng=0)


def trainer() -> Any:
    """A trainer of two steps."""
    from scratchgen.models import Autoencoder

    x = np.random.default_rng(0).random((4, 3), np.float32)
    return Autoencoder.dense([3, 1], rng=0).trainer(x, epochs=1, batch_size=2, rng=0)


def read_weights(path: Path) -> tuple[dict[str, Any], Any]:
    """Call all functions that read a file of weights; return the configuration and the layer."""
    import scratchgen
    from scratchgen.training import checkpoint

    for other in (checkpoint.is_finished, getattr(scratchgen, "load", checkpoint.is_finished)):
        with contextlib.suppress(ValueError):
            other(path)
    found = layer()
    checkpoint.load_model(path, found)
    return checkpoint.read_config(path), found


def check_weights(result: tuple[dict[str, Any], Any], data: bytes) -> None:
    """Check that safetensors and the json module find the same weights and configuration."""
    config, found = result
    tensors = load_tensors(data)
    for name, parameter in found.parameters().items():
        expect(same(parameter.value, tensors[f"model.{name}"]), f"another {name}")
    expect(isinstance(config, dict), f"the configuration {config!r}")
    text = metadata(data).get("config", "{}")
    if "$" not in text:     # a mark of values that JSON does not have, such as tuples
        expect(repr(config) == repr(json.loads(text)), "another configuration")


def read_run(path: Path) -> Any:
    """Call all functions that read the file of a run; return the trainer."""
    from scratchgen.training import checkpoint

    with contextlib.suppress(ValueError):
        checkpoint.is_finished(path)
    found = trainer()
    checkpoint.load(path, found)
    return found


def check_run(found: Any, data: bytes) -> None:
    """Check that safetensors finds the same weights, and the JSON the same numbers of steps and epochs."""
    tensors = load_tensors(data)
    for name, parameter in found.model.parameters().items():
        expect(same(parameter.value, tensors[f"model.{name}"]), f"another {name}")
    saved = json.loads(metadata(data)["run"])
    expect((found.step, found.epoch) == (saved["step"], saved["epoch"]), "other steps")
    expect(type(found.step) is int and type(found.epoch) is int, "steps that are not integers")


# --- the content of a file

def written(write: Any) -> bytes:
    """The bytes of the file that write(path) writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.safetensors")
        write(path)
        return path.read_bytes()


def header_size(data: bytes) -> int:
    """The number of bytes before the tensors."""
    return 8 + int.from_bytes(data[:8], "little")


def metadata(data: bytes) -> dict[str, str]:
    """The metadata of a safetensors file."""
    found: dict[str, str] = json.loads(data[8 : header_size(data)])["__metadata__"]
    return found


def with_checksums(data: bytes, file: bytes = b"") -> bytes:
    """The file with the checksums of its data and of its header, if it has any."""
    size = header_size(data)
    header, tensors = data[:size], data[size:]
    header = _with_checksum(header, b"data_checksum", sha256(tensors).hexdigest())
    zeroed = _with_checksum(header, b"checksum", ZEROS.decode())
    return _with_checksum(header, b"checksum", sha256(zeroed).hexdigest()) + tensors


def _with_checksum(header: bytes, key: bytes, digits: str) -> bytes:
    return re.sub(b'"%s":"[0-9a-f]{64}"' % key, b'"%s":"%s"' % (key, digits.encode()), header, count=1)


whole = (bytes, with_checksums)


def metadata_entry(key: str) -> tuple[Any, Any]:
    """How to change one entry of the metadata."""

    def unpack(data: bytes) -> bytes:
        return metadata(data)[key].encode()

    def pack(content: bytes, data: bytes) -> bytes:
        header = json.loads(data[8 : header_size(data)])
        header["__metadata__"][key] = content.decode("utf-8", "replace")
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        return with_checksums(len(text).to_bytes(8, "little") + text + data[header_size(data) :])

    return unpack, pack
