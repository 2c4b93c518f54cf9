"""The command `train`: its run folder, its settings, and saved runs that resume with identical bits."""

import json
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from scratchgen import cli
from scratchgen.cli import train_translator
from scratchgen.cli.catalogue import entries
from scratchgen.cli.train import duration
from scratchgen.data import Digits, load_digits
from scratchgen.layers import BatchNorm, Dropout, Linear, Sequential, SiLU
from scratchgen.models import VAE, Autoencoder, NotConverged
from scratchgen.studies.spaces import BINARY
from scratchgen.training.checkpoint import is_finished, load_model, read_config
from scratchgen.training.loop import Callback
from scratchgen.training.runs import run_saved


def trainer(epochs=4, callbacks=()):
    rng = np.random.default_rng(3)
    X = np.random.default_rng(1).uniform(size=(30, 9)).astype(np.float32)
    model = Autoencoder.dense((9, 5, 2), rng=rng)
    return model.trainer(X, epochs=epochs, batch_size=8, rng=rng, callbacks=callbacks)


def values(path):
    model = Autoencoder.dense((9, 5, 2), rng=np.random.default_rng(0))
    load_model(path, model)
    return np.concatenate([p.value.ravel() for p in model.parameters().values()])


class StopAt(Callback):
    """Sends Ctrl-C after a given step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, trainer, values):
        if trainer.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_run_resumed_after_ctrl_c_has_the_bits_of_an_uninterrupted_one(tmp_path, capsys):
    run_saved(trainer(), tmp_path / "whole.safetensors", resume=False, config={})
    path = tmp_path / "broken.safetensors"
    with pytest.raises(KeyboardInterrupt, match=r"interrupted after step 6.*saved in .*, continue with"):
        run_saved(trainer(callbacks=[StopAt(6)]), path, resume=False, config={})
    assert not is_finished(path)
    assert not np.array_equal(values(path), values(tmp_path / "whole.safetensors"))
    run_saved(trainer(), path, resume=True, config={})
    np.testing.assert_array_equal(values(path), values(tmp_path / "whole.safetensors"))
    assert is_finished(path)


def test_resumed_run_keeps_batch_norm_and_dropout_to_the_bit(tmp_path, capsys):
    """Running statistics and the mask's generator are restored, also in the middle of an epoch."""
    X = np.random.default_rng(1).uniform(size=(30, 9)).astype(np.float32)

    def build(callbacks=()):
        rng = np.random.default_rng(3)
        noise = np.random.default_rng(4)
        encoder = Sequential(Linear(9, 6, rng=rng), BatchNorm(6), SiLU(), Dropout(0.3, rng=noise))
        model = Autoencoder(encoder, Linear(6, 9, rng=rng))
        return model, model.trainer(X, epochs=4, batch_size=8, rng=rng, callbacks=callbacks)

    whole, run = build()
    run_saved(run, tmp_path / "whole.safetensors", resume=False, config={})
    path = tmp_path / "broken.safetensors"
    with pytest.raises(KeyboardInterrupt):
        run_saved(build([StopAt(6)])[1], path, resume=False, config={})
    resumed, run = build()
    run_saved(run, path, resume=True, config={})
    assert whole.buffers() and whole.generators()
    for name, buffer in whole.buffers().items():
        np.testing.assert_array_equal(resumed.buffers()[name], buffer)
    for name, p in whole.parameters().items():
        np.testing.assert_array_equal(resumed.parameters()[name].value, p.value)
    for name, generator in whole.generators().items():
        assert resumed.generators()[name].random() == generator.random()


