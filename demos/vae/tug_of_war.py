"""The decoder's slope determines the noise of VAE codes.

The decoder's gradient lowers the noise of the codes and the KL's gradient raises it. A common claim is that
the encoder lowers its noise while the decoder is bad, and raises it when the decoder is good. The
measurements show something else: the best noise is sqrt(1 / (1 + H)), where H measures how steeply the
decoder's output changes with z (studies/experiments/posterior_noise.py). An untrained decoder ignores z, and
the noise stays near 1.

Half-way, the decoder is damaged in two ways; a third run is the control. With shuffled weights, the output
hardly changes with z, and the noise grows until the decoder has learned again. With noise added to the
weights, the output is wrong but as steep as before, and the noise shrinks. The dotted lines are the
prediction from the decoder alone.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.studies.experiments import posterior_noise as experiment

from ..common import epochs_for, print_table, run, save, say, tidy

COLOURS = {"undamaged": plots.GREY, "shuffled": plots.LINES[0][0], "noised": plots.LINES[1][0]}


def main(out: Path, *, shown: int = 120_000, seed: int = 1) -> dict[str, Any]:
    """Train three VAEs that differ only in the damage half-way.

    shown : digits that each sees, 20 epochs of 6,000
    """
    digits = load_digits()
    say(digits.source)
    epochs = epochs_for(shown, digits.x_train)
    runs = {}
    for kind in experiment.KINDS:
        print(f"\nTraining a VAE 784-400-20; half-way the first layer of its decoder is {kind}")
        runs[kind], damaged = experiment.train(digits.x_train, digits.x_test[:500], kind, epochs, seed=seed)
    moments = experiment.moments(runs, damaged)
    title = (
        "Training digits: reconstruction error and KL in nats, std of the noise. Test digits: their std, "
        "predicted std sqrt(1 / (1 + H)), the correlation of both, and the decoder's gradient by the "
        "log-variance, which asks for more noise where it is negative"
    )
    formats = dict.fromkeys(("std", "test std", "pred. std"), ".3f") | {"error": ".1f", "KL": ".1f"}
    print_table(moments, title, formats)
    ratios = experiment.against_undamaged(runs, damaged)
    title = "Noise and error over those of the undamaged run, steps 5 to 30 after the damage"
    print_table(ratios, title, {"std": ".3f", "reconstruction": ".3f"})
    correlation = experiment.correlation_with_error(runs["undamaged"])
    print(f"\nUndamaged run: correlation of the noise with the error (logarithms) {correlation:.2f}")
    picture = save(draw(runs, damaged), out / "tug_of_war.png")
    return {"moments": moments, "ratios": ratios, "correlation": correlation, "figure": picture}


def draw(runs: dict[str, experiment.Run], damaged: int) -> Figure:
    """Plot runs from the start (left) and from the damage (right); last row: prediction, noise in detail."""
    fig = plots.new_figure(8.6, title="The noise follows how steeply the decoder responds to the code")
    axes = fig.subplots(5, 2, height_ratios=(1, 1, 1, 1, 1.4))
    names = ("reconstruction\nerror, nats", "KL, nats", "noise: mean std", "gradient by the\nlog-variance")
    for (left, right), name in zip(axes, names, strict=False):
        tidy(left, ylabel=name)
        tidy(right)
        right.sharey(left)
        right.tick_params(labelleft=False)
        for ax in (left, right):
            if ax is not axes[0, 0]:
                ax.sharex(axes[0, 0])
            ax.tick_params(labelbottom=name is names[3])
    for kind, one in runs.items():
        steps = np.arange(1, len(one.history.steps["std"]) + 1)
        for column, since, phase in ((0, 0, steps <= damaged), (1, damaged, steps > damaged)):
            if column == 0 and kind != "undamaged":
                continue        # before the damage the runs are the same
            style = {"color": plots.TEXT if column == 0 else COLOURS[kind], "linewidth": 1.4}
            for ax, key in zip(axes[:3, column], ("reconstruction", "kl", "std"), strict=True):
                ax.plot(steps[phase] - since, np.array(one.history.steps[key])[phase], label=kind, **style)
            rows = np.array([m for m in one.measurements if phase[m.step - 1]])
            x = rows[:, 0] - since
            axes[2, column].plot(x, rows[:, 4], ":", label="predicted", **style)
            axes[3, column].plot(x, rows[:, 1], label="decoder, for less noise", **style)
            axes[3, column].plot(x, rows[:, 2], "--", label="KL, for more noise", **style)
        if kind != "shuffled":
            after = one.history.steps["std"][damaged:][:100]
            axes[4, 1].plot(steps[: len(after)], after, color=COLOURS[kind])
    predicted, std = one.before
    axes[4, 0].plot([0, 1.1], [0, 1.1], color=plots.GREY, linewidth=0.8)
    axes[4, 0].scatter(predicted, std, s=2, color=plots.TEXT, alpha=0.3, linewidths=0)
    axes[4, 0].set(xlim=(0, 1.1), ylim=(0, 1.1))
    title = "before the damage, each digit and dimension"
    tidy(axes[4, 0], title, "predicted: sqrt(1/(1+H))", "noise: std")
    tidy(axes[4, 1], "noise in detail", "updates since the damage")
    for ax, ticks in ((axes[0, 0], (100, 200, 400)), (axes[1, 0], (1, 10, 50))):
        ax.set_yscale("log")
        ax.set_yticks(ticks, [str(tick) for tick in ticks])
    axes[2, 0].set_ylim(0, 1.25)
    axes[3, 0].set_ylim(-0.2, 0.6)
    axes[0, 0].set_title("from the start", fontsize=10)
    axes[0, 1].set_title(f"after step {damaged}, with the decoder", fontsize=10)
    axes[0, 1].legend(frameon=False, fontsize=9)
    axes[2, 0].legend(axes[2, 0].lines, ["noise", "predicted: sqrt(1/(1+H))"], frameon=False, fontsize=9)
    axes[3, 0].legend(frameon=False, fontsize=9)
    axes[0, 0].set_xscale("log")
    axes[0, 0].set_xticks([1, 10, 100], ["1", "10", "100"])
    for ax in axes[:2].flat:
        ax.minorticks_off()
    axes[3, 0].set_xlabel("updates (logarithmic)", fontsize=9.5, color=plots.TEXT)
    axes[3, 1].set_xlabel("updates since the damage (logarithmic)", fontsize=9.5, color=plots.TEXT)
    return fig


if __name__ == "__main__":
    run(main)
