"""Ng and Jordan's crossing: with few examples naive Bayes errs less, with many logistic regression does.

Both have linear logits, but one counts and the other minimises the loss of its answers. Ng and Jordan (2001)
argue that counting needs some log d examples to come near its best, d the number of features, and the other
some d, while the best of counting is worse: so their curves should cross. Here each is measured on five data
sets, from two examples a class on. At every size the same draws go to both.

Whether they cross depends on the data, and the table says what came out, also where the noise leaves no
difference. For 28×28 digits, density models stand on the same axis, made classifiers by Bayes' theorem: MADE,
which drops the naive assumption, and a NICE for each class, whose density is one of grey pixels. They have
fewer draws and one budget, untuned: what more training does depends on the number of examples; try `updates`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scratchgen import plots
from scratchgen.data import dequantise, load_digits
from scratchgen.models import (
    MADE,
    NICE,
    BayesClassifier,
    BernoulliNaiveBayes,
    GaussianNaiveBayes,
    LogisticRegression,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
L2 = 1e-4               # keeps the weights finite where a few examples can be separated
NAIVE, LOGISTIC = "naive Bayes", "logistic regression"
TABLES = {"iris": "iris", "wine": "wine", "breast_cancer": "breast cancer", "digits": "digits, 8×8"}


class Data(NamedTuple):
    """One data set, and at which sizes it is measured: each draw splits it anew, or has a test set given."""

    title: str
    X: np.ndarray
    y: np.ndarray
    sizes: list[int]
    repeats: int
    test: tuple[np.ndarray, np.ndarray] | None = None

    def split(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """X, y of n examples to learn from, two of each class among them; X, y to be asked about."""
        order = rng.permutation(len(self.y))
        half = len(order) if self.test else len(order) // 2
        first = [order[:half][self.y[order[:half]] == k][:2] for k in range(self.y.max() + 1)]
        chosen = np.concatenate(first)
        rows = np.concatenate([chosen, np.setdiff1d(order[:half], chosen)])
        rows[len(chosen) :] = rng.permutation(rows[len(chosen) :])
        X_test, y_test = self.test or (self.X[order[half:]], self.y[order[half:]])
        return self.X[rows[:n]], self.y[rows[:n]], X_test, y_test


def main(out: Path, repeats: int = 40, largest: int = 2000, updates: int = 800, draws: int = 3) -> None:
    """Measure, print the table, draw.

    repeats : draws of the training examples at each size; a quarter of it for 8×8 digits, an eighth for 28×28
    largest : most digits of 28×28 to learn from
    updates : for MADE, and about half of it for each of ten NICEs; 0 leaves both out
    draws : of the examples for these two, the first of those at 28×28; two or more
    """
    sets = [*tables(repeats), digits(max(2, repeats // 8), largest)]
    curves = {}
    print("data set         examples   error, mean of the draws ± its standard error    difference in")
    print("                 to learn      naive Bayes      logistic regression         standard errors")
    for data in sets:
        curves[data.title] = measured = compare(data)
        for n, naive, logistic, gap in zip(*measured, strict=True):
            said = "same" if abs(gap) < 2 else NAIVE + " less" if gap < 0 else LOGISTIC + " less"
            both = f"{naive[0]:13.1%} ± {naive[1]:4.1%}{logistic[0]:14.1%} ± {logistic[1]:4.1%}"
            print(f"{data.title:16}{n:8,}{both}{gap:19.1f}   {said}")
    print("\nDoes each win somewhere, naive Bayes with fewer examples, by more than 2 standard errors?")
    for title, (sizes, _, _, gaps) in curves.items():
        print(f"{title:16}{verdict(sizes, gaps)}")
    others = densities(sets[-1], updates, draws) if updates else {}
    picture = plots.save(draw(curves, others), out / "crossing.png")
    print(f"\n{picture} is drawn")


def tables(repeats: int) -> list[Data]:
    """The data sets that come with scikit-learn, each feature with spread 1; none without it."""
    try:
        from sklearn import datasets
    except ImportError:
        print("scikit-learn is not installed, so its four data sets are left out")
        return []
    found = []
    for name, title in TABLES.items():
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
        y, some = y.astype(np.int64), max(3, repeats // 4) if len(X) > 1000 else repeats
        found.append(Data(title, X, y, sizes(2 * (y.max() + 1), len(X) // 2), some))
    return found


def digits(repeats: int, largest: int) -> Data:
    """MNIST, pixels black or white."""
    d = load_digits()
    print(d.source)
    X, X_test = ((x > 0.5).astype(np.float32) for x in (d.x_train[:6000], d.x_test[:1000]))
    y, y_test = d.y_train[:6000], d.y_test[:1000]
    return Data("digits, 28×28", X, y, sizes(20, largest), repeats, (X_test, y_test))


def sizes(least: int, most: int) -> list[int]:
    """From least to most, each about 1.8 times the one before."""
    steps = 1 + round(np.log(most / least) / np.log(1.8))
    return np.unique(np.geomspace(least, most, steps).round().astype(int)).tolist()


def compare(data: Data) -> tuple[list[int], list, list, list[float]]:
    """The sizes; the mean errors of both with standard errors; and their difference in standard errors."""
    naive: list[tuple[float, float]] = []
    logistic: list[tuple[float, float]] = []
    gaps: list[float] = []
    for n in data.sizes:
        rng = np.random.default_rng((SEED, n))
        errors = np.empty((data.repeats, 2))
        for row in errors:
            X, y, X_test, y_test = data.split(n, rng)
            binary = data.test is not None
            counted = BernoulliNaiveBayes() if binary else GaussianNaiveBayes(smoothing=0.01, shared=True)
            learnt = LogisticRegression(X.shape[1], y.max() + 1, l2=L2, dtype=X.dtype)
            learnt.fit(X, y, tolerance=1e-3, iterations=300)
            row[:] = [1 - m.score(X_test, y_test) for m in (counted.fit(X, y), learnt)]
        for of_all, values in zip((naive, logistic), summarise(errors), strict=True):
            of_all.append(values)
        apart = errors[:, 0] - errors[:, 1]                     # of one and the same draw
        gaps.append(float(apart.mean() / max(apart.std(ddof=1) / len(apart) ** 0.5, 1e-12)))
    return data.sizes, naive, logistic, gaps


def summarise(errors: np.ndarray) -> list[tuple[float, float]]:
    """(mean, standard error) of each column, (draws, 2)."""
    return list(zip(errors.mean(axis=0), errors.std(axis=0, ddof=1) / len(errors) ** 0.5, strict=True))


def crossing(sizes: list[int], gaps: list[float]) -> tuple[int, int] | None:
    """The last size at which naive Bayes errs less and the first at which it errs more, beyond the noise.

    None where one of the two never happens, or where they don't follow each other.
    """
    fewer = [n for n, gap in zip(sizes, gaps, strict=True) if gap < -2]
    more = [n for n, gap in zip(sizes, gaps, strict=True) if gap > 2]
    return (max(fewer), min(more)) if fewer and more and max(fewer) < min(more) else None


def verdict(sizes: list[int], gaps: list[float]) -> str:
    """Whether the curves cross, in words."""
    fewer = [n for n, gap in zip(sizes, gaps, strict=True) if gap < -2]
    more = [n for n, gap in zip(sizes, gaps, strict=True) if gap > 2]
    crossed = crossing(sizes, gaps)
    if crossed:
        return f"yes: they cross between {crossed[0]:,} and {crossed[1]:,} examples"
    if fewer and more:
        return f"in part: {NAIVE} at {fewer}, {LOGISTIC} at {more}"
    if fewer or more:
        return f"no: only {NAIVE if fewer else LOGISTIC} does, at {fewer or more}"
    return "no: no difference that the draws can show"


def densities(data: Data, updates: int, draws: int) -> dict[str, tuple[list[int], list]]:
    """Errors of Bayes classifiers on digits, name -> (sizes, means with standard errors).

    Of the first draws of `compare`, each with a start of its own.
    """
    found: dict[str, tuple[list[int], list]] = {"MADE": ([], []), "NICE": ([], [])}
    d = load_digits()
    grey = Data("", d.x_train[:6000], data.y, [], 1, (d.x_test[:1000], d.y_test[:1000]))
    print(f"\nBayes classifiers on the same digits, {draws} draws       MADE      NICE (grey pixels)")
    for n in [size for size in data.sizes if size >= 60][::2]:
        draw_rng = np.random.default_rng((SEED, n))
        errors = np.empty((draws, 2))
        for i, row in enumerate(errors):
            row[:] = density_errors(grey.split(n, draw_rng), updates, np.random.default_rng((SEED, n, i)))
        summary = summarise(errors)
        (made, made_error), (nice, nice_error) = summary
        both = f"{made:13.1%} ± {made_error:4.1%}{nice:10.1%} ± {nice_error:4.1%}"
        print(f"{n:8,} examples to learn from{both}", flush=True)
        for (xs, ys), values in zip(found.values(), summary, strict=True):
            xs.append(n)
            ys.append(values)
    return found


def density_errors(
    parts: tuple[np.ndarray, ...], updates: int, rng: np.random.Generator
) -> tuple[float, float]:
    """The errors of a MADE that is told the class, and of a NICE for each class, of what `split` gives."""
    X, y, X_test, y_test = parts
    made = BayesClassifier(MADE(784, (200,), classes=10, rng=rng))
    black_and_white = [(x > 0.5).astype(x.dtype) for x in (X, X_test)]
    epochs = max(1, updates * 32 // len(X))
    made.fit(black_and_white[0], y, epochs=epochs, batch_size=32, lr=3e-3, rng=rng)
    epochs = max(1, updates // 2 // -(-len(X) // 320))          # a tenth of X in each class, in batches of 32
    nice = BayesClassifier(lambda: NICE.dense(784, (64, 64), 4, rng=rng, levels=256))
    nice.fit(X, y, epochs=epochs, batch_size=32, rng=rng)
    right = made.score(black_and_white[1], y_test), nice.score(dequantise(X_test, rng=rng), y_test)
    return 1 - right[0], 1 - right[1]


def draw(curves: dict, others: dict) -> Figure:
    """Error by the number of examples, a panel for each data set, with bands of two standard errors.

    The grey part lies between the last size at which naive Bayes errs less and the first at which it doesn't.
    """
    figure = plots.new_figure(5.6, title="Error against the number of examples: counted, or learnt directly")
    axes = figure.subplots(2, 3).ravel()
    for ax in axes[len(curves):]:
        ax.set_axis_off()
    for ax, (title, (sizes, naive, logistic, gaps)) in zip(axes, curves.items(), strict=False):
        for line, name, values in ((1, NAIVE, naive), (0, LOGISTIC, logistic)):
            colour, marker = plots.LINES[line]
            mean, error = 100 * np.array(values).T
            ax.plot(sizes, mean, color=colour, marker=marker, markersize=4, linewidth=1.8, label=name)
            ax.fill_between(sizes, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.2, linewidth=0)
        crossed = crossing(sizes, gaps)
        if crossed:
            ax.axvspan(*crossed, color="#dddddd", alpha=0.6, linewidth=0)
        crosses = "they cross in the grey" if crossed else "no crossing"
        if title.endswith("28×28"):
            for (colour, marker), (name, (xs, ys)) in zip(plots.LINES[2:], others.items(), strict=False):
                mean, error = 100 * np.array(ys).T
                ax.plot(xs, mean, color=colour, marker=marker, markersize=4, label=name)
                ax.fill_between(xs, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.2, linewidth=0)
        ax.set_title(f"{title}: {crosses}", fontsize=9.5, color=plots.TEXT)
        ax.set_xscale("log")
        ax.set_xlim(sizes[0] / 1.1, sizes[-1] * 1.1)
        ticks = [n for n in (5, 10, 20, 50, 100, 200, 500, 2000) if sizes[0] <= n <= sizes[-1]]
        ax.set_xticks(ticks, [f"{n:,}" for n in ticks], fontsize=8.5)
        ax.minorticks_off()
        ax.set_ylim(bottom=0)
        ax.tick_params(axis="y", labelsize=8.5)
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[: len(curves) : 3]:
        ax.set_ylabel("error in test, %", fontsize=9.5, color=plots.TEXT)
    for ax in axes[max(0, len(curves) - 3) : len(curves)]:
        ax.set_xlabel("examples to learn from", fontsize=9.5, color=plots.TEXT)
    handles, labels = axes[len(curves) - 1].get_legend_handles_labels()
    title = "bands: ± 2 standard errors"
    axes[-1].legend(handles, labels, frameon=False, fontsize=10, loc="center", title=title)
    return figure


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
