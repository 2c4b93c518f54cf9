import numpy as np
import pytest

from scratchgen.data import Digits, dequantise, load_digits
from scratchgen.studies.reproduce import nice
from scratchgen.studies.reproduce import recipe as recipes
from scratchgen.training.loop import Callback


class Watch(Callback):
    """Calls a function after each epoch."""

    def __init__(self, check):
        self.check = check

    def on_epoch(self, trainer, values):
        self.check()


def test_nice_is_measured_on_the_whole_test_set_dequantised_once(tmp_path, monkeypatch):
    """A small run has the exact nats of its weights; digits are moved at first, then unchanged."""
    full = load_digits("embedded")
    part = Digits(full.x_train[:256], full.y_train[:256], full.x_test[:60], full.y_test[:60], "a part")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipes, "digits_of", lambda data: part)
    monkeypatch.setattr(nice, "HIDDEN", (20,))
    found = nice.RECIPE.run(epochs=4)
    trainer = nice.build(part, 4)
    moved = []
    trainer.callbacks.append(Watch(lambda: moved.append(trainer.augment is not None)))
    trainer.run()
    assert moved == [True, True, False, False]
    test = dequantise(part.x_test, rng=np.random.default_rng(0))
    assert found.ours == pytest.approx(trainer.model.score_samples(test).mean(), abs=0.01)
    assert found.ours == found.curve[-1]["figure"] and "bits/dim" in found.figure
    assert nice.RECIPE.run(epochs=4, resume=True).curve == found.curve
