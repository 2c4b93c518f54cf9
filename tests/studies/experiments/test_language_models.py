"""Language models trained for a processor time: the number of epochs, and the measures."""

import numpy as np
import pytest

from scratchgen.data import Alphabet
from scratchgen.studies.experiments import language_models as experiment

TEXT = "the cat sat on the mat, the hat sat on the cat, " * 20


def test_training_fits_the_time_and_measures_both_texts(monkeypatch):
    monkeypatch.setattr(experiment, "seconds_per_epoch", lambda *_: 2.0)
    train, test = TEXT[:800], TEXT[800:]
    found = experiment.train_within(
        8.0, train, test, alphabet=Alphabet(TEXT), body="rnn", window=8, features=8, depth=1, lr=1e-2,
        dynamic={"lr": 0.0},
    )  # fmt: skip
    assert found.epochs == 4 and found.seconds > 0
    assert found.test == -found.model.score(test)      # its own weights are back
    assert found.train == -found.model.score(train[-len(test) :])
    assert found.averaged != found.test
    assert found.averaged == pytest.approx(-found.static.test.mean())
    np.testing.assert_allclose(found.dynamic.test, found.static.test, rtol=2e-6)    # a step of zero


def test_time_of_an_epoch_is_positive():
    settings = {"body": "rnn", "window": 8, "features": 8, "depth": 1}
    assert experiment.seconds_per_epoch(TEXT, Alphabet(TEXT), settings, {"batch_size": 4}) > 0


@pytest.mark.parametrize("name", experiment.VARIANTS)
def test_every_variant_can_be_built(name):
    training = ("lr", "optimizer", "tokens", "batch_size")
    settings = {k: v for k, v in experiment.VARIANTS[name].items() if k not in training}
    model = experiment.CharacterModel(Alphabet(TEXT), rng=0, **settings)
    assert model.features == settings["features"]


def test_mean_of_probabilities():
    """Probabilities 0.2 and 0.6 of one character, 0.5 and 0.1 of the next: means 0.4 and 0.3."""
    each = [np.log([0.2, 0.5]), np.log([0.6, 0.1])]
    expected = -(np.log(0.4) + np.log(0.3)) / 2
    assert experiment.nats_of_mean(each) == pytest.approx(expected, rel=1e-13)
    assert experiment.nats_of_mean(each[:1]) == pytest.approx(-each[0].mean(), rel=1e-13)


@pytest.mark.slow
def test_members_that_train_together_are_those_that_train_alone():
    settings = {"alphabet": Alphabet(TEXT), "body": "rnn", "window": 8, "features": 8, "depth": 1}
    found = experiment.train_together(1e-6, TEXT[:800], TEXT[800:], [settings | {"seed": s} for s in (1, 2)])
    alone = experiment.train_within(1e-6, TEXT[:800], TEXT[800:], **settings, seed=2)
    assert [each.epochs for each in found] == [1, 1]
    np.testing.assert_array_equal(found[1].static.test, alone.static.test)
    assert found[0].test != found[1].test
