"""With few labels, codes are a better input than pixels.

An autoencoder learns from all digits without labels, and only its encoder is kept. Then a small classifier is
trained on 100 to 6,000 labelled digits, as pixels, as codes of 10 or 30 numbers, or as 30 principal
components (the control). Look at where the lines cross: codes are better on the left, pixels on the right.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import plots
from scratchgen.data import Digits, load_digits
from scratchgen.models import PCA, Autoencoder, MLPClassifier

from ..common import parameter_count, print_table, run, save, say, train


def main(
    out: Path,
    *,
    shown: int = 180_000,
    updates: int = 1500,
    draws: int = 5,
    labelled: tuple[int, ...] = (100, 300, 1000, 6000),
    codes: tuple[int, ...] = (10, 30),
    hidden: int = 64,
    seed: int = 1,
) -> dict[str, Any]:
    """Measure the accuracy of the same classifier on each kind of input.

    shown   : digits that each autoencoder sees, 30 epochs of 6,000
    updates : of each classifier, 50 examples each
    draws   : number of random choices of the labelled digits; accuracies are means over them
    """
    digits = load_digits()
    say(digits.source)
    inputs = {"784 pixels": (digits.x_train, digits.x_test)}
    for width in codes:
        print(f"\nTraining an autoencoder 784-400-150-{width} without labels")
        rng = np.random.default_rng(seed)
        autoencoder = Autoencoder.dense((784, 400, 150, width), rng=rng)
        seconds = train(autoencoder, digits.x_train, shown=shown, lr=3e-3, rng=rng)
        inputs[f"code of {width}"] = encoded(autoencoder, digits)
        parameters = parameter_count(autoencoder.encoder)
        say(f"A code of {width} also needs its encoder: {parameters:,} parameters, {seconds:.1f} s to train.")
    inputs["PCA, 30"] = encoded(PCA(30).fit(digits.x_train), digits)

    table: dict[str, dict[str, Any]] = {}
    for name, (x, x_test) in inputs.items():
        table[name] = {}
        for n in labelled:
            scores = []
            start = time.perf_counter()
            for draw in range(draws):
                rng = np.random.default_rng(seed + draw)
                chosen = balanced(digits.y_train, n, rng)
                net = MLPClassifier((x.shape[1], hidden, 10), rng=rng)
                train(net, x[chosen], digits.y_train[chosen], shown=updates * 50, lr=3e-3, rng=rng,
                      batch_size=50, quiet=True)  # fmt: skip
                scores.append(net.score(x_test, digits.y_test))
            table[name][f"{n:,} labels"] = float(np.mean(scores))
        seconds = (time.perf_counter() - start) / draws
        table[name] |= {"parameters": parameter_count(net), "seconds": seconds}

    title = f"Accuracy on {len(digits.x_test):,} test digits, mean of {draws} draws"
    print_table(table, title, {f"{n:,} labels": ".1%" for n in labelled})
    figure = plots.lines(
        {name: (labelled, [100 * row[f"{n:,} labels"] for n in labelled]) for name, row in table.items()},
        title="The same small classifier on codes and on pixels",
        xlabel="labelled digits",
        ylabel="accuracy on test digits, %",
        log_x=True,
    )
    return {"table": table, "figure": save(figure, out / "encoder_only.png")}


def encoded(model: Autoencoder | PCA, digits: Digits) -> tuple[np.ndarray, np.ndarray]:
    """Codes of the training and test digits, scaled to mean 0 and standard deviation 1 in training."""
    codes, codes_test = model.transform(digits.x_train), model.transform(digits.x_test)
    mean, std = codes.mean(axis=0), codes.std(axis=0)
    return (codes - mean) / std, (codes_test - mean) / std


def balanced(y: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """The indices of n random examples, with numbers of each class that are as equal as possible."""
    place_in_class = np.empty(len(y), np.int64)
    for k in range(10):
        members = rng.permutation(np.flatnonzero(y == k))
        place_in_class[members] = np.arange(len(members))
    return np.argsort(place_in_class, kind="stable")[:n]


if __name__ == "__main__":
    run(main)
