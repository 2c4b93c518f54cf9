"""Which target is best depends on the noise and network.

A diffusion may predict the noise eps, the digit x_0, or the velocity v, which is a mixture of both. From
each, the other two follow, so all three can be compared in the error of the digit x̂_0 that they imply.
Networks with the same weights at the start, the same digits and the same noises differ only in their target.

Two networks are compared: a U-Net, which can hand every pixel's noise on to its output, and a dense network
with 256 units, which cannot, as there are 784 pixels.

Look at the factors in the table: the error of each target, divided by that of the best target at this noise.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import Diffusion
from scratchgen.models.diffusion.schedule import TARGETS
from scratchgen.studies.experiments import digit_diffusion as experiment

from ..common import digit_classifier, plot_lines, print_table, run, save, say, show_rows, tidy

SHARES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 1.0)      # of the steps, where errors are measured
NETWORKS = ("U-Net", "dense, 256 wide")
PICTURED = 14


def main(
    out: Path,
    *,
    unet_shown: int = 18_000,
    dense_shown: int = 36_000,
    tested: int = 300,
    generated: int = 300,
    channels: tuple[int, int] = (16, 32),
    seed: int = 1,
) -> dict[str, Any]:
    """Train both networks with each target, and measure the error of x̂_0 by noise level.

    unet_shown, dense_shown : digits that a network sees;  tested : unseen digits for the errors
    channels : of the U-Net at 14×14 and at 7×7 pixels
    generated : digits that are compared with real ones
    """
    digits = load_digits()
    say(digits.source)
    x = digits.x_train
    classifier = digit_classifier(x, digits.y_train, np.random.default_rng(seed))
    reader = experiment.Reader(classifier, digits.x_test)
    found: dict[str, dict[str, Any]] = {name: {} for name in NETWORKS}
    images, quality = {}, {}
    for name in NETWORKS:
        for target in TARGETS:
            rng = np.random.default_rng(seed)
            print(f"\nTraining a diffusion that predicts {target}: {name}")
            if name == "U-Net":
                model = experiment.unet(Diffusion, channels, rng, steps=250, predicts=target)
                experiment.fit(model, x, None, unet_shown, 4e-3, rng)
            else:
                model = experiment.dense(rng, steps=250, predicts=target)
                experiment.fit(model, x, None, dense_shown, 2e-3, rng)
            steps = [max(1, round(share * model.steps)) for share in SHARES]
            found[name][target] = experiment.error_by_step(model, digits.x_test[:tested], steps, seed)
            images[name, target] = model.sample(generated, rng=seed, steps=25, eta=0.0)
            quality[f"{name}, {target}"] = {"Fréchet": reader.frechet(images[name, target])}
    factors = {name: compared(model.noise.s, errors) for name, errors in found.items()}
    for name, rows in factors.items():
        title = f"{name}: error of the implied digit, as a multiple of the best target's"
        print_table(rows, title, dict.fromkeys(TARGETS, ".2f") | {"error": ".5f"})
    print_table(quality, "Generated digits", {"Fréchet": ".1f"})
    picture = save(draw(found, images, model.noise.s), out / "target_by_noise.png")
    return {"factors": factors, "quality": quality, "figure": picture}


def compared(noise: np.ndarray, errors: dict[str, dict[int, float]]) -> dict[str, dict[str, Any]]:
    """For each noise level s_t: the best target, its error, and the error of each as a multiple of it."""
    rows = {}
    for t in errors["x0"]:
        best = min(TARGETS, key=lambda target: errors[target][t])
        least = errors[best][t]
        row = {"best": best, "error": least} | {target: errors[target][t] / least for target in TARGETS}
        rows[f"s = {noise[t]:.3f}"] = row
    return rows


def draw(
    found: dict[str, dict[str, Any]], images: dict[tuple[str, str], np.ndarray], noise: np.ndarray
) -> Figure:
    """Plot the error by noise level for each target, and generated digits below."""
    figure = plots.new_figure(7.0, title="The best target depends on the noise and on the network")
    above, below = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    for ax, name in zip(above.subplots(1, len(NETWORKS), sharey=True), NETWORKS, strict=True):
        curves = {
            f"predicts {target}": ([step / (len(noise) - 1) for step in errors], list(errors.values()))
            for target, errors in found[name].items()
        }
        plot_lines(ax, curves)
        ax.set(yscale="log", ylim=(1e-4, 10))       # the error of eps grows to more than a million
        label = "squared error of the digit x̂_0, per pixel" if name == NETWORKS[0] else ""
        tidy(ax, name, "noise level t/T", label)
        ax.legend(frameon=False, fontsize=9)
    ax = below.subplots()
    rows = {f"{name.split(',')[0]}, {target}": x[:PICTURED] for (name, target), x in images.items()}
    show_rows(ax, rows, "generated; a column starts from the same noise")
    return figure


if __name__ == "__main__":
    run(main)
