"""Damaged and hostile files: every reader refuses them in one line, or returns what the file says.

The valid files and the checks are those of the fuzzer (fuzz/readers.py).
"""

import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from fuzz.reader import same
from fuzz.readers import READERS

FLIPS = 2_000
WITH_CHECKSUM = ("npz", "png")      # every bit of the content is covered, and idx if it is gzipped


def outcome(name, path, data):
    """Read a file and check the result; return it, or None if the file was refused in one line."""
    reader = reader_of(name)
    path.write_bytes(data)
    try:
        result = reader.read(path)
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) <= 600, error
        assert name == "run" or str(path) in str(error), error      # a trainer also refuses states
        return None
    reader.check(result, data)
    return result


@cache
def reader_of(name):
    return READERS[name]()


def equal(a, b):
    """Whether two results of a reader are equal."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return same(a, b)


@pytest.fixture(scope="module", params=[pytest.param(n, marks=pytest.mark.slow) for n in READERS])
def name(request):
    return request.param


def test_truncated_file_is_refused_or_read(name, tmp_path):
    for seed in reader_of(name).seeds:
        lengths = range(len(seed)) if len(seed) < 1_000 else random.Random(0).sample(range(len(seed)), 300)
        for length in lengths:
            outcome(name, tmp_path / "a", seed[:length])


def test_flipped_bits_are_refused_or_read(name, tmp_path):
    seeds, choice = reader_of(name).seeds, random.Random(0)
    for i in range(FLIPS):
        seed = seeds[i % len(seeds)]
        changed = bytearray(seed)
        changed[choice.randrange(len(seed))] ^= 1 << choice.randrange(8)
        result = outcome(name, tmp_path / "a", bytes(changed))
        if result is not None and (name in WITH_CHECKSUM or (name == "idx" and seed[:1] == b"\x1f")):
            assert equal(result, outcome(name, tmp_path / "b", seed)), f"bit flip {i}"


@pytest.mark.parametrize("kind", ["empty", "folder", "pipe", "device", "loop", "missing"])
@pytest.mark.parametrize("name", READERS)
def test_path_that_is_no_file_is_refused(name, kind, tmp_path):
    path = tmp_path / "a"
    if kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    with pytest.raises((OSError, ValueError)) as caught:
        reader_of(name).read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    if kind in ("pipe", "device"):
        assert "a device, a pipe or a socket" in str(caught.value)


BOMBS = '''
import resource, sys
from fuzz import bombs
from fuzz.readers import READERS

readers = {name: READERS[name]().read for name in READERS}
for name, read in readers.items():
    path = sys.argv[1] + "/first"
    open(path, "wb").write(READERS[name]().seeds[0])
    read(path)                                  # everything is imported before memory is limited
made = bombs.bombs()
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000, -1))
for name, (kind, data) in ((name, bomb) for name in made for bomb in made[name].items()):
    path = f"{sys.argv[1]}/{kind}"
    with open(path, "wb") as file:
        file.write(data)
    try:
        readers[name](path)
        print("read", name, kind)
    except ValueError as error:
        right = "\\n" not in str(error) and path in str(error)
        print("refused" if right else "WRONG", name, kind, error)
'''


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_bomb_is_refused_within_200_megabytes(tmp_path):
    command = [sys.executable, "-c", BOMBS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 30 and all(line.startswith("refused ") for line in lines), done.stdout
