import numpy as np
import pytest

import scratchgen
from scratchgen import checkpoint, kernels
from scratchgen.layers import Linear, Tanh
from scratchgen.losses import squared_error
from scratchgen.models import PCA, Autoencoder, NoLikelihood
from scratchgen.training.optimisers import Adam


def small(rng, dtype=np.float64):
    return Autoencoder.dense((12, 9, 3), rng=rng, activation=Tanh, dtype=dtype)


def test_autoencoder_forward_is_decoder_after_encoder(rng):
    """(AE.1), (AE.2): the code and the output are computed by hand."""
    model, x = small(rng), rng.uniform(size=(5, 12))
    p = {name: parameter.value for name, parameter in model.parameters().items()}
    z = np.tanh(x @ p["encoder.0.weight"] + p["encoder.0.bias"]) @ p["encoder.2.weight"] + p["encoder.2.bias"]
    np.testing.assert_allclose(model.transform(x), z, rtol=1e-12)
    logits = np.tanh(z @ p["decoder.0.weight"] + p["decoder.0.bias"]) @ p["decoder.2.weight"]
    out = 1 / (1 + np.exp(-(logits + p["decoder.2.bias"])))
    np.testing.assert_allclose(model.inverse_transform(z), out, rtol=1e-12)
    np.testing.assert_allclose(model.reconstruct(x), out, rtol=1e-12)


def test_autoencoder_loss_is_the_squared_error_per_example(rng):
    """(AE.3), (AE.4): summed over features, averaged over examples, and the gradient of exactly that."""
    model, x = small(rng), rng.uniform(size=(5, 12))
    loss, cache = model.loss(x)
    difference = model.reconstruct(x) - x
    np.testing.assert_allclose(loss, (difference**2).sum(axis=1).mean(), rtol=1e-12)
    np.testing.assert_allclose(model.backward(cache)["dout"], 2 / 5 * difference, rtol=1e-12)


def test_autoencoder_code_gradient_comes_from_the_decoder(rng):
    """(AE.5): dz against central differences of the loss with respect to the code."""
    model, x = small(rng), rng.uniform(size=(5, 12))
    _, cache = model.loss(x)
    dz = model.backward(cache)["dz"]
    z, h = model.transform(x), 1e-5
    numeric = np.empty_like(z)
    for i in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[i] += h
        down[i] -= h
        losses = [squared_error(model.inverse_transform(code), x)[0] for code in (up, down)]
        numeric[i] = (losses[0] - losses[1]) / (2 * h)
    np.testing.assert_allclose(dz, numeric, atol=1e-9)


def test_linear_autoencoder_finds_the_principal_subspace(rng):
    """Without activations, its smallest error is that of PCA, and training reaches it."""
    X = rng.normal(size=(40, 6)) @ np.diag([3, 2, 1, 0.5, 0.3, 0.2])
    X -= X.mean(axis=0)
    model = Autoencoder(Linear(6, 2, rng=rng, dtype=np.float64), Linear(2, 6, rng=rng, dtype=np.float64))
    optimizer = Adam(model.parameters(), 0.02)
    for _ in range(2000):
        optimizer.zero_grad()
        loss, cache = model.loss(X)
        model.backward(cache)
        optimizer.step()
    best = ((X - PCA(2).fit(X).reconstruct(X)) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(loss, best, rtol=1e-4)


@pytest.mark.parametrize("form", ["dense", "convolutional"])
@pytest.mark.slow
def test_autoencoder_overfits_a_small_batch(form, rng, backend):
    X = np.zeros((8, 784), np.float32)
    for n in range(8):
        X[n].reshape(28, 28)[3 * n : 3 * n + 6, 4:24] = 1
    if form == "dense":
        model = Autoencoder.dense((784, 64, 10), rng=rng)
    else:
        model = Autoencoder.convolutional(10, (4, 8), rng=rng)
    before, _ = model.loss(X)
    model.fit(X, epochs=120, batch_size=8, lr=1e-2, rng=rng)
    after, _ = model.loss(X)
    assert after < 0.02 * before


def test_autoencoder_augments_what_it_trains_on(rng):
    """Two runs differ only in `augment`, which blanks every image in one; their results differ."""
    X = rng.uniform(size=(8, 12))
    plain, blanked = small(np.random.default_rng(5)), small(np.random.default_rng(5))
    for model, augment in ((plain, None), (blanked, lambda x, rng: np.zeros_like(x))):
        model.fit(X, epochs=300, batch_size=8, lr=1e-2, rng=0, augment=augment)
    assert blanked.reconstruct(X).max() < 0.1 < plain.reconstruct(X).max()


def test_autoencoder_runs_with_one_seed_are_equal_to_the_bit(rng):
    X = rng.uniform(size=(40, 12)).astype(np.float32)
    runs = []
    for _ in range(2):
        seeded = np.random.default_rng(5)
        model = small(seeded, np.float32).fit(X, epochs=3, batch_size=16, rng=seeded)
        runs.append({name: p.value for name, p in model.parameters().items()})
    for name, value in runs[0].items():
        np.testing.assert_array_equal(value, runs[1][name])


def test_autoencoder_reference_and_jit_train_alike(rng):
    X = rng.uniform(size=(40, 12))
    trained = []
    for name in kernels.BACKENDS:
        seeded = np.random.default_rng(5)
        with kernels.use(name):
            trained.append(small(seeded).fit(X, epochs=3, batch_size=16, rng=seeded).reconstruct(X))
    np.testing.assert_allclose(trained[0], trained[1], rtol=1e-9)


def test_autoencoder_says_why_it_has_no_likelihood_and_no_samples(rng):
    model, X = small(rng), rng.uniform(size=(2, 12))
    assert model.likelihood is None
    with pytest.raises(NoLikelihood, match="no likelihood: it has no distribution of codes"):
        model.score_samples(X)
    with pytest.raises(TypeError, match="cannot sample: it has no distribution of codes"):
        model.sample(3, rng=rng)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, rng: m.fit(X * 3, epochs=1, rng=rng), r"within \[0, 1\], got.* output_range=None"),
        (lambda m, X, rng: m.trainer(X * 3, epochs=1, rng=rng), r"within \[0, 1\], got"),
        (lambda m, X, rng: m.fit(X[:0], epochs=1, rng=rng), "at least 1 example, got 0"),
        (lambda m, X, rng: m.fit(X[:, :5], epochs=1, rng=rng), r"expected .* \(N, 12\), got .*5\)"),
        (lambda m, X, rng: m.transform(X * np.nan), "finite numbers, got NaN"),
        (lambda m, X, rng: m.inverse_transform(X), r"\(N, 3\), got \(4, 12\)"),
        (lambda m, X, rng: Autoencoder.dense((12,), rng=rng), "two or more widths"),
    ],
)
def test_autoencoder_bad_input_is_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(small(rng), rng.uniform(size=(4, 12)), rng)


