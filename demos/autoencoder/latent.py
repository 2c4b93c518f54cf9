"""A 2-D autoencoder separates the digits better than PCA.

Both are trained without labels. The separation of the ten classes is measured by the mean silhouette, and by
how often the ten nearest training codes vote for the right class. Look at how the classes overlap on the left
and at the groups on the right.
"""

from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.layers import LeakyReLU
from scratchgen.metrics import knn_accuracy, silhouette_score
from scratchgen.models import PCA, Autoencoder

from ..common import print_table, run, save, say, train


def main(out: Path, *, shown: int = 180_000, points: int = 1000, seed: int = 1) -> dict[str, Any]:
    """Compare the code of an autoencoder with the first two principal components.

    shown  : digits that the network sees, 30 epochs of 6,000
    points : test digits in the figure
    """
    digits = load_digits()
    say(digits.source)
    rng = np.random.default_rng(seed)
    autoencoder = Autoencoder.dense((784, 400, 150, 50, 2), rng=rng, activation=LeakyReLU)
    print("\nTraining an autoencoder 784-400-150-50-2")
    train(autoencoder, digits.x_train, shown=shown, lr=3e-3, rng=rng)

    table, panels = {}, {}
    for name, model in (("PCA", PCA(2).fit(digits.x_train)), ("autoencoder", autoencoder)):
        codes, codes_test = model.transform(digits.x_train), model.transform(digits.x_test)
        silhouette = silhouette_score(codes_test, digits.y_test)
        nearest = knn_accuracy(codes, digits.y_train, codes_test, digits.y_test, k=10)
        table[name] = {"silhouette": silhouette, "10 nearest right": nearest}
        title = f"{name}\nsilhouette {silhouette:.2f}, ten nearest right {nearest:.0%}"
        panels[title] = codes_test[:points], digits.y_test[:points]

    title = f"How well ten classes separate in two numbers, {len(digits.x_test):,} test digits"
    print_table(table, title, {"silhouette": ".3f", "10 nearest right": ".1%"})
    figure = plots.scatter_by_class(panels, title="Codes of test digits in two dimensions")
    return {"table": table, "figure": save(figure, out / "latent.png")}


if __name__ == "__main__":
    run(main)
