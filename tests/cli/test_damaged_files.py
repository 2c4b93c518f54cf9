"""Commands that read a damaged file end with exit code 2 and one line that names the file."""

import json
import os

import pytest

from scratchgen import cli
from scratchgen.layers import Linear
from scratchgen.studies.ood.cells import Plan
from scratchgen.studies.ood.study import _prepare, collect
from scratchgen.training import checkpoint

DAMAGED = {
    "empty": b"",
    "cut": b'{"name": "results", "tables": {"a"',
    "a list": b"[1, 2]",
    "null": b"null",
    "nested": b"[" * 100_000,
    "a key twice": b'{"classifiers": [], "classifiers": []}',
    "not UTF-8": b'{"name": "\xff"}',
    "other types": b'{"classifiers": 3, "tables": [1], "protocols": 7, "name": "a", "ours": "x"}',
    "entries missing": b'{"classifiers": [{}], "tables": {"a": 5}, "model": {}, "name": "a"}',
}
CHAPTERS = {
    "classifiers": "classifiers", "compare": "compare", "gans": "gan_conditional", "ood": "ood",
    "reproduce": "a",
}  # fmt: skip


def one_line(capsys):
    """The only line of stderr; stdout is empty."""
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("scratchgen: error: "), (out, err)
    return err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("study", CHAPTERS)
def test_study_with_damaged_results(folder, capsys, study, damage):
    results = folder / "results" / f"{CHAPTERS[study]}.json"
    results.parent.mkdir()
    results.write_bytes(DAMAGED[damage])
    assert cli.main(["study", study, "--write-chapter"]) == 2
    assert f"{CHAPTERS[study]}.json" in one_line(capsys)
    assert sorted(path.name for path in folder.rglob("*")) == sorted(["results", results.name])


@pytest.mark.parametrize("damage", DAMAGED)
def test_study_that_continues_from_a_damaged_cell(folder, damage):
    plan = Plan(("only",), ("intensity",), (1,), 1)
    cells = folder / "runs" / "embedded"
    cells.mkdir(parents=True)
    (cells / "only-1-intensity-0.json").write_bytes(DAMAGED[damage])
    with pytest.raises(ValueError, match="only-1-intensity-0.json is damaged .* delete it") as caught:
        collect(plan, folder / "runs")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", [3, [], {}, {"seconds": 1}, {"seconds": 1, "auroc": 2, "controls": []}])
def test_study_with_a_cell_of_another_form(folder, cell):
    plan = Plan(("only",), ("intensity",), (1,), 1)
    _, cells, parts = _prepare(plan, folder)
    parts.save(*cells.values(), cell)
    with pytest.raises(ValueError, match="embedded.* damaged"):
        collect(plan, folder)


def weights(folder):
    path = folder / "good.safetensors"
    checkpoint.save_model(path, Linear(2, 1, rng=0), {"model": "autoencoder"})
    return path.read_bytes()


NESTED = b'{"__metadata__":{"format":"scratchgen 1","config":"' + b"[" * 50_000 + b'"}}'


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("kind", ["empty", "cut", "another file", "weights alone", "nested"])
def test_train_with_a_damaged_run(folder, capsys, kind, resume):
    whole = weights(folder)
    files = {
        "empty": b"",
        "cut": whole[:-5],
        "another file": b"PK" + bytes(100),
        "weights alone": whole,
        "nested": len(NESTED).to_bytes(8, "little") + NESTED,
    }
    (folder / "run.safetensors").write_bytes(files[kind])
    arguments = ["train", "autoencoder", "--epochs", "1", "--out", "run.safetensors"]
    assert cli.main([*arguments, *(["--resume"] if resume else [])]) == 2
    assert "run.safetensors" in one_line(capsys)


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_train_with_a_path_that_is_no_file(folder, capsys, kind, option):
    (os.mkdir if kind == "folder" else os.mkfifo)("run.safetensors")
    assert cli.main(["train", "autoencoder", "--out", "run.safetensors", option]) == 2
    assert "run.safetensors" in one_line(capsys)


@pytest.mark.parametrize("data", [b"", b"\0\0\x08\x03" + b"\xff" * 12, b"\x1f\x8b\x08" + bytes(9), b"<html>"])
def test_data_and_train_with_a_damaged_copy_of_mnist(folder, capsys, monkeypatch, data):
    (folder / "train-images-idx3-ubyte").write_bytes(data)
    monkeypatch.setenv("SCRATCHGEN_DATA", str(folder))
    for words in (["data"], ["train", "autoencoder", "--out", "a.safetensors"], ["demo", "compress"]):
        assert cli.main(words) == 2
        assert "train-images-idx3-ubyte" in one_line(capsys)


def test_demo_whose_folder_is_a_file(folder, capsys):
    (folder / "gallery").write_text("")
    assert cli.main(["demo", "compress"]) == 2
    assert "gallery" in one_line(capsys)


def test_record_with_a_good_form_is_still_read(folder):
    (folder / "a.json").write_text(json.dumps({"name": "another"}))
    from scratchgen.studies.reproduce.record import read_all

    assert read_all(folder) == []