def test_model_leaves_a_smaller_last_batch_out_when_asked(rng):
    X = rng.uniform(size=(20, 12))
    assert len(small(rng).trainer(X, epochs=1, batch_size=8, rng=rng).batches) == 3
    seen = []
    run = {"epochs": 2, "batch_size": 8, "drop_last": True, "rng": rng}
    small(rng).fit(X, augment=lambda x, rng: seen.append(len(x)) or x, **run)
    assert seen == [8, 8, 8, 8]


@pytest.mark.parametrize("output_range", [None, (-3.0, 5.0)])
def test_autoencoder_of_other_ranges_trains_and_stays_in_range(rng, output_range):
    """With None, the decoder is linear and takes any table; otherwise, its output stays within the range."""
    X = rng.uniform(-3, 5, (40, 12))
    model = Autoencoder.dense((12, 7, 3), rng=rng, dtype=np.float64, output_range=output_range)
    before = model.loss(X)[0]
    model.fit(X, epochs=30, lr=0.01, rng=rng)
    assert model.loss(X)[0] < 0.8 * before
    back = model.inverse_transform(1e3 * rng.standard_normal((20, 3)))
    if output_range is None:
        assert np.abs(back).max() > 5
        model.check_data(X * 1e3)
    else:
        assert -3 <= back.min() < back.max() <= 5
        with pytest.raises(ValueError, match=r"Autoencoder.fit expected values within \[-3, 5\], got"):
            model.fit(X * 2, epochs=1, rng=rng)


def test_autoencoder_is_saved_with_its_range_unless_it_is_the_default(rng, tmp_path):
    """So files of versions without the setting can still be read into a model with the default."""
    assert "output_range" not in vars(small(rng))
    model = Autoencoder.dense((12, 7, 3), rng=rng, output_range=(-3.0, 5.0))
    scratchgen.save(model, tmp_path / "model")
    assert scratchgen.load(tmp_path / "model").output_range == (-3.0, 5.0)
    with pytest.raises(ValueError, match=r"output_range: \(-3.0, 5.0\) in the file, nothing in the model"):
        checkpoint.load_model(tmp_path / "model", Autoencoder.dense((12, 7, 3), rng=rng))


def test_convolutional_autoencoder_of_another_range(rng):
    model = Autoencoder.convolutional(3, (2, 4), shape=(8, 8, 1), rng=rng, output_range=(-1, 1))
    X = rng.uniform(-1, 1, (6, 64)).astype(np.float32)
    model.fit(X, epochs=1, rng=rng)
    assert np.abs(model.reconstruct(X)).max() <= 1
