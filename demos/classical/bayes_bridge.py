"""Bayes' theorem agrees exactly with counting.

Each x is three binary pixels of a three or a five, so there are eight possible x. One table counts P(y | x).
Another counts P(x | y) and P(y), and divides by P(x). Both are equal: look at the pairs of equal bars.

But the table of P(x | y) has 2^k rows for k pixels. With 20 pixels, nine of ten test digits have a row that
was never counted. Naive Bayes needs only k numbers per class. Its assumption is wrong, because pixels depend
on each other, as the bars for three pixels show. But with few pixels this costs little accuracy, and with
more pixels naive Bayes is better than counting.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import BernoulliNaiveBayes
from scratchgen.studies.experiments import counting as experiment

from ..common import plot_lines, print_table, run, save, say, tidy

PAIR = (3, 5)
SIZES = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 30, 40)
BARS = ("by Bayes", "counted", "naive Bayes")


def main(out: Path, *, examples: int = 600) -> dict[str, Any]:
    """Compare P(y | x) by counting, by Bayes' theorem and by naive Bayes.

    examples : number of digits to count; the other digits are classified
    """
    digits = load_digits()
    say(digits.source)
    x, y = experiment.binary_pair(digits.x_train[:6000], digits.y_train[:6000], PAIR)
    x, x_test, y, y_test = x[:examples], x[examples:], y[:examples], y[examples:]
    chosen = experiment.most_different_pixels(x, y, max(SIZES))
    print(f"{len(x)} training and {len(x_test)} test digits: {PAIR[0]} (y = 0) or {PAIR[1]} (y = 1)")

    rows = experiment.bayes_theorem(x[:, chosen[:3]], y)
    formats = dict.fromkeys(("P(x | 0)", "P(x | 1)", *BARS), ".4f")
    print_table(rows, "P(y = 1 | x) of three pixels x, in three ways", formats)
    by_bayes, counted, naive = (np.array([row[name] for row in rows.values()]) for name in BARS)
    differences = {"by Bayes": np.abs(by_bayes - counted).max(), "naive Bayes": np.abs(naive - counted).max()}
    for name, difference in differences.items():
        print(f"largest difference from the counted table: {name} {difference:.2g}")

    errors = {}
    for k in SIZES:
        part = chosen[:k]
        unseen, predicted = experiment.table_predicts(x[:, part], y, x_test[:, part])
        naive_bayes = BernoulliNaiveBayes().fit(x[:, part], y)
        errors[k] = {
            "rows of the table": 2.0**k,
            "test digits in unseen rows": unseen.mean(),
            "error of the table": (predicted != y_test).mean(),
            "error of naive Bayes": 1 - naive_bayes.score(x_test[:, part], y_test),
        }
    formats = dict.fromkeys(errors[1], ".1%") | {"rows of the table": ",.0f"}
    print_table({f"{k} pixels": row for k, row in errors.items()}, "By the number of pixels", formats)
    picture = save(draw(rows, errors), out / "bayes_bridge.png")
    return {"rows": rows, "differences": differences, "errors": errors, "figure": picture}


def draw(rows: dict[str, dict[str, float]], errors: dict[int, dict[str, float]]) -> Figure:
    """Plot P(y | x) of each row in three ways, and the errors for each number of pixels."""
    figure = plots.new_figure(4.4, title="P(y | x) from a table: exact while everything can be counted")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    colours = plots.LINES[0][0], "#9ecae1", plots.LINES[1][0]
    for i, (name, colour) in enumerate(zip(BARS, colours, strict=True)):
        place = np.arange(len(rows)) + 0.27 * (i - 1)
        left.bar(place, [row[name] for row in rows.values()], width=0.25, color=colour, label=name)
    tidy(left, "P(a 5 | x), of threes and fives", "three pixels, 1 for white")
    left.set_xticks(range(len(rows)), list(rows), fontsize=8.5)
    left.set(ylim=(0, 1.3), yticks=[0, 0.25, 0.5, 0.75, 1])
    left.legend(frameon=False, fontsize=8.5, ncols=3, loc="upper center", columnspacing=0.8, handlelength=1)
    names = ("error of the table", "error of naive Bayes", "test digits in unseen rows")
    plot_lines(right, {name: (SIZES, [100 * row[name] for row in errors.values()]) for name in names})
    tidy(right, "percent of the test digits", "pixels in x")
    right.set_xscale("log")
    right.set_xticks(SIZES, [str(k) if k not in (10, 16, 30) else "" for k in SIZES])
    right.minorticks_off()
    right.set_ylim(0, 100)
    right.legend(frameon=False, fontsize=9, loc="upper left")
    return figure


if __name__ == "__main__":
    run(main)
