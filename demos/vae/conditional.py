"""Two VAEs generate the digit that is requested.

A ConditionalVAE gives the label to both networks, so z need not encode the class and can encode slant, width
and stroke. A ClassPriorVAE has a prior N(m_y, I) for each class with a learned mean, and the label shifts z
to its class. Each column of the figure shows one z from N(0, I) with all ten classes.

A classifier trained on real digits measures how often the generated digit is the requested one, for codes of
4 and 10 numbers. A wide code makes the ConditionalVAE worse: z can then encode the class as well, and the
decoder ignores the label. A table shows how often z alone determines the class. The ClassPriorVAE needs the
wide code.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.layers import LeakyReLU
from scratchgen.metrics import accuracy
from scratchgen.models import ClassPriorVAE, ConditionalVAE

from ..common import digit_classifier, mosaic, print_table, run, save, say, show_image, train


def main(out: Path, *, shown: int = 120_000, generated: int = 2000, seed: int = 1) -> dict[str, Any]:
    """Train both with each width of the code, and count how often they generate the requested digit.

    shown     : digits that each VAE sees, 20 epochs of 6,000
    generated : number of digits to generate and classify
    """
    digits = load_digits()
    say(digits.source)
    x, y = digits.x_train, digits.y_train
    classifier = digit_classifier(x, y, np.random.default_rng(seed))
    score = classifier.score(digits.x_test, digits.y_test)
    print(f"the classifier reads {score:.1%} of the test digits right")

    requested = np.arange(generated) % 10
    panels, table, from_z = {}, {}, {}
    for kind, widths in ((ConditionalVAE, (10, 4)), (ClassPriorVAE, (4, 10))):      # the last is drawn
        name = kind.__name__
        for width in widths:
            rng = np.random.default_rng(seed)
            model = kind.dense((784, 300, 100, width), rng=rng, activation=LeakyReLU)
            print(f"\nTraining a {name} 784-300-100-{width}")
            train(model, x, y, shown=shown, lr=5e-3, rng=rng, batch_size=64)
            images = model.inverse_transform(model.prior_sample(generated, rng=rng, y=requested), requested)
            right = classifier.predict(images) == requested
            by_class = {str(k): right[requested == k].mean() for k in range(10)}
            table[f"{name}, {width}"] = {"all": right.mean(), **by_class}
            if kind is ConditionalVAE:
                z, z_test = (
                    sample_code(model, *part, rng) for part in ((x, y), (digits.x_test, digits.y_test))
                )
                means = np.array([z[y == k].mean(axis=0) for k in range(10)])
                from_z[width] = accuracy(nearest(z_test, means), digits.y_test)
        same = [model.prior_sample(10, rng=seed, y=np.full(10, k)) for k in range(10)]
        grid = model.inverse_transform(np.concatenate(same), np.repeat(np.arange(10), 10))
        panels[f"{name}, code of {width}: {right.mean():.0%} read as requested"] = grid

    title = f"Generated digits that the classifier reads as the requested class, {generated:,} of each model"
    print_table(table, title, dict.fromkeys(["all", *map(str, range(10))], ".0%"))
    rows = {f"code of {width}": {"class from z alone": share} for width, share in from_z.items()}
    title = "ConditionalVAE: test digits whose z is nearest to the mean of their class (chance: 10 %)"
    print_table(rows, title, {"class from z alone": ".1%"})
    codes = model.transform(digits.x_test)                      # of the last model, without a label
    own = accuracy(nearest(codes, model.prior_mean(np.arange(10), 10)), digits.y_test)
    say(f"\nClassPriorVAE, {width}: {own:.1%} of {len(codes):,} test digits, encoded without a label, "
        "are nearest to the prior mean of their own class")
    picture = save(draw(panels), out / "conditional.png")
    return {"table": table, "class from z": from_z, "nearest to own class": own, "figure": picture}


def sample_code(model: ConditionalVAE, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One z ~ q(z | x, y) of each digit, (N, K)."""
    mu, logvar = model.posterior(x, y)
    return Normal.sample(mu, logvar, rng.standard_normal(mu.shape, mu.dtype))


def nearest(z: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Index of the mean, of means (C, K), that is nearest to each z (N, K)."""
    return ((z[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)


def draw(panels: dict[str, np.ndarray]) -> Figure:
    """Plot ten rows, one for each class, for each model."""
    title = "A class in each row, the same z from N(0, I) in each column"
    fig = plots.new_figure(4.45, title=title)
    for ax, (title, grid) in zip(fig.subplots(1, len(panels)), panels.items(), strict=True):
        show_image(ax, mosaic(grid, 10), title)
        ax.set_yticks([28 * k + 13.5 for k in range(10)], [str(k) for k in range(10)], fontsize=9.5)
        ax.tick_params(length=0)
    return fig


if __name__ == "__main__":
    run(main)
