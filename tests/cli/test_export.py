"""`scratchgen export`: the files of a trained model, and its errors in one line."""

import json
import runpy

import numpy as np
import pytest

import scratchgen
from scratchgen import cli
from scratchgen.models import Autoencoder, NearestNeighbours


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Autoencoder.dense((6, 4, 2), rng=0)
    scratchgen.save(model, "model.safetensors")
    return model


def run(capsys, *words, code=0):
    assert cli.main(["export", "model.safetensors", *words]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_torch_files_contain_the_part(model, capsys):
    told = json.loads(run(capsys, "--format", "torch", "--part", "decoder", "--out", "net.py", "--json"))
    assert told == {
        "model": "Autoencoder", "part": "decoder", "format": "torch", "inputs": {"x": [2]},
        "files": ["net.py", "net.safetensors"],
    }  # fmt: skip
    torch = pytest.importorskip("torch")
    network, z = runpy.run_path("net.py")["load"]("net.safetensors"), np.ones((3, 2), np.float32)
    with torch.no_grad():
        out = network(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(out, model.inverse_transform(z), atol=1e-5)


def test_onnx_file_contains_the_part(model, capsys):
    pytest.importorskip("onnx")
    out = run(capsys, "--part", "encoder", "--out", "net.onnx")
    assert "The encoder of the Autoencoder is in net.onnx" in out and "(N, 6)" in out
    session = pytest.importorskip("onnxruntime").InferenceSession("net.onnx")
    x = np.ones((3, 6), np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], model.transform(x), atol=1e-5)


def test_errors_are_one_line(model, capsys):
    for words, message in (
        (["--out", "net.onnx"], "expected part to be one of encoder, decoder, got None"),
        (["--out", "net.py", "--part", "decoder"], "--out expected a file that ends in .onnx, got net.py"),
        (["--out", "net.onnx", "--part", "head"], "expected part to be one of encoder, decoder, got 'head'"),
    ):
        err = run(capsys, *words, code=2)
        assert message in err and err.count("\n") == 1
    neighbours = NearestNeighbours(k=1).fit(np.eye(4, 3), np.array([0, 1, 0, 1]))
    scratchgen.save(neighbours, "model.safetensors")
    assert "export cannot write a NearestNeighbours" in run(capsys, "--out", "net.onnx", code=2)
