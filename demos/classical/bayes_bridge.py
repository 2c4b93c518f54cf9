"""Bayes' bridge: P(y | x) from P(x | y) and P(y), by a table that is small enough to count.

Threes and fives, and three of their pixels, black or white: eight kinds of x. Counting P(y | x) directly, and
counting P(x | y) and P(y) and dividing by P(x), must give the same table, and do, to the last digit.

What the bridge leads to is P(x | y), whose table has 2^k rows for k pixels, so counting ends soon: with 20
pixels nine of ten test digits are rows that were never seen, and no count says anything of them. Naive Bayes
asks for k numbers a class instead. It is wrong about the pixels, which do depend on each other, and three of
them show it; but where everything can be counted this costs little, and with more pixels it wins.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import BernoulliNaiveBayes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIR = (3, 5)
SIZES = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 30, 40)
APART = 3       # pixels between any two that are chosen


def main(out: Path, examples: int = 600) -> None:
    """Count, print the tables, draw.

    examples : how many digits there are to count; the others are asked about
    """
    digits = load_digits()
    print(digits.source)
    x, y = only(digits.x_train[:6000], digits.y_train[:6000])
    x, x_test, y, y_test = x[:examples], x[examples:], y[:examples], y[examples:]
    chosen = telling_pixels(x, y, max(SIZES))
    print(f"{len(x)} digits to count, {len(x_test)} to ask about: {PAIR[0]} (y = 0) or {PAIR[1]} (y = 1)")

    rows, counts = count(x[:, chosen[:3]], y)                   # n(x, y)
    of_y = counts.sum(axis=0)
    direct = counts[:, 1] / counts.sum(axis=1)                  # P(y = 1 | x), counted
    px_y, py = counts / of_y, of_y / of_y.sum()                 # P(x | y), P(y)
    bridge = px_y[:, 1] * py[1] / (px_y * py).sum(axis=1)       # Bayes' theorem
    naive = BernoulliNaiveBayes(smoothing=1e-9).fit(x[:, chosen[:3]], y).predict_proba(rows)[:, 1]
    print("\n  x     n(x, 3)  n(x, 5)   P(x | 3)  P(x | 5)    P(5 | x) by Bayes   counted   naive Bayes")
    for i, row in enumerate(rows.astype(int)):
        print(
            f" {''.join(map(str, row))}{counts[i, 0]:10}{counts[i, 1]:9}{px_y[i, 0]:12.4f}{px_y[i, 1]:10.4f}"
            f"{bridge[i]:18.4f}{direct[i]:13.4f}{naive[i]:12.4f}"
        )
    print(f"largest difference of Bayes and counted: {np.abs(bridge - direct).max():.1e}")
    print(f"largest difference of naive Bayes and counted: {np.abs(naive - direct).max():.3f}")

    print("\npixels   rows of the table   test digits in    error of    error of")
    print("              it could have   an unseen row   the table   naive Bayes")
    measured = []
    for k in SIZES:
        part = chosen[:k]
        unseen, guess = table_says(x[:, part], y, x_test[:, part])
        by_table = (guess != y_test).mean()
        by_naive = 1 - BernoulliNaiveBayes().fit(x[:, part], y).score(x_test[:, part], y_test)
        measured.append((unseen.mean(), by_table, by_naive))
        print(f"{k:6}{2.0**k:20,.0f}{unseen.mean():16.1%}{by_table:12.1%}{by_naive:12.1%}")
    bars = {"by Bayes' theorem": bridge, "counted": direct, "naive Bayes": naive}
    picture = plots.save(draw(rows, bars, np.array(measured)), out / "bayes_bridge.png")
    print(f"\n{picture} is drawn")


def only(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The digits of the pair, black or white, and 0 or 1 for which of the two."""
    wanted = np.isin(y, PAIR)
    return (x[wanted] > 0.5).astype(np.float64), (y[wanted] == PAIR[1]).astype(np.int64)


def telling_pixels(x: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
    """The n pixels that differ most between the classes, none next to another one."""
    differ = np.abs(x[y == 0].mean(axis=0) - x[y == 1].mean(axis=0))
    chosen: list[int] = []
    for d in np.argsort(-differ):
        if all(max(abs(d // 28 - e // 28), abs(d % 28 - e % 28)) >= APART for e in chosen):
            chosen.append(int(d))
    return np.array(chosen[:n])


def count(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each kind of x that occurs, (R, k), and how often with each y, (R, 2)."""
    rows, which = np.unique(x, axis=0, return_inverse=True)
    return rows, np.stack([np.bincount(which.ravel()[y == k], minlength=len(rows)) for k in (0, 1)], axis=1)


def table_says(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each test digit, whether its row was never counted, and the class more frequent in its row.

    For an unseen row the more frequent class of all is all that is left.
    """
    rows, counts = count(x, y)
    table = {row.tobytes(): c.argmax() for row, c in zip(rows, counts, strict=True)}
    keys = [row.tobytes() for row in np.ascontiguousarray(x_test)]
    usual = np.bincount(y).argmax()
    return np.array([key not in table for key in keys]), np.array([table.get(key, usual) for key in keys])


def draw(rows: np.ndarray, bars: dict[str, np.ndarray], measured: np.ndarray) -> Figure:
    """P(y | x) of each row in three ways; and the error by the number of pixels."""
    figure = plots.new_figure(4.4, title="P(y | x) by a table: exact, as long as everything can be counted")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    colours = plots.LINES[0][0], "#9ecae1", plots.LINES[1][0]
    for i, (name, values) in enumerate(bars.items()):
        place = np.arange(len(values)) + 0.27 * (i - 1)
        left.bar(place, values, width=0.25, color=colours[i], label=name)
    labels = ["".join(map(str, row)) for row in rows.astype(int)]
    left.set_xticks(range(len(rows)), labels, fontsize=8.5)
    left.set_xlabel("three pixels, 1 for white", fontsize=10, color=plots.TEXT)
    left.set_title("P(a 5 | x), of threes and fives", fontsize=10, color=plots.TEXT)
    left.set_ylim(0, 1.3)
    left.set_yticks([0, 0.25, 0.5, 0.75, 1])
    left.legend(frameon=False, fontsize=8.5, ncols=3, loc="upper center", columnspacing=0.8, handlelength=1)
    names = ("test digits in an unseen row", "error of the table", "error of naive Bayes")
    for line, name, values in zip((4, 0, 1), names, measured.T, strict=True):
        colour, marker = plots.LINES[line]
        right.plot(SIZES, 100 * values, color=colour, marker=marker, markersize=5, linewidth=2, label=name)
    right.set_xscale("log")
    right.set_xticks(SIZES, [str(k) if k not in (10, 16, 30) else "" for k in SIZES])
    right.minorticks_off()
    right.set_xlabel("pixels in x", fontsize=10, color=plots.TEXT)
    right.set_title("percent of the test digits", fontsize=10, color=plots.TEXT)
    right.set_ylim(0, 100)
    right.legend(frameon=False, fontsize=9, loc="upper left")
    for ax in (left, right):
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
