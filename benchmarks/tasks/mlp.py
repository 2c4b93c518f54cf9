"""A dense classifier of MNIST with a hidden layer of 100: scikit-learn's MLPClassifier with its defaults.

Both: ReLU, Adam with 1e-3, batches of 200. scikit-learn is given one epoch at a time (partial_fit), so that
it can be measured after each.
"""

from __future__ import annotations

import numpy as np

from tasks import mnist
from tasks.vae import until

TITLE, FIGURE, THEIRS = "MLP 784-100-10 on MNIST", "test error, %", "scikit-learn's MLPClassifier"
TARGET, LOWER = 3.0, True


def ours(reached, hidden: int = 100) -> None:
    from scratchgen import MLPClassifier, load_digits
    from scratchgen.layers import ReLU

    digits = load_digits("full")
    model = MLPClassifier((784, hidden, 10), activation=ReLU, rng=0)
    model.fit(
        digits.x_train, digits.y_train, epochs=50, batch_size=200, lr=1e-3, rng=0,
        callbacks=[until(lambda: reached(100 * (1 - model.score(digits.x_test, digits.y_test))))],
    )  # fmt: skip


def theirs(reached) -> None:
    from sklearn.neural_network import MLPClassifier

    x_train, y_train, x_test, y_test = mnist()
    x_train, x_test = (x.reshape(len(x), -1).astype(np.float32) / 255 for x in (x_train, x_test))
    model = MLPClassifier(random_state=0)
    while True:
        model.partial_fit(x_train, y_train, classes=np.arange(10))
        if reached(100 * (1 - model.score(x_test, y_test))):
            return
