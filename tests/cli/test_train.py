"""Runs kept on disk by the command, and their resumption to the same bits."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from scratchgen import cli
from scratchgen.layers import BatchNorm, Dropout, Linear, Sequential, SiLU
from scratchgen.models import Autoencoder
from scratchgen.training.checkpoint import is_finished, load_model
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
    """Presses Ctrl-C after a given step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, trainer, values):
        if trainer.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_run_resumed_after_ctrl_c_has_the_bits_of_an_undisturbed_one(tmp_path, capsys):
    run_saved(trainer(), tmp_path / "whole.safetensors", resume=False, config={})
    path = tmp_path / "broken.safetensors"
    with pytest.raises(KeyboardInterrupt, match=r"interrupted after step 6.*saved in .*go on with --resume"):
        run_saved(trainer(callbacks=[StopAt(6)]), path, resume=False, config={})
    assert not is_finished(path)
    assert not np.array_equal(values(path), values(tmp_path / "whole.safetensors"))
    run_saved(trainer(), path, resume=True, config={})
    np.testing.assert_array_equal(values(path), values(tmp_path / "whole.safetensors"))
    assert is_finished(path)


def test_resumed_run_keeps_batch_norm_and_dropout_to_the_bit(tmp_path, capsys):
    """Running statistics and the mask's generator come from the file, in the middle of an epoch too."""
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


def test_run_in_the_way_is_not_overwritten_unless_finished(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        run_saved(trainer(callbacks=[StopAt(2)]), path, resume=False, config={})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="holds a run that is not finished: go on with --resume, or delete"):
        run_saved(trainer(), path, resume=False, config={})
    assert path.read_bytes() == before
    run_saved(trainer(), path, resume=True, config={})
    run_saved(trainer(1), path, resume=False, config={})        # a finished one may be replaced
    assert path.read_bytes() != before


def test_run_of_another_kind_is_not_resumed(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        run_saved(trainer(), path, resume=True, config={})
    run_saved(trainer(), path, resume=False, config={"code": 2})
    with pytest.raises(ValueError, match="another kind: expected {'code': 3}, the file has {'code': 2}"):
        run_saved(trainer(), path, resume=True, config={"code": 3})


@pytest.mark.slow
def test_train_command_interrupted_and_resumed_equals_one_go(tmp_path, monkeypatch, capsys):
    """The command itself, on the embedded digits, with a Ctrl-C from outside in mid-run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCRATCHGEN_DATA", raising=False)
    arguments = ["train", "autoencoder", "--code", "2", "--epochs", "2", "--seed", "4", "--out"]
    assert cli.main([*arguments, "whole.safetensors"]) == 0

    def press_ctrl_c_in_the_first_epoch():
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    wait = threading.Event()

    def on_start(self, trainer):
        if not wait.is_set():
            wait.set()
            threading.Thread(target=press_ctrl_c_in_the_first_epoch).start()

    monkeypatch.setattr("scratchgen.training.callbacks.ProgressBar.on_start", on_start)
    assert cli.main([*arguments, "broken.safetensors"]) == 130
    assert "go on with --resume" in capsys.readouterr().err
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
    assert "learning rate >= 0, got -1.0" in capsys.readouterr().err
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x10\x00\x00\x00not a safetensors file")
    assert cli.main(["train", "autoencoder", "--resume", "--out", str(damaged)]) == 2
    assert "no whole safetensors file" in capsys.readouterr().err
