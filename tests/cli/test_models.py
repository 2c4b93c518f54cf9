"""Every public model from the command line: train, info, sample, reconstruct, encode, score."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import scratchgen
from scratchgen import cli, kernels, models
from scratchgen.cli.catalogue import STANDARD, entries, find_entry

TINY = {
    "hidden": "6", "code": "2", "channels": "4,8", "couplings": "2", "layers": "1", "blocks": "1",
    "embedding": "4", "n_components": "2", "states": "2", "symbols": "2", "model": "PCA(2)", "window": "8",
    "depth": "1", "heads": "2", "order": "2", "first": "3",
}  # fmt: skip
SPECIAL = {
    ("conv", STANDARD): {"channels": "2,3,2"},
    ("pixel_cnn", STANDARD): {"channels": "2"},
    ("made", STANDARD): {"order": "random"},
    ("wgan", "dense"): {"k": "1"},
    ("wgan", "convolutional"): {"k": "1"},
    ("real_nvp", "convolutional"): {"channels": "2"},
    ("diffusion", "dense"): {"steps": "5"},
    ("diffusion", "convolutional"): {"steps": "5", "channels": "8,8"},
    ("flow_matching", "convolutional"): {"channels": "8,8"},
    ("info_gan", "dense"): {"code": "13"},
    ("info_gan", "convolutional"): {"code": "13"},
    ("character_model", STANDARD): {"features": "4"},
}
FORMS = [(name, form) for name, entry in entries().items() for form in entry.forms]


@pytest.fixture(autouse=True)
def plain_kernels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCRATCHGEN_DATA", raising=False)
    with kernels.use("reference"):
        yield


@pytest.fixture
def digits(tmp_path):
    """Few images of 8 x 8 with three classes, and a text, in files."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 200, (42, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(42) % 3)
    np.savez(tmp_path / "symbols.npz", X=rng.integers(0, 2, (20, 5)), y=np.arange(20) % 2)
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 5)


def run(capsys, *words, code=0):
    """The JSON that a command prints; with another code, its line on stderr."""
    assert cli.main([*map(str, words), *(["--json"] if code == 0 else [])]) == code
    out, err = capsys.readouterr()
    return json.loads(out) if code == 0 else err


def tiny(name, form):
    """The words of a tiny setting."""
    entry = entries()[name]
    known = {**TINY, **SPECIAL.get((name, form), {})}
    settings = [f"{key}={known[key]}" for key in entry.forms[form].settings if key in known]
    run_settings = {"batch_size": "20", "iterations": "30"}
    settings += [f"{key}={run_settings[key]}" for key in entry.run_settings if key in run_settings]
    return [word for setting in settings for word in ("--set", setting)]


def data_of(name, form):
    if entries()[name].of_text:
        return "text.txt"
    return "symbols.npz" if form == "categorical" else "digits.npz"


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_model_is_trained_and_used(digits, capsys, recwarn, name, form):
    entry, data = entries()[name], data_of(name, form)
    epochs = ["--epochs", "1"] if entry.by_epochs else []
    words = ["--form", form, "--data", data, *tiny(name, form), *epochs, "--out", "run"]
    told = run(capsys, "train", name, *words)
    assert told["model"] == entry.model.__name__ and told["file"] == "run/model.safetensors"
    assert ("loss" in told["last_epoch"]) == entry.by_epochs
    model = scratchgen.load("run/model.safetensors")
    assert type(model) is entry.model

    about = run(capsys, "info", "run")
    assert about["model"] == entry.model.__name__ and about["form"] == form
    assert about["finished"] is (True if entry.by_epochs else None)
    assert about["ended"].startswith("finished after step") is entry.by_epochs
    if entry.of_text:
        assert "log_prob" in run(capsys, "score", "run", data) and told["log_prob"] < 0
        assert len(run(capsys, "sample", "run", "--n", "2", "--set", "length=7")["texts"][1]) == 7
        return
    shape = None if form == "categorical" else [8, 8, 1]
    assert about["shape"] == shape
    check_sample(capsys, model, shape)
    if hasattr(model, "reconstruct"):
        assert run(capsys, "reconstruct", "run", data, "--out", "r.png")["squared_error"] >= 0
    if hasattr(model, "transform"):
        width = run(capsys, "encode", "run", data, "--out", "c.npz")["width"]
        with np.load("c.npz") as found:
            assert found["code"].shape == (42, width) and len(found["label"]) == 42
    check_score(capsys, model, data, 20 if form == "categorical" else 42)


def check_sample(capsys, model, shape):
    if type(model).sample is models.Estimator.sample:
        assert "sample" in run(capsys, "sample", "run", code=2)
        return
    steps = ["--set", "steps=2"] if "steps" in inspect.signature(model.sample).parameters else []
    out = "s.csv" if shape is None else "s.png"
    assert run(capsys, "sample", "run", "--n", 5, "--out", out, *steps) | {"n": 5, "file": out}
    run(capsys, "sample", "run", "--n", 5, "--out", "s.npz", *steps)
    with np.load("s.npz") as found:
        assert len(found["x"]) == 5 and np.isfinite(found["x"].astype(float)).all()


