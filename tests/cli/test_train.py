"""The command `train`: every model of the cards, and saved runs that resume with identical bits."""

import inspect
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from scratchgen import cli, models
from scratchgen.cli import train as command
from scratchgen.cli import train_translator
from scratchgen.data import Digits, load_digits
from scratchgen.layers import BatchNorm, Dropout, Linear, Sequential, SiLU
from scratchgen.models import VAE, Autoencoder
from scratchgen.studies.cards.card import no_figure
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
    assert cli.main(["train", "autoencoder", "--resume", "--out", str(tmp_path / "none.safetensors")]) == 2
    assert "no run to resume" in capsys.readouterr().err
    assert cli.main(["train", "autoencoder", "--lr", "-1", "--out", str(tmp_path / "a.safetensors")]) == 2
    assert "Autoencoder.fit expected a finite lr >= 0, got -1.0" in capsys.readouterr().err
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x10\x00\x00\x00not a safetensors file")
    assert cli.main(["train", "autoencoder", "--resume", "--out", str(damaged)]) == 2
    assert "safetensors file" in capsys.readouterr().err


def test_train_command_does_not_overwrite_a_run(few, capsys):
    arguments = ["train", "autoencoder", "--hidden", "6", "--code", "2", "--epochs", "1", "--out", "a.st"]
    assert cli.main(arguments) == 0
    before = Path("a.st").read_bytes()
    assert cli.main([*arguments, "--seed", "1"]) == 2
    assert "a.st has a finished run: replace it with --overwrite" in capsys.readouterr().err
    assert Path("a.st").read_bytes() == before
    assert cli.main([*arguments, "--seed", "1", "--overwrite"]) == 0
    assert Path("a.st").read_bytes() != before
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--resume", "--overwrite"])
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes in folders")
def test_train_command_refuses_a_pipe_before_it_trains(few, monkeypatch, capsys):
    os.mkfifo("pipe")
    monkeypatch.setattr("scratchgen.data.load_digits", None)
    for flag in ([], ["--overwrite"]):
        assert cli.main(["train", "autoencoder", "--out", "pipe", *flag]) == 2
        assert "expected a regular file to write, but pipe is a device, a pipe" in capsys.readouterr().err
    assert Path("pipe").is_fifo()


FORMS = [(name, form) for name, model in command.models().items() for form in model.forms]
TRANSLATORS = [(name, form) for name, task in train_translator.tasks().items() for form in task.forms]


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Replace the digits by a few of them."""
    d = load_digits("embedded")
    few = Digits(d.x_train[:160], d.y_train[:160], d.x_test[:24], d.y_test[:24], "a few")
    monkeypatch.setattr("scratchgen.data.load_digits", lambda *source: few)
    monkeypatch.chdir(tmp_path)
    return few


@pytest.mark.parametrize(("name", "form"), FORMS)
@pytest.mark.slow
def test_train_trains_every_model_in_every_form(few, capsys, name, form):
    words = ["train", name, "--form", form, "--epochs", "1", "--batch-size", "32"]
    settings = inspect.signature(command.models()[name].forms[form]).parameters
    words += ["--hidden", "6,5"] if "hidden" in settings else []
    words += ["--code", "3"] if "code" in settings else []
    assert cli.main(words) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "a few" and out[-1] == f"weights and run are in runs/{name}.safetensors"
    figure = command.models()[name].figure
    assert ("last epoch: loss " in out[1]) and (figure is no_figure or ";" in out[1])
    assert is_finished(f"runs/{name}.safetensors")
    config = read_config(f"runs/{name}.safetensors")
    assert config["model"] == name and config["form"] == form and config["batch_size"] == 32
    assert config.get("hidden", [6, 5]) == [6, 5] and config.get("code", 3) == 3


def test_train_prints_the_figure_of_the_saved_weights(few):
    model = command.models()["vae"]
    line = command.train("vae", model, Path("a.safetensors"), hidden=(6,), code=2, epochs=2, seed=5)
    net = VAE.dense((784, 6, 2), rng=0)
    load_model("a.safetensors", net)
    nats = net.score_samples(BINARY.prepare(few.x_test)).mean()
    assert line.startswith(f"log p(x) per test digit: {nats:.2f} nats (importance-sampled; binary pixels);")


def test_train_refuses_settings_that_a_form_does_not_have(few, capsys):
    assert cli.main(["train", "made", "--code", "3"]) == 2
    assert "made (dense) has no --code; leave it out" in capsys.readouterr().err
    assert cli.main(["train", "made", "--form", "convolutional"]) == 2
    assert "unknown form 'convolutional'. Known names: dense" in " ".join(capsys.readouterr().err.split())
    assert not list(Path().iterdir())


def test_train_lists_every_form_with_its_defaults(capsys):
    assert cli.main(["train", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [tuple(line.split()[:2]) for line in lines] == FORMS + TRANSLATORS
    assert "autoencoder      dense          --hidden 400,150  --code 30" in lines
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "train expected a MODEL or --list"), (["veo"], "unknown model 'veo'; did you mean 'vae'?")],
)
def test_train_without_a_known_model_gets_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_train_seed_decides_the_weights(few):
    model, lines = command.models()["autoencoder"], []
    for seed in (0, 0, 7):
        path = Path(f"{len(lines)}.safetensors")
        lines.append(command.train("autoencoder", model, path, hidden=(6,), code=2, epochs=1, seed=seed))
    assert lines[0] == lines[1] != lines[2]


def test_every_public_image_model_can_be_trained():
    """Every class that builds networks for images is in a card, except for the base class of the flows."""
    public = {
        name
        for name in models.__all__
        if inspect.isclass(getattr(models, name))
        and issubclass(getattr(models, name), models.Model)
        and (hasattr(getattr(models, name), "dense") or hasattr(getattr(models, name), "convolutional"))
    }
    built = {
        type(build(np.random.default_rng(0))).__name__
        for model in command.models().values()
        for build in model.forms.values()
    }
    assert public - {"Flow"} <= built and {"MADE", "PixelCNN", "MLPClassifier", "ConvClassifier"} <= built
