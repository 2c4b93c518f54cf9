"""Files that are written atomically."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import scratchgen
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


needs_unix = pytest.mark.skipif(os.name == "nt", reason="pipes, devices and SIGKILL are of Unix")


@needs_unix
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a device"])
def test_only_a_regular_file_is_replaced(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)     # a short path, as sockets need
    path = Path("a.txt")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("a.txt")
    elif kind == "link to a device":
        path.symlink_to(os.devnull)
    else:
        path = Path(os.devnull)
        monkeypatch.setattr(files.os, "replace", None)      # never on the real one
    before = os.lstat(path)
    with pytest.raises(FileExistsError, match="expected a regular file to write, but .* is a device, a "):
        write_whole(path, b"new")
    assert os.lstat(path)[:3] == before[:3]
    assert os.listdir() == ([] if kind == "device" else ["a.txt"])


KILLED = """
import os, signal, sys
from scratchgen.data import files
files.os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)
files.write_whole(sys.argv[1], b"new")
"""


@needs_unix
def test_file_of_a_killed_write_is_removed_by_the_next_one(tmp_path):
    path, other = tmp_path / "a[1].txt", tmp_path / ".b.txt.5.part"
    path.write_bytes(b"old")
    other.write_bytes(b"of another file")
    env = {"PYTHONPATH": str(Path(scratchgen.__file__).parents[1]), "PATH": ""}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=env)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 3
    write_whole(path, b"newer")
    assert path.read_bytes() == b"newer" and {*tmp_path.iterdir()} == {path, other}


def test_file_that_is_being_written_is_not_removed(tmp_path, monkeypatch):
    """Another thread (or process) writes the same file in the middle of a write; the last one to end wins."""
    path, fsync = tmp_path / "a.txt", os.fsync

    def interrupted(number):
        monkeypatch.setattr(files.os, "fsync", fsync)
        thread = threading.Thread(target=write_whole, args=(path, b"second"))
        thread.start()
        thread.join()
        assert path.read_bytes() == b"second"
        fsync(number)

    monkeypatch.setattr(files.os, "fsync", interrupted)
    write_whole(path, b"first")
    assert path.read_bytes() == b"first" and list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_file_leave_it_whole(tmp_path):
    path, errors = tmp_path / "a.txt", []

    def write(letter):
        try:
            for _ in range(20):
                write_whole(path, letter * 1000)
        except OSError as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in "abc"]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    assert not errors
    assert path.read_text() in {letter * 1000 for letter in "abc"}
    assert list(tmp_path.iterdir()) == [path]


@needs_unix
def test_lock_is_held_by_one_at_a_time(tmp_path):
    path = tmp_path / "run"
    lock = files.Lock(path)
    with pytest.raises(BlockingIOError) as caught:
        files.Lock(path)
    assert caught.value.filename == str(path)
    assert caught.value.strerror == "another run is saving to this file"
    other = files.Lock(tmp_path / "other")
    lock.release()
    files.Lock(path).release()
    other.release()
    assert list(tmp_path.iterdir()) == []


@needs_unix
def test_lock_of_a_process_that_was_killed_does_not_remain(tmp_path):
    code = (
        "import sys, time\nfrom scratchgen.data.files import Lock\n"
        "lock = Lock(sys.argv[1])\nprint('held', flush=True)\ntime.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError):
            files.Lock(tmp_path / "run")
        process.send_signal(signal.SIGKILL)
    files.Lock(tmp_path / "run").release()
    assert list(tmp_path.iterdir()) == []


@needs_unix
def test_symbolic_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    for content in (b"first", b"second"):
        write_whole(tmp_path / "link", content)
        assert (tmp_path / "there" / "file").read_bytes() == content
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link", "there"]
