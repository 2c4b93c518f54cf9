"""Twenty evaluations nearly replace a long chain.

A diffusion and a flow matching are trained on digits, with the same U-Net and the same number of digits. Then
they generate digits with different numbers of evaluations of the network: the diffusion with its whole chain
(ancestral sampling) and with DDIM, which visits some of its steps, and flow matching with Euler's method (one
evaluation per step) and Heun's (two per step).

The Fréchet distance in the features of a classifier compares generated with unseen digits. The seconds are
proportional to the evaluations, so the columns of the table answer which sampler is best for a given time.
"""

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.studies.experiments import digit_diffusion as experiment

from ..common import digit_classifier, plot_lines, print_table, run, save, say, show_rows, tidy

SHOWN = ("DDIM", "Euler", "Heun")      # with pictures


def main(
    out: Path,
    *,
    shown: int = 72_000,
    chain: int = 200,
    generated: int = 200,
    evaluations: tuple[int, ...] = (4, 10, 20, 40),
    channels: tuple[int, int] = (16, 32),
    seed: int = 1,
) -> dict[str, Any]:
    """Train both models, and generate digits with each sampler and number of evaluations.

    shown     : digits that each model sees, 12 epochs of 6,000
    chain     : steps of the diffusion's whole chain
    generated : digits for each sampler;  evaluations : of the network, for each of them
    channels  : of the U-Net at 14×14 and at 7×7 pixels
    """
    digits = load_digits()
    say(digits.source)
    x, y = digits.x_train, digits.y_train
    ordered = y[:generated]     # so the classes are as frequent as in the data
    reader = experiment.Reader(digit_classifier(x, y, np.random.default_rng(seed)), digits.x_test)
    models = {}
    for kind, settings in ((Diffusion, {"steps": chain}), (FlowMatching, {"times": "logit-normal"})):
        print(f"\nTraining a {kind.__name__} with a U-Net")
        rng = np.random.default_rng(seed)
        models[kind] = experiment.unet(kind, channels, rng, classes=10, **settings)
        experiment.fit_unet(models[kind], x, y, shown, rng)

    table: dict[str, dict[str, float]] = {}
    curves: dict[str, dict[int, float]] = {}
    images = {}
    for sampler, kind, used, settings in samplers(chain, evaluations):
        start = perf_counter()
        found = np.clip(models[kind].sample(generated, rng=seed, y=ordered, **settings), 0, 1)
        row = {"evaluations": used, "seconds": perf_counter() - start, "Fréchet": reader.frechet(found)}
        table[f"{sampler}, {used}"] = row
        curves.setdefault(sampler, {})[used] = row["Fréchet"]
        images[sampler, used] = found
    table["training digits"] = {"Fréchet": reader.frechet(x[:generated])}
    title = f"{generated} digits from each sampler"
    print_table(table, title, {"seconds": ".1f", "Fréchet": ".1f"})
    columns = np.unique(ordered, return_index=True)[1]      # the first of each digit
    shown_images = {key: found[columns] for key, found in images.items()}
    figure = draw(curves, shown_images, table["training digits"]["Fréchet"])
    return {"table": table, "figure": save(figure, out / "steps_and_quality.png")}


def samplers(chain: int, evaluations: tuple[int, ...]) -> list[tuple[str, type[Any], int, dict[str, Any]]]:
    """The name, model, number of evaluations and arguments of `sample` of each sampler."""
    found: list[tuple[str, type[Any], int, dict[str, Any]]] = [("whole chain", Diffusion, chain, {})]
    found += [("DDIM", Diffusion, n, {"steps": n, "eta": 0.0}) for n in evaluations]
    found += [("Euler", FlowMatching, n, {"steps": n, "method": "euler"}) for n in evaluations]
    found += [("Heun", FlowMatching, n // 2 * 2, {"steps": n // 2, "method": "heun"}) for n in evaluations]
    return found


def draw(
    curves: dict[str, dict[int, float]], images: dict[tuple[str, int], np.ndarray], real: float
) -> Figure:
    """Plot the Fréchet distance by evaluations, and some digits of each sampler."""
    figure = plots.new_figure(7.6, title="Twenty evaluations nearly replace a long chain")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.3))
    ax = above.subplots()
    plot_lines(ax, {name: (list(points), list(points.values())) for name, points in curves.items()})
    ax.axhline(real, color=plots.GREY, linestyle="--", label="training digits")
    ax.set_xscale("log")
    ticks = sorted({evaluations for points in curves.values() for evaluations in points})
    ax.set_xticks(ticks, map(str, ticks))
    ax.minorticks_off()
    ax.set_ylim(0)
    tidy(ax, "", "evaluations of the network for each digit", "Fréchet distance (lower is better)")
    ax.legend(frameon=False, fontsize=9.5)
    ax = below.subplots()
    few, enough = sorted(curves["DDIM"])[0], sorted(curves["DDIM"])[-2]
    chosen = [(name, count) for count in (few, enough) for name in SHOWN] + [("whole chain", max(ticks))]
    rows = {f"{name}, {evaluations}": images[name, evaluations] for name, evaluations in chosen}
    show_rows(ax, rows, "digits by sampler and evaluations, each column from one noise")
    return figure


if __name__ == "__main__":
    run(main)
