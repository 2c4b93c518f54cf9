"""The command `train` for translation models, on few sentences."""

from pathlib import Path

import pytest

from scratchgen import cli
from scratchgen.cli import train_translator
from scratchgen.data import Pairs, load_verses, written_pairs
from scratchgen.studies.experiments import verses, written_values
from scratchgen.training.checkpoint import is_finished, load_model, read_config

FORMS = [(name, form) for name, task in train_translator.tasks().items() for form in task.forms]


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Few sentences, and an empty folder. The tests are among them, so no word is unknown."""
    values, verse = written_pairs(48, rng=5), verses.lower(load_verses())
    short = Pairs(*(side[:48] for side in verse)), Pairs(*(side[:4] for side in verse))
    monkeypatch.setattr(written_values, "parts", lambda examples, tests, seed: (values, values))
    monkeypatch.setattr(verses, "parts", lambda: short)
    monkeypatch.chdir(tmp_path)
    return values


def command(name, *words):
    return cli.main(["train", name, "--epochs", "1", "--batch-size", "24", *words])


def loaded(path, train):
    """The model of written values with 8 features whose weights are in a run."""
    model = written_values.build(train, rng=0, features=8, depth=1, body="gru")
    load_model(path, model)
    return model


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_every_form_is_trained_and_saved_with_its_settings(few, capsys, name, form):
    assert command(name, "--form", form, "--hidden", "8,8", "--lr", "0.001", "--seed", "3") == 0
    out = " ".join(capsys.readouterr().out.split())
    figure = {"translate": "exact translations of unseen values: ", "translate_verses": "BLEU of 4 unseen"}
    assert figure[name] in out and "; last epoch: loss " in out
    assert out.endswith(f"weights and run are in runs/{name}")
    path = Path(f"runs/{name}/model.safetensors")
    assert is_finished(path)
    assert read_config(path) == {
        "model": name, "form": form, "seed": 3, "hidden": [8, 8], "lr": 0.001, "batch_size": 24,
    }  # fmt: skip


def test_the_figure_is_that_of_the_saved_weights(few, capsys):
    assert command("translate", "--hidden", "8", "--lr", "0.02", "--seed", "3") == 0
    line = train_translator.exact_translations(loaded("runs/translate/model.safetensors", few), few)
    assert line in " ".join(capsys.readouterr().out.split())


def test_a_finished_run_is_continued_but_not_replaced(few, capsys):
    words = ("--hidden", "8", "--out", "a.safetensors")
    assert command("translate", *words) == 0
    assert command("translate", *words) == 2
    assert "a.safetensors has a finished run: replace it with --overwrite" in capsys.readouterr().err
    assert command("translate", *words, "--resume", "--epochs", "2") == 0
    assert command("translate", *words, "--resume", "--seed", "1") == 2
    assert "seed: 0 in the file, 1 asked for" in capsys.readouterr().err


def test_the_seed_decides_the_weights(few):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert command("translate", "--hidden", "8", "--seed", seed, "--out", name) == 0
    a, b, c = (loaded(f"{name}/model.safetensors", few).head.weight.value for name in "abc")
    assert (a == b).all() and (a != c).all()


@pytest.mark.parametrize(("words", "message"), [
    (["--code", "3"], "translate (gru) has no --code; leave it out"),
    (["--hidden", "8,6"], "train expected --hidden with the same width for all layers, got 8,6"),
    (["--form", "convolutional"], "unknown form 'convolutional'. Known names: gru, lstm, transformer"),
    (["--form", "transformer", "--hidden", "6"], "expected features divisible by the 4 heads, got 6"),
    (["--set", "depth=3"], "unknown setting of translate (gru) 'depth'"),
    (["--data", "a.txt"], "translate is trained on sentences of the library and has no --data"),
    (["--lr", "-1"], "train expected a finite --lr >= 0, such as 0.001, got -1.0"),
])  # fmt: skip
def test_wrong_settings_get_one_line(few, capsys, words, message):
    assert command("translate", *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(Path().iterdir())