def test_run_of_n_epochs_resumed_to_2n_equals_one_of_2n(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    run_saved(trainer(2), path, resume=False, config={})
    run_saved(trainer(4), path, resume=True, config={})
    run_saved(trainer(4), tmp_path / "whole.safetensors", resume=False, config={})
    np.testing.assert_array_equal(values(path), values(tmp_path / "whole.safetensors"))


def test_existing_run_is_not_overwritten_unless_asked(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        run_saved(trainer(callbacks=[StopAt(2)]), path, resume=False, config={})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="has an unfinished run: continue it with --resume, or replace"):
        run_saved(trainer(), path, resume=False, config={})
    assert path.read_bytes() == before
    run_saved(trainer(), path, resume=True, config={})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="has a finished run: replace it with --overwrite, or use another"):
        run_saved(trainer(1), path, resume=False, config={})
    assert path.read_bytes() == before
    run_saved(trainer(1), path, resume=False, config={}, overwrite=True)
    assert path.read_bytes() != before


def test_other_file_is_kept_and_the_refusal_says_how_to_replace_it(tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_text("notes")
    with pytest.raises(ValueError, match="not a complete .*; replace it with --overwrite, or use another"):
        run_saved(trainer(), path, resume=False, config={})
    assert path.read_text() == "notes"


class InterruptTwiceAt(StopAt):
    """Sends Ctrl-C twice after a given step, so that the run ends at once."""

    def on_step(self, trainer, values):
        super().on_step(trainer, values)
        super().on_step(trainer, values)


@pytest.mark.parametrize(("step", "words"), [
    (2, "nothing of the run is in {}"),
    (6, "{} has an earlier state, continue with --resume"),
])  # fmt: skip
def test_second_ctrl_c_does_not_claim_that_the_run_was_saved(tmp_path, step, words):
    """The run of 4 steps per epoch is saved after an epoch; a second Ctrl-C ends it without saving."""
    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt) as stop:
        run_saved(trainer(callbacks=[InterruptTwiceAt(step)]), path, resume=False, config={})
    assert str(stop.value) == f"interrupted without saving; {words.format(path)}"
    assert path.exists() == ("--resume" in words)
    if path.exists():
        run_saved(trainer(), tmp_path / "whole.safetensors", resume=False, config={})
        run_saved(trainer(), path, resume=True, config={})
        assert (values(path) == values(tmp_path / "whole.safetensors")).all()


