"""The Python part of the live page `python`, and the files that it loads."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from website import live
from website.browser_python import files, pages, session


def test_examples_are_one_correct_layer_and_two_mistakes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {example["title"]: session.check_text(example["code"]) for example in pages.data()["examples"]}
    assert len(found) == 3
    for title, result in found.items():
        assert result["ok"] == ("correct" in title), title
        assert ("A constant factor" in result["text"]) != result["ok"]


def test_errors_of_the_code_are_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    zero = "ZeroDivisionError: division by zero (layer.py, line 1, in <module>)\n"
    assert session.check_text("1 / 0") == {"ok": False, "text": zero}
    assert "found no layer" in session.check_text("x = 1")["text"]
    assert "layer.py, line 1" in session.check_text("def f(:")["text"]


def test_training_lowers_the_loss_and_draws_the_density():
    training = session.start("moons", 2, 16, 0)
    before = np.mean(training.advance(10, 2e-3))
    training.advance(100, 1e-2)
    after = np.mean(training.advance(10, 2e-3))
    assert training.best < after < before - 0.3 and training.steps == 120
    picture = training.picture()
    assert picture["density"].shape == (session.GRID**2,) and picture["density"].max() == 1
    data, samples = (picture[name].reshape(-1, 2) for name in ("data", "samples"))
    assert len(data) == len(samples) == session.SHOWN
    assert (data >= 0).all() and (data <= 1).all()
    # The rows of the picture go from the top, so a point of the data is where the density is high.
    rows = ((1 - data[:, 1]) * session.GRID).astype(int).clip(0, session.GRID - 1)
    columns = (data[:, 0] * session.GRID).astype(int)
    density = picture["density"].reshape(session.GRID, session.GRID)
    at_data = density[rows, columns].mean()
    assert at_data > 1.8 * density.mean()
    for turned in (density[::-1], density[:, ::-1]):
        assert at_data > turned[rows, columns].mean() + 0.02


def test_archive_contains_the_library_and_is_always_the_same():
    content = files.zipped()
    assert content == files.zipped()
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert "scratchgen/cli/own_code.py" in names and "scratchgen/models/flow/realnvp.py" in names
    assert not [name for name in names if not name.endswith(".py") or name.startswith("scratchgen/studies")]


def fake_pyodide(folder, wheel):
    numpy = {"file_name": "numpy.whl", "sha256": hashlib.sha256(b"foo").hexdigest()}
    lock = {"info": {"version": "0"}, "packages": {"numpy": numpy, "other": {}}}
    for name in files.INTERPRETER:
        (folder / name).write_bytes(b"x")
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    (folder / "numpy.whl").write_bytes(wheel)


def test_wheel_of_numpy_must_be_the_one_of_the_lock_file(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PYODIDE", tmp_path)
    with pytest.raises(FileNotFoundError, match="has no pyodide.js; run python website/browser_python"):
        files.files()
    assert files.size() == 0
    fake_pyodide(tmp_path, b"foo")
    found = files.files()
    assert set(json.loads(found["pyodide/pyodide-lock.json"])["packages"]) == {"numpy"}
    assert gzip.decompress(found["pyodide/pyodide.asm.wasm.gz"]) == b"x"
    assert found["pyodide/numpy.whl"] == b"foo" and files.size() == sum(map(len, found.values()))
    fake_pyodide(tmp_path, b"bar")
    with pytest.raises(ValueError, match=r"numpy\.whl has another SHA-256 than pyodide-lock\.json"):
        files.files()
    (tmp_path / "numpy.whl").unlink()
    with pytest.raises(FileNotFoundError, match="no wheel of NumPy"):
        files.files()


def test_page_is_written_without_its_files(tmp_path, monkeypatch, capsys):
    def missing(name):
        raise FileNotFoundError("not fetched")

    monkeypatch.setattr(live, "page_files", missing)
    assert live.main([str(tmp_path), "python"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["python.html"]
    assert "needs further files: not fetched" in capsys.readouterr().err


def fake_npm(monkeypatch, text, code=1):
    """Replace npm by a function that prints an error and fails, without network."""

    def run(command, **settings):
        return subprocess.CompletedProcess(command, code, stderr=text)

    monkeypatch.setattr(files.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(files.subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["files.py"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("npm error code ENOTFOUND\nnpm error getaddrinfo registry.npmjs.org", files.NO_REGISTRY),
        ("npm error code ECONNREFUSED", files.NO_REGISTRY),
        ("npm error code EINTEGRITY", 2),
        ("npm error code ETARGET\nno matching version found for pyodide", 2),
    ],
)
def test_missing_registry_and_other_failures_have_different_exit_codes(monkeypatch, capsys, text, code):
    """CI skips the tests of the page in the first case, and fails in the other."""
    fake_npm(monkeypatch, text)
    assert files.main() == code
    err = capsys.readouterr().err
    assert text in err and ("npm cannot reach its registry; Python for the" in err) == (code != 2)


def test_missing_npm_does_not_fail_ci(monkeypatch, capsys):
    fake_npm(monkeypatch, "")
    monkeypatch.setattr(files.shutil, "which", lambda name: None)
    assert files.main() == files.NO_REGISTRY
    assert "npm was not found; install Node.js" in capsys.readouterr().err


def test_a_wheel_with_another_hash_fails(tmp_path, monkeypatch, capsys):
    fake_npm(monkeypatch, "", code=0)
    monkeypatch.setattr(files, "PYODIDE", tmp_path)
    fake_pyodide(tmp_path, b"foo")
    (tmp_path / "numpy.whl").unlink()
    monkeypatch.setattr(files, "from_release", lambda version, name: b"bar")
    assert files.main() == 2
    assert "numpy.whl has another SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "numpy.whl").exists()
