"""Impossible settings of `scratchgen train` are reported before data are read, in one line, with code 2."""

import importlib
from pathlib import Path

import numpy as np
import pytest

import scratchgen
from scratchgen import cli
from scratchgen.cli.catalogue import entries
from scratchgen.studies.experiments import verses, written_values


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """A folder with one table and one empty file, in which every function that reads data fails."""

    def read(*args, **settings):
        raise AssertionError("data were read")

    for name in ("load_digits", "load_dataset"):
        getattr(scratchgen, name)       # looked up now, so that scratchgen does not keep the replacement
    for module, name in [
        ("scratchgen.data", "load_digits"), ("scratchgen.data", "load_dataset"),
        ("scratchgen.cli.job", "load_text_file"),
    ]:  # fmt: skip
        monkeypatch.setattr(importlib.import_module(module), name, read)
    monkeypatch.setattr(verses, "parts", read)
    monkeypatch.setattr(written_values, "parts", read)
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("a,b,kind\n1,2,x\n3,4,y\n")
    Path("file").write_text("")


def refused(words, capsys):
    """The error of a command: one line, with nothing on stdout and no new file."""
    before = set(Path().rglob("*"))
    try:
        code = cli.main(["train", *words])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and err.count("\n") == 1, err
    assert set(Path().rglob("*")) == before
    return err.removeprefix("scratchgen: error: ")


