"""Digits to order: two VAEs that know the class, ten rows of one digit each, the same z along a column.

In the one the label goes into both networks, so z need not say the class and has room for slant, width and
stroke. In the other each class has a prior N(m_y, I) with a mean that is learnt, and the label moves z to
the place of its class.

A classifier that has learnt from real digits reads what both draw: how often is it what was asked for? Each
model is tried with a code of 4 and one of 10 numbers. To the first a wide code does harm: it has room to
say the class once more, and the label is not listened to. How far the class can be read off z alone is
measured. The second needs a wide code, to keep its classes apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.layers import LeakyReLU
from scratchgen.metrics import accuracy
from scratchgen.models import ClassPriorVAE, ConditionalVAE, MLPClassifier
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN = 2000
BATCH = 64
READ = 60_000    # digits that the classifier sees, 10 epochs of 6,000
SEED = 1


def main(out: Path, shown: int = 120_000) -> None:
    """Train both, print the table, draw. `shown`: how many digits each VAE sees, 20 epochs of 6,000."""
    digits = load_digits()
    print(digits.source)
    x, y = digits.x_train, digits.y_train
    rng = np.random.default_rng(SEED)
    reader = MLPClassifier((784, 128, 10), rng=rng)
    epochs = max(1, round(READ / len(x)))
    reader.fit(x, y, epochs=epochs, lr=OneCycle(5e-3, epochs * -(-len(x) // 128)), rng=rng)
    print(f"a classifier reads {reader.score(digits.x_test, digits.y_test):.1%} of the test digits right")

    epochs = max(1, round(shown / len(x)))
    asked = np.arange(DRAWN) % 10
    panels, table, told = {}, [], []
    for kind, widths in ((ConditionalVAE, (10, 4)), (ClassPriorVAE, (4, 10))):      # the last is drawn
        name = kind.__name__
        for width in widths:
            rng = np.random.default_rng(SEED)
            model = kind.dense((784, 300, 100, width), rng=rng, activation=LeakyReLU)
            print(f"\n{name} 784-300-100-{width} and back; {model.data_note}")
            lr = OneCycle(5e-3, epochs * -(-len(x) // BATCH))
            model.fit(x, y, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()])
            drawn = model.inverse_transform(model.prior_sample(DRAWN, rng=rng, y=asked), asked)
            right = reader.predict(drawn) == asked
            table.append((f"{name}, {width}", right))
            if kind is ConditionalVAE:
                z = draw_code(model, x, y, rng)
                z_test = draw_code(model, digits.x_test, digits.y_test, rng)
                means = np.array([z[y == k].mean(axis=0) for k in range(10)])
                told.append((width, accuracy(nearest(z_test, means), digits.y_test)))
        same = [model.prior_sample(10, rng=np.random.default_rng(SEED), y=np.full(10, k)) for k in range(10)]
        grid = model.inverse_transform(np.concatenate(same), np.repeat(np.arange(10), 10))
        panels[f"{name}, code of {width}: {right.mean():.0%} read as asked"] = grid

    print(f"\nShare of {DRAWN:,} drawn digits that the classifier reads as the class that was asked for")
    print("model, code            all" + "".join(f"{k:6}" for k in range(10)))
    for name, right in table:
        of_class = "".join(f"{right[asked == k].mean():6.0%}" for k in range(10))
        print(f"{name:19}{right.mean():7.1%}{of_class}")

    print("\nConditionalVAE: test digits whose z alone lies nearest to the mean of their class (chance: 10%)")
    for numbers, share in told:
        print(f"z of {numbers:2}: {share:.1%}")
    codes = model.transform(digits.x_test)                      # by the last model, without a label
    own = accuracy(nearest(codes, model.prior_mean(np.arange(10), 10)), digits.y_test)
    print(f"\nClassPriorVAE, {width}: of {len(codes):,} test digits, encoded without a label,")
    print(f"{own:.1%} lie nearest to the mean of their own class")
    picture = plots.save(draw(panels), out / "conditional.png")
    print(f"\n{picture} is drawn")


def draw_code(model: ConditionalVAE, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One z ~ q(z | x, y) of each digit, (N, K)."""
    mu, logvar = model.posterior(x, y)
    return Normal.sample(mu, logvar, rng.standard_normal(mu.shape, mu.dtype))


def nearest(z: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Which of the means (C, K) is nearest to each z (N, K)."""
    return ((z[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)


def draw(panels: dict[str, np.ndarray]) -> Figure:
    """Ten rows, one digit each, for each model."""
    title = "Digits to order: a row for each class, the same draw from N(0, I) along a column"
    fig = plots.new_figure(4.45, title=title)
    for ax, (title, grid) in zip(fig.subplots(1, len(panels)), panels.items(), strict=True):
        mosaic = grid.reshape(10, 10, 28, 28).swapaxes(1, 2).reshape(10 * 28, -1)
        ax.imshow(mosaic, cmap="gray", vmin=0, vmax=1)
        ax.set_title(title, fontsize=10, color=plots.TEXT)
        ax.set_yticks([28 * k + 13.5 for k in range(10)], [str(k) for k in range(10)], fontsize=9.5)
        ax.set_xticks([])
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
