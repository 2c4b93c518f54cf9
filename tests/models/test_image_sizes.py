"""Convolutional models for images of any size, including sizes that cannot be halved twice."""

import math

import numpy as np
import pytest

from scratchgen.gradcheck.cases import ModelCase
from scratchgen.models import (
    DCGAN,
    VAE,
    WGAN,
    Autoencoder,
    ClassPriorVAE,
    ConvClassifier,
    NormalPixels,
    PixelCNN,
    RealNVP,
)

SMALL = {"code": 3, "channels": (2, 3)}
BUILDS = {
    "Autoencoder": lambda **form: Autoencoder.convolutional(**SMALL, **form),
    "VAE": lambda **form: VAE.convolutional(**SMALL, **form),
    "ClassPriorVAE": lambda **form: ClassPriorVAE.convolutional(**SMALL, classes=3, **form),
    "DCGAN": lambda **form: DCGAN(**SMALL, **form),
    "WGAN": lambda **form: WGAN.convolutional(**SMALL, k=1, **form),
    "ConvClassifier": lambda **form: ConvClassifier((2, 3, 2), (4,), 3, **form),
    "RealNVP": lambda **form: RealNVP.convolutional(channels=3, couplings=2, **form),
    "PixelCNN": lambda **form: PixelCNN(channels=2, layers=1, **form),
}
SIZES = [(8, 8, 1), (28, 28, 1), (32, 32, 3), (13, 10, 1), (4, 7, 2)]
REFUSED = {
    "RealNVP": (lambda h, w, c: h % 2 or w % 2, r"^RealNVP\.convolutional expected shape .* even H and W"),
    "PixelCNN": (lambda h, w, c: c > 1, r"^PixelCNN expected shape \(H, W, 1\), images with one channel"),
}


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("name", BUILDS)
def test_convolutional_model_takes_images_of_this_size_or_says_why_not(name, shape):
    refused, message = REFUSED.get(name, (lambda *shape: False, ""))
    if refused(*shape):
        with pytest.raises(ValueError, match=message):
            BUILDS[name](shape=shape, rng=0)
        return
    model = BUILDS[name](shape=shape, rng=0)
    X = np.random.default_rng(1).random((6, math.prod(shape))).astype(np.float32)
    X = X if name == "RealNVP" else X.round()
    y = {"y": np.arange(6) % 3} if name in ("ClassPriorVAE", "ConvClassifier") else {}
    model.fit(X, **y, epochs=1, batch_size=3, rng=0)
    if name == "ConvClassifier":
        assert model.predict_proba(X).shape == (6, 3)
    elif name == "Autoencoder":
        assert model.reconstruct(X).shape == X.shape
    else:
        assert model.sample(6, rng=0, **y).shape == X.shape


@pytest.mark.parametrize("name", sorted(set(BUILDS) - {"RealNVP", "PixelCNN"}))
def test_convolutional_model_names_the_smallest_size(name):
    with pytest.raises(ValueError, match=rf"^{name}.* with H and W of at least 4, got \(3, 8, 1\)"):
        BUILDS[name](shape=(3, 8, 1), rng=0)


@pytest.mark.parametrize("name", ["Autoencoder", "VAE", "ConvClassifier"])
def test_gradients_of_an_image_size_that_cannot_be_halved_twice(name):
    form = {"observation": NormalPixels(2)} if name == "VAE" else {}
    case = ModelCase(
        name,
        lambda rng, dtype: BUILDS[name](shape=(7, 6, 2), rng=rng, dtype=dtype, **form),
        (3, 84),
        classes=3 if name == "ConvClassifier" else 0,
    )
    assert all(result.ok for result in case.run())


def test_every_pixel_reaches_the_code_and_is_reached_by_it():
    """Windows of stride 2 also cover the last row and column of images with an odd size."""
    shape = (7, 9, 1)
    model = BUILDS["Autoencoder"](shape=shape, rng=0, dtype=np.float64)
    X = np.random.default_rng(1).random((1, 63))
    z, cache = model.encoder.forward(X)
    assert (model.encoder.backward(np.ones_like(z), cache) != 0).all()
    out = model.inverse_transform(z) - model.inverse_transform(z + 1)
    assert (out != 0).all()
