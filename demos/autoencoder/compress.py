"""An autoencoder compresses digits better than PCA.

An autoencoder learns to reproduce its input through a narrow code. PCA gives the best linear code. Look at
the rows of each width: with 2 numbers, the autoencoder already gives readable digits, and PCA does not. The
last row of the table is a convolutional autoencoder with a code of 30 numbers.
"""

from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import PCA, Autoencoder

from ..common import first_of_each_digit, print_table, run, save, say, train


def main(
    out: Path, *, shown: int = 180_000, widths: tuple[int, ...] = (2, 10, 30), seed: int = 1
) -> dict[str, Any]:
    """Compare an autoencoder and PCA at each width of the code.

    shown : digits that each network sees, 30 epochs of 6,000; the convolutional one sees half as many
    """
    digits = load_digits()
    say(digits.source)
    x, x_test = digits.x_train, digits.x_test
    examples = first_of_each_digit(digits.y_test)
    originals = x_test[examples]
    table = {}
    rows = [plots.Row("original, 784 pixels", originals)]
    for width in widths:
        rng = np.random.default_rng(seed)
        model = Autoencoder.dense((784, 400, 150, width), rng=rng)
        print(f"\nTraining an autoencoder 784-400-150-{width}")
        seconds = train(model, x, shown=shown, lr=3e-3, rng=rng)
        code = model.transform(x_test)
        scaled = (code[examples] - code.mean(0)) / code.std(0)
        rows.append(plots.Row(f"its code, {width} numbers", scaled, bars=True))
        for name, compressor in (("autoencoder", model), ("PCA", PCA(width).fit(x))):
            error = squared_error_per_example(x_test, compressor.reconstruct(x_test))
            table[f"{name}, {width}"] = measures(error)
            label = f"{name}\nmean error {error.mean():.1f}"
            rows.append(plots.Row(label, compressor.reconstruct(originals), numbers=error[examples]))
        table[f"autoencoder, {width}"]["seconds"] = seconds

    rng = np.random.default_rng(seed)
    model = Autoencoder.convolutional(30, rng=rng)
    print("\nTraining a convolutional autoencoder with a code of 30")
    seconds = train(model, x, shown=shown // 2, lr=1e-2, rng=rng)
    error = squared_error_per_example(x_test, model.reconstruct(x_test))
    table["convolutional, 30"] = measures(error) | {"seconds": seconds}

    print_table(table, f"Squared error per test digit, over {len(x_test):,} test digits")
    figure = plots.image_grid(
        rows,
        title="Test digits, compressed and decompressed",
        note=f"Numbers: squared error of each digit; on the left the mean of {len(x_test):,} test digits",
        breaks=range(1, len(rows), 3),
    )
    return {"table": table, "figure": save(figure, out / "compress.png")}


def measures(error: np.ndarray) -> dict[str, float]:
    return {"mean": error.mean(), "median": np.median(error), "worst": error.max()}


if __name__ == "__main__":
    run(main)
