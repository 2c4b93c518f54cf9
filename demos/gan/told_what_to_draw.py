"""A label makes a GAN draw what it is told; codes without labels get part of the way.

Three ways to choose the digit are compared. Found afterwards: a GAN is trained without labels, and each code
is moved along a direction that was fitted to the classifier's log-probability of the digit. With labels: a
ConditionalGAN is given the class. Without labels: InfoGAN has a code of ten categories that a network reads
from the image. Which digit a category became is decided after training, by the one-to-one assignment that
matches most test digits.

A classifier trained on real digits counts how often the sample is the requested digit. A second table shows
what InfoGAN's other codes change: slant and width, in standard deviations over its samples.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import accuracy
from scratchgen.models import GAN, ConditionalGAN, InfoGAN
from scratchgen.models.gan.networks import small_pixel_init
from scratchgen.studies.experiments import digit_gans
from scratchgen.studies.experiments import prescribed_codes as experiment
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import Cosine

from ..common import digit_classifier, mosaic, print_table, run, save, say, show_image

HIDDEN, LR, DISCRIMINATOR_LR = (256, 256), 2e-3, 4e-4


def main(out: Path, *, shown: int = 84_000, generated: int = 2000, seed: int = 1) -> dict[str, Any]:
    """Train the three GANs, and count how often they draw the requested digit.

    shown : real digits that each GAN sees, 14 epochs of 6,000;  generated : digits that are classified
    """
    digits = load_digits()
    say(digits.source)
    classifier = digit_classifier(digits.x_train, digits.y_train, np.random.default_rng(seed))
    models: dict[type, Any] = {}
    for kind, code in ((GAN, 32), (ConditionalGAN, 32), (InfoGAN, 44)):
        print(f"\nTraining a {kind.__name__}")
        rng = np.random.default_rng(seed)
        model = kind.dense(code, HIDDEN, pixel_init=small_pixel_init, rng=rng)
        labels = digits.y_train if kind is ConditionalGAN else None
        models[kind] = model.fit(
            digits.x_train, labels, epochs=max(1, round(shown / len(digits.x_train))), rng=rng,
            batch_size=digit_gans.BATCH, lr=Cosine(LR), discriminator_lr=Cosine(DISCRIMINATOR_LR),
            callbacks=[ProgressBar()],
        )  # fmt: skip
    gan, conditional, info = models.values()

    rng = np.random.default_rng(seed + 1)
    codes, asked = experiment.along_directions(gan, classifier, generated, rng)
    read = {"found afterwards": classifier.predict(gan.inverse_transform(codes))}
    read["with labels"] = classifier.predict(conditional.sample(generated, y=asked, rng=rng))
    c, category = experiment.with_category(info, generated, rng)
    matched, assigned = experiment.match(info.infer_codes(digits.x_test)[:, 0].astype(int), digits.y_test)
    drawn = classifier.predict(info.sample(generated, c=c, rng=rng))
    table = {way: experiment.by_class(found, asked) for way, found in read.items()}
    table["without labels"] = experiment.by_class(drawn, assigned[category])
    title = f"Samples that the classifier reads as the requested digit, {generated:,} for each way"
    print_table(table, title, dict.fromkeys(["all", *map(str, range(10))], ".0%"))
    say(f"\nInfoGAN's category is that of the digit for {matched:.1%} of the test digits (10 % by chance); "
        f"its bound on the information is {info.information(rng=rng):.2f} of {info.entropy:.2f} nats")
    effects = experiment.effects(info, classifier, 1000, rng)
    print_table(effects, "What InfoGAN's codes change", {"same class": ".0%"})

    columns = 8
    rows = {way: share["all"] for way, share in table.items()}
    z = gan.prior_sample(columns, rng=seed)
    panels = {
        "found afterwards": gan.inverse_transform(along_all(gan, classifier, columns, seed)),
        "with labels": conditional.inverse_transform(
            np.tile(z, (10, 1)), np.repeat(np.arange(10), columns)
        ),
        "without labels": info.inverse_transform(each_category(info, assigned, columns, seed)),
    }
    picture = save(draw(panels, rows), out / "told_what_to_draw.png")
    return {
        "table": table, "matched": matched, "assigned": assigned, "effects": effects, "figure": picture,
        "guess": accuracy(np.zeros(len(digits.y_test), int), digits.y_test),
    }  # fmt: skip


def along_all(gan: GAN, classifier: Any, columns: int, seed: int) -> np.ndarray:
    """Codes moved along the direction of each digit, sorted by digit, (10·columns, K)."""
    codes, asked = experiment.along_directions(gan, classifier, 10 * columns, np.random.default_rng(seed))
    return codes[np.argsort(asked, kind="stable")]


def each_category(info: InfoGAN, assigned: np.ndarray, columns: int, seed: int) -> np.ndarray:
    """The same codes with each category, in the order of their digits, (10·columns, K)."""
    z, c = info.prior_sample(columns, rng=seed), info.draw_codes(columns, rng=seed)
    rows = []
    for category in np.argsort(assigned):
        c[:, 0] = category
        rows.append(info.with_codes(z, c))
    return np.concatenate(rows)


def draw(panels: dict[str, np.ndarray], shares: dict[str, float]) -> Figure:
    """Plot ten rows, one for each requested digit, for each way."""
    fig = plots.new_figure(4.2, title="A digit is requested in each row")
    for ax, (way, images) in zip(fig.subplots(1, len(panels)), panels.items(), strict=True):
        show_image(ax, mosaic(images, 10), f"{way}:\n{shares[way]:.0%} read as requested")
        ax.set_yticks([28 * k + 13.5 for k in range(10)], [str(k) for k in range(10)], fontsize=9.5)
        ax.tick_params(length=0)
    return fig


if __name__ == "__main__":
    run(main)