def test_run_with_other_settings_is_not_resumed(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        run_saved(trainer(), path, resume=True, config={})
    run_saved(trainer(), path, resume=False, config={"code": 2})
    with pytest.raises(ValueError, match="has a run with other settings: code: 2 in the file, 3 asked for$"):
        run_saved(trainer(), path, resume=True, config={"code": 3})


@pytest.mark.slow
def test_train_command_resumed_after_an_interruption_equals_a_whole_run(tmp_path, monkeypatch, capsys):
    """The command runs on the embedded digits, and receives a Ctrl-C during the first epoch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCRATCHGEN_DATA", raising=False)
    arguments = ["train", "autoencoder", "--code", "2", "--epochs", "2", "--seed", "4", "--out"]
    assert cli.main([*arguments, "whole.safetensors"]) == 0

    def send_ctrl_c_in_the_first_epoch():
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    wait = threading.Event()

    def on_start(self, trainer):
        if not wait.is_set():
            wait.set()
            threading.Thread(target=send_ctrl_c_in_the_first_epoch).start()

    monkeypatch.setattr("scratchgen.training.callbacks.ProgressBar.on_start", on_start)
    assert cli.main([*arguments, "broken.safetensors"]) == 130
    assert "continue with --resume" in capsys.readouterr().err
    assert cli.main([*arguments, "broken.safetensors", "--resume"]) == 0

    def weights(name):
        model = Autoencoder.dense((784, 400, 150, 2), rng=np.random.default_rng(0))
        load_model(name, model)
        return [p.value for p in model.parameters().values()]

    for broken, whole in zip(weights("broken.safetensors"), weights("whole.safetensors"), strict=True):
        np.testing.assert_array_equal(broken, whole)


def test_train_command_bad_arguments_are_named(tmp_path, capsys):
    assert cli.main(["train", "autoencoder", "--resume", "--out", str(tmp_path / "none")]) == 2
    assert "no run to resume" in capsys.readouterr().err
    assert cli.main(["train", "autoencoder", "--lr", "-1", "--out", str(tmp_path / "a")]) == 2
    assert "train expected a finite --lr >= 0, such as 0.001, got -1.0" in capsys.readouterr().err
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x10\x00\x00\x00not a safetensors file")
    assert cli.main(["train", "autoencoder", "--resume", "--out", str(damaged)]) == 2
    assert "safetensors file" in capsys.readouterr().err


def test_train_command_does_not_overwrite_a_run(few, monkeypatch, capsys):
    arguments = ["train", "autoencoder", "--hidden", "6", "--code", "2", "--epochs", "1", "--out", "a"]
    assert cli.main(arguments) == 0
    path = Path("a/model.safetensors")
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("scratchgen.data.load_digits", None)      # refused before data are read
        assert cli.main([*arguments, "--seed", "1"]) == 2
    assert f"{path} has a finished run: replace it with --overwrite" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert cli.main([*arguments, "--seed", "1", "--overwrite"]) == 0
    assert path.read_bytes() != before
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--resume", "--overwrite"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_run_may_be_a_file_and_its_folder_may_exist(few, capsys):
    Path("there").mkdir()
    Path("there/notes.txt").write_text("mine")
    for out in ("there", "here/a.safetensors", "b.st"):
        assert cli.main(["train", "pca", "--set", "n_components=2", "--out", out]) == 0
    assert capsys.readouterr().out.endswith("weights and run are in b.st\n")
    assert sorted(map(str, Path("there").iterdir())) == ["there/model.safetensors", "there/notes.txt"]
    assert Path("here/a.safetensors").is_file() and Path("b.st").is_file()
    Path("taken").write_text("")
    assert cli.main(["train", "pca", "--out", "taken"]) == 2
    assert "cannot write into taken: " in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="no permissions of Unix")
def test_folder_that_cannot_be_written_is_found_before_the_work(few, monkeypatch, capsys):
    Path("closed").mkdir()
    monkeypatch.setattr("scratchgen.data.load_digits", None)
    monkeypatch.setattr("os.access", lambda path, mode: False)      # root may write anywhere
    assert cli.main(["train", "vae", "--out", "closed"]) == 2
    assert "no permission to write in" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes in folders")
def test_train_command_refuses_a_pipe_before_it_trains(few, monkeypatch, capsys):
    os.mkfifo("pipe.safetensors")
    monkeypatch.setattr("scratchgen.data.load_digits", None)
    for flag in ([], ["--overwrite"]):
        assert cli.main(["train", "autoencoder", "--out", "pipe.safetensors", *flag]) == 2
        expected = "expected a regular file to write, but pipe.safetensors is a device, a pipe"
        assert expected in capsys.readouterr().err
    assert Path("pipe.safetensors").is_fifo()


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Replace the digits by a few of them."""
    d = load_digits("embedded")
    few = Digits(d.x_train[:160], d.y_train[:160], d.x_test[:24], d.y_test[:24], "a few")
    monkeypatch.setattr("scratchgen.data.load_digits", lambda *source: few)
    monkeypatch.chdir(tmp_path)
    return few


FORMS = [(name, form) for name, entry in entries().items() for form in entry.forms]
TRANSLATORS = [(name, form) for name, task in train_translator.tasks().items() for form in task.forms]
OF_IMAGES = [
    (name, form)
    for name, form in FORMS
    if not entries()[name].of_text and not entries()[name].forms[form].required and name != "ngram"
]


@pytest.mark.parametrize(("name", "form"), OF_IMAGES)
@pytest.mark.slow
def test_train_trains_every_model_on_digits_with_its_own_defaults(few, capsys, name, form):
    """Only the widths are smaller than those of the card."""
    entry = entries()[name]
    words = ["train", name, "--form", form]
    words += ["--epochs", "1", "--batch-size", "16" if name == "wgan" else "32"] if entry.by_epochs else []
    known = entry.forms[form].settings
    if "hidden" in known:
        words += ["--hidden", "8" if known["hidden"].annotation == "int" else "6,5"]
    code = "13" if name == "info_gan" else "3"      # ten categories and two continuous ones are part of it
    words += ["--code", code] if "code" in known else []
    assert cli.main(words) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "a few" and out[-1] == f"weights and run are in runs/{name}"
    assert any(line.startswith("last epoch: loss ") for line in out) == entry.by_epochs
    none = ("gan", "dcgan", "wgan", "conditional_gan", "info_gan")
    assert len(out) > (3 if entry.by_epochs else 2) or name in none
    config = read_config(f"runs/{name}/model.safetensors")
    assert config["model"] == entry.model.__name__ and config["form"] == form
    assert config["shape"] == [28, 28, 1] and config["data"] == "a few"
    assert ("set.code" in config) == ("code" in known)
    if entry.by_epochs:
        assert is_finished(f"runs/{name}/model.safetensors")


def test_train_prints_the_figure_of_the_saved_weights(few, capsys):
    words = ["train", "vae", "--hidden", "6", "--code", "2", "--epochs", "2", "--seed", "5", "--out", "a"]
    assert cli.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    net = VAE.dense((784, 6, 2), rng=0)
    load_model("a/model.safetensors", net)
    nats = net.score_samples(BINARY.prepare(few.x_test)).mean()
    assert told["log_prob"] == pytest.approx(nats, rel=1e-6)
    assert cli.main([*words, "--overwrite"]) == 0
    line = f"log p(x) per test example: {nats:.2f} nats (importance-sampled; binary pixels)"
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["made", "--code", "3"], "unknown setting of made (standard) 'code'"),
        (["made", "--form", "convolutional"], "unknown form 'convolutional'. Known names: standard"),
        (["vae", "--set", "codes=3"], "unknown setting of vae (dense) 'codes'; did you mean 'code'?"),
        (["vae", "--set", "code"], "--set expected KEY=VALUE, such as code=20, got 'code'"),
        (["vae", "--set", "code=2", "--code", "3"], "--set expected each setting once, got code twice"),
        (["vae", "--set", "code=two"], "--set code expected a whole number or none, got 'two'"),
        (["vae", "--set", "code=2.5"], "--set code expected a whole number or none, got '2.5'"),
        (["vae", "--set", "hidden=a,b"], "--set hidden expected a whole number or widths such as 400,200"),
        (["vae", "--set", "beta=high"], "--set beta expected a number, got 'high'"),
        (["vae", "--set", "activation=Sillu"], "unknown name 'Sillu'; expected a public class of scratchgen"),
        (["vae", "--set", "observation=NormalPixels(x)"], "expected plain values in 'NormalPixels(x)'"),
        (["vae", "--set", "activation=__import__('os')"], "expected the name of a public class"),
        (["real_nvp", "--set", "bound=true"], "--set bound expected a number, got 'true'"),
        (["pca", "--epochs", "3"], "pca is fitted in one step and has no --epochs; leave it out"),
        (["pca", "--budget", "3m"], "pca is fitted in one step and has no --budget; leave it out"),
        (["hidden_markov_model"], "hidden_markov_model expected --set states=VALUE, which has no default"),
        (["vae", "--data", "nowhere"], "--data expected a file or a folder, but nowhere does not exist"),
        (["vae", "--size", "8x8"], "--size expected --data PATH as well, got none"),
        (["ngram", "--label", "a"], "ngram is trained on a text and has no --label"),
    ],
)
def test_train_names_what_is_wrong_before_it_writes(few, capsys, words, message):
    assert cli.main(["train", *words]) == 2
    err = capsys.readouterr().err
    assert message in " ".join(err.split()) and err.count("\n") == 1
    assert not list(Path().iterdir())


