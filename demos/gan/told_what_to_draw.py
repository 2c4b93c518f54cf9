"""A label chooses the digit; a free category does not.

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
from scratchgen.models import DCGAN, ConditionalGAN, InfoGAN
from scratchgen.studies.experiments import digit_gans
from scratchgen.studies.experiments import prescribed_codes as experiment
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import Cosine

from ..common import digit_classifier, mosaic, print_table, run, save, say, show_image

CHANNELS, HIDDEN, LR, DISCRIMINATOR_LR = (8, 16), 128, 2e-3, 5e-4
COLUMNS = 8     # of the picture


def main(out: Path, *, shown: int = 42_000, generated: int = 2000, seed: int = 1) -> dict[str, Any]:
    """Train the three GANs, and count how often they draw the requested digit.

    shown : real digits that each GAN sees, 7 epochs of 6,000;  generated : digits that are classified
    """
    digits = load_digits()
    say(digits.source)
    classifier = digit_classifier(digits.x_train, digits.y_train, np.random.default_rng(seed))
    gan = DCGAN(32, CHANNELS, hidden=HIDDEN, rng=seed)
    conditional = ConditionalGAN.convolutional(32, CHANNELS, hidden=HIDDEN, projection=True, rng=seed)
    info = InfoGAN.convolutional(44, CHANNELS, hidden=HIDDEN, rng=seed)
    for model in (gan, conditional, info):
        print(f"\nTraining a {type(model).__name__}")
        model.fit(
            digits.x_train, digits.y_train if model is conditional else None, rng=seed,
            epochs=max(1, round(shown / len(digits.x_train))), batch_size=digit_gans.BATCH, lr=Cosine(LR),
            discriminator_lr=Cosine(DISCRIMINATOR_LR), callbacks=[ProgressBar()],
        )  # fmt: skip

    rng = np.random.default_rng(seed + 1)
    directions = experiment.digit_directions(gan, classifier, rng)
    asked = np.arange(generated) % 10
    codes = experiment.along(directions, gan.prior_sample(generated, rng=rng), asked)
    c, category = experiment.with_category(info, generated, rng)
    matched, assigned = experiment.match(info.infer_codes(digits.x_test)[:, 0].astype(int), digits.y_test)
    drawn = info.sample(generated, c=c, rng=rng)
    table = {
        "found afterwards": experiment.by_class(classifier.predict(gan.inverse_transform(codes)), asked),
        "with labels": experiment.by_class(
            classifier.predict(conditional.sample(generated, y=asked, rng=rng)), asked
        ),
        "without labels": experiment.by_class(classifier.predict(drawn), assigned[category]),
    }
    title = f"Samples that the classifier reads as the requested digit, {generated:,} for each way"
    print_table(table, title, dict.fromkeys(["all", *map(str, range(10))], ".0%"))
    read_back = accuracy(info.infer_codes(drawn)[:, 0].astype(int), category)
    say(f"\nInfoGAN's own network reads the category of {read_back:.0%} of its samples correctly. "
        f"But it is that of the digit for {matched:.0%} of the test digits only (10 % by chance).")
    effects = experiment.effects(info, classifier, 1000, rng)
    print_table(effects, "What InfoGAN's codes change", {"same class": ".0%"})

    z, y = np.tile(gan.prior_sample(COLUMNS, rng=seed), (10, 1)), np.repeat(np.arange(10), COLUMNS)
    panels = {
        "found afterwards": gan.inverse_transform(experiment.along(directions, z, y)),
        "with labels": conditional.inverse_transform(z, y),
        "without labels": info.inverse_transform(each_category(info, assigned, seed)),
    }
    shares = {way: row["all"] for way, row in table.items()}
    picture = save(draw(panels, shares), out / "told_what_to_draw.png")
    return {
        "table": table, "matched": matched, "assigned": assigned, "read back": read_back, "effects": effects,
        "figure": picture,
    }  # fmt: skip


def each_category(info: InfoGAN, assigned: np.ndarray, seed: int) -> np.ndarray:
    """The same codes with each category, in the order of their digits, (10·COLUMNS, K)."""
    z, c = info.prior_sample(COLUMNS, rng=seed), info.draw_codes(COLUMNS, rng=seed)
    rows = []
    for category in np.argsort(assigned):
        c[:, 0] = category
        rows.append(info.with_codes(z, c))
    return np.concatenate(rows)


def draw(panels: dict[str, np.ndarray], shares: dict[str, float]) -> Figure:
    """Plot ten rows, one for each requested digit, for each way."""
    fig = plots.new_figure(3.9, title="A digit is requested in each row; each column has the same z")
    for ax, (way, images) in zip(fig.subplots(1, len(panels)), panels.items(), strict=True):
        show_image(ax, mosaic(images, 10), f"{way}:\n{shares[way]:.0%} read as requested")
        ax.set_yticks([28 * k + 13.5 for k in range(10)], [str(k) for k in range(10)], fontsize=9.5)
        ax.tick_params(length=0)
    return fig


if __name__ == "__main__":
    run(main)
