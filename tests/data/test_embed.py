"""The embedded part: class shares, reproducible bytes, and the size of the file."""

import io
import os
import zipfile

import numpy as np
import pytest

from scratchgen import cli
from scratchgen.data import embed
from scratchgen.data.digits import EMBEDDED
from scratchgen.data.mnist import read_folder


@pytest.mark.parametrize("n", [1, 7, 50, 99, 100])
def test_stratified_keeps_each_class_within_one_of_its_share(rng, n):
    labels = rng.permutation(np.repeat([0, 1, 2, 3], [50, 30, 13, 7]))
    index = embed.stratified(labels, n, rng)
    assert len(set(index)) == n and (np.diff(index) > 0).all()
    counts = np.bincount(labels[index], minlength=4)
    assert (np.abs(counts - n * np.array([0.5, 0.3, 0.13, 0.07])) < 1).all()


@pytest.mark.parametrize("n", [0, 101])
def test_stratified_rejects_more_than_there_are(rng, n):
    with pytest.raises(ValueError, match="1 <= n <= 100"):
        embed.stratified(np.zeros(100, dtype=int), n, rng)


def test_embed_is_reproducible_and_its_indices_are_those_of_the_digits(tiny_arrays):
    data = embed.embed(tiny_arrays, 20, 10)
    assert data == embed.embed(tiny_arrays, 20, 10)
    with np.load(io.BytesIO(data)) as part:
        assert np.array_equal(part["x_train"], tiny_arrays[0][part["train_index"]].reshape(20, 784))
        assert np.array_equal(part["y_train"], np.repeat(np.arange(10), 2))
        assert np.array_equal(part["y_test"], tiny_arrays[3][part["test_index"]])


def test_embedded_file_is_small_and_has_no_date():
    assert EMBEDDED.stat().st_size < 1_300_000
    with zipfile.ZipFile(EMBEDDED) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_embedded_classes_have_the_shares_of_the_full_set(source):
    # The shares of the full set are counted from its labels, if available; otherwise they are constants.
    counts = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    if source == "full":
        counts = np.bincount(read_folder(os.environ["SCRATCHGEN_DATA"])[1])
    with np.load(EMBEDDED) as part:
        assert (np.abs(np.bincount(part["y_train"]) - counts / 10) < 1).all()


def test_command_writes_the_file(tiny_hashes, tiny_files, put_files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("scratchgen.data.mnist.read_folder", lambda folder: read_folder(folder, tiny_hashes))
    monkeypatch.setattr(embed.embed, "__defaults__", (20, 10))
    folder, out = put_files(tmp_path / "full", tiny_files), tmp_path / "out"
    out.mkdir()
    assert cli.main(["data", "--embed", str(folder), "--out", str(out / "part.npz")]) == 0
    assert [path.name for path in out.iterdir()] == ["part.npz"]
    assert f"{(out / 'part.npz').stat().st_size:,} bytes" in capsys.readouterr().out
