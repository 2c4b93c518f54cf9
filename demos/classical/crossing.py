"""Naive Bayes is better on some data with few examples.

Ng and Jordan (2001) argue that the error curves of naive Bayes and logistic regression should cross: naive
Bayes comes close to its lowest error with fewer examples, but its lowest error is higher. Here, both are
measured on the same splits of five data sets, from two examples per class on. A grey area shows where the
curves cross. Whether they do depends on the data. The table shows where the difference is not significant.

The plot of 28×28 digits also has density models, used as classifiers by Bayes' theorem: MADE, which does not
need the naive assumption, and a NICE for each class on grey pixels. They have fewer repeats, and their
training length is not tuned. The effect of more training depends on the number of examples: try `updates`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.studies.experiments import crossing as experiment
from scratchgen.studies.experiments.crossing import DIGITS, LOGISTIC, NAIVE, Curves

from ..common import print_table, run, save, say, tidy

TABLES = {"iris": "iris", "wine": "wine", "breast_cancer": "breast cancer", "digits": "digits, 8×8"}
TICKS = (5, 10, 20, 50, 100, 200, 500, 2000)


def main(
    out: Path, *, repeats: int = 40, largest: int = 2000, updates: int = 800, draws: int = 3
) -> dict[str, Any]:
    """Measure naive Bayes and logistic regression on every data set.

    repeats : splits at each size; 8×8 digits have a quarter as many, and 28×28 digits an eighth
    largest : largest number of 28×28 digits to train on
    updates : of MADE; each of the ten NICEs makes about half as many; 0 leaves both out
    draws   : number of splits for MADE and NICE, at least two; they are the first of 28×28 digits
    """
    draws = max(2, draws)       # one split has no standard error
    digits = load_digits()
    say(digits.source)
    sets = tables(repeats)
    sets.append(experiment.binary_digits(digits, max(2, repeats // 8), largest))
    curves = {}
    for data in sets:
        curves[data.title] = experiment.compare(data)
        rows = {f"{n:,} examples": row for n, row in curves[data.title].rows().items()}
        title = f"{data.title}: test error, mean of {data.repeats} splits ± its standard error"
        print_table(rows, title, {"difference in standard errors": ".1f"})
    print("\nDo the curves cross, each lower somewhere by more than 2 standard errors?")
    for title, measured in curves.items():
        say(f"{title}: {measured.verdict}")
    densities = experiment.density_curves(digits, sets[-1].sizes, updates, draws) if updates else {}
    if densities:
        rows = {
            f"{n:,} examples": {name: experiment.text(by_size[n]) for name, by_size in densities.items()}
            for n in densities["MADE"]
        }
        print_table(rows, f"Bayes classifiers on the same digits, {draws} splits; NICE on grey pixels")
    picture = save(draw(curves, densities), out / "crossing.png")
    return {"curves": curves, "densities": densities, "figure": picture}


def tables(repeats: int) -> list[experiment.Data]:
    """The data sets of scikit-learn; none if it is not installed."""
    try:
        from sklearn import datasets
    except ImportError:
        say("scikit-learn is not installed, so its four data sets are left out")
        return []
    loaded = {title: getattr(datasets, f"load_{name}")(return_X_y=True) for name, title in TABLES.items()}
    return [experiment.table(title, X, y, repeats) for title, (X, y) in loaded.items()]


def draw(curves: dict[str, Curves], densities: dict[str, dict[int, tuple[float, float]]]) -> Figure:
    """Plot the error against the number of examples, in a panel for each data set."""
    figure = plots.new_figure(5.6, title="Test error by the number of examples: counted, or learned directly")
    axes = figure.subplots(2, 3).ravel()
    for ax in axes[len(curves) :]:
        ax.set_axis_off()
    for ax, (title, measured) in zip(axes, curves.items(), strict=False):
        draw_curve(ax, NAIVE, 1, measured.sizes, measured.naive)
        draw_curve(ax, LOGISTIC, 0, measured.sizes, measured.logistic)
        if title == DIGITS:
            for line, (name, by_size) in enumerate(densities.items(), start=2):
                draw_curve(ax, name, line, list(by_size), list(by_size.values()))
        if measured.crossing:
            ax.axvspan(*measured.crossing, color="#dddddd", alpha=0.6, linewidth=0)
        tidy(ax, f"{title}: {'they cross in the grey' if measured.crossing else 'no crossing'}", size=9.5)
        ax.set_xscale("log")
        low, high = measured.sizes[0], measured.sizes[-1]
        ticks = [n for n in TICKS if low <= n <= high]
        ax.set_xticks(ticks, [f"{n:,}" for n in ticks], fontsize=8.5)
        ax.minorticks_off()
        ax.set_xlim(low / 1.1, high * 1.1)
        ax.set_ylim(bottom=0)
    for ax in axes[: len(curves) : 3]:
        ax.set_ylabel("test error, %", fontsize=9.5, color=plots.TEXT)
    for ax in axes[max(0, len(curves) - 3) : len(curves)]:
        ax.set_xlabel("training examples", fontsize=9.5, color=plots.TEXT)
    handles, labels = axes[len(curves) - 1].get_legend_handles_labels()
    title = "bands: ± 2 standard errors"
    axes[-1].legend(handles, labels, frameon=False, fontsize=10, loc="center", title=title)
    return figure


def draw_curve(ax: Axes, name: str, line: int, sizes: list[int], errors: experiment.Errors) -> None:
    """Plot the mean error in percent, with a band of two standard errors."""
    colour, marker = plots.LINES[line]
    mean, error = 100 * np.array(errors).T
    ax.plot(sizes, mean, color=colour, marker=marker, markersize=4, linewidth=1.8, label=name)
    ax.fill_between(sizes, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.2, linewidth=0)


if __name__ == "__main__":
    run(main)
