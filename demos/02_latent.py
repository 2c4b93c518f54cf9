"""The 2-D code of an autoencoder beside the first two principal components, one colour a class.

Nobody told either of them which digit is which. How well the classes come apart all the same is measured in
two ways: the mean silhouette, and how often the ten nearest training codes vote for the right class.
"""

from pathlib import Path

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.layers import LeakyReLU
from scratchgen.metrics import knn_accuracy, silhouette_score
from scratchgen.models import PCA, Autoencoder
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

BATCH = 128
SEED = 1
POINTS = 1000       # more would only cover each other


def main(out: Path, shown: int = 180_000) -> None:
    """Train, print the table, draw. `shown`: how many digits the net sees, 30 epochs of 6,000."""
    digits = load_digits()
    print(digits.source)

    rng = np.random.default_rng(SEED)
    epochs = max(1, round(shown / len(digits.x_train)))
    lr = OneCycle(3e-3, epochs * -(-len(digits.x_train) // BATCH))
    autoencoder = Autoencoder.dense((784, 400, 150, 50, 2), rng=rng, activation=LeakyReLU)
    print("\nautoencoder 784-400-150-50-2 and back")
    autoencoder.fit(
        digits.x_train, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()]
    )
    pca = PCA(2).fit(digits.x_train)

    print(f"\nHow well ten classes separate in two numbers, {len(digits.x_test):,} test digits")
    print("code           silhouette   10 nearest right")
    panels = {}
    for name, model in (("PCA", pca), ("autoencoder", autoencoder)):
        train, test = model.transform(digits.x_train), model.transform(digits.x_test)
        separation = silhouette_score(test, digits.y_test)
        nearest = knn_accuracy(train, digits.y_train, test, digits.y_test, k=10)
        print(f"{name:15}{separation:10.3f}{nearest:18.1%}")
        title = f"{name}\nsilhouette {separation:.2f}, ten nearest right {nearest:.0%}"
        panels[title] = test[:POINTS], digits.y_test[:POINTS]

    title = "Test digits as two numbers: which neighbours are of one class?"
    picture = plots.save(plots.scatter_by_class(panels, title=title), out / "latent.png")
    print(f"\n{picture} is drawn")


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
