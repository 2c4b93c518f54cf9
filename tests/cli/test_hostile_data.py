"""Data that are wrong: each command says in one line what came and what was expected, before it writes."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scratchgen import cli


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCRATCHGEN_DATA", raising=False)


def picture(path, size):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, 9, np.uint8)).save(path)


def empty():
    Path("set").mkdir()
    return "set", "set: expected files named .png, .jpg, .jpeg, found none"


def mixed_sizes():
    picture("set/a.png", (8, 8))
    picture("set/b.png", (9, 8))
    return "set", "b.png: expected 8 x 8 pixels, as a.png has, got 9 x 8; pass size=(H, W)"


def text_as_png():
    picture("set/a.png", (8, 8))
    Path("set/b.png").write_text("text")
    return "set", "b.png: expected a complete PNG or JPEG picture"


def truncated_gz():
    Path("a.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 9] + [1] * 9))[:-9])
    return "a.gz", "a.gz: expected a complete gzip file"


def labels_of_another_length():
    np.savez("a.npz", images=np.zeros((5, 8, 8)), labels=np.arange(4))
    return "a.npz", "a.npz: expected 5 labels, one for each example, got 4"


def objects():
    np.save("a.npy", np.array([{}]), allow_pickle=True)
    return "a.npy", "expected an array of numbers, got Python objects"


def one_image():
    np.save("a.npy", np.zeros((1, 8, 8)))
    return "a.npy", "a.npy: expected at least two examples, one of them for testing, got 1"


def words():
    Path("a.csv").write_text("a,b\n1,two\n")
    return "a.csv", "line 2, column 2: expected a finite number, got 'two'"


def binary():
    Path("a.bin").write_bytes(bytes(range(128, 256)))
    return "a.bin", "a.bin: expected text in UTF-8"


KINDS = (
    empty, mixed_sizes, text_as_png, truncated_gz, labels_of_another_length, objects, one_image, words,
    binary,
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("command", [("data",), ("train", "pca"), ("demo", "latent")], ids=" ".join)
def test_bad_data_cost_one_line(capsys, kind, command):
    path, message = kind()
    before = sorted(os.listdir())
    assert cli.main([*command, "--data", path]) == 2
    out, err = capsys.readouterr()
    assert message in err and err.startswith("scratchgen: error: ") and err.count("\n") == 1 and out == ""
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample", "nowhere"], "nowhere does not exist; expected a folder that `scratchgen train` wrote"),
        (["info", "."], ". has no model.safetensors; expected a folder that `scratchgen train` wrote"),
        (["score", "run", "small.npz"], "expects images of 8 x 8 x 1, got 4 x 4 x 1; pass --size 8x8"),
        (["score", "run", "none.npz"], "DATA expected a file or a folder, but none.npz does not exist"),
        (["score", "run"], "expected DATA, because the model was not trained on grey images"),
        (["score", "run", "small.npz", "--out", "a.txt"], "expected a file that ends in .npy, .npz, .csv"),
        (["sample", "run", "--out", "a.gif"], "--out expected a file that ends in .png, .npy, .npz, .csv"),
        (["sample", "run", "--set", "steps=3"], "unknown setting of PCA.sample 'steps'"),
        (["sample", "run", "--out", "there/a.png"], "there is a file, expected a folder"),
        (["encode", "run", "small.npz", "--out", "run"], "--out expected a file that ends in"),
    ],
)
def test_use_of_a_run_that_is_wrong(capsys, words, message):
    rng = np.random.default_rng(0)
    np.savez("a.npz", x=rng.random((30, 8, 8)))
    np.savez("small.npz", x=rng.random((30, 4, 4)))
    Path("there").write_text("")
    assert cli.main(["train", "pca", "--set", "n_components=2", "--data", "a.npz", "--out", "run"]) == 0
    capsys.readouterr()
    before = sorted(os.listdir())
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and out == ""
    assert sorted(os.listdir()) == before


def test_damaged_run_is_refused(capsys):
    Path("run").mkdir()
    Path("run/model.safetensors").write_bytes(b"\0" * 100)
    assert cli.main(["info", "run"]) == 2
    assert "model.safetensors is not a complete safetensors file" in capsys.readouterr().err


def test_labels_of_the_data_follow_the_classes_of_the_run(capsys):
    """The data have two of the three classes, so their own numbers differ from those of the run."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(("ant", "bee", "cat")):
        for i in range(7):
            level = rng.integers(0, 60, (8, 8)) + 60 * k
            Path("all", name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(level.astype(np.uint8)).save(f"all/{name}/{i}.png")
            if k > 0:
                picture(f"two/{name}/{i}.png", (8, 8))
                Image.fromarray(level.astype(np.uint8)).save(f"two/{name}/{i}.png")
    assert cli.main(["train", "nearest_neighbours", "--data", "all", "--set", "k=1", "--out", "run"]) == 0
    assert cli.main(["score", "run", "two", "--out", "s.csv"]) == 0
    header, *rows = Path("s.csv").read_text().splitlines()
    assert header == "predicted,probability,class,label"
    assert {row.split(",")[2] for row in rows} == {"bee", "cat"} and {row[-1] for row in rows} == {"1", "2"}
    picture("other/dog/a.png", (8, 8))
    capsys.readouterr()
    assert cli.main(["score", "run", "other"]) == 2
    assert "expected the classes ant, bee, cat, got dog" in capsys.readouterr().err
