"""Draw the figures of the GAN chapters: optimal_discriminator.svg, generator_losses.svg and distances.svg.

They are written to the folder of this file.
"""

import numpy as np
from draw_diagrams import GRADIENT, INK, VALUE, save
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

GREEN = "#009E73"
STEP = 0.01
X = np.arange(-14, 14, STEP)


def page(columns: int) -> tuple[Figure, list[Axes]]:
    """A white figure with plain axes side by side."""
    figure = Figure(figsize=(9, 3.4), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, all_axes


def normal(mean: float, std: float = 1.0) -> np.ndarray:
    """The density of N(mean, std²) on the axis X."""
    return np.exp(-0.5 * ((X - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """The Jensen-Shannon divergence of two densities that are positive on all of X, as a sum over X."""
    m = (p + q) / 2
    return STEP * float((p * np.log(p / m) + q * np.log(q / m)).sum()) / 2


def draw_optimal_discriminator() -> Figure:
    """Two densities and p/(p + q), before and after the generator has learnt."""
    figure, (before, after) = page(2)
    p = 0.6 * normal(-1.5, 0.7) + 0.4 * normal(1.5, 0.7)
    wide = normal(2.0, 1.5)
    for axes, q, title in ((before, wide, "q far from p"), (after, p, "q = p")):
        axes.plot(X, p, color=VALUE, lw=2)
        axes.plot(X, q, color=GRADIENT, lw=2, ls="--")
        axes.plot(X, p / (p + q), color=INK, lw=1.3)
        axes.set(xlim=(-5, 7), ylim=(0, 1.05), xlabel="x")
        axes.set_title(title, fontsize=12)
    before.text(-2.6, 0.37, "p, data", color=VALUE, fontsize=11, ha="right")
    before.text(3.6, 0.22, "q, generated", color=GRADIENT, fontsize=11)
    before.text(0.1, 0.84, "the best D", color=INK, fontsize=11)
    after.text(3.2, 0.53, "the best D is 1/2", color=INK, fontsize=11)
    return figure


def draw_generator_losses() -> Figure:
    """Both losses of the generator against the logit of one generated example, and their slopes."""
    figure, (losses, slopes) = page(2)
    logit = np.linspace(-8, 8, 400)
    d = 1 / (1 + np.exp(-logit))
    losses.plot(logit, np.log1p(np.exp(-logit)), color=VALUE, lw=2)
    losses.plot(logit, -np.log1p(np.exp(logit)), color=GRADIENT, lw=2, ls="--")
    losses.text(-4.2, 5.4, "non-saturating", color=VALUE, fontsize=11)
    losses.text(-7.8, -1.6, "minimax", color=GRADIENT, fontsize=11)
    losses.set_title("loss of the generator", fontsize=12)
    slopes.plot(logit, 1 - d, color=VALUE, lw=2)
    slopes.plot(logit, d, color=GRADIENT, lw=2, ls="--")
    slopes.text(-7.8, 0.8, "non-saturating\n1 − D", color=VALUE, fontsize=11)
    slopes.text(-7.8, 0.06, "minimax\nD", color=GRADIENT, fontsize=11)
    slopes.set_title("absolute slope", fontsize=12)
    for axes in (losses, slopes):
        axes.axvline(0, color=INK, lw=0.8, ls=":")
        axes.set_xlabel("logit of a generated example (left: recognised as generated)")
    return figure


def draw_distances() -> Figure:
    """The JSD and the Wasserstein distance of N(0, 1) and N(d, 1) against d, and their slopes."""
    figure, (values, slopes) = page(2)
    d = np.linspace(0, 8, 161)
    p = normal(0)
    jsd = np.array([jensen_shannon(p, normal(shift)) for shift in d])
    values.plot(d, d, color=GREEN, lw=2)
    values.plot(d, jsd, color=GRADIENT, lw=2, ls="--")
    values.axhline(np.log(2), color=INK, lw=0.8, ls=":")
    values.text(3.4, 4.2, "Wasserstein", color=GREEN, fontsize=11, ha="right")
    values.text(4.2, 0.1, "JSD", color=GRADIENT, fontsize=11)
    values.text(7.9, 0.82, "log 2", color=INK, fontsize=10, ha="right")
    values.set_title("two distances", fontsize=12)
    slopes.semilogy(d, np.ones_like(d), color=GREEN, lw=2)
    slopes.semilogy(d[1:], np.gradient(jsd, d)[1:], color=GRADIENT, lw=2, ls="--")
    slopes.set_ylim(1e-4, 3)
    slopes.text(7.9, 1.25, "Wasserstein", color=GREEN, fontsize=11, ha="right")
    slopes.text(5.9, 1.5e-2, "JSD", color=GRADIENT, fontsize=11)
    slopes.set_title("their slopes", fontsize=12)
    for axes in (values, slopes):
        axes.set_xlabel("d, the distance of N(0, 1) and N(d, 1)")
    return figure


if __name__ == "__main__":
    save(draw_optimal_discriminator(), "optimal_discriminator.svg")
    save(draw_generator_losses(), "generator_losses.svg")
    save(draw_distances(), "distances.svg")
