"""The judge: trained once, read from its file afterwards, taken up again where it was broken off."""

import numpy as np
import pytest

from scratchgen.data import Digits, load_digits
from scratchgen.models import ConvClassifier
from scratchgen.studies import digit_classifier as judge
from scratchgen.studies.digit_classifier import trained_judge
from scratchgen.training import checkpoint
from scratchgen.training.loop import Trainer


def small_digits(n=128):
    d = load_digits("embedded")
    return Digits(d.x_train[:n], d.y_train[:n], d.x_test[:n], d.y_test[:n], "a part")


def test_trained_judge_is_trained_once_and_then_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(judge.EPOCHS, "embedded", 1)
    digits = small_digits()
    first = trained_judge(digits, tmp_path)
    assert "training a ConvClassifier on 128 digits" in capsys.readouterr().out
    monkeypatch.setattr(Trainer, "run", lambda self: pytest.fail("trained a second time"))
    again = trained_judge(digits, tmp_path)
    assert "read from" in capsys.readouterr().out
    np.testing.assert_array_equal(again.features(digits.x_test), first.features(digits.x_test))


def test_trained_judge_goes_on_where_it_was_broken_off(tmp_path, monkeypatch, capsys):
    """Broken off after two of three epochs and called again: the same weights as without the break."""
    monkeypatch.setitem(judge.EPOCHS, "embedded", 3)
    digits = small_digits()
    whole = trained_judge(digits, tmp_path / "whole")
    on_epoch = checkpoint.Checkpointer.on_epoch

    def break_off(self, trainer, values):
        on_epoch(self, trainer, values)
        if trainer.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpointer, "on_epoch", break_off)
    with pytest.raises(KeyboardInterrupt):
        trained_judge(digits, tmp_path)
    monkeypatch.setattr(checkpoint.Checkpointer, "on_epoch", on_epoch)
    resumed = trained_judge(digits, tmp_path)
    np.testing.assert_array_equal(resumed.features(digits.x_test), whole.features(digits.x_test))


@pytest.mark.slow
def test_trained_judge_of_the_embedded_digits_is_a_good_one(tmp_path, capsys):
    digits = load_digits("embedded")
    model = trained_judge(digits, tmp_path)
    assert isinstance(model, ConvClassifier)
    assert model.score(digits.x_test, digits.y_test) > 0.97
