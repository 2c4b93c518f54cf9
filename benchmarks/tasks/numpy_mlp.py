"""A dense classifier of MNIST with a hidden layer of 150, in a library that uses NumPy only: mlxtend.

mlxtend's MultiLayerPerceptron has sigmoid units and plain gradient descent. Its documentation trains it on
standardised digits with a rate of 0.005 and 100 batches of 50 per epoch; here, batches have 50 digits, too.
"""

from __future__ import annotations

import numpy as np

from tasks import mlp, mnist

TITLE, FIGURE, THEIRS = "MLP 784-150-10 on MNIST", "test error, %", "mlxtend's MultiLayerPerceptron"
TARGET, LOWER = 5.0, True


def ours(reached) -> None:
    mlp.ours(reached, hidden=150)


def theirs(reached) -> None:
    from mlxtend.classifier import MultiLayerPerceptron

    x_train, y_train, x_test, y_test = mnist()
    x_train, x_test = (x.reshape(len(x), -1).astype(np.float32) for x in (x_train, x_test))
    mean, std = x_train.mean(axis=0), x_train.std(axis=0) + 1e-8
    x_train, x_test = (x_train - mean) / std, np.clip((x_test - mean) / std, -10, 10)
    model = MultiLayerPerceptron(
        hidden_layers=[150], epochs=1, eta=0.005, minibatches=len(x_train) // 50, random_seed=1
    )
    first = True
    while True:
        model.fit(x_train, y_train, init_params=first)
        first = False
        if reached(100 * (1 - model.score(x_test, y_test))):
            return
