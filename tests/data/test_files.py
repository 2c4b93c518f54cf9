"""Files that are written atomically."""

import json
import os

import pytest

from scratchgen.data import files
from scratchgen.data.files import write_json, write_whole


def test_write_whole_replaces_the_content_and_leaves_no_other_file(tmp_path):
    path = tmp_path / "a.txt"
    assert write_whole(path, b"old") == path
    write_whole(str(path), "ε")
    assert path.read_text(encoding="utf-8") == "ε"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_write_whole_that_fails_keeps_the_old_file_and_has_its_name_in_the_error(tmp_path, monkeypatch, step):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, step, full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_whole(path, b"new")
    assert caught.value.filename == str(path)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.txt", b"old")]


def test_write_whole_raises_the_matching_oserror(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(tmp_path / "no" / "a.txt", b"")
    assert caught.value.filename == os.fspath(tmp_path / "no" / "a.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", b"")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_write_json_creates_the_folder_and_does_not_escape_letters(tmp_path):
    path = write_json(tmp_path / "deep" / "a.json", {"Fréchet": [1, None]})
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {"Fréchet": [1, None]} and "é" in text and text.endswith("\n")
