"""Most bits pay for noise that no one sees.

The variational bound of a diffusion is a sum over its steps. In bits per pixel, most of the bound is due to
the steps with the least noise, in which the digit can be seen completely. To show it, sampling ends early:
the guess of the network before these steps is as good a digit as the one after them.

The first table compares loss and samples during training, from about the end of the first epoch on, after the
steep fall of the loss.

Look at the columns of the figure from top to bottom: each starts from the same noise.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import Diffusion
from scratchgen.studies.experiments import digit_diffusion as experiment

from ..common import digit_classifier, plot_lines, print_table, run, save, say, show_rows, tidy

MOMENTS = (0.05, 0.15, 0.3, 0.6, 1.0)   # of the training
LATER = 1       # index of the moment from which on loss and samples are compared: one epoch, at full size
PARTS = (0.004, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)      # steps that are measured, as shares of T


def main(
    out: Path, *, shown: int = 42_000, steps: int = 250, generated: int = 300, bounded: int = 64,
    channels: tuple[int, int] = (16, 32), seed: int = 1,
) -> dict[str, Any]:
    """Train a diffusion; measure loss and generated digits on the way, and the bound at the end.

    shown     : digits that the model sees, 7 epochs of 6,000;  steps : T
    channels  : of the U-Net at 14×14 and at 7×7 pixels
    generated : digits at each moment;  bounded : unseen digits whose bound is computed
    """
    digits = load_digits()
    say(digits.source)
    x, y, x_test, y_test = digits.x_train, digits.y_train, digits.x_test, digits.y_test
    ordered = y[:generated]     # so the classes are as frequent as in the data
    reader = experiment.Reader(digit_classifier(x, y, np.random.default_rng(seed)), x_test)
    rng = np.random.default_rng(seed)
    model = experiment.unet(Diffusion, channels, rng, steps=steps, classes=10)
    print("\nTraining a diffusion with a U-Net")
    stages = experiment.Stages(model, x_test[:500], y_test[:500], ordered, MOMENTS)
    experiment.fit_unet(model, x, y, shown, rng, stages)
    training = {
        f"{stage.shown:,}": {"loss": stage.loss, "Fréchet": reader.frechet(stage.images)}
        for stage in stages.found
    }
    training["training digits"] = {"Fréchet": reader.frechet(x[:generated])}
    formats = {"loss": ".3f", "Fréchet": ".1f"}
    print_table(training, "By the digits shown: loss of unseen digits, and generated digits", formats)
    first, last = (training[f"{stages.found[i].shown:,}"] for i in (LATER, -1))
    later = {name: last[name] / first[name] - 1 for name in formats}
    print(f"\nFrom the second moment to the last: loss {later['loss']:+.0%}, Fréchet {later['Fréchet']:+.0%}")

    bound = model.bits_per_dim(x_test[:bounded], y_test[:bounded], rng=seed)
    terms = {"prior": bound.prior, "steps 2 to T": bound.steps.sum(axis=1), "last step": bound.data}
    total = float(bound.total.mean())
    rows = {name: {"bits/dim": float(term.mean())} for name, term in terms.items()}
    print_table(rows | {"bound": {"bits/dim": total}}, "Terms of the bound", {"bits/dim": ".4f"})
    bits = np.concatenate([bound.data[:, None], bound.steps], axis=1).mean(axis=0)      # of step 1 … T
    ends = [max(1, round(part * steps)) for part in PARTS]
    losses = {t: experiment.mean_loss(model, x_test[:250], y_test[:250], t) for t in ends}
    skipped = {
        f"t = {t}": {
            "noise s": float(model.noise.s[t]), "loss": losses[t], "bits below": bits[:t].sum() / total,
            "Fréchet": reader.frechet(experiment.stopped(model, t, ordered, seed)),
        }
        for t in ends
    }  # fmt: skip
    title = "By step: loss, share of the bits at this and smaller t, and digits if sampling ends there"
    print_table(skipped, title, {"noise s": ".3f", "loss": ".3f", "bits below": ".1%", "Fréchet": ".1f"})
    picture = save(draw(training, stages.found, ordered, bits, losses), out / "where_bits_go.png")
    found = {"training": training, "later": later, "terms": rows, "total": total, "skipped": skipped}
    return found | {"figure": picture}


def draw(
    training: dict[str, dict[str, float]], stages: list[experiment.Stage], ordered: np.ndarray,
    bits: np.ndarray, losses: dict[int, float],
) -> Figure:
    """Plot bits and loss by step, loss and Fréchet distance during training, and digits on the way."""
    figure = plots.new_figure(7.0, title="Most bits pay for noise that no one sees")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.35))
    left, middle, right = above.subplots(1, 3)
    left.plot(range(1, len(bits) + 1), bits.cumsum() / bits.sum(), color=plots.LINES[0][0], linewidth=1.8)
    tidy(left, "share of all bits, up to step t", "step t, from little to much noise")
    plot_lines(middle, {"": (list(losses), list(losses.values()))})
    tidy(middle, "loss by step", "step t, from little to much noise")
    first = training[f"{stages[LATER].shown:,}"]
    curves = {
        f"{name} (from {first[name]:.3g})": (
            [stage.shown / 1000 for stage in stages[LATER:]],
            [training[f"{stage.shown:,}"][name] / first[name] for stage in stages[LATER:]],
        )
        for name in ("loss", "Fréchet")
    }
    plot_lines(right, curves)
    tidy(right, "training, as a share of the first", "thousands of digits shown")
    right.legend(frameon=False, fontsize=9)
    for ax, scale in ((left, "log"), (middle, "log"), (right, "linear")):
        ax.set(xscale=scale)
        ax.set_ylim(0)
    ax = below.subplots()
    columns = np.unique(ordered, return_index=True)[1]      # the first of each digit
    rows = {f"{stage.shown:,}: loss {stage.loss:.3f}": stage.images[columns] for stage in stages}
    show_rows(ax, rows, "generated after so many digits; a column starts from one noise")
    return figure


if __name__ == "__main__":
    run(main)