def check_score(capsys, model, data, n):
    if model.likelihood is None and not hasattr(model, "predict_proba"):
        assert "score needs a model with a likelihood or classes" in run(capsys, "score", "run", data, code=2)
        return
    values = run(capsys, "score", "run", data, "--out", "scores.csv")
    header, *rows = Path("scores.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == n and values["n"] == n
    assert ("log_prob" in header) == ("log_prob" in values) == (model.likelihood is not None)
    assert ("predicted" in header) == ("accuracy" in values) == hasattr(model, "predict_proba")


def test_every_public_model_has_a_form_but_those_of_other_parts():
    """Flow is built from layers, TextMixture from models, Translator from vocabularies: `train translate`."""
    classes = [getattr(models, name) for name in models.__all__]
    public = {c.__name__ for c in classes if inspect.isclass(c) and issubclass(c, models.Estimator)}
    found = {entry.model.__name__ for entry in entries().values()}
    assert found == public - {"Flow", "TextMixture", "Translator", "Estimator", "Model"}


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("vae", "vae"), ("VAE", "vae"), ("class-prior-vae", "class_prior_vae"), ("realnvp", "real_nvp"),
        ("MLPClassifier", "mlp"), ("conv", "conv"), ("flow matching", "flow_matching"), ("NGram", "ngram"),
    ],
)  # fmt: skip
def test_model_is_found_by_any_spelling(typed, name):
    assert find_entry(typed).name == name


def test_forms_are_those_of_the_class():
    forms = {name: list(entry.forms) for name, entry in entries().items()}
    assert forms["vae"] == ["dense", "convolutional"] and forms["dcgan"] == forms["ngram"] == [STANDARD]
    assert forms["conditional_vae"] == ["dense"]
    assert forms["hidden_markov_model"] == ["categorical", "gaussian"]


@pytest.mark.parametrize("typed", ["conditional_vae", "mlp"])
def test_model_with_labels_refuses_data_without(digits, tmp_path, capsys, typed):
    np.save(tmp_path / "a.npy", np.zeros((9, 8, 8)))
    line = run(capsys, "train", typed, "--data", "a.npy", code=2)
    assert "needs labels, and the data have none; put the pictures of each class" in line
    assert not (tmp_path / "runs").exists()


def test_model_of_a_table(tmp_path, capsys):
    rng = np.random.default_rng(1)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(60, 2))]
    (tmp_path / "t.csv").write_text("a,b,larger\n" + "\n".join(rows) + "\n")
    label = ["--label", "larger"]
    told = run(capsys, "train", "mlp", "--data", "t.csv", *label, "--set", "hidden=8", "--set", "lr=0.02")
    assert told["error"] < 0.3
    told = run(capsys, "score", "runs/mlp", "t.csv", *label, "--out", "s.csv")
    assert told["accuracy"] > 0.7
    assert (tmp_path / "s.csv").read_text().startswith("predicted,probability,class,label\n")
    run(capsys, "train", "real_nvp", "--data", "t.csv", *label, "--set", "hidden=8", "--epochs", "1")
    run(capsys, "sample", "runs/real_nvp", "--n", "3")
    assert (tmp_path / "runs/real_nvp/samples.csv").read_text().startswith("a,b\n")
    assert "needs images, got a table" in run(capsys, "train", "conv", "--data", "t.csv", *label, code=2)
    line = run(capsys, "train", "vae", "--data", "t.csv", *label, code=2)
    assert "VAE.fit" in line
    vae = ["--set", "observation=NormalPixels(0.5)", "--set", "binarisation=none", "--epochs", "1"]
    run(capsys, "train", "vae", "--data", "t.csv", *label, *vae)
    assert scratchgen.load("runs/vae/model.safetensors").observation.std == 0.5


def test_classes_are_named_when_sampling(tmp_path, digits, capsys):
    run(capsys, "train", "conditional_vae", "--data", "digits.npz", *tiny("conditional_vae", "dense"),
        "--epochs", "1", "--out", "run")  # fmt: skip
    run(capsys, "sample", "run", "--n", "4", "--class", "2", "--out", "s.npz")
    with np.load("s.npz") as found:
        assert found["y"].tolist() == [2, 2, 2, 2] and found["x"].shape == (4, 8, 8, 1)
    assert "--class expected a number, got 'cat'" in run(capsys, "sample", "run", "--class", "cat", code=2)
    assert "4" in run(capsys, "sample", "run", "--class", "4", code=2)
    np.save(tmp_path / "bare.npy", np.zeros((3, 8, 8)))
    assert "needs the class of each example; pass --labels" in run(capsys, "encode", "run", "bare.npy",
                                                                  "--out", "c.csv", code=2)  # fmt: skip
    run(capsys, "train", "pca", "--data", "digits.npz", "--set", "n_components=2", "--out", "pca")
    assert "--class expected a model with classes" in run(capsys, "sample", "pca", "--class", "1", code=2)
