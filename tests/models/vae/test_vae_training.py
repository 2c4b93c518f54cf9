"""Training of the VAE: overfitting, recorded values, seeds and binarisation."""

import math

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.data import binarise
from scratchgen.layers import Tanh
from scratchgen.models import VAE, NormalPixels
from scratchgen.training.schedules import Cosine

NORMAL = NormalPixels(0.7)


def small(rng, dtype=np.float64, **settings):
    return VAE.dense((12, 9, 3), rng=rng, activation=Tanh, dtype=dtype, **settings)


def blocks(pixels, n):
    """n different binary rows, (n, pixels)."""
    X = np.zeros((n, pixels), np.float32)
    for i in range(n):
        X[i, i * pixels // (2 * n) : i * pixels // (2 * n) + pixels // 3] = 1
    return X


@pytest.mark.parametrize("form", ["dense", "convolutional"])
@pytest.mark.slow
def test_vae_overfits_a_batch_of_eight(form, rng, backend):
    """The best probability of eight images is 1/8 each, and a model that memorises them comes near it."""
    X = blocks(784, 8)
    sizes = {"dense": ((784, 64, 4),), "convolutional": (4, (4, 8))}[form]
    model = getattr(VAE, form)(*sizes, rng=rng)
    before = -model.score_samples(X, samples=50).mean()
    model.fit(X, epochs=400, batch_size=8, lr=Cosine(1e-2, 400), rng=rng)
    after = -model.score_samples(X, samples=200).mean()
    assert before > 400
    assert math.log(8) < after < 20
    assert ((model.reconstruct(X) > 0.5) != X).mean() < 0.005


def test_vae_runs_with_one_seed_are_equal_to_the_bit(rng):
    X = rng.uniform(size=(40, 12)).astype(np.float32)
    runs = []
    for seed in (5, 5, 6):
        seeded = np.random.default_rng(seed)
        model = small(seeded, np.float32)
        losses = model.trainer(X, epochs=3, batch_size=16, rng=seeded).run().steps["loss"]
        runs.append((losses, model.sample(5, rng=seeded), model.elbo(X.round(), rng=seeded)))
    assert all(np.array_equal(a, b) for a, b in zip(runs[0], runs[1], strict=True))
    assert runs[0][0] != runs[2][0]


def test_vae_reference_and_jit_train_alike(rng):
    X = rng.uniform(size=(40, 12))
    trained = []
    for name in kernels.BACKENDS:
        seeded = np.random.default_rng(5)
        with kernels.use(name):
            model = small(seeded).fit(X, epochs=3, batch_size=16, rng=seeded)
            trained.append(model.score_samples(binarise(X, rng=seeded), samples=20))
    np.testing.assert_allclose(trained[0], trained[1], rtol=1e-9)


def test_vae_history_has_the_loss_in_its_parts(rng):
    X = blocks(12, 8)
    run = small(rng, np.float32, beta=0.3).trainer(X, epochs=2, batch_size=4, rng=rng)
    steps = run.run().steps
    assert list(steps) == ["loss", "reconstruction", "kl", "std"] and len(steps["std"]) == 4
    parts = np.array(steps["reconstruction"]) + 0.3 * np.array(steps["kl"])
    np.testing.assert_allclose(steps["loss"], parts, rtol=1e-6)
    assert min(steps["std"]) > 0


def seen_in_training(model, X, rng):
    """The inputs of the loss in each of three epochs, as sets of rows."""
    seen, loss = [], model.loss

    def watched(x, *rest, **how):
        seen.append({row.tobytes() for row in x})
        return loss(x, *rest, **how)

    model.loss = watched
    model.fit(X, epochs=3, batch_size=len(X), rng=rng)
    return seen


def test_vae_binarises_anew_or_once_or_not_at_all(rng):
    """Five rows of thirty pixels of 0.5: two samples have a row in common once in forty million cases."""
    X = np.full((5, 30), 0.5)
    kind = {"rng": rng, "dtype": np.float64}
    fresh = seen_in_training(VAE.dense((30, 4, 2), **kind), X, rng)
    assert len(fresh[0] | fresh[1] | fresh[2]) == 15
    once = seen_in_training(VAE.dense((30, 4, 2), binarisation="fixed", **kind), X, rng)
    assert once[0] == once[1] == once[2] and len(once[0]) == 5
    for row in (*fresh[0], *once[0]):
        assert set(np.frombuffer(row)) == {0, 1}
    with pytest.raises(ValueError, match="VAE.fit expected pixels that are exactly 0 or 1"):
        VAE.dense((30, 4, 2), binarisation="none", **kind).fit(X, epochs=1, rng=rng)
    X = (rng.uniform(size=X.shape) < X).astype(float)
    as_they_are = seen_in_training(VAE.dense((30, 4, 2), binarisation="none", **kind), X, rng)
    assert as_they_are[0] == as_they_are[2] == {row.tobytes() for row in X}
    X = rng.normal(size=X.shape)
    of_normal = seen_in_training(VAE.dense((30, 4, 2), observation=NORMAL, **kind), X, rng)
    assert of_normal[0] == {row.tobytes() for row in X}


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({}, "Bernoulli pixels, binarised anew each time: a grey pixel is the probability of a 1"),
        (
            {"binarisation": "fixed"},
            "Bernoulli pixels, binarised once, before training: a grey pixel is the probability of a 1",
        ),
        ({"binarisation": "none"}, "Bernoulli pixels, as they are"),
        ({"observation": NORMAL}, "Normal pixels, as they are"),
    ],
)
def test_vae_data_note_describes_its_pixels(settings, note, rng):
    assert small(rng, **settings).data_note == note


def test_vae_augments_before_it_binarises(rng, monkeypatch):
    """Digits are moved while they are grey, and the inputs of the loss are 0 or 1."""
    seen = []
    model = VAE.dense((6, 5, 2), rng=rng)
    loss = model.loss
    monkeypatch.setattr(model, "loss", lambda x, **how: seen.append(x) or loss(x, **how))
    X = np.ones((400, 6), np.float32)
    model.fit(X, epochs=1, batch_size=400, rng=rng, augment=lambda x, rng: 0.5 * x)
    assert set(np.unique(seen[0])) == {0, 1}
    assert abs(seen[0].mean() - 0.5) < 5 * 0.5 / np.sqrt(seen[0].size)


@pytest.mark.parametrize("binarisation", ["fixed", "none"])
def test_vae_does_not_move_pixels_that_are_binary_already(rng, binarisation):
    """Moving would make them grey, and BCE on grey pixels is not a likelihood."""
    model = VAE.dense((6, 5, 2), rng=rng, binarisation=binarisation)

    def half(x, *, rng):
        return 0.5 * x

    with pytest.raises(ValueError, match=f"expected binarisation 'dynamic', got '{binarisation}'"):
        model.fit(np.ones((4, 6), np.float32), epochs=1, rng=rng, augment=half)
    run = VAE.dense((6, 5, 2), rng=rng, binarisation=binarisation)
    trainer = run.trainer(np.ones((4, 6), np.float32), epochs=1, rng=rng)
    with pytest.raises(ValueError, match="expected binarisation 'dynamic'"):
        trainer.augment = half                                  # set after the run was set up
