"""Digits and noise are one to one, up to the solver.

Flow matching carries noise to digits along the solution of an equation, which can be followed in both
directions. So x → z → x returns the digit, up to the error of the solver. A diffusion model has such codes by
DDIM without noise. Twice as many steps divide an error by 2 to the power of its order. Three orders are
printed: that of the round trip, in which errors of both ways partly cancel; that of the codes; and that of
the codes if the network ignores the fast waves of the time embedding. Only then do Heun's method and RK4
reach their orders 2 and 4: a few dozen steps cannot follow the fast waves.

A path between the codes of two digits looks like one between their pixels: one digit fades out while the
other fades in. If codes were a linear function of pixels, it would be exactly a blend of pixels, with more
contrast. The second table compares the images half-way with that blend, and with other images.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.studies.experiments import round_trips

from .. import common
from ..common import digit_classifier, plot_lines, print_table, run, save, say, show_rows, tidy, train

HIDDEN, BLOCKS = 256, 3
COUNTS = (5, 10, 20, 40, 80)
ALONG = 9       # pictures on a path, ends included
SHOWN = ((0, 6), (1, 7), (3, 5), (4, 9))    # digits at the ends of the paths in the figure


def main(
    out: Path, *, shown: int = 120_000, measured: int = 16, pairs: int = 200, seed: int = 0
) -> dict[str, Any]:
    """Train on `shown` digits, map `measured` digits to z and back, walk between `pairs` pairs of digits."""
    digits, rng = load_digits(), np.random.default_rng(seed)
    say(digits.source)
    x, y = digits.x_test, digits.y_test
    flow = FlowMatching.dense(784, HIDDEN, BLOCKS, levels=256, rng=rng)
    chain = Diffusion.dense(784, HIDDEN, BLOCKS, levels=256, rng=rng)
    for model in (flow, chain):
        train(model, digits.x_train, shown=shown, lr=2e-3, rng=rng)
    wide = round_trips.in_double_precision(flow, HIDDEN, BLOCKS)
    slow = round_trips.with_slow_waves_only(flow, HIDDEN, BLOCKS, 20)
    few, errors, table = x[:measured].astype(np.float64), {}, {}
    codes = {
        what: round_trips.code_errors(model, few, COUNTS)
        for what, model in (("order of codes", wide), ("order of codes, slow waves", slow))
    }
    for name in ("Euler", "Heun", "RK4"):
        errors[name] = round_trips.trip_errors(wide, few, COUNTS, method=name.lower())
        table[name] = row(errors[name]) | {what: order(of[name.lower()]) for what, of in codes.items()}
    errors["DDIM"] = round_trips.trip_errors(chain, x[:measured], COUNTS)
    table["DDIM"] = row(errors["DDIM"])
    title = "Error of a pixel (from 0 to 1) after x → z → x, and orders from 10 to 40 steps"
    formats = dict.fromkeys(table["Euler"], ".1f") | dict.fromkeys((f"{n} steps" for n in COUNTS), ".1e")
    print_table(table, title, formats)

    classifier = digit_classifier(digits.x_train, digits.y_train, rng)
    z = flow.transform(x)
    half_way = round_trips.half_way(flow, x, z, round_trips.different_pairs(y, pairs, rng))
    middle = {
        name: {
            "largest probability": float(classifier.predict_proba(images).max(axis=1).mean()),
            "correlation": round_trips.correlation(images, half_way["codes"]),
        }
        for name, images in half_way.items()
    }
    sure = float(classifier.predict_proba(x).max(axis=1).mean())
    middle |= {"test digits": {"largest probability": sure}}
    print_table(middle, f"Half-way between {pairs} pairs of digits: a classifier, and correlation with codes")

    ends = [[int(np.flatnonzero(y == k)[0]) for k in pair] for pair in SHOWN]
    between = np.concatenate([round_trips.code_path(z[a], z[b], ALONG) for a, b in ends])
    pixels = np.concatenate([np.linspace(x[a], x[b], ALONG) for a, b in ends])
    figure = draw(errors, flow.inverse_transform(between), pixels)
    found = {"table": table, "middle": middle, "figure": save(figure, out / "noise_and_back.png")}
    if common.animated():
        walks = [flow.inverse_transform(round_trips.code_path(z[a], z[b], common.FRAMES)) for a, b in ends]
        titles = [f"{a} to {b}" for a, b in SHOWN]
        series = dict(zip(titles, walks, strict=True))
        found["animation"] = common.film_of_images(out / "noise_and_back.gif", series)
    return found


def order(errors: np.ndarray) -> float:
    """The mean order from 10 to 40 steps."""
    return float(round_trips.orders(errors)[1:3].mean())


def row(errors: np.ndarray) -> dict[str, float]:
    """The errors of the round trips for the table, and their order."""
    return {f"{n} steps": e for n, e in zip(COUNTS, errors, strict=True)} | {"order": order(errors)}


def draw(errors: dict[str, np.ndarray], codes: np.ndarray, pixels: np.ndarray) -> Figure:
    """Plot the errors of the round trips by the number of steps, and both kinds of path."""
    figure = plots.new_figure(4.4, title="Digits and noise are one to one, up to the error of the solver")
    left, right = figure.add_gridspec(1, 2, width_ratios=(4, 5))
    ax = figure.add_subplot(left)
    plot_lines(ax, {name: (COUNTS, of_name) for name, of_name in errors.items()})
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(COUNTS, [str(n) for n in COUNTS])
    ax.minorticks_off()
    tidy(ax, "error of a pixel after x → z → x", "steps in each direction")
    ax.legend(frameon=False, fontsize=9)
    for place, images, title in zip(
        right.subgridspec(2, 1), (codes, pixels), ("between codes", "between pixels"), strict=True
    ):
        rows = np.split(images, len(SHOWN))
        labels = [f"{a} to {b}" for a, b in SHOWN]
        show_rows(figure.add_subplot(place), dict(zip(labels, rows, strict=True)), title)
    return figure


if __name__ == "__main__":
    run(main)
