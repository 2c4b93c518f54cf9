"""Digits: what is loaded from which source, without a silent fallback."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import scratchgen
from scratchgen.data import as_images, download_digits, load_digits
from scratchgen.data.digits import EMBEDDED


def test_digits_have_the_documented_types_and_ranges(source):
    digits = load_digits(source)
    n_train, n_test = {"embedded": (6_000, 1_000), "full": (60_000, 10_000)}[source]
    assert digits.x_train.shape == (n_train, 784) and digits.x_test.shape == (n_test, 784)
    assert digits.y_train.shape == (n_train,) and digits.y_test.shape == (n_test,)
    assert digits.x_train.dtype == digits.x_test.dtype == np.float32
    assert digits.y_train.dtype == digits.y_test.dtype == np.int64
    for x in (digits.x_train, digits.x_test):
        assert (x.min(), x.max()) == (0, 1)
    assert set(digits.y_train) == set(digits.y_test) == set(range(10))
    assert f"{n_train:,} + {n_test:,} digits" in digits.source
    assert repr(digits) == f"Digits({digits.source})"


def test_embedded_digits_are_those_of_the_fixed_seed():
    with np.load(EMBEDDED) as part:
        fingerprints = {name: hashlib.sha256(part[name].tobytes()).hexdigest()[:16] for name in part.files}
    assert fingerprints == {
        "x_train": "db8cd12cc74dbe8f",
        "y_train": "f85d042f5a86126f",
        "x_test": "92cd9b505f9c6ef9",
        "y_test": "3f9783d1bafd083f",
        "train_index": "94f05a1df28ab1b3",
        "test_index": "4d5b94e13d5acaca",
    }


def test_embedded_digits_are_in_every_source(source):
    digits = load_digits(source)
    with np.load(EMBEDDED) as part:
        for x, y, name in (
            (digits.x_train, digits.y_train, "train"),
            (digits.x_test, digits.y_test, "test"),
        ):
            index = part[f"{name}_index"] if source == "full" else np.arange(len(part[f"y_{name}"]))
            assert np.array_equal(np.rint(255 * x[index]), part[f"x_{name}"])
            assert np.array_equal(y[index], part[f"y_{name}"])
            assert (np.diff(part[f"{name}_index"].astype(int)) > 0).all()


def test_embedded_source_says_how_to_get_the_full_set():
    assert load_digits("embedded").source == (
        "embedded part of MNIST: 6,000 + 1,000 digits; "
        "for full MNIST, set SCRATCHGEN_DATA or run `scratchgen download`"
    )


def test_embedded_digits_are_new_arrays_in_each_call():
    load_digits("embedded").x_test[...] = 0
    assert load_digits("embedded").x_test.any()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("place", [".", "mnist"])
@pytest.mark.parametrize("source", ["auto", "full"])
def test_load_digits_reads_a_folder(
    tiny_mnist, tiny_files, tiny_arrays, put_files, tmp_path, source, place, packed
):
    put_files(tmp_path / place, tiny_files, packed)
    digits = load_digits(source, tmp_path)
    assert np.array_equal(np.rint(255 * digits.x_train), tiny_arrays[0].reshape(40, 784))
    assert np.array_equal(digits.y_test, tiny_arrays[3])
    assert digits.source == f"full MNIST: 40 + 20 digits, read from {tmp_path}"


def test_load_digits_takes_the_folder_from_the_environment(
    tiny_mnist, tiny_files, put_files, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCRATCHGEN_DATA", str(put_files(tmp_path / "here", tiny_files)))
    assert len(load_digits().x_train) == 40
    assert len(load_digits("embedded").x_train) == 6_000
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        load_digits(folder=tmp_path / "elsewhere")


def test_load_digits_auto_without_a_folder_uses_the_download_or_the_embedded_part(
    tiny_mnist, tiny_files, put_files, monkeypatch
):
    monkeypatch.setenv("SCRATCHGEN_DATA", "")
    assert load_digits().source.startswith("embedded")
    put_files(tiny_mnist, dict(list(tiny_files.items())[:3]))
    assert load_digits().source.startswith("embedded")
    put_files(tiny_mnist, tiny_files)
    assert load_digits().source == f"full MNIST: 40 + 20 digits, downloaded to {tiny_mnist}"


def test_load_digits_full_downloads_only_what_is_missing(tiny_mnist, tiny_files, put_files, monkeypatch):
    def download(folder, files):
        assert folder == tiny_mnist and list(files) == list(tiny_files)
        put_files(folder, tiny_files)

    monkeypatch.setattr("scratchgen.data.digits.download_digits", download)
    assert len(load_digits("full").x_train) == 40


def test_load_digits_does_not_fall_back_if_a_folder_is_given(
    tiny_mnist, tiny_files, put_files, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCRATCHGEN_DATA", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match="expected a folder .*, but .*gone does not exist"):
        load_digits("full")
    with pytest.raises(FileNotFoundError, match="gone"):
        load_digits()
    folder = put_files(tmp_path / "part", dict(list(tiny_files.items())[:3]))
    with pytest.raises(FileNotFoundError, match=r"expected test-labels or test-labels.gz in .*part"):
        load_digits("full", folder)
    with pytest.raises(ValueError, match="expected .* labels for only one"):
        load_digits("auto", folder)
    put_files(folder, {**tiny_files, "test-labels": tiny_files["test-labels"][:-1]})
    for source in ("auto", "full"):
        with pytest.raises(ValueError, match=r"test-labels.gz: .*truncated"):
            load_digits(source, folder)
    put_files(folder, {**tiny_files, "test-labels": tiny_files["train-labels"]})
    with pytest.raises(ValueError, match=r"test-labels.gz: expected uncompressed bytes with SHA-256"):
        load_digits("full", folder)
    with pytest.raises(ValueError, match=r"expected 20 labels for test-images.gz"):
        load_digits("auto", folder)


def test_other_data_under_the_names_of_mnist_are_read_but_are_not_the_full_mnist(
    tiny_mnist, tiny_files, put_files, tmp_path
):
    """Hashes are for files that were downloaded, and for the published figures of MNIST."""
    other = bytearray(tiny_files["train-images"])
    other[-1] ^= 1
    folder = put_files(tmp_path / "other", {**tiny_files, "train-images": bytes(other)})
    digits = load_digits(folder=folder)
    assert len(digits.x_train) == 40 and digits.shape == (28, 28, 1)
    assert digits.source == f"other: 40 + 20 images of 28 x 28 x 1, read from {folder}"
    with pytest.raises(ValueError, match="expected uncompressed bytes with SHA-256"):
        load_digits("full", folder)


def test_load_digits_rejects_unknown_sources_and_contradictions(tmp_path):
    with pytest.raises(ValueError, match="auto, full, embedded, got 'mnist'"):
        load_digits("mnist")
    with pytest.raises(ValueError, match="no folder with source 'embedded'"):
        load_digits("embedded", tmp_path)


def test_as_images_keeps_the_order_of_pixels(rng):
    X = rng.random((3, 784), dtype=np.float32)
    images = as_images(X)
    assert images.shape == (3, 28, 28, 1) and images.dtype == np.float32
    assert images[2, 5, 11, 0] == X[2, 5 * 28 + 11]


@pytest.mark.parametrize("shape", [(784,), (3, 783), (3, 28, 28)])
def test_as_images_rejects_other_shapes(shape):
    with pytest.raises(ValueError, match=r"\(N, 784\), got"):
        as_images(np.zeros(shape))


def test_digits_which_is_the_source_without_the_folder(tmp_path):
    digits = load_digits("embedded")
    assert digits.which == "embedded part of MNIST: 6,000 + 1,000 digits"
    assert digits.source.startswith(digits.which)
    elsewhere = replace(digits, source=f"full MNIST: 60,000 + 10,000 digits, read from {tmp_path}")
    assert elsewhere.which == "full MNIST: 60,000 + 10,000 digits"


@pytest.fixture(params=["platformdirs raises", "platformdirs returns ~"])
def no_home(request, tmp_path, monkeypatch):
    """A user without a home folder, in an empty folder, which is returned."""
    import pooch

    def no_entry(project):
        if request.param == "platformdirs raises":
            raise RuntimeError("could not determine the home directory")
        return Path("~/.cache") / project

    monkeypatch.setattr(pooch, "os_cache", no_entry)
    monkeypatch.delenv("SCRATCHGEN_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_home_folder_the_embedded_digits_are_used(no_home):
    assert load_digits().source == load_digits("embedded").source
    assert list(no_home.iterdir()) == []


def test_home_folder_of_another_user_is_like_none(tiny_mnist, monkeypatch):
    def denied(folder, name):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("scratchgen.data.digits.find_file", denied)
    assert load_digits().source == load_digits("embedded").source
    with pytest.raises(PermissionError):
        load_digits("full")


def test_without_a_home_folder_a_download_says_what_to_set(no_home):
    for function in (lambda: load_digits("full"), download_digits):
        with pytest.raises(FileNotFoundError, match="expected a home folder .* set HOME, or SCRATCHGEN_DATA"):
            function()
    assert list(no_home.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="the home folder comes from other variables")
def test_real_user_without_a_home_folder(tmp_path):
    """HOME is not set, and the password database does not know the user."""
    code = (
        "import pwd, sys\n"
        "def no_entry(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = no_entry\n"
        "from scratchgen.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    package = str(Path(scratchgen.__file__).parents[1])

    def run(command):
        return subprocess.run(
            [sys.executable, "-c", code, command], env={"PYTHONPATH": package, "PATH": ""}, cwd=tmp_path,
            capture_output=True, text=True,
        )

    shown, refused = run("data"), run("download")
    assert (shown.returncode, shown.stderr) == (0, "") and shown.stdout.startswith("embedded part of MNIST")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "home folder" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_of_the_files_in_place_of_its_folder_is_refused(tiny_mnist, tiny_files, tmp_path):
    for name, content in tiny_files.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(FileNotFoundError, match="expected the folder of the IDX files, got one of"):
            load_digits(folder=path)
