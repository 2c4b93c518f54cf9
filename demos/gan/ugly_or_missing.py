"""Density and coverage tell ugly digits from missing ones.

Three "generators" are made from real digits that the classifier has not seen. One leaves out three of the ten
classes. One adds white and black specks to digits of all classes, exactly as many as give the same Fréchet
distance. The third does both. Every set is compared with the test digits, in the features of a classifier.

Look at the two rows with equal distances: density and precision fall for the specks and not for the missing
classes, where coverage and recall fall. Coverage also falls for the specks, since a digit that has only ugly
samples around it is not covered. So density has to be read first.

The last row is a warning. Blurred digits, again with the same Fréchet distance, look like missing ones to
these metrics and not like ugly ones. Their features lie in the middle of those of real digits, where many
balls overlap, so density is above 1. The features decide what is ugly, not the eye.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import frechet_distance
from scratchgen.metrics.samples import SampleMetrics, SampleQuality

from ..common import digit_classifier, mosaic, print_table, run, save, say, show_image, tidy

KEPT = 7        # classes of the generator that leaves out the others
SHOWN = 20      # digits of each set in the figure
MEASURES = ("precision", "density", "recall", "coverage")


def main(out: Path, *, shown: int = 40_000, count: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Measure the sets of digits, with the damage chosen so that the Fréchet distances are equal.

    shown : digits that the classifier sees in training;  count : digits in each set
    """
    digits = load_digits()
    say(digits.source)
    x, y = digits.x_train, digits.y_train
    seen = len(x) * 2 // 3                                      # the other third are the samples
    rng = np.random.default_rng(seed)
    classifier = digit_classifier(x[:seen], y[:seen], rng, shown)
    metrics = SampleMetrics(classifier, digits.x_test[:count], digits.y_test[:count])
    true, missing = x[seen:][:count], x[seen:][y[seen:] < KEPT][:count]
    target = metrics.measure(missing).frechet
    speck, blur = rng.random(true.shape), blurred(true)

    def specks(images: np.ndarray, share: float) -> np.ndarray:
        """The images with a share of the pixels inverted."""
        return np.where(speck[: len(images)] < share, 1 - images, images)

    def blended(images: np.ndarray, share: float) -> np.ndarray:
        return images + np.float32(share) * (blur - images)

    share = matched(metrics, lambda share: specks(true, share), target)
    sets = {
        "true digits": true,
        f"{KEPT} of 10 classes": missing,
        "specks": specks(true, share),
        "both": specks(missing, share),
        "blurred": blended(true, matched(metrics, lambda share: blended(true, share), target)),
    }
    table = {name: row(metrics.measure(images)) for name, images in sets.items()}
    say(f"\nThe classifier is right on {metrics.accuracy:.1%}. {share:.1%} of the pixels are specks.")
    formats = dict.fromkeys(MEASURES, ".3f") | {"KID": ".3f", "±": ".3f", "Fréchet": ".1f"}
    print_table(table, f"{len(true):,} digits of each kind against {len(metrics.features):,}", formats)
    figure = draw(sets, table)
    return {"table": table, "share": share, "figure": save(figure, out / "ugly_or_missing.png")}


def row(quality: SampleQuality) -> dict[str, float]:
    measures = {name: getattr(quality, name) for name in MEASURES}
    return {"Fréchet": quality.frechet, "KID": quality.kernel, "±": quality.kernel_error, **measures}


def blurred(images: np.ndarray, times: int = 4) -> np.ndarray:
    """Images (N, 784) after repeated averages over 3 × 3 pixels."""
    pixels = images.reshape(-1, 28, 28)
    for axis in (1, 2) * times:
        pixels = (np.roll(pixels, 1, axis) + pixels + np.roll(pixels, -1, axis)) / 3
    return pixels.reshape(images.shape)


def matched(metrics: SampleMetrics, damage: Callable[[float], np.ndarray], target: float) -> float:
    """The amount of damage in [0, 1] with the Fréchet distance `target`, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        features = metrics.classifier.features(damage(middle))
        below = frechet_distance(features, metrics.features) < target
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2


def draw(sets: dict[str, np.ndarray], table: dict[str, dict[str, float]]) -> Figure:
    """Plot some digits of each set, and below each its measures."""
    figure = plots.new_figure(4.6, title="Equal Fréchet distances, opposite faults")
    panels = figure.subplots(2, len(sets), height_ratios=(1, 1.25), sharey="row")
    colours = [plots.LINES[0][0]] * 2 + [plots.LINES[1][0]] * 2
    for (name, images), (above, below) in zip(sets.items(), panels.T, strict=True):
        values = table[name]
        show_image(above, mosaic(images[:SHOWN], 5), f"{name}\nFréchet {values['Fréchet']:.1f}")
        bars = below.bar(MEASURES, [values[measure] for measure in MEASURES], color=colours)
        below.bar_label(bars, fmt="%.2f", fontsize=8)
        tidy(below)
        below.tick_params(axis="x", rotation=60)
    figure.supxlabel("blue falls for ugly samples, orange for missing ones; coverage for both", fontsize=9.5)
    return figure


if __name__ == "__main__":
    run(main)
