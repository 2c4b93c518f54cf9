"""Compute and draw two figures of the chapters: step_size.svg and curve.svg, in the folder of this file."""

import numpy as np
from draw_diagrams import GRADIENT, INK, VALUE, save
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scratchgen.gradcheck.differences import central, line, richardson
from scratchgen.layers import Linear, Sequential, Tanh
from scratchgen.losses import squared_error
from scratchgen.models import PCA
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import OneCycle

GREEN, GREY = "#009E73", "#B5B5B5"


def errors(dtype, steps):
    """Relative errors of (GRAD.1) and (GRAD.2) at each step size, for one weight of a small network."""
    rng = np.random.default_rng(0)
    net = Sequential(Linear(5, 7, rng=rng, dtype=dtype), Tanh(), Linear(7, 3, rng=rng, dtype=dtype))
    x, u = rng.standard_normal((4, 5)).astype(dtype), rng.standard_normal((4, 3)).astype(dtype)
    weight = net.parameters()["0.weight"]
    _, cache = net.forward(x)
    net.backward(u, cache)
    index = np.unravel_index(np.abs(weight.grad).argmax(), weight.shape)
    entry = weight.value[index[0] : index[0] + 1, index[1]]
    claimed = float(weight.grad[index])
    along = line([(entry, np.ones_like(entry))], lambda: net.forward(x)[0] * u)
    return [[abs(rule(along, h) - claimed) / abs(claimed) for h in steps] for rule in (central, richardson)]


def draw_step_size():
    """Plot the error against the step size, on logarithmic axes."""
    steps = 2.0 ** np.arange(-36, 0.5, 1)
    figure = Figure(figsize=(9, 5), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    first, second = errors(np.float64, steps)
    single, _ = errors(np.float32, steps)
    axes.loglog(steps, np.maximum(single, 1e-16), "o-", color=GREY, ms=4, lw=1)
    axes.loglog(steps, np.maximum(first, 1e-16), "o-", color=VALUE, ms=4, lw=1)
    axes.loglog(steps, np.maximum(second, 1e-16), "o-", color=GRADIENT, ms=4, lw=1)
    axes.axvline(2.0**-11, color=INK, lw=0.8, ls=":")
    axes.text(2.0**-10.8, 3e-16, "the checker's first step", fontsize=10, color=INK)
    axes.text(1.5e-9, 8e-2, "float32, central", fontsize=11, color="#707070")
    axes.text(1.1e-7, 2e-7, "rounding\ngrows as 1/h", fontsize=11, color=INK)
    axes.text(0.012, 2e-8, "truncation\nshrinks with the step", fontsize=11, color=INK, va="top")
    axes.text(0.02, 6e-3, "central, h²", fontsize=11, color=VALUE, ha="right")
    axes.text(0.55, 1e-11, "Richardson, h⁴", fontsize=11, color=GRADIENT, ha="center")
    axes.set(xlabel="step h", ylabel="relative error of the slope", ylim=(1e-16, 10))
    axes.set_title("The best step is not the smallest: one weight of a small tanh net", fontsize=12.5)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def train_autoencoder(x, rng, steps=4000):
    """Train a network 2-32-1-32-2 on x (N, 2); return its encoder and decoder."""
    settings = {"rng": rng, "dtype": np.float64}
    encoder = Sequential(Linear(2, 32, **settings), Tanh(), Linear(32, 1, **settings))
    decoder = Sequential(Linear(1, 32, **settings), Tanh(), Linear(32, 2, **settings))
    net = Sequential(encoder, decoder)
    optimizer = Adam(net.parameters(), OneCycle(0.02, steps))
    for _ in range(steps):
        optimizer.zero_grad()
        out, cache = net.forward(x)
        _, dout = squared_error(out, x)
        net.backward(dout, cache, input_grad=False)
        optimizer.step()
    return encoder, decoder


def draw_curve():
    """Plot points along a curve, their best line, and the curve that an autoencoder learns."""
    rng = np.random.default_rng(1)
    angle = rng.uniform(-0.15 * np.pi, 1.15 * np.pi, 150)
    x = np.stack([1.4 * np.cos(angle), 1.2 * np.sin(angle)], axis=1) + 0.06 * rng.standard_normal((150, 2))
    line_out = PCA(1).fit(x).reconstruct(x)
    encoder, decoder = train_autoencoder(x, rng)
    code = encoder.forward(x)[0]
    curve_out = decoder.forward(code)[0]
    curve = decoder.forward(np.linspace(code.min(), code.max(), 300)[:, None])[0]

    figure = Figure(figsize=(10, 4.1), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    ends = line_out[[line_out[:, 0].argmin(), line_out[:, 0].argmax()]]
    panels = (("PCA, one component", line_out, ends, VALUE),
              ("autoencoder, a code of one number", curve_out, curve, GRADIENT))
    for axes, (title, out, path, color) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        pairs = np.stack([x, out], axis=1)                      # (N, 2, 2), each point and its reconstruction
        axes.plot(*pairs.transpose(2, 1, 0), color=GREY, lw=0.7, zorder=1)
        axes.plot(*x.T, ".", color=INK, ms=4, zorder=2)
        axes.plot(*path.T, color=color, lw=2.5, zorder=3)
        error = ((out - x) ** 2).sum(axis=1).mean()
        axes.set_title(f"{title}\nsquared error {error:.4f} per point", fontsize=12.5)
        axes.set_aspect("equal")
        axes.axis("off")
    return figure


if __name__ == "__main__":
    save(draw_step_size(), "step_size.svg")
    save(draw_curve(), "curve.svg")