WRONG = [
    ("vae --lr -1", "train expected a finite --lr >= 0, such as 0.001, got -1.0"),
    ("vae --lr 1e40", "train expected a finite --lr >= 0, such as 0.001, got 1e+40"),
    ("vae --lr nan", "--lr expected a number or the name of a public class of scratchgen, such as OneCycle"),
    ("vae --set lr=-1", "train expected a finite --set lr >= 0"),
    ("gan --set discriminator_lr=-1", "train expected a finite --set discriminator_lr >= 0"),
    ("gan --set betas=0.5,2", "train expected a finite betas >= 0 and < 1, got 2"),
    ("vae --epochs 0", "argument --epochs: expected a whole number of at least 1, got '0'"),
    ("vae --epochs -1", "argument --epochs: expected a whole number of at least 1, got '-1'"),
    ("vae --batch-size 0", "train expected --batch-size of at least 1, got 0"),
    ("vae --batch-size many", "--batch-size expected a whole number, got 'many'"),
    ("vae --budget 0", "argument --budget: expected a time such as 90s, 5m or 2h, got '0'"),
    ("vae --set clip=0", "train expected a finite --set clip > 0, got 0.0"),
    ("vae --set clip=1 --set clip_value=1", "train expected --set clip, for the norm, or --set clip_value"),
    ("vae --set optimizer=AdamW(lr=3)", "train expected --set optimizer with settings by their names and"),
    ("vae --set optimizer=AdamW(0.1)", "train expected --set optimizer with settings by their names and"),
    ("vae --set lr=load_digits()", "--set lr: expected a class in 'load_digits()', such as OneCycle"),
    ("vae --set optimizer=Linear", "train expected --set optimizer to be an optimiser, such as AdamW"),
    ("vae --set optimizer=load_digits", "train expected --set optimizer to be an optimiser, such as AdamW"),
    ("vae --set optimizer=AdamW(weight_decay=-1)", "AdamW expected weight_decay"),
    ("vae --set augment=Jitter", "train expected --set augment to have its arguments, such as Jitter((28"),
    ("vae --set nokey=1", "unknown setting of vae (dense) 'nokey'. Known names: features, hidden, code"),
    ("vae --code -1", "VAE.dense expected code of at least 1, got -1"),
    ("vae --hidden 5,0", "VAE.dense expected hidden of at least 1, got 0"),
    ("vae --set activation=Linear", "VAE.dense expected activation to be a class such as SiLU"),
    ("vae --set code=0 --data table.csv", "VAE.dense expected code of at least 1, got 0"),
    ("vae --set beta=-1 --data table.csv --size 8x8", "VAE expected a finite beta >= 0, got -1.0"),
    ("vae --out file/run", "cannot write into file/run"),
    ("vae --out file", "cannot write into file"),
    ("vae --data none", "--data expected a file or a folder, but none does not exist"),
    ("vae --data table.csv --test none", "--test expected a file or a folder, but none does not exist"),
    ("vae --data table.csv --labels none", "--labels expected a file or a folder, but none does not exist"),
    ("pca --set n_components=0", "PCA expected n_components of at least 1, got 0"),
    ("nearest_neighbours --set k=0", "NearestNeighbours expected k of at least 1, got 0"),
    ("logistic_regression --set iterations=0", "train expected --set iterations of at least 1, got 0"),
    ("logistic_regression --set tolerance=-1", "train expected a finite --set tolerance >= 0, got -1.0"),
    ("character_model --lr -1", "train expected a finite --lr >= 0"),
    ("character_model --set heads=3", "CharacterModel expected features divisible by the 3 heads, got 64"),
    ("ngram --set order=0", "NGram expected order of at least 1, got 0"),
    ("ngram --data none.txt", "--data expected a file or a folder, but none.txt does not exist"),
    ("translate --lr -1", "train expected a finite --lr >= 0"),
    ("translate --batch-size 0", "train expected --batch-size of at least 1, got 0"),
    ("translate --hidden 0", "Translator expected features of at least 1, got 0"),
    ("translate_verses --form transformer --hidden 7", "Translator expected features divisible by the 4"),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_impossible_setting_is_refused_before_data_are_read(no_data, capsys, words, message):
    assert refused(words.split(), capsys).startswith(message)


def test_budget_of_several_words(no_data, capsys):
    assert "such as 90s, 5m or 2h, got '5 minutes'" in refused(["vae", "--budget", "5 minutes"], capsys)


@pytest.mark.parametrize("words", ["vae --code 3", "vae --code 3 --data table.csv", "ngram", "translate"])
def test_the_fixture_notices_that_data_are_read(no_data, words):
    with pytest.raises(AssertionError, match="data were read"):
        cli.main(["train", *words.split()])


SMALLEST = {"model": "PCA"}        # values of settings without a default


@pytest.mark.parametrize("name", [name for name, entry in entries().items() if not entry.of_text])
def test_settings_that_suit_some_data_are_not_refused_before_they_are_read(no_data, name):
    """With --data, an explicit default passes, because the shape of the data is not known yet."""
    for form_name, form in entries()[name].forms.items():
        defaults = entries()[name].defaults(form_name)
        words = [
            f"{key}={value}" for key, value in defaults.items()
            if isinstance(value, int) and not isinstance(value, bool) and key not in ("features", "classes")
        ]  # fmt: skip
        words += [f"{key}={SMALLEST.get(key, 2)}" for key in form.required if defaults[key] is None]
        given = [option for word in words for option in ("--set", word)]
        with pytest.raises(AssertionError, match="data were read"):
            cli.main(["train", name, "--form", form_name, "--data", "table.csv", *given])


def test_an_optimiser_may_be_given_its_settings(monkeypatch, tmp_path, capsys):
    """The trained weights depend on them."""
    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", x=np.random.default_rng(0).random((40, 6)).astype(np.float32))
    found = []
    for decay in ("0", "0.9"):
        words = ["--set", f"optimizer=AdamW(weight_decay={decay})", "--hidden", "3", "--lr", "0.1"]
        assert cli.main(["train", "autoencoder", "--data", "x.npz", *words, "--out", decay, "--quiet"]) == 0
        found.append(capsys.readouterr().out.splitlines()[0])
    assert found[0] != found[1]


def test_a_file_that_is_not_a_run_is_refused(no_data, capsys):
    for command in (["sample", "file"], ["score", "file"], ["info", "file"]):
        assert cli.main(command) == 2
        assert "or a file that ends in .safetensors or .st, got the file file" in capsys.readouterr().err
