"""The file: a change of any bit is detected, and the header is read without the tensors."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import scratchgen
from scratchgen.saving import container
from scratchgen.saving.container import read_file, read_metadata, write_file

TENSORS = {"a": np.arange(5.0), "text": np.array(["ä", "bc"]), "none": np.zeros((0, 3), np.float32)}


@pytest.fixture
def path(tmp_path):
    write_file(tmp_path / "file", TENSORS, {"note": json.dumps('say "checksum":"1"')})
    return tmp_path / "file"


def test_file_is_a_safetensors_file(path):
    found = load_file(path)
    np.testing.assert_array_equal(found["a"], TENSORS["a"])
    assert found["text"].dtype == np.uint8


def test_flipped_bit_is_found(path):
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 13):  # testing every bit takes 12 seconds
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="damaged|not a complete safetensors file|expected the format"):
            read_file(path)


def test_every_shorter_or_longer_file_is_found(path):
    whole = path.read_bytes()
    for content in [*(whole[:n] for n in range(0, len(whole), 7)), whole + b"\0", whole + whole]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged|not a complete safetensors file"):
            read_file(path)


def test_header_is_read_and_checked_without_the_tensors(path):
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    assert json.loads(read_metadata(path)["note"]) == 'say "checksum":"1"'
    with pytest.raises(ValueError, match="file is damaged: the checksum of its data does not agree"):
        read_file(path)
    whole[40] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="damaged|not a complete|expected the format"):
        read_metadata(path)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"[" * 100_000,
        b"{",
        b"\xff\xfe{}",
        b"1e999",
        b'{"__metadata__":[]}',
        b'{"__metadata__":{"format":1}}',
        b'{"__metadata__":{"format":"scratchgen 2"}}',
        b'{"__metadata__":{"format":"scratchgen 1","checksum":"0"}}',
        b'{"__metadata__":{"format":"scratchgen 1"},'
        b'"a":{"dtype":"F64","shape":[1000000000],"data_offsets":[0,8]}}',
        b'{"__metadata__":{"format":"scratchgen 1","dtypes":"{\\"a\\":[\\"O\\",[1]]}"},'
        b'"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
        b'{"__metadata__":{"format":"scratchgen 1","dtypes":"[1]"},'
        b'"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
    ],
)
def test_header_that_was_made_up_is_refused_in_one_line(path, header):
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(
        ValueError, match="damaged|not a complete safetensors file|expected the format"
    ) as error:
        read_file(path)
    assert "\n" not in str(error.value)


def test_length_of_the_header_is_not_believed(path):
    path.write_bytes((2**63).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match="its header is longer than the file"):
        read_file(path)


def test_header_that_is_too_long_is_not_written(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(container, "LARGEST_HEADER", 3000)
    with pytest.raises(ValueError, match=r"would need a header of [\d,]+ bytes; the largest is 3,000"):
        write_file(path, TENSORS, {"note": "a" * 3000})
    assert path.read_bytes() == before


def test_file_of_another_program_is_refused(path):
    save_file({"a": np.zeros(2)}, path)
    with pytest.raises(ValueError, match="expected the format 'scratchgen 2', the file has 'none'"):
        read_metadata(path)


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes in folders")
def test_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is not a complete safetensors file: it is a device, a pipe"):
        scratchgen.load(tmp_path / "pipe")
    with pytest.raises(OSError):
        scratchgen.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        scratchgen.load(tmp_path / "none")
