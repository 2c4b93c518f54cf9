"""Only the encoder kept: a small net on the codes against the same small net on the pixels.

The autoencoder learns from all digits without a label. Then labels are scarce: a small net gets 100, 300,
1,000 or 6,000 of them, and either the digits' pixels, or their codes of 10 or 30 numbers, or as a control the
first 30 principal components. Each figure is the mean over several draws of the labelled digits.
"""

import time
from pathlib import Path

import numpy as np

from scratchgen import plots
from scratchgen.data import Digits, load_digits
from scratchgen.models import PCA, Autoencoder, MLPClassifier
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

CODES = (10, 30)
HIDDEN = 64
LABELLED = (100, 300, 1000, 6000)
BATCH = 128
SEED = 1


def main(out: Path, shown: int = 180_000, updates: int = 1500, draws: int = 5) -> None:
    """Train, print the tables, draw.

    shown   : how many digits each autoencoder sees, 30 epochs of 6,000
    updates : how many updates each small net makes, of 50 examples each
    draws   : how often the labelled digits are drawn anew
    """
    digits = load_digits()
    print(digits.source)

    inputs = {"784 pixels": (digits.x_train, digits.x_test)}
    costs = []
    for width in CODES:
        print(f"\nautoencoder 784-400-150-{width} and back, without labels")
        autoencoder, seconds = fit_autoencoder(width, digits.x_train, shown)
        start = time.perf_counter()
        inputs[f"code of {width}"] = encoded(autoencoder, digits)
        encoding = time.perf_counter() - start
        size = sum(p.size for p in autoencoder.encoder.parameters().values())
        costs.append(
            f"A code of {width} also costs its encoder: {size:,} parameters, {seconds:.1f} s to learn it, "
            f"{encoding:.2f} s to encode all digits."
        )
    inputs["PCA, 30"] = encoded(PCA(30).fit(digits.x_train), digits)

    accuracies: dict[str, list[float]] = {name: [] for name in inputs}
    sizes, took = {}, {}
    for name, (train, test) in inputs.items():
        for labelled in LABELLED:
            scores = []
            start = time.perf_counter()
            for draw in range(draws):
                rng = np.random.default_rng(SEED + draw)
                chosen = balanced(digits.y_train, labelled, rng)
                net = MLPClassifier((train.shape[1], HIDDEN, 10), rng=rng)
                fit_classifier(net, train[chosen], digits.y_train[chosen], updates, rng)
                scores.append(net.score(test, digits.y_test))
            accuracies[name].append(float(np.mean(scores)))
            took[name] = (time.perf_counter() - start) / draws
        sizes[name] = sum(p.size for p in net.parameters().values())

    print(f"\nAccuracy of the small net on {len(digits.x_test):,} test digits, mean of {draws} draws")
    print("labelled digits " + "".join(f"{n:>8,}" for n in LABELLED) + "   parameters   seconds")
    for name, scores in accuracies.items():
        print(f"{name:16}" + "".join(f"{s:8.1%}" for s in scores) + f"{sizes[name]:13,}{took[name]:10.2f}")
    print("\n".join(costs))

    figure = plots.lines(
        {name: (LABELLED, [100 * s for s in scores]) for name, scores in accuracies.items()},
        title="Where labels are scarce, codes help: the same small net on codes and on pixels",
        xlabel="labelled digits",
        ylabel="test digits that are classified right, %",
        log_x=True,
    )
    picture = plots.save(figure, out / "encoder_only.png")
    print(f"\n{picture} is drawn")


def fit_autoencoder(width: int, x: np.ndarray, shown: int) -> tuple[Autoencoder, float]:
    """An autoencoder with a code of that width that has learnt from x, and the seconds that took."""
    rng = np.random.default_rng(SEED)
    model = Autoencoder.dense((784, 400, 150, width), rng=rng)
    epochs = max(1, round(shown / len(x)))
    lr = OneCycle(3e-3, epochs * -(-len(x) // BATCH))
    start = time.perf_counter()
    model.fit(x, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()])
    return model, time.perf_counter() - start


def fit_classifier(
    net: MLPClassifier, x: np.ndarray, y: np.ndarray, updates: int, rng: np.random.Generator
) -> None:
    """Fit a small net in about `updates` updates, however many examples there are."""
    epochs = max(1, round(updates / -(-len(x) // 50)))
    lr = OneCycle(3e-3, epochs * -(-len(x) // 50))
    net.fit(x, y, epochs=epochs, batch_size=50, lr=lr, rng=rng)


def encoded(model: Autoencoder | PCA, digits: Digits) -> tuple[np.ndarray, np.ndarray]:
    """The codes of the training and the test digits, on a scale where the former have mean 0 and spread 1."""
    train, test = model.transform(digits.x_train), model.transform(digits.x_test)
    mean, std = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / std, (test - mean) / std


def balanced(y: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """The places of n labels by lot, as many of each class as of any other while there are some left."""
    place_in_class = np.empty(len(y), np.int64)
    for k in range(10):
        members = rng.permutation(np.flatnonzero(y == k))
        place_in_class[members] = np.arange(len(members))
    return np.argsort(place_in_class, kind="stable")[:n]


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
