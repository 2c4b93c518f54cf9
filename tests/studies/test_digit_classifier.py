"""The digit classifier: trained once, then read from its file, and continued after an interruption."""

from dataclasses import replace

import numpy as np
import pytest

from scratchgen.data import Digits, load_digits
from scratchgen.models import ConvClassifier
from scratchgen.studies import digit_classifier
from scratchgen.studies.digit_classifier import trained_digit_classifier
from scratchgen.training import checkpoint
from scratchgen.training.loop import Trainer


def small_digits(n=128):
    d = load_digits("embedded")
    return Digits(d.x_train[:n], d.y_train[:n], d.x_test[:n], d.y_test[:n], "a part")


def test_digit_classifier_is_trained_once_and_then_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(digit_classifier.EPOCHS, "embedded", 1)
    digits = small_digits()
    first = trained_digit_classifier(digits, tmp_path)
    assert "training a ConvClassifier on 128 digits" in capsys.readouterr().out
    monkeypatch.setattr(Trainer, "run", lambda self: pytest.fail("trained a second time"))
    again = trained_digit_classifier(digits, tmp_path)
    assert "read from" in capsys.readouterr().out
    np.testing.assert_array_equal(again.features(digits.x_test), first.features(digits.x_test))


@pytest.mark.slow
def test_digit_classifier_continues_after_an_interruption(tmp_path, monkeypatch, capsys):
    """A run that is interrupted after two of three epochs and continued has the weights of a whole run."""
    monkeypatch.setitem(digit_classifier.EPOCHS, "embedded", 3)
    digits = small_digits()
    whole = trained_digit_classifier(digits, tmp_path / "whole")
    on_epoch = checkpoint.Checkpointer.on_epoch

    def interrupt(self, trainer, values):
        on_epoch(self, trainer, values)
        if trainer.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpointer, "on_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trained_digit_classifier(digits, tmp_path)
    monkeypatch.setattr(checkpoint.Checkpointer, "on_epoch", on_epoch)
    resumed = trained_digit_classifier(digits, tmp_path)
    np.testing.assert_array_equal(resumed.features(digits.x_test), whole.features(digits.x_test))


@pytest.mark.slow
def test_digit_classifier_of_the_embedded_digits_is_a_good_one(tmp_path, capsys):
    digits = load_digits("embedded")
    model = trained_digit_classifier(digits, tmp_path)
    assert isinstance(model, ConvClassifier)
    assert model.score(digits.x_test, digits.y_test) > 0.97


def test_other_images_of_the_same_number_have_their_own_classifier(tmp_path, monkeypatch):
    monkeypatch.setitem(digit_classifier.EPOCHS, "embedded", 0)
    digits = small_digits(20)
    others = replace(digits, x_train=1 - digits.x_train)
    mnist = replace(digits, source="full MNIST: 60,000 + 10,000 digits, read from a")
    for data in (digits, others, mnist):
        trained_digit_classifier(data, tmp_path)
    names = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(names) == 3 and names[-1] == "digit-classifier-20.safetensors"
