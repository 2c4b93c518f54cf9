import json
from pathlib import Path

import numpy as np
import pytest

from scratchgen import cli
from scratchgen.data import Digits, binarise, load_digits
from scratchgen.studies import chapters
from scratchgen.studies.reproduce import REPRODUCTIONS, autoencoder, record, vae
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
        "beside": {"PCA": 13.87},
    }
    return Record(**(values | changes))


def test_record_is_saved_and_read_back(tmp_path):
    example().save(tmp_path)
    example(name="other").save(tmp_path, suffix="-5-epochs")
    assert record.read_all(tmp_path) == [example()]             # another length is no recipe's figure
    assert {path.name for path in tmp_path.iterdir()} == {"thing.json", "other-5-epochs.json"}
    keys = json.loads((tmp_path / "thing.json").read_text())
    assert {"name", "figure", "unit", "paper", "ours", "seconds", "machine", "recipe", "curve"} <= keys.keys()


def test_table_has_a_line_for_each_figure(tmp_path):
    lines = record.table([example()]).splitlines()
    assert lines[2] == "| a figure | nats | 3.00 (A 2006) | **2.50** | 1.5 min |"
    assert lines[3] == "| … PCA | | | 13.87 | |"


def test_table_and_summary_say_where_nothing_is_published():
    found = example(paper=None, source="")
    assert record.table([found]).splitlines()[2] == "| a figure | nats | none | **2.50** | 1.5 min |"
    assert found.summary() == "a figure: 2.50 nats after 1.5 min, published: none"
    assert example().summary().endswith("published: 3.00 (A 2006)")


def test_fill_puts_the_table_between_the_marks_and_nowhere_else():
    start, end = chapters.marks("results", "python -m scratchgen.studies.reproduce")
    text = f"before\n{start}\nold\n{end}\nafter"
    filled = record.fill(text, [example()])
    assert filled == f"before\n{start}\n{record.table([example()])}\n{end}\nafter"
    assert record.fill(filled, [example()]) == filled
    with pytest.raises(ValueError, match="expected the marks"):
        record.fill("no marks", [])


def test_readme_table_is_made_from_the_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert record.fill(readme, record.read_all(ROOT / "results")) == readme


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_results_hold_what_a_run_gave(name):
    """The curve ends where the run does; its last point is the figure or (vae) the bound above it."""
    found = Record(**json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8")))
    last = found.curve[-1]["figure"]
    assert last == pytest.approx(found.beside.get("the bound", found.ours), abs=1e-3)
    assert found.ours <= last + 1e-3
    assert found.curve[-1]["seconds"] <= found.seconds + 0.1
    seconds = [row["seconds"] for row in found.curve]
    assert seconds == sorted(seconds) and found.machine and found.recipe


def test_reproduce_autoencoder_trains_on_the_training_digits_and_measures_on_the_test_digits(
    tmp_path, monkeypatch, capsys
):
    """The whole path at a small size: run, figure, curve, PCA beside it, resume of a finished run."""
    full = load_digits("embedded")
    part = Digits(full.x_train[:256], full.y_train[:256], full.x_test[:100], full.y_test[:100], "a part")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(autoencoder, "load_digits", lambda source: part)
    monkeypatch.setattr(autoencoder, "SIZES", (784, 32, 10))
    found = autoencoder.reproduce(epochs=3)
    model = autoencoder.build(part, 3)
    model.run()
    error = ((model.model.reconstruct(part.x_test) - part.x_test) ** 2).sum(axis=1).mean()
    assert found.ours == pytest.approx(error, abs=1e-4)
    assert [row["epoch"] for row in found.curve] == [1, 2, 3]
    centred = part.x_train - part.x_train.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:10]
    shifted = part.x_test - part.x_train.mean(axis=0)
    pca = ((shifted - shifted @ axes.T @ axes) ** 2).sum(axis=1).mean()
    assert found.beside["PCA, 10 components"] == pytest.approx(pca, abs=1e-3)
    again = autoencoder.reproduce(epochs=3, resume=True)
    assert again.ours == found.ours


def test_reproduce_vae_measures_the_whole_test_set_by_importance_sampling(tmp_path, monkeypatch, capsys):
    """The same at a small size: the figure of these weights; digits are moved at first, then left."""
    full = load_digits("embedded")
    part = Digits(full.x_train[:256], full.y_train[:256], full.x_test[:60], full.y_test[:60], "a part")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vae, "load_digits", lambda source: part)
    monkeypatch.setattr(vae, "SIZES", (784, 16, 5))
    monkeypatch.setattr(vae, "SAMPLES", 20)
    found = vae.reproduce(epochs=5)
    model, trainer = vae.build(part, 5)
    moved = []
    trainer.callbacks.append(Watch(lambda: moved.append(trainer.augment is not None)))
    trainer.run()
    assert moved == [True, True, True, False, False]            # after each epoch, for the next one
    test = binarise(part.x_test, rng=np.random.default_rng(0))
    nll = -model.score_samples(test, rng=np.random.default_rng(0), samples=20).mean()
    assert found.ours == pytest.approx(nll, abs=2e-3)
    assert found.ours < found.curve[-1]["figure"] == found.beside["the bound"]
    assert vae.reproduce(epochs=5, resume=True).curve == found.curve


class Watch(Callback):
    def __init__(self, look):
        self.look = look

    def on_epoch(self, trainer, values):
        self.look()


def test_reproduce_names_what_there_is(capsys):
    assert cli.main(["reproduce", "autoencodr"]) == 2
    assert "did you mean 'autoencoder'?" in capsys.readouterr().err