@pytest.mark.parametrize("text", ["5x", "0s", "1e3", "inf", "m"])
def test_budget_that_is_wrong(few, capsys, text):
    with pytest.raises(SystemExit):
        cli.main(["train", "vae", "--budget", text])
    assert f"expected a time such as 90s, 5m or 2h, got {text!r}" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5m", 90), ("2h", 7200), ("3s", 3)])
def test_budget_has_a_unit(text, seconds):
    assert duration(text) == seconds


def test_budget_ends_the_run_within_an_epoch_and_it_can_be_resumed(few, capsys):
    words = ["train", "autoencoder", "--hidden", "6", "--code", "2", "--epochs", "2", "--batch-size", "32"]
    assert cli.main([*words, "--budget", "0.000001s", "--out", "a"]) == 0
    assert "stopped after step 1, 0 of 2 epochs done: the time limit" in capsys.readouterr().err
    assert cli.main([*words, "--resume", "--out", "a"]) == 0
    assert cli.main([*words, "--out", "whole"]) == 0
    found = [Autoencoder.dense((784, 6, 2), rng=0) for _ in range(2)]
    for model, out in zip(found, ("a", "whole"), strict=True):
        load_model(f"{out}/model.safetensors", model)
    for a, b in zip(*(m.parameters().values() for m in found), strict=True):
        np.testing.assert_array_equal(a.value, b.value)


