"""A run of a few milliseconds with all kinds of state: moments, a buffer, and a layer with a generator."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

import numpy as np

from scratchgen.data.batches import Batches
from scratchgen.layers import Layer, Linear, Sequential, Tanh
from scratchgen.losses import squared_error
from scratchgen.models.base import Model
from scratchgen.training.loop import Trainer
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Cosine


class Blur(Layer):
    """Subtracts a running mean; in training, also adds noise from its own generator."""

    buffer_names = ("running_mean",)

    def __init__(self, features, *, rng):
        self.running_mean = np.zeros(features)
        self.rng = rng

    def generators(self):
        return {"rng": self.rng}

    def forward(self, x, training=False):
        if training:
            x = x + 0.1 * self.rng.standard_normal(x.shape)
            self.running_mean += 0.1 * (x.mean(axis=0) - self.running_mean)
        return x - self.running_mean, None

    def backward(self, dout, cache, input_grad=True):
        return dout


class Net(Model):
    """A regression net whose loss also draws numbers from the generator of the run."""

    def __init__(self, seed=0, hidden=4):
        rng = np.random.default_rng(seed)
        self.body = Sequential(
            Linear(3, hidden, rng=rng, dtype=np.float64),
            Tanh(),
            Blur(hidden, rng=np.random.default_rng(seed + 1)),
            Linear(hidden, 2, rng=rng, dtype=np.float64),
        )

    def loss(self, x, y, *, rng, training=False):
        pred, cache = self.body.forward(x, training)
        loss, dpred = squared_error(pred, y + 0.01 * rng.standard_normal(y.shape))
        return loss, (dpred, cache)

    def backward(self, cache):
        dpred, cache = cache
        self.body.backward(dpred, cache, input_grad=False)
        return {"pred": dpred}


def data():
    rng = np.random.default_rng(7)
    x = rng.standard_normal((22, 3))
    return x, np.stack([x.sum(axis=1), x[:, 0] * x[:, 1]], axis=1)


def tiny_trainer(epochs=4, *, seed=0, net=None, optimizer=None, **others):
    """22 examples in batches of 5: five steps per epoch, with a smaller last batch."""
    x, y = data()
    net = net or Net(seed)
    optimizer = optimizer or Adam(net.parameters(), Cosine(0.05, 20))
    rng = np.random.default_rng(seed + 2)
    batches = Batches(x, y, batch_size=5, rng=np.random.default_rng(seed + 3))
    return Trainer(net, batches, optimizer, epochs=epochs, rng=rng, **others)


def action_in_step(net: Net, at: int, action: Callable[[], object]) -> AbstractContextManager:
    """Call `action` in the middle of step number `at` (from 1): after backward, before the update."""
    calls = 0
    backward = net.backward

    def counted(cache):
        nonlocal calls
        grads = backward(cache)
        calls += 1
        if calls == at:
            action()
        return grads

    return patch.object(net, "backward", counted)


@contextmanager
def ctrl_c_in_step(net: Net, at: int, times: int = 1) -> Iterator[None]:
    """Press Ctrl-C in the middle of a step, with Python's own handler, whatever the shell has set."""

    def press() -> None:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with action_in_step(net, at, press):
            yield
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
