"""User data at the command line: data that do not fit are refused, and the message says what to do."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scratchgen import cli


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures of two sizes, and tables with text, missing values, semicolons and labels from 1."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Path("photos").mkdir()
    for i, size in enumerate([(20, 30), (25, 25), (20, 30)]):
        Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(f"photos/{i}.jpg")
    Path("text.csv").write_text("height,note,kind\n1,nice,x\n2,good,y\n")
    Path("missing.csv").write_text("a,b,kind\n1,2,x\n3,,y\n")
    Path("na.csv").write_text("a,b\n1,2\n3,NA\n")
    Path("semicolons.csv").write_text("a;b\n1,5;2\n3;4\n")
    Path("from_one.csv").write_text("a,b,kind\n" + "1,2,1\n2,1,2\n3,3,3\n" * 8)
    Path("broken.npz").write_text("hello")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("photos", "photos/1.jpg: expected 20 x 30 pixels, as 0.jpg has, got 25 x 25; pass size=(H, W), or"),
        ("photos", "or --size HxW, to resize all"),
        ("photos/0.jpg", "photos/0.jpg: expected a folder of pictures, got one picture; pass its folder"),
        ("text.csv", "use load_table(path, label=1), or --label 1; other text must be removed or encoded"),
        ("text.csv --label kind", "expected a finite number, got 'nice'; remove this column, or encode its"),
        ("missing.csv --label kind", "got ''; remove the rows with missing values, or fill them in"),
        ("na.csv", "got 'NA'; remove the rows with missing values, or fill them in"),
        ("semicolons.csv", "seem to be separated by ';', expected commas"),
        ("broken.npz", "broken.npz: expected the format NPZ, got a file of another format"),
    ],
)
def test_data_that_do_not_fit_are_refused_with_a_hint(folder, capsys, words, message):
    assert cli.main(["data", "--data", *words.split()]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_pictures_of_several_sizes_are_read_with_a_size(folder, capsys):
    assert cli.main(["data", "--data", "photos", "--size", "8x8", "--colour", "rgb"]) == 0
    assert "images of 8 x 8 x 3" in capsys.readouterr().out


def test_labels_from_one_are_reported(folder, caplog):
    """The model then has a class without examples, which is probably a mistake."""
    words = ["--data", "from_one.csv", "--label", "kind", "--set", "hidden=3", "--epochs", "1"]
    with caplog.at_level(logging.WARNING, "scratchgen"):
        assert cli.main(["train", "mlp", *words]) == 0
    assert "the labels go from 1 to 3, so no example is of class 0; number the classes from 0" in caplog.text
