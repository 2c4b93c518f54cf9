"""Reproductions: records and their tables, and two whole runs at a small size."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scratchgen.data import Digits, binarise, load_digits
from scratchgen.studies import chapters
from scratchgen.studies.reproduce import autoencoder, made, record, vae
from scratchgen.studies.reproduce import recipe as recipes
from scratchgen.studies.reproduce.recipe import recipe, recipe_names, reproduce
from scratchgen.studies.reproduce.record import Record
from scratchgen.training.loop import Callback

ROOT = Path(__file__).resolve().parents[2]


def example(**changes):
    values = {
        "name": "thing",
        "figure": "a figure",
        "unit": "nats",
        "paper": 3.0,
        "source": "A 2006",
        "ours": 2.5,
        "seconds": 90.0,
        "machine": "a machine",
        "recipe": "a recipe",
        "curve": [{"epoch": 1, "seconds": 90.0, "figure": 2.5}],
        "other_figures": {"PCA": 13.87},
    }
    return Record(**(values | changes))


def test_record_is_saved_and_read_back(tmp_path):
    example().save(tmp_path)
    example(name="other").save(tmp_path, suffix="-5-epochs")
    assert record.read_all(tmp_path) == [example()]             # another length is not the recipe's figure
    assert {path.name for path in tmp_path.iterdir()} == {"thing.json", "other-5-epochs.json"}
    keys = json.loads((tmp_path / "thing.json").read_text())
    assert {"name", "figure", "unit", "paper", "ours", "seconds", "machine", "recipe", "curve"} <= keys.keys()


def test_tables_have_a_line_for_each_figure():
    made = record.tables([example()])
    row = "| a figure | nats | 3.00 (A 2006) | **2.50** | 1.5 min |"
    assert made["results"].splitlines()[2:] == [row]
    assert made["all results"].splitlines()[2:] == [row, "| … PCA |  |  | 13.87 |  |"]


def test_table_and_summary_say_that_nothing_is_published():
    found = example(paper=None, source="")
    row = record.tables([found])["results"].splitlines()[2]
    assert row == "| a figure | nats | none | **2.50** | 1.5 min |"
    assert found.summary() == "a figure: 2.50 nats after 1.5 min, published: none"
    assert example().summary().endswith("published: 3.00 (A 2006)")


def test_write_tables_fills_both_texts_between_their_marks(tmp_path):
    example().save(tmp_path)
    readme, chapter = tmp_path / "README.md", tmp_path / "results.md"
    for path, name in ((readme, "results"), (chapter, "all results")):
        start, end = chapters.marks(name, record.COMMAND)
        path.write_text(f"before\n{start}\nold\n{end}\nafter", encoding="utf-8")
    record.write_tables(tmp_path, readme, chapter)
    made = record.tables([example()])
    for path, name in ((readme, "results"), (chapter, "all results")):
        start, end = chapters.marks(name, record.COMMAND)
        assert path.read_text(encoding="utf-8") == f"before\n{start}\n{made[name]}\n{end}\nafter"
    readme.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="expected the marks"):
        record.write_tables(tmp_path, readme, chapter)


@pytest.mark.parametrize(("page", "name"), [("README.md", "results"), ("docs/results.md", "all results")])
def test_tables_of_the_docs_are_made_from_the_results(page, name):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert chapters.between(text, name) == record.tables(record.read_all(ROOT / "results"))[name]


@pytest.mark.parametrize("name", recipe_names())
def test_results_agree_with_their_curves(name):
    """The last point of the curve is the figure of the run, or for the VAE its bound.

    If the curve is measured with fewer samples, the figure is better than its last point.
    """
    found = Record(**json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8")))
    last = found.curve[-1]["figure"]
    if "the curve has the figures of 1,000 samples" in found.recipe:
        assert (found.ours > last) if "higher is better" in found.unit else (found.ours < last)
    else:
        assert last == pytest.approx(found.other_figures.get("the bound", found.ours), abs=1e-3)
        assert found.ours <= last + 1e-3
    assert found.curve[-1]["seconds"] <= found.seconds + 0.1
    wanted = recipe(name)
    assert (found.name, found.unit, found.paper) == (name, wanted.unit, wanted.paper)
    seconds = [row["seconds"] for row in found.curve]
    assert seconds == sorted(seconds) and found.machine and found.recipe


def test_recipes_are_listed_once_and_named_after_their_modules():
    names = recipe_names()
    assert len(set(names)) == len(names)
    assert [recipe(name).name for name in names] == list(names)
    folder = Path(recipes.__file__).parent
    texts = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    assert set(names) == {stem for stem, text in texts.items() if "\nRECIPE = " in text}
    with pytest.raises(ValueError, match="did you mean 'autoencoder'?"):
        recipe("autoencodr")


@pytest.fixture
def part(monkeypatch, tmp_path):
    """Replace the full MNIST by a few digits, and run in an empty folder."""
    full = load_digits("embedded")
    part = Digits(full.x_train[:256], full.y_train[:256], full.x_test[:60], full.y_test[:60], "a part")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipes, "digits_of", lambda data: part)
    return part


def test_autoencoder_is_trained_on_training_digits_and_measured_on_test_digits(part, monkeypatch):
    """A small run: figure, curve, PCA, and resuming the finished run."""
    monkeypatch.setattr(autoencoder, "SIZES", (784, 32, 10))
    found, path = reproduce("autoencoder", epochs=3)
    assert path == Path("results/autoencoder-3-epochs.json")
    assert Record(**json.loads(path.read_text(encoding="utf-8"))) == found
    run = autoencoder.build(part, 3)
    run.run()
    error = ((run.model.reconstruct(part.x_test) - part.x_test) ** 2).sum(axis=1).mean()
    assert found.ours == pytest.approx(error, abs=1e-4)
    assert [row["epoch"] for row in found.curve] == [1, 2, 3]
    assert found.figure == "autoencoder 784-32-10, 3 epochs, test set"
    centred = part.x_train - part.x_train.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:10]
    shifted = part.x_test - part.x_train.mean(axis=0)
    pca = ((shifted - shifted @ axes.T @ axes) ** 2).sum(axis=1).mean()
    assert found.other_figures["PCA, 10 components"] == pytest.approx(pca, abs=1e-3)
    again, _ = reproduce("autoencoder", epochs=3, resume=True)
    assert (again.ours, again.curve) == (found.ours, found.curve)


def test_run_of_another_length_is_not_resumed(part, monkeypatch):
    monkeypatch.setattr(autoencoder, "SIZES", (784, 8, 2))
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        recipe("autoencoder").run(epochs=1, resume=True)
    recipe("autoencoder").run(epochs=1)
    with pytest.raises(ValueError, match="epochs"):
        recipe("autoencoder").run(epochs=2, resume=True)


def test_vae_is_measured_on_the_whole_test_set_by_importance_sampling(part, monkeypatch, capsys):
    """A small run has the figure of its weights; digits are moved at first, then unchanged."""
    monkeypatch.setattr(vae, "SIZES", (784, 16, 5))
    monkeypatch.setattr(vae, "SAMPLES", 20)
    found = recipe("vae").run(epochs=5)
    trainer = vae.build(part, 5)
    moved = []
    trainer.callbacks.append(Watch(lambda: moved.append(trainer.augment is not None)))
    trainer.run()
    assert moved == [True, True, True, False, False]            # after each epoch, for the next one
    test = binarise(part.x_test, rng=np.random.default_rng(0))
    nll = -trainer.model.score_samples(test, rng=np.random.default_rng(0), samples=20).mean()
    assert found.ours == pytest.approx(nll, abs=2e-3)
    assert found.ours < found.curve[-1]["figure"]
    assert found.other_figures["the bound"] == pytest.approx(found.curve[-1]["figure"], abs=1e-3)
    assert recipe("vae").run(epochs=5, resume=True).curve == found.curve


@pytest.mark.parametrize("name", ["made", "made_wide"])
def test_made_is_measured_on_binarised_digits(part, name):
    """For a network of 6 units: −log p(x) of the test set, and of the same number of training digits."""
    whole = recipe(name)
    net = replace(whole.build.args[0], hidden=6)
    fields = {key: getattr(whole, key) for key in ("name", "title", "paper", "source", "epochs")}
    small = made.made_recipe(net, **fields)
    found = small.run(epochs=2)
    trainer = small.build(part, 2)
    trainer.run()
    test = binarise(part.x_test, rng=np.random.default_rng(0))
    assert found.ours == pytest.approx(-trainer.model.score_samples(test).mean(), abs=2e-3)
    assert ("digits moved" in found.recipe) == (name == "made_wide")
    assert found.other_figures == {"the first 60 training digits": round(found.curve[-1]["train"], 3)}


class Watch(Callback):
    """Calls a function after each epoch."""

    def __init__(self, check):
        self.check = check

    def on_epoch(self, trainer, values):
        self.check()
