"""A flow's determinant accounts for changes of area.

A flow is trained on two moons, and its inverse is shown in steps: a grid over the plane of z, and samples of
the prior, are mapped back through two couplings at a time, until they are in the plane of x. Each step has a
density,

    log p(h) = log p_Z(z) + log |det dz/dh|,

and each integrates to 1, as sums over a fine grid show. Without the determinant, or with the sign of its log
reversed, the result is not a density: look at the integrals in the table and at the third lower panel.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import two_moons
from scratchgen.models import Flow, RealNVP

from ..common import print_table, run, save, train

WINDOW = ((-2.2, 3.2), (-1.7, 2.2))     # the ranges of x in the figure
REACH = 8.0                             # integrals are taken over [-REACH, REACH]²
Stage = tuple[Flow, Flow | None]        # the flow from h to z, and the flow from x to h
FORMATS = {"integral": ".4f", "no determinant": ".4f", "sign reversed": ".4g", "largest stretch": ".1f"}


def main(out: Path, *, updates: int = 2000, cells: int = 400, seed: int = 0) -> dict[str, Any]:
    """Train a flow, and integrate the density at each stage.

    updates : of the flow, 256 points each
    cells   : of the grid for the integrals, along each side
    """
    rng = np.random.default_rng(seed)
    density = two_moons()
    X = density.sample(256 * 100, rng=rng)
    flow = RealNVP.dense(2, (64, 64), 6, rng=rng, dtype=np.float64)
    train(flow, X, shown=updates // 100 * len(X), lr=4e-3, rng=rng, batch_size=256)
    test = density.sample(5000, rng=rng)
    kl = float((density.log_density(test) - flow.score_samples(test)).mean())
    print(f"KL from the true density: {kl:.3f} nats, of 5,000 points")

    found = stages(flow)
    table = {}
    for name, (part, before) in found.items():
        h = test if before is None else before.transform(test)
        stretch = np.exp(np.abs(part.score_samples(h) - log_prior(part.transform(h)))).max()
        table[name] = {**integrals(part, cells), "largest stretch": float(stretch)}
    print_table(table, "Integral of p(h) at each stage; largest stretch of area at test points", FORMATS)
    picture = save(draw(flow, found, rng), out / "change_of_variables.png")
    return {"kl": kl, "table": table, "figure": picture}


def stages(flow: Flow) -> dict[str, Stage]:
    """The stages between z and x, two couplings apart, by name; the last is x."""
    layers = flow.layers                                        # a scaling layer, then the couplings
    found: dict[str, Stage] = {}
    for cut in [*range(len(layers) - 2, 1, -2), 0]:
        name = "all of it: x" if cut == 0 else f"{len(layers) - cut} couplings"
        found[name] = Flow(layers[cut:], 2), Flow(layers[:cut], 2) if cut else None
    return found


def log_prior(z: np.ndarray) -> np.ndarray:
    return -0.5 * (z**2).sum(axis=1) - np.log(2 * np.pi)


def integrals(flow: Flow, cells: int) -> dict[str, float]:
    """Integrals of p(h): correct, without the determinant, and with the sign of its log reversed."""
    points, area = grid_of(((-REACH, REACH), (-REACH, REACH)), cells, cells)
    log_p, prior = flow.score_samples(points), log_prior(flow.transform(points))
    signs = {"integral": 1, "no determinant": 0, "sign reversed": -1}
    return {name: float(np.exp(prior + sign * (log_p - prior)).sum() * area) for name, sign in signs.items()}


def grid_of(window: tuple, columns: int, rows: int) -> tuple[np.ndarray, float]:
    """The middles of a window's cells, row by row, (rows·columns, 2), and the area of each."""
    (left, right), (bottom, top) = window
    x = left + (right - left) * (np.arange(columns) + 0.5) / columns
    y = bottom + (top - bottom) * (np.arange(rows) + 0.5) / rows
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), (x[1] - x[0]) * (y[1] - y[0])


def draw(flow: Flow, found: dict[str, Stage], rng: np.random.Generator) -> Figure:
    """Plot the grid and the samples at each stage; below, the density, its parts and the true density."""
    figure = plots.new_figure(4.9, title="From z to x: a grid is bent, and the density accounts for it")
    top, bottom = figure.subplots(2, 4)
    z, along = flow.prior_sample(1500, rng=rng), np.linspace(-3, 3, 200)
    lines = [np.stack([along, np.full(200, place)], axis=1) for place in np.linspace(-3, 3, 13)]
    parts = {"z": None} | {name: part for name, (part, _) in found.items()}
    for ax, (name, part) in zip(top, parts.items(), strict=True):
        for line in (*lines, *(line[:, ::-1] for line in lines)):
            points = line if part is None else part.inverse_transform(line)
            ax.plot(*points.T, color=plots.LINES[0][0], linewidth=0.5, alpha=0.8)
        points = z if part is None else part.inverse_transform(z)
        ax.scatter(*points.T, s=1.2, color=plots.LINES[1][0], linewidths=0, zorder=3)
        ax.set_title(name, fontsize=10, color=plots.TEXT)
    points, _ = grid_of(WINDOW, 216, 156)
    true = np.exp(two_moons().log_density(points))
    log_p, prior = flow.score_samples(points), log_prior(flow.transform(points))
    panels = {
        "p(x), the flow's": np.exp(log_p), "p(x), the true one": true,
        "prior at f(x) alone": np.exp(prior), "log |det dz/dx|": log_p - prior,
    }  # fmt: skip
    for ax, (name, values) in zip(bottom, panels.items(), strict=True):
        highest = None if name.startswith("log") else true.max()   # densities have one scale of colours
        ax.imshow(values.reshape(156, 216), origin="lower", cmap="viridis", aspect="auto", vmax=highest)
        ax.set_title(name, fontsize=10, color=plots.TEXT)
    for ax in (*top, *bottom):
        ax.set(xticks=[], yticks=[], box_aspect=1)
    top[3].set(xlim=WINDOW[0], ylim=WINDOW[1])
    return figure


if __name__ == "__main__":
    run(main)
