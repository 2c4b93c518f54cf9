"""PCA of MNIST with 30 components: scikit-learn's PCA with its defaults."""

from __future__ import annotations

import numpy as np

from tasks import mnist

TITLE, FIGURE, THEIRS = "PCA of MNIST, 30 components", "squared error per test digit", "scikit-learn's PCA"
TARGET, LOWER = 13.9, True


def ours(reached) -> None:
    from scratchgen import PCA, load_digits

    digits = load_digits("full")
    model = PCA(30).fit(digits.x_train)
    reached(float(((model.reconstruct(digits.x_test) - digits.x_test) ** 2).sum(axis=1).mean()))


def theirs(reached) -> None:
    from sklearn.decomposition import PCA

    x_train, _, x_test, _ = mnist()
    x_train, x_test = (x.reshape(len(x), -1).astype(np.float32) / 255 for x in (x_train, x_test))
    model = PCA(30, random_state=0).fit(x_train)
    back = model.inverse_transform(model.transform(x_test))
    reached(float(((back - x_test) ** 2).sum(axis=1).mean()))
