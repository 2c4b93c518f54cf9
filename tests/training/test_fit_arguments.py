"""Messages of `fit` and `trainer` about settings that are missing, unknown or passed without a name."""

import inspect

import numpy as np
import pytest

from scratchgen import GAN, Alphabet, Autoencoder, CharacterModel, LogisticRegression
from scratchgen.models.base import Model
from scratchgen.training import ProgressBar

X = np.zeros((4, 6), np.float32)
EXAMPLE = "for example fit(X, epochs=10, rng=0)"


def autoencoder():
    return Autoencoder.dense((6, 5, 2), rng=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.fit(X), f"fit expected epochs and rng, got none; {EXAMPLE}"),
        (lambda m: m.fit(X, epochs=1), f"fit expected rng, got none; {EXAMPLE}"),
        (lambda m: m.fit(epochs=1, rng=0), f"fit expected X, got none; {EXAMPLE}"),
        (lambda m: m.trainer(X), "trainer expected epochs and rng, got none; for example trainer(X, "),
        (lambda m: m.fit(X, None, 10), "fit expected X and y, and all settings by name, such as epochs=10, "),
        (lambda m: m.fit(X, epochs=1, rng=0, learning_rate=1), "got learning_rate; did you mean lr?"),
        (lambda m: m.fit(X, epochs=1, rng=0, batchsize=1), "got batchsize; did you mean batch_size?"),
        (lambda m: m.fit(X, epochs=1, rng=0, verbose=1), "fit expected settings among X, y, epochs, rng"),
        (lambda m: m.fit(X, epochs=1, rng=0, verbose=1), "got verbose; did you mean callbacks?"),
        (lambda m: m.fit(X, epochs=1, rng=0, callbacks=[ProgressBar]), "got the class ProgressBar; pass"),
    ],
)  # fmt: skip
def test_wrong_calls_name_the_model_and_what_to_do(call, message):
    with pytest.raises(TypeError) as caught:
        call(autoencoder())
    text = str(caught.value)
    assert text.startswith("Autoencoder.") and message in text and "\n" not in text


def test_models_with_a_fit_of_their_own_have_the_same_messages():
    with pytest.raises(TypeError, match=r"GAN\.fit expected epochs and rng, got none"):
        GAN.dense(2, (5,), 6, rng=0).fit(X)
    with pytest.raises(TypeError, match=r"CharacterModel\.fit expected epochs and rng, got none"):
        CharacterModel(Alphabet("ab"), window=4, features=4, heads=1, depth=1, rng=0).fit("abab")
    with pytest.raises(TypeError, match=r"LogisticRegression\.fit expected settings among .*, got epochs"):
        LogisticRegression().fit(X, np.array([0, 1, 0, 1]), epochs=3)

    class Own(Model):
        def fit(self, X, *, size):
            return size

    assert Own().fit(X, size=3) == 3
    with pytest.raises(TypeError, match=r"Own\.fit expected size, got none; for example fit\(X, size\)"):
        Own().fit(X)


def test_signature_is_that_of_the_method():
    parameters = inspect.signature(Autoencoder.fit).parameters
    assert list(parameters)[:5] == ["self", "X", "y", "epochs", "rng"] and "clip_value" in parameters


def test_clip_value_limits_every_number_of_the_gradient(monkeypatch):
    from scratchgen import Optimizer

    largest, update = [], Optimizer.step

    def step(self):
        update(self)
        largest.append(float(np.abs(self.grad).max()))

    monkeypatch.setattr(Optimizer, "step", step)
    data = np.random.default_rng(0).random((40, 6), dtype=np.float32)
    autoencoder().fit(data, epochs=1, batch_size=20, rng=0)
    assert min(largest) > 0.01
    largest.clear()
    autoencoder().fit(data, epochs=1, batch_size=20, rng=0, clip_value=0.01)
    np.testing.assert_allclose(largest, 0.01, rtol=1e-6)


def test_clip_value_error_messages():
    with pytest.raises(ValueError, match=r"fit expected clip, for the norm, or clip_value, .* got both"):
        autoencoder().fit(X, epochs=1, rng=0, clip=1.0, clip_value=1.0)
    with pytest.raises(ValueError, match=r"Autoencoder\.fit expected a finite clip_value > 0, got 0"):
        autoencoder().fit(X, epochs=1, rng=0, clip_value=0)