def test_run_on_other_data_is_not_resumed(few, tmp_path, capsys):
    words = ["train", "autoencoder", "--hidden", "6", "--code", "2", "--epochs", "1"]
    assert cli.main([*words, "--out", "a"]) == 0
    np.savez("other.npz", x=np.zeros((20, 28, 28)))
    assert cli.main([*words, "--data", "other.npz", "--resume", "--out", "a"]) == 2
    assert "other settings: data: a few in the file, other.npz: 18 + 2 images" in capsys.readouterr().err


def test_quiet_prints_the_result_only(few, capsys):
    words = ["train", "autoencoder", "--hidden", "6", "--code", "2", "--epochs", "1", "--quiet"]
    assert cli.main(words) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.startswith("squared error per test example: ") and "a few" not in out
    assert cli.main(words) == 2
    assert "has a finished run" in capsys.readouterr().err


def test_quiet_does_not_hide_warnings(few, monkeypatch, capsys):
    shown, stderr = [], sys.stderr
    monkeypatch.setattr(warnings, "showwarning", lambda *args: shown.append(args))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert cli.main(["train", "logistic_regression", "--set", "iterations=1", "--quiet"]) == 0
    ((message, category, _, _, file, *_),) = shown
    assert category is NotConverged and file is stderr and sys.stderr is stderr


def test_train_lists_every_form_with_its_defaults(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["train", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [tuple(line.split()[:2]) for line in lines if line[0] != " "] == FORMS + TRANSLATORS
    assert lines[0].split() == ["autoencoder", "dense"]
    assert lines[1].startswith("    hidden=400,150  code=30  activation=SiLU")
    assert "batch_size=128" in lines[2]
    assert max(map(len, lines)) <= 80
    assert cli.main(["train", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"]["vae"]["dense"]["code"] == "20"


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "train expected a MODEL or --list"), (["veo"], "unknown model 'veo'; did you mean 'vae'?")],
)
def test_train_without_a_known_model_gets_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_train_seed_decides_the_weights(few, capsys):
    told = []
    for i, seed in enumerate((0, 0, 7)):
        words = ["--hidden", "6", "--code", "2", "--epochs", "1", "--seed", str(seed), "--out", str(i)]
        assert cli.main(["train", "autoencoder", *words, "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out)["squared_error"])
    assert told[0] == told[1] != told[2]
