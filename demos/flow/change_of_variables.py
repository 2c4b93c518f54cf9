"""The plane of z bent into the plane of x, step by step: each step keeps an account of the area it makes.

A flow is trained on two moons. Its inverse is taken apart: a grid over the plane of z, and draws from the
prior on it, are sent back through two couplings at a time until they lie in the plane of x. Behind any step
there is a density,

    log p(h) = log p_Z(z) + log |det dz/dh|,

and each integrates to 1, as a sum over a fine grid shows. Leave the determinant out, or take it with the
wrong sign, and what is left is no density: its integral is another number.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import two_moons
from scratchgen.models import Flow, RealNVP
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

SEED = 0
COUPLINGS = 6
WINDOW = ((-2.2, 3.2), (-1.7, 2.2))     # of x, as far as the pictures show it
REACH = 8.0                             # integrals are taken over [-REACH, REACH]²


def main(out: Path, updates: int = 2000, cells: int = 400) -> None:
    """Train, print the integrals, draw.

    updates : of the flow, 256 points each
    cells : of the grid for the integrals, along each side
    """
    rng = np.random.default_rng(SEED)
    density = two_moons()
    X = density.sample(256 * 100, rng=rng)
    flow = RealNVP.dense(2, (64, 64), COUPLINGS, rng=rng, dtype=np.float64)
    flow.fit(
        X,
        epochs=max(1, updates // 100),
        batch_size=256,
        lr=OneCycle(4e-3, 100 * max(1, updates // 100)),
        rng=rng,
        callbacks=[ProgressBar()],
    )
    test = density.sample(5000, rng=rng)
    gap = (density.log_density(test) - flow.score_samples(test)).mean()
    print(f"\nKL from the true density: {gap:.3f} nats, of 5,000 points\n")

    stages = parts(flow)
    print("behind                 integral    without the    with the    largest stretch of area,")
    print("                       of p(h)     determinant   wrong sign   dz/dh, along the data")
    for name, part, before in stages:
        right, none, wrong = integrals(part, cells)
        h = before.transform(test) if before is not None else test
        stretch = np.exp(np.abs(part.score_samples(h) - log_prior(part.transform(h)))).max()
        print(f"{name:20}{right:11.4f}{none:14.4f}{wrong:14.4g}{stretch:17.1f}")
    picture = plots.save(draw(flow, stages, rng), out / "change_of_variables.png")
    print(f"\n{picture} is drawn")


def parts(flow: Flow) -> list[tuple[str, Flow, Flow | None]]:
    """For places between z and x, and for x: its name, the flow from it to z, and the one from x to it."""
    layers = flow.layers                                        # a scaling layer, then the couplings
    cuts = [*range(len(layers) - 2, 1, -2), 0]
    found: list[tuple[str, Flow, Flow | None]] = []
    for cut in cuts:
        name = "all of it: x" if cut == 0 else f"{len(layers) - cut} couplings"
        found.append((name, Flow(layers[cut:], 2), Flow(layers[:cut], 2) if cut else None))
    return found


def log_prior(z: np.ndarray) -> np.ndarray:
    return -0.5 * (z**2).sum(axis=1) - np.log(2 * np.pi)


def integrals(flow: Flow, cells: int) -> tuple[float, float, float]:
    """Of p(h) over the plane: as it is, without the determinant, and with its inverse in its place."""
    points, area = board(((-REACH, REACH), (-REACH, REACH)), cells, cells)
    log_p, prior = flow.score_samples(points), log_prior(flow.transform(points))
    logdet = log_p - prior
    right, none, wrong = (float(np.exp(prior + sign * logdet).sum() * area) for sign in (1, 0, -1))
    return right, none, wrong


def board(window: tuple, columns: int, rows: int) -> tuple[np.ndarray, float]:
    """The middles of a window's cells, row by row, (rows·columns, 2), and the area of each."""
    (left, right), (bottom, top) = window
    x = left + (right - left) * (np.arange(columns) + 0.5) / columns
    y = bottom + (top - bottom) * (np.arange(rows) + 0.5) / rows
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), (x[1] - x[0]) * (y[1] - y[0])


def draw(flow: Flow, stages: list[tuple[str, Flow, Flow | None]], rng: np.random.Generator) -> Figure:
    """The grid and the draws behind each step; below, the density, the determinant and the truth."""
    figure = plots.new_figure(4.9, title="From z to x: a grid is bent, and the density keeps account of it")
    top, bottom = figure.subplots(2, 4)
    z = flow.prior_sample(1500, rng=rng)
    for ax, (name, part) in zip(top, [("z", None), *((n, p) for n, p, _ in stages)], strict=True):
        back = (lambda p: p) if part is None else part.inverse_transform
        for line in grid_lines():
            ax.plot(*back(line).T, color=plots.LINES[0][0], linewidth=0.5, alpha=0.8)
        ax.scatter(*back(z).T, s=1.2, color=plots.LINES[1][0], linewidths=0, zorder=3)
        ax.set_title(name, fontsize=10, color=plots.TEXT)
    points, _ = board(WINDOW, 216, 156)
    true = np.exp(two_moons().log_density(points))
    highest_true = true.max()                                   # one scale of colours for the densities
    log_p, prior = flow.score_samples(points), log_prior(flow.transform(points))
    panels = {
        "p(x), the flow's": np.exp(log_p),
        "p(x), the true one": true,
        "prior at f(x), bare": np.exp(prior),
        "log |det dz/dx|": log_p - prior,
    }
    for ax, (name, values) in zip(bottom, panels.items(), strict=True):
        highest = None if name.startswith("log") else highest_true
        ax.imshow(values.reshape(156, 216), origin="lower", cmap="viridis", aspect="auto", vmax=highest)
        ax.set_title(name, fontsize=10, color=plots.TEXT)
    for ax in (*top, *bottom):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_box_aspect(1)
    top[3].set_xlim(*WINDOW[0])
    top[3].set_ylim(*WINDOW[1])
    return figure


def grid_lines() -> list[np.ndarray]:
    """The lines of a grid over the plane of z, each as 200 points."""
    along, lines = np.linspace(-3, 3, 200), []
    for place in np.linspace(-3, 3, 13):
        level = np.full(200, place)
        lines += [np.stack([along, level], axis=1), np.stack([level, along], axis=1)]
    return lines


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
