"""Averaged weights of any model, and AdamW."""

import copy
import signal

import numpy as np
import pytest

from scratchgen.layers import Parameter
from scratchgen.models import GAN, PCA, Autoencoder
from scratchgen.training import Adam, AdamW, AveragedWeights, Callback, Checkpointer, checkpoint

X = np.random.default_rng(0).random((64, 6)).astype(np.float32)


class Record(Callback):
    """Keeps the weights after each step."""

    def __init__(self):
        self.weights = []

    def on_start(self, trainer):
        self.weights.append(trainer.optimizer.value.copy())

    def on_step(self, trainer, values):
        self.weights.append(trainer.optimizer.value.copy())


def test_average_is_that_of_its_formula():
    """(EMA.1), step by step."""
    model, record, averaged = Autoencoder.dense((6, 4, 2), rng=0), Record(), AveragedWeights(0.8)
    model.fit(X, epochs=7, batch_size=16, rng=0, callbacks=[record, averaged])
    expected = record.weights[0].astype(np.float64)
    for t, weights in enumerate(record.weights[1:], start=1):
        expected += (1 - min(0.8, t / (t + 10))) * (weights - expected)
    np.testing.assert_allclose(averaged.averages["weights"], expected, rtol=1e-5, atol=1e-7)


def test_average_replaces_the_weights_inside_the_block_only():
    model, averaged = Autoencoder.dense((6, 4, 2), rng=0), AveragedWeights()
    model.fit(X, epochs=3, batch_size=16, rng=0, callbacks=[averaged])
    own = {name: p.value.copy() for name, p in model.parameters().items()}
    last = model.reconstruct(X)
    with averaged.applied():
        flat = np.concatenate([p.value.ravel() for p in model.parameters().values()])
        np.testing.assert_array_equal(flat, averaged.averages["weights"])
        assert not np.array_equal(model.reconstruct(X), last)
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.value, own[name])


def test_average_of_a_gan_has_both_players():
    model, averaged = GAN.dense(3, (5,), 6, rng=0), AveragedWeights()
    model.fit(X, epochs=2, batch_size=16, rng=0, callbacks=[averaged])
    assert set(averaged.averages) == {"discriminator", "generator"}


def test_average_continues_after_a_resume(tmp_path):
    def trainer(averaged, path):
        model = Autoencoder.dense((6, 4, 2), rng=0)
        return model.trainer(X, epochs=4, batch_size=16, rng=0, callbacks=[averaged, Checkpointer(path)])

    whole = AveragedWeights(0.9)
    trainer(whole, tmp_path / "whole.safetensors").run()

    class StopAfterTwo(Callback):
        def on_epoch(self, trainer, values):
            if trainer.epoch == 2:
                signal.raise_signal(signal.SIGINT)

    first, path = AveragedWeights(0.9), tmp_path / "run.safetensors"
    run = trainer(first, path)
    run.callbacks = [*run.callbacks, StopAfterTwo()]
    with pytest.raises(KeyboardInterrupt):
        run.run()
    second = AveragedWeights(0.9)
    resumed = trainer(second, path)
    checkpoint.load(path, resumed)
    resumed.run()
    np.testing.assert_array_equal(second.averages["weights"], whole.averages["weights"])


def test_average_before_a_run_and_wrong_decay_are_refused():
    with pytest.raises(RuntimeError, match="^AveragedWeights has no weights yet"):
        AveragedWeights().applied().__enter__()
    for decay in (1, -0.1, np.nan):
        with pytest.raises(ValueError, match="^AveragedWeights expected decay to be"):
            AveragedWeights(decay)
    assert not hasattr(PCA, "parameters")


def test_adamw_decays_the_weights_before_the_step_of_adam():
    """(ADAMW.1): the same as multiplying the values by 1 − lr·weight_decay before a step of Adam."""
    rng = np.random.default_rng(1)
    ours = {"w": Parameter(rng.standard_normal((3, 4)))}
    theirs = copy.deepcopy(ours)
    adamw, adam = AdamW(ours, 0.05, weight_decay=0.3), Adam(theirs, 0.05)
    for _ in range(5):
        grad = rng.standard_normal((3, 4))
        ours["w"].grad[...] = grad
        theirs["w"].grad[...] = grad
        theirs["w"].value[...] *= 1 - 0.05 * 0.3
        adamw.step()
        adam.step()
        np.testing.assert_allclose(ours["w"].value, theirs["w"].value, rtol=1e-12)
    for wrong in (-0.1, np.inf, np.nan):
        with pytest.raises(ValueError, match="^AdamW expected weight_decay to be"):
            AdamW(ours, 0.1, weight_decay=wrong)
