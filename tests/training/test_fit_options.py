"""Options of `fit` that all models share: clipping, validation data and the history."""

import copy

import numpy as np
import pytest

from scratchgen import GAN, MADE, Alphabet, Autoencoder, CharacterModel, Optimizer, kernels, save


@pytest.fixture(autouse=True)
def plain_kernels():
    with kernels.use("reference"):
        yield


@pytest.fixture
def data():
    return np.random.default_rng(0).random((40, 6), dtype=np.float32)


def test_clip_limits_the_norm_of_every_gradient(data, monkeypatch):
    norms = []
    update = Optimizer.step

    def step(self):
        update(self)
        norms.append(self.grad_norm())

    monkeypatch.setattr(Optimizer, "step", step)
    Autoencoder.dense((6, 5, 2), rng=0).fit(data, epochs=2, batch_size=20, rng=0)
    assert min(norms) > 0.05
    norms.clear()
    Autoencoder.dense((6, 5, 2), rng=0).fit(data, epochs=2, batch_size=20, rng=0, clip=0.05)
    np.testing.assert_allclose(norms, 0.05, rtol=1e-5)
    norms.clear()
    gan = GAN.dense(2, (5,), 6, rng=0)
    gan.fit(data, epochs=1, batch_size=20, rng=0, clip=1e-3)
    assert len(norms) == 4 and max(norms) <= 1.001e-3


def test_validation_data_gives_the_mean_loss_in_evaluation_mode(data):
    model = Autoencoder.dense((6, 5, 2), rng=0)
    model.fit(data[:30], epochs=3, batch_size=4, rng=0, validation_data=data[30:])
    expected = ((model.reconstruct(data[30:]) - data[30:]) ** 2).sum(axis=1).mean()
    assert model.history_.epochs["validation"][-1] == pytest.approx(expected, rel=1e-5)
    twin = Autoencoder.dense((6, 5, 2), rng=0)
    twin.fit(data[:30], epochs=3, batch_size=4, rng=0)          # validation changes nothing in training
    np.testing.assert_array_equal(model.reconstruct(data), twin.reconstruct(data))


@pytest.mark.parametrize("binarisation", ["fixed", "dynamic"])
def test_pixels_for_validation_are_binarised_the_same_way_in_each_epoch(data, binarisation):
    model = MADE(6, (5,), rng=0, binarisation=binarisation)
    model.fit(data[:30], epochs=3, lr=0.0, rng=0, validation_data=data[30:])
    assert len(set(model.history_.epochs["validation"])) == 1


def test_text_for_validation():
    model = CharacterModel(Alphabet("ab"), window=4, features=4, heads=1, depth=1, rng=0)
    model.fit("abab" * 10, epochs=1, rng=0, batch_size=4, validation_data="abba" * 3)
    assert np.isfinite(model.history_.epochs["validation"][0])


def test_validation_data_error_messages(data):
    model = Autoencoder.dense((6, 5, 2), rng=0)
    with pytest.raises(ValueError, match=r"Autoencoder\.fit expected validate or validation_data, got both"):
        model.fit(data, epochs=1, rng=0, validation_data=data, validate=lambda: 0.0)
    with pytest.raises(ValueError, match=r"Autoencoder\.fit expected validation_data, X or \(X, y\), like"):
        model.fit(data, epochs=1, rng=0, validation_data=data[:, :5])


def test_history_is_that_of_the_last_run_and_not_saved(data, tmp_path):
    model = Autoencoder.dense((6, 5, 2), rng=0)
    with pytest.raises(AttributeError, match="Autoencoder has no history_: it was not trained"):
        _ = model.history_
    before = set(vars(model))
    model.fit(data, epochs=2, rng=0, lr=lambda t: 0.1 * (1 - t))
    assert set(vars(model)) == before
    assert model.history_.epochs["lr"] == pytest.approx([0.1, 0.05])
    assert not hasattr(copy.deepcopy(model), "history_")
    save(model, tmp_path / "model.safetensors")
