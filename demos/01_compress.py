"""Compress digits to 2, 10 and 30 numbers and decompress them, beside PCA of the same width.

An autoencoder learns to give its input back through a narrow code. PCA gives the best code that is linear,
so whatever the autoencoder gains, it gains by bending.
"""

import time
from pathlib import Path

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import PCA, Autoencoder
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

WIDTHS = (2, 10, 30)
BATCH = 128
SEED = 1


def main(out: Path, shown: int = 180_000) -> None:
    """Train, print the table, draw. `shown`: how many digits each net sees, 30 epochs of 6,000."""
    digits = load_digits()
    print(digits.source)

    examples = one_of_each(digits.y_test)
    originals = digits.x_test[examples]
    rows = [plots.Row("original, 784 pixels", originals)]
    table: list[tuple[str, np.ndarray, str]] = []
    for width in WIDTHS:
        rng = np.random.default_rng(SEED)
        model = Autoencoder.dense((784, 400, 150, width), rng=rng)
        print(f"\nautoencoder 784-400-150-{width} and back")
        seconds = train(model, digits.x_train, shown, 3e-3, rng)
        pca = PCA(width).fit(digits.x_train)

        error = squared_error_per_example(digits.x_test, model.reconstruct(digits.x_test))
        pca_error = squared_error_per_example(digits.x_test, pca.reconstruct(digits.x_test))
        table += [(f"autoencoder, {width}", error, f"{seconds:.1f}"), (f"PCA, {width}", pca_error, "")]

        code = model.transform(digits.x_test)
        rows += [
            plots.Row(f"its code, {width} numbers", (code[examples] - code.mean(0)) / code.std(0), bars=True),
            plots.Row(named("autoencoder", error), model.reconstruct(originals), numbers=error[examples]),
            plots.Row(named("PCA", pca_error), pca.reconstruct(originals), numbers=pca_error[examples]),
        ]

    figure = plots.image_grid(
        rows,
        title="Digits that neither has seen, compressed and decompressed",
        note=f"Squared errors: below each digit its own, at the left the mean of {len(error):,} test digits",
        breaks=(1, 4, 7),
    )
    picture = plots.save(figure, out / "compress.png")
    print(f"\n{picture} is drawn")

    rng = np.random.default_rng(SEED)
    convolutional = Autoencoder.convolutional(30, rng=rng)
    print("\nconvolutional autoencoder, 30 and back")
    seconds = train(convolutional, digits.x_train, shown // 2, 1e-2, rng)
    error = squared_error_per_example(digits.x_test, convolutional.reconstruct(digits.x_test))
    table.append(("convolutional, 30", error, f"{seconds:.1f}"))

    print(f"\nSquared error per test digit, {len(digits.x_test):,} of them")
    print("code                 mean   median    worst   seconds")
    for name, error, took in table:
        print(f"{name:18}{error.mean():7.2f}{np.median(error):9.2f}{error.max():9.2f}{took:>10}".rstrip())


def train(model: Autoencoder, x: np.ndarray, shown: int, peak: float, rng: np.random.Generator) -> float:
    """Fit the model, with a learning rate that goes up to `peak` and back down; return the seconds."""
    epochs = max(1, round(shown / len(x)))
    steps = epochs * -(-len(x) // BATCH)
    start = time.perf_counter()
    lr = OneCycle(peak, steps)
    model.fit(x, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()])
    return time.perf_counter() - start


def one_of_each(y: np.ndarray) -> np.ndarray:
    """The place of the first 0, the first 1 and so on: nobody picked them."""
    return np.array([np.flatnonzero(y == k)[0] for k in range(10)])


def named(name: str, error: np.ndarray) -> str:
    return f"{name}\nmean error {error.mean():.1f}"


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
