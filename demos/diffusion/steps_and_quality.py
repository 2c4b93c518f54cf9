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

from ..common import digit_classifier, mosaic, plot_lines, print_table, run, save, say, show_image, tidy

COLUMNS = 8         # of the figure


def main(
    out: Path,
    *,
    shown: int = 30_000,
    chain: int = 200,
    generated: int = 200,
    evaluations: tuple[int, ...] = (5, 10, 20, 50, 100),
    channels: tuple[int, int] = (16, 32),
    seed: int = 1,
) -> dict[str, Any]:
    """Train both models, and generate digits with each sampler and number of evaluations.

    shown     : digits that each model sees, 5 epochs of 6,000
    chain     : steps of the diffusion's whole chain
    generated : digits for each sampler;  evaluations : of the network, for each of them
    channels  : of the U-Net at 14×14 and at 7×7 pixels
    """
    digits = load_digits()
    say(digits.source)
    x = digits.x_train
    classifier = digit_classifier(x, digits.y_train, np.random.default_rng(seed))
    reader = experiment.Reader(classifier, digits.x_test)
    models = {}
    for kind, settings in ((Diffusion, {"steps": chain}), (FlowMatching, {})):
        print(f"\nTraining a {kind.__name__} with a U-Net")
        rng = np.random.default_rng(seed)
        models[kind] = experiment.unet(kind, channels, rng, **settings)
        experiment.fit(models[kind], x, None, shown, 4e-3, rng)

    table: dict[str, dict[str, float]] = {}
    curves: dict[str, dict[int, float]] = {}
    images = {}
    for sampler, kind, used, settings in samplers(chain, evaluations):
        start = perf_counter()
        found = np.clip(models[kind].sample(generated, rng=seed, **settings), 0, 1)
        row = {"evaluations": used, "seconds": perf_counter() - start, "Fréchet": reader.frechet(found)}
        table[f"{sampler}, {used}"] = row
        curves.setdefault(sampler, {})[used] = row["Fréchet"]
        images[sampler, used] = found
    table["training digits"] = {"Fréchet": reader.frechet(x[:generated])}
    title = f"{generated} digits from each sampler"
    print_table(table, title, {"seconds": ".1f", "Fréchet": ".1f"})
    picture = save(draw(curves, images, table["training digits"]["Fréchet"]), out / "steps_and_quality.png")
    return {"table": table, "figure": picture}


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
    figure = plots.new_figure(6.6, title="Twenty evaluations nearly replace a long chain")
    above, below = figure.subfigures(2, 1, height_ratios=(2.4, 1))
    ax = above.subplots()
    plot_lines(ax, {name: (list(points), list(points.values())) for name, points in curves.items()})
    ax.axhline(real, color=plots.GREY, linestyle="--", label="training digits")
    ax.set(xscale="log", yscale="log")
    ticks = sorted({evaluations for points in curves.values() for evaluations in points})
    ax.set_xticks(ticks, map(str, ticks))
    ax.minorticks_off()
    tidy(ax, "", "evaluations of the network for each digit", "Fréchet distance (lower is better)")
    ax.legend(frameon=False, fontsize=9.5)
    names = [name for name, points in curves.items() if len(points) > 1]
    for ax, place in zip(below.subplots(1, 3), (0, len(curves["DDIM"]) // 2, -1), strict=True):
        chosen = [(name, list(curves[name])[place]) for name in names]
        show_image(ax, mosaic(np.concatenate([images[key][:COLUMNS] for key in chosen]), len(names)))
        labels = [f"{name}, {evaluations}" for name, evaluations in chosen]
        ax.set_yticks([28 * i + 13.5 for i in range(len(names))], labels, fontsize=9)
        ax.tick_params(length=0)
    return figure


if __name__ == "__main__":
    run(main)
