"""Reparameterised gradients need far fewer samples.

Two estimators of the gradient of E[f(z)], z ~ N(mu, std²), are equal on average. One differentiates f through
z = mu + std·eps. The other, the score function, needs only values of f. First, f is a quadratic whose
gradient is known; then it is the loss of a VAE's decoder on one digit of each class. Look at the distance
between the lines.

With a baseline, which makes the comparison fair, the score function needs 10 times as many samples for the
same error on the decoder, and 20 times as many on the quadratic. Without a baseline, it needs 12,000 and 143
times as many. Nearly all of this is due to an offset: f is about 120 nats for every z, and the noise of the
score multiplies this constant.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.models import VAE
from scratchgen.studies.experiments import gradient_estimators as experiment
from scratchgen.studies.experiments.gradient_estimators import MANY, NAMES, SAMPLES

from ..common import plot_lines, print_table, run, save, say, tidy, train

CODE = 10
FORMATS = {"variance per sample": ",.1f", "samples needed: least": ",.1f", "all": ",.1f", "most": ",.1f"}


def main(out: Path, *, shown: int = 60_000, draws: int = 8_192, seed: int = 1) -> dict[str, Any]:
    """Train a VAE, and estimate both gradients in three ways.

    shown : digits that the VAE sees, 10 epochs of 6,000
    draws : codes for each digit, and eight times as many for the quadratic
    """
    digits = load_digits()
    say(digits.source)
    rng = np.random.default_rng(seed)
    quadratic = experiment.quadratic(CODE, 8 * draws, rng)
    vae = VAE.dense((784, 400, CODE), rng=rng)
    say(f"\nTraining a VAE 784-400-{CODE}; {vae.data_note}")
    train(vae, digits.x_train, shown=shown, lr=3e-3, rng=rng)

    level = np.random.default_rng(seed)
    decoder, offset, spread = [], [], []
    for k in range(10):
        f, mu, logvar = experiment.reconstruction(vae, digits.x_test[digits.y_test == k][:1], rng)
        values, _ = f(Normal.sample(mu, logvar, level.standard_normal((1024, CODE))))
        offset.append(values.mean())
        spread.append(values.std())
        decoder.append(experiment.decoder(f, mu, logvar, draws, rng))

    results: dict[str, Any] = {"level": float(np.mean(offset)), "spread": float(np.mean(spread))}
    panels = {}
    for key, title, cases in (
        ("quadratic", "a quadratic, f(z) = Σ (z − c)²", [quadratic]),
        ("decoder", "a decoder, f(z) = −log p(x | z)", decoder),
    ):
        table = results[key] = experiment.compare(cases)
        needed = "samples needed: for the variance of one that is reparameterised"
        print_table(table, f"{title}; {needed}", FORMATS)
        plain, baseline = (table[name]["variance per sample"] - table[NAMES[0]]["variance per sample"]
                           for name in NAMES[1:])  # fmt: skip
        table[NAMES[2]]["removed"] = 1 - baseline / plain
        print(f"a baseline removes {1 - baseline / plain:.1%} of the score function's extra variance")
        panels[title] = {name: errors(cases, name) for name in NAMES}
    print(f"\nf of a digit: {results['level']:.0f} nats, ±{results['spread']:.1f} from code to code")
    return results | {"figure": save(draw(panels), out / "reparameterisation.png")}


def errors(cases: list[experiment.Case], name: str) -> tuple[list[int], list[float]]:
    """The relative error for each number of samples; a baseline needs two or more samples."""
    samples = [s for s in SAMPLES if s > 1 or name != NAMES[2]]
    return samples, [experiment.relative_error(cases, name, s) for s in samples]


def draw(panels: dict[str, dict[str, tuple[list[int], list[float]]]]) -> Figure:
    """Plot relative error against samples on logarithmic axes, in a panel for each function."""
    figure = plots.new_figure(4.6, title="Three estimators of the same gradient through a random code")
    axes = figure.subplots(1, len(panels), sharey=True)
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        plot_lines(ax, curves)
        ax.set(xscale="log", yscale="log")
        ax.axhline(1, color=plots.GREY, linewidth=1, linestyle=":")
        many = {name: values[samples.index(MANY)] for name, (samples, values) in curves.items()}
        score, baseline = ((many[name] / many[NAMES[0]]) ** 2 for name in NAMES[1:])
        needed = f"score, baseline: {baseline:,.0f}× the samples; without: {score:,.0f}×"
        tidy(ax, f"{title}\n{needed}", "samples of the code in an estimate")
        ax.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
        ax.minorticks_off()
    axes[0].set_ylabel("error / length of the gradient", fontsize=9.5, color=plots.TEXT)
    axes[1].legend(frameon=False, fontsize=9.5, loc="upper right")
    return figure


if __name__ == "__main__":
    run(main)
