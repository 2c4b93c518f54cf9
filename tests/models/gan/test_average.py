"""The averaged generator: its weights at each step, and applying and removing it."""

import numpy as np
import pytest

from scratchgen.layers import BatchNorm, Linear, ReLU, Sequential, Sigmoid
from scratchgen.models import GAN, AveragedGenerator
from scratchgen.training.loop import Callback


def tiny_game(batch_norm=False):
    """A GAN, its averaged generator, and a run of 8 steps with both."""
    rng = np.random.default_rng(2)
    norm = [BatchNorm(4)] if batch_norm else []
    generator = Sequential(Linear(3, 4, rng=rng), *norm, ReLU(), Linear(4, 6, rng=rng), Sigmoid())
    model = GAN(generator, Sequential(Linear(6, 1, rng=rng)), code=3)
    averaged = AveragedGenerator(model, decay=0.7)
    X = rng.uniform(size=(64, 6)).astype(np.float32)
    trainer = model.trainer(X, epochs=1, batch_size=8, lr=1e-2, rng=rng, callbacks=[averaged])
    return model, averaged, trainer


def test_averaged_generator_by_hand():
    """The weight of the newest values is 10/(step + 10) at first, and at least 1 − decay."""
    _, averaged, trainer = tiny_game()
    seen = []
    weights_now = trainer.optimizer["generator"].value
    trainer.callbacks.append(Watch(lambda: seen.append(weights_now.copy())))
    expected = weights_now.copy()
    trainer.run()
    for step, weights in enumerate(seen, start=1):
        expected += np.float32(max(10 / (step + 10), 0.3)) * (weights - expected)
    assert len(seen) == 8
    np.testing.assert_allclose(averaged.average, expected, rtol=1e-5, atol=1e-7)
    assert np.abs(averaged.average - weights_now).max() > 1e-4


@pytest.mark.parametrize("batch_norm", [False, True])
def test_averaged_generator_is_applied_and_removed_also_after_an_error(batch_norm):
    model, averaged, trainer = tiny_game(batch_norm)
    trainer.run()
    weights_now = trainer.optimizer["generator"].value
    own = weights_now.copy()
    z = np.ones((1, 3), np.float32)
    generated = model.inverse_transform(z)
    with averaged.applied():
        np.testing.assert_array_equal(weights_now, averaged.average)
        assert np.abs(model.inverse_transform(z) - generated).max() > 1e-6
    with pytest.raises(RuntimeError), averaged.applied():
        raise RuntimeError
    np.testing.assert_array_equal(weights_now, own)
    np.testing.assert_array_equal(model.inverse_transform(z), generated)


def test_averaged_generator_recomputes_batch_norm_statistics():
    """With the averaged weights, batch norm's output also has mean 0 and variance 1 over many samples."""
    model, averaged, trainer = tiny_game(batch_norm=True)
    trainer.run()
    averaged.average *= 3                           # far from the weights of the run
    z = model.prior_sample(20_000, rng=np.random.default_rng(7))
    linear, norm = model.generator.layers[:2]
    with averaged.applied():
        xhat = norm.forward(linear.forward(z)[0])[1][0]
    np.testing.assert_allclose(xhat.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(xhat.var(axis=0), 1, atol=0.05)


def test_averaged_generator_is_applied_after_another_run():
    """The optimiser of the second run moves the weights into its own memory."""
    model, averaged, trainer = tiny_game()
    trainer.run()
    model.fit(np.zeros((64, 6), np.float32), epochs=1, batch_size=8, rng=0, warm_start=True)
    own = [p.value.copy() for p in model.generator.parameters().values()]
    with averaged.applied():
        applied = np.concatenate([p.value.ravel() for p in model.generator.parameters().values()])
    np.testing.assert_array_equal(applied, averaged.average)
    for before, p in zip(own, model.generator.parameters().values(), strict=True):
        np.testing.assert_array_equal(before, p.value)


def test_averaged_generator_error_messages():
    model, averaged, trainer = tiny_game()
    with pytest.raises(ValueError, match="applied expected an average of this GAN: train it first"):
        averaged.applied().__enter__()
    trainer.callbacks = [tiny_game()[1]]
    with pytest.raises(ValueError, match="AveragedGenerator expected a run of its own GAN"):
        trainer.run()
    assert trainer.step == 0


class Watch(Callback):
    def __init__(self, check):
        self.check = check

    def on_step(self, trainer, values):
        self.check()


def test_averaged_generator_refuses_a_decay_of_one():
    with pytest.raises(ValueError, match=r"a finite decay >= 0 and < 1, got 1"):
        AveragedGenerator(tiny_game()[0], decay=1)
