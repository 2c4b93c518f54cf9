"""Tests that the pretrained models have the figures of their cards, and that their recipes run."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from scratchgen import cli, load, pretrained
from scratchgen.data import Digits
from scratchgen.studies.pretrained import build, figures
from scratchgen.studies.pretrained.recipes import RECIPES
from scratchgen.training.model_files import model_arrays

LARGEST = 8_000_000     # bytes of all files
NAMES = sorted(RECIPES)
SLOW = ("flow-matching-codes",)     # to sample


def test_every_recipe_has_a_file_and_a_card():
    assert pretrained.names() == NAMES
    folder = pretrained.FOLDER
    assert {path.stem for path in folder.glob("*.md")} == set(NAMES)
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < LARGEST


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES]
)
def test_figures_of_the_card_are_those_of_the_file(name):
    model, card = load(name), pretrained.card(name)
    written, found = build.figures_of(card), RECIPES[name].figures(model)
    assert card.count("\n| ") == 2 + 10 + len(written)       # rows of both tables, each with one bar inside
    assert not re.search(r"^\|.*\|.*\|.*\|", card, re.MULTILINE)
    assert written.keys() == found.keys() and written
    for figure, value in found.items():
        # a figure has two decimals; another BLAS may round a sum differently
        assert value == pytest.approx(written[figure], abs=0.006, rel=2e-4), figure


def test_a_changed_weight_changes_the_figures():
    model = load("vae-2d")
    weight = model.decoder.parameters()["0.weight"].value
    weight[0] *= 1.05
    written, found = build.figures_of(pretrained.card("vae-2d")), figures.of_vae(model)
    assert all(abs(found[figure] - value) > 0.05 for figure, value in written.items())


@pytest.mark.parametrize("name", NAMES)
def test_card_describes_the_file(name):
    card, model, path = pretrained.card(name), load(name), pretrained.file(name)
    assert card.startswith(f"# {name}\n") and f'scratchgen.load("{name}")' in card
    rows = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", card.split("## Figures")[0], re.MULTILINE))
    assert rows["class"] == f"`{type(model).__name__}`"
    size = sum(p.size for p in model.parameters().values())
    assert rows["parameters"].startswith(f"{size:,},")
    assert rows["file"] == f"{name}.safetensors, {path.stat().st_size / 1000:,.0f} kB"
    assert rows["recipe"] == RECIPES[name].text.format(epochs=RECIPES[name].epochs)
    assert rows["command"] == f"`scratchgen study pretrained {name}`"
    assert ("CC BY-SA 3.0" in rows["licence of the data"]) == RECIPES[name].uses_digits
    assert {"data", "seed", "time", "versions"} <= rows.keys()
    dtypes = {array.dtype.name for array in model_arrays(model).values()}
    assert dtypes == {"float32"}


@pytest.mark.parametrize("name", NAMES)
def test_recipe_runs(name, tmp_path, monkeypatch, tiny_digits):
    """One epoch on 200 digits, with the command's function; the figures are measured elsewhere."""
    monkeypatch.setattr("scratchgen.studies.pretrained.recipes.POINTS", 512)
    measured = dataclasses.replace(RECIPES[name], figures=lambda model: {"measured": -1.25})
    monkeypatch.setitem(RECIPES, name, measured)
    assert build.build(name, tiny_digits, epochs=1, out=tmp_path) == {"measured": -1.25}
    model = load(tmp_path / f"{name}.safetensors")
    card = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    assert build.figures_of(card) == {"measured": -1.25}
    of_package = {key: a.shape for key, a in model_arrays(load(name)).items()}
    assert {key: a.shape for key, a in model_arrays(model).items()} == of_package
    assert ("200 training digits" in card) == RECIPES[name].uses_digits and " 1 epochs" in card


@pytest.fixture(scope="module")
def tiny_digits() -> Digits:
    whole = figures.digits()
    return dataclasses.replace(
        whole, x_train=whole.x_train[:200], y_train=whole.y_train[:200], source="200 digits"
    )


def test_load_by_name_needs_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = load("moons-diffusion")
    assert type(model).__name__ == "Diffusion"
    assert model.sample(3, rng=0, steps=5).shape == (3, 2)
    (tmp_path / "moons-diffusion").mkdir()          # a folder of that name is not a model
    assert type(load("moons-diffusion")).__name__ == "Diffusion"


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(pretrained.file("digit-classifier"), tmp_path / "moons-diffusion")
    assert type(load("moons-diffusion")).__name__ == "ConvClassifier"


def test_unknown_names_list_those_that_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="a pretrained model, one of autoencoder, .*; got 'vae-3d'"):
        load("vae-3d")
    with pytest.raises(FileNotFoundError, match="vae-3d.safetensors"):
        load("vae-3d.safetensors")                  # a path, not a name
    with pytest.raises(ValueError, match="expected the name of a pretrained model, one of autoencoder"):
        pretrained.card("vae-3d")


def test_command_lists_models_and_shows_cards(capsys):
    assert cli.main(["pretrained"]) == 0
    listed = capsys.readouterr().out
    assert all(re.search(rf"^{name} +\w", listed, re.MULTILINE) for name in NAMES)
    assert cli.main(["pretrained", "cvae"]) == 0
    assert capsys.readouterr().out == pretrained.card("cvae")
    assert cli.main(["pretrained", "--json"]) == 0
    assert sorted(json.loads(capsys.readouterr().out)["models"]) == NAMES
    assert cli.main(["pretrained", "nonsense"]) == 2
    assert "one of autoencoder" in capsys.readouterr().err


def test_command_of_the_study(tmp_path, monkeypatch, capsys, tiny_digits):
    monkeypatch.setattr(build, "load_digits", lambda which: tiny_digits)
    monkeypatch.setitem(
        RECIPES, "vae-2d", dataclasses.replace(RECIPES["vae-2d"], figures=lambda model: {"bound": -1000.5})
    )
    assert cli.main(["study", "pretrained", "vae-2d", "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert "bound: -1,000.50" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vae-2d.md", "vae-2d.safetensors"]
    assert "−1,000.50" in (tmp_path / "vae-2d.md").read_text(encoding="utf-8")
    assert cli.main(["study", "pretrained", "--list"]) == 0
    assert re.findall(r"^[\w-]+", capsys.readouterr().out, re.MULTILINE) == list(RECIPES)
    assert cli.main(["study", "pretrained", "vae-3d"]) == 2
    assert "study pretrained expected NAME to be one of digit-classifier" in capsys.readouterr().err


def test_average_is_kept_with_its_statistics():
    from scratchgen.models import ConditionalGAN
    from scratchgen.models.gan.average import AveragedGenerator
    from scratchgen.studies.pretrained.recipes import keep_average

    rng = np.random.default_rng(0)
    model = ConditionalGAN.dense(2, 4, 3, classes=2, output_range=None, dropout=0.0, rng=rng)
    averaged = AveragedGenerator(model, 0.9)
    x = rng.normal(size=(64, 3)).astype(np.float32)
    model.fit(x, np.arange(64) % 2, epochs=2, batch_size=16, lr=0.05, rng=rng, callbacks=[averaged])
    z, y = rng.normal(size=(5, 2)).astype(np.float32), np.array([0, 1, 0, 1, 0])
    own = model.inverse_transform(z, y)
    with averaged.applied():
        wanted = model.inverse_transform(z, y)
    keep_average(model, averaged)
    np.testing.assert_array_equal(model.inverse_transform(z, y), wanted)
    assert np.abs(wanted - own).max() > 1e-4
