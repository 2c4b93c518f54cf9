"""The fuzzer: a short run of each reader finds no defect, and planted defects of each kind are found."""

import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fuzz import run
from fuzz.checkpoints import with_checksums
from fuzz.readers import READERS, pack_png, png_chunks

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 4         # for each reader

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed; it has wheels for Linux on x86-64",
)


@pytest.mark.slow
@needs_atheris
def test_short_run_finds_no_defect(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(run, "IN_MEMORY", scratch)
    with ThreadPoolExecutor(2) as two:
        found = dict(zip(READERS, two.map(lambda name: run.fuzz(name, tmp_path / name, SECONDS), READERS),
                         strict=True))  # fmt: skip
    assert not list(scratch.iterdir())
    assert {name: figures["defects"] for name, figures in found.items()} == dict.fromkeys(READERS, [])
    for name, figures in found.items():
        assert figures["executions"] == figures["read"] + figures["refused"] > 0, name
        assert figures["read"] > 0 and figures["coverage"] > 0, name


PLANTED = """
import sys, time
import numpy as np
from pathlib import Path
from fuzz import one
from fuzz.reader import Reader, expect

def read(path):
    data = path.read_bytes()
    if data == b"traceback": raise KeyError("config")
    if data == b"lines": raise ValueError("one\\ntwo")
    if data == b"slow":
        end = time.process_time() + 1.1
        while time.process_time() < end: pass
    if data == b"large": np.ones(30_000_000)
    if data == b"exit": raise SystemExit(0)
    return data

def check(result, data):
    expect(data != b"wrong", "another value")

run = one.Run(Reader((), read, check), Path(sys.argv[1]))
for word in ("right", "traceback", "traceback", "lines", "slow", "large", "exit", "wrong"):
    run.one(word.encode())
"""


@pytest.mark.slow
@needs_atheris
def test_planted_defects_are_found(tmp_path):
    command = [sys.executable, "-c", PLANTED, str(tmp_path)]
    env = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = (tmp_path / "defects.txt").read_text().splitlines()
    inputs = [(tmp_path / "defects" / line.split(":")[0]).read_text() for line in found]
    assert inputs == ["traceback", "lines", "slow", "large", "exit", "wrong"]


def test_without_atheris_the_command_says_what_to_install(monkeypatch, capsys):
    def missing(name):
        raise run.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(run.importlib.metadata, "version", missing)
    assert run.main([]) == 2
    assert "pip install atheris" in capsys.readouterr().err


@pytest.mark.parametrize("name", READERS)
def test_seeds_are_valid_files_and_packed_content_is_their_content(name, tmp_path):
    reader = READERS[name]()
    accepted = 0
    for seed in reader.seeds:
        (tmp_path / "a").write_bytes(seed)
        try:
            result = reader.read(tmp_path / "a")
        except ValueError:
            continue
        reader.check(result, seed)
        accepted += 1
        for unpack, pack in reader.inside:
            try:
                content = unpack(seed)
            except KeyError:        # this file does not have this content
                continue
            (tmp_path / "a").write_bytes(pack(content, seed))
            reader.check(reader.read(tmp_path / "a"), pack(content, seed))
    assert accepted


def test_packing_makes_checksums_right():
    seed = READERS["png"]().seeds[0]
    place = seed.index(b"IHDR") + 4
    changed = seed[:place] + bytes(4) + seed[place + 4 :]
    assert png_chunks(changed)[0][2] != png_chunks(pack_png(changed, seed))[0][2]
    assert pack_png(seed, seed) == seed
    weights = READERS["checkpoint"]().seeds[0]
    assert with_checksums(weights) == weights


def test_published_figures_have_no_defect():
    figures = json.loads((ROOT / "results" / "fuzz.json").read_text(encoding="utf-8"))
    assert set(figures["readers"]) == set(READERS)
    assert all(not reader["defects"] for reader in figures["readers"].values())
