"""Train the example of every public model, and larger networks, and print the SHA-256 of their results.

    python -m helpers.train_each [NAME …]

Run in new processes by tests/test_determinism.py.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from scratchgen.data import Alphabet, load_digits, load_text
from scratchgen.models import DCGAN, VAE, Autoencoder, CharacterModel, ConvClassifier, NoLikelihood
from scratchgen.models.cases import EXAMPLES

KINDS = {example.name: example for example in EXAMPLES}
N, CLASSES = 24, 3
METHODS = ("transform", "predict_proba", "predict", "predict_real", "critic_score", "score_samples")
LARGE: dict[str, Callable[[Any], Any]] = {      # networks that are large enough for several threads
    "large autoencoder": lambda rng: Autoencoder.dense(features=784, hidden=(400, 150), code=30, rng=rng),
    "large VAE": lambda rng: VAE.dense(features=784, hidden=400, code=20, rng=rng),
    "large DCGAN": lambda rng: DCGAN(16, (8, 16), rng=rng),
    "large ConvClassifier": lambda rng: ConvClassifier(rng=rng),
    "large GRU": lambda rng: CharacterModel(
        Alphabet(load_text()), window=32, features=128, body="gru", depth=1, rng=rng
    ),
}


def data(name: str) -> tuple[Any, Any]:
    """Training data (X, y) for the example of a model; y is None for a model without labels."""
    rng = np.random.default_rng(5)
    y = np.arange(N) % CLASSES if KINDS[name].classes else None
    return KINDS[name].text or rng.random(KINDS[name].shape).astype(np.float32), y


def fitted(name: str, seed: int = 3) -> Any:
    """The example of a model, built and fitted with a seed."""
    model, (X, y), settings = KINDS[name].build(np.random.default_rng(0)), data(name), KINDS[name].fit
    return model.fit(X, y, **({} if settings is None else {**settings, "rng": seed}))


def predictions(model: Any, name: str) -> list[np.ndarray]:
    """The results of a fitted model for its data: codes, predictions, log-likelihoods."""
    X, y = data(name)
    if isinstance(X, str):
        return [model.log_probabilities(X)]
    found = []
    labels = (y,) if KINDS[name].given_labels else ()
    binary = np.round(X) if hasattr(model, "binarisation") else X
    for method in METHODS:
        try:
            if hasattr(model, method):
                found.append(getattr(model, method)(binary, *labels if method != "predict" else ()))
        except (NoLikelihood, TypeError):
            continue        # the model does not have this method
    assert found
    return found


def samples(model: Any, name: str, seed: int) -> list[Any]:
    """Four samples of a fitted model, or none if it has no `sample`."""
    labels = {"y": np.arange(4) % CLASSES} if KINDS[name].given_labels else {}
    try:
        return [model.sample(4, rng=seed, **labels)] if hasattr(model, "sample") else []
    except TypeError as error:
        assert str(error).startswith(f"{name} cannot sample")
        return []


def digest(arrays: Iterable[Any]) -> str:
    """The SHA-256 of arrays with their dtypes and shapes."""
    total = hashlib.sha256()
    for array in map(np.asarray, arrays):
        total.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return total.hexdigest()


def trained_large(name: str, seed: int = 1) -> Any:
    """A larger network after eight steps on digits, or after one epoch on text."""
    digits = load_digits("embedded")
    model = LARGE[name](seed)
    if isinstance(model, CharacterModel):
        return model.fit(load_text()[:20_000], epochs=1, batch_size=32, rng=seed)
    labels = (digits.y_train[:1024],) if isinstance(model, ConvClassifier) else ()
    model.fit(digits.x_train[:1024], *labels, epochs=1, batch_size=128, rng=seed)
    return model


def weights(model: Any) -> list[np.ndarray]:
    """The parameters and buffers of a network."""
    return [*(p.value for p in model.parameters().values()), *model.buffers().values()]


def results(name: str) -> str:
    """The digest of one model after training."""
    if name in LARGE:
        return digest(weights(trained_large(name)))
    return digest(predictions(fitted(name), name))


if __name__ == "__main__":
    print(json.dumps({name: results(name) for name in sys.argv[1:] or [*KINDS, *LARGE]}))
