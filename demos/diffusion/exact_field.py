"""A learned velocity field is nearly the exact one.

The network sees random pairs of noise and data and never the velocity that it should learn. For a mixture of
Normals this velocity is known in closed form (MIX.5), and so is the score (MIX.3). Both are compared with
what networks have learnt: the velocity of `FlowMatching` at points x_t, and the scores that `FlowMatching`
and `Diffusion` imply. The error is the root of the mean square, relative to that of the exact field.

Look at the last row of the table: near the data, where the noise is divided by a small 1 − t, a small error
of the velocity is a large error of the score. And look at the losses: that of the learned field minus that
of the exact field is the mean squared error of the field. The rest of the loss cannot be learned away.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import GaussianMixture
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.studies.experiments.noisy_mixture import ExactVelocity, NoisyMixture
from scratchgen.studies.experiments.paths import flow_paths
from scratchgen.training import Cosine

from ..common import plot_lines, print_table, run, save, say, tidy

DATA = GaussianMixture([0.4, 0.35, 0.25], [[-2, 0], [1.5, 1.5], [1.2, -1.6]], [0.35, 0.25, 0.5])
TIMES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
SHOWN = (0.25, 0.5, 0.9)
WINDOW = np.linspace(-2.4, 2.4, 13)
FORMATS = dict.fromkeys(("velocity", "score, flow", "score, diffusion"), ".1%")


def main(out: Path, *, points: int = 20_000, epochs: int = 60, seed: int = 0) -> dict[str, Any]:
    """Train both models on `points` examples for `epochs` epochs, and compare the fields."""
    rng = np.random.default_rng(seed)
    X = DATA.sample(points, rng=rng).astype(np.float32)
    flow, diffusion = FlowMatching.dense(2, 64, 2, rng=rng), Diffusion.dense(2, 64, 2, rng=rng)
    for model in (flow, diffusion):
        model.fit(X, epochs=epochs, batch_size=256, rng=rng, lr=Cosine(5e-3))
    exact = NoisyMixture(DATA, flow.shift, flow.scale)
    errors = {t: relative_errors(flow, diffusion, exact, t, rng) for t in TIMES}
    print_table({f"t = {t}": row for t, row in errors.items()}, "Error of the learned fields", FORMATS)

    x1 = flow._scaled(DATA.sample(50_000, rng=rng)).astype(np.float32)
    x0, t = rng.standard_normal(x1.shape).astype(np.float32), rng.random(len(x1)).astype(np.float32)
    t = np.ceil(50 * t) / 50 - np.float32(0.01)         # 50 different times
    best = FlowMatching(ExactVelocity(exact), 2)
    losses = {name: model.loss(x1, x0, t)[0] for name, model in (("learned", flow), ("exact", best))}
    xt = (1 - t[:, None]) * x0 + t[:, None] * x1
    gap = float(((flow.net.forward(xt, t)[0] - best.net.forward(xt, t)[0]) ** 2).mean())
    z = flow.prior_sample(1000, rng=rng)
    paths = {"exact": flow_paths(best, z.astype(np.float64), 50), "learned": flow_paths(flow, z, 50)}
    ends = float(np.linalg.norm(paths["exact"][-1] - paths["learned"][-1], axis=1).mean())
    say(
        f"\nLoss: {losses['learned']:.4f} with the learned field, {losses['exact']:.4f} with the exact one. "
        f"The difference is {losses['learned'] - losses['exact']:.4f}, and the mean squared error of the "
        f"field is {gap:.4f}. From the same noise, paths in the two fields end {ends:.3f} apart on "
        "average, in standard deviations of the data."
    )
    figure = save(draw(flow, exact, errors, paths), out / "exact_field.png")
    return {"errors": errors, "losses": losses, "gap": gap, "ends": ends, "figure": figure}


def relative_errors(
    flow: FlowMatching, diffusion: Diffusion, exact: NoisyMixture, t: float, rng: np.random.Generator
) -> dict[str, float]:
    """The errors at 5,000 points x_t. The step of Diffusion is that with the same ratio of data to noise."""
    x1 = flow._scaled(DATA.sample(5000, rng=rng))
    x = ((1 - t) * rng.standard_normal(x1.shape) + t * x1).astype(np.float32)
    velocity, score = flow.velocity(x, t), exact.score(x, t, 1 - t)
    noise = diffusion.noise
    step = int(np.abs(noise.a[1:] * (1 - t) - noise.s[1:] * t).argmin()) + 1
    found = diffusion.score(x * np.float32(noise.a[step] / t), step)
    exact_there = exact.score(x * noise.a[step] / t, noise.a[step], noise.s[step])
    return {
        "velocity": relative(velocity, exact.velocity(x, t)),
        "score, flow": relative((t * velocity - x) / (1 - t), score),     # −E[noise | x]/s, noise = x − t·v
        "score, diffusion": relative(found, exact_there),
    }


def relative(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.sqrt(((found - true) ** 2).mean() / (true**2).mean()))


def draw(flow: FlowMatching, exact: NoisyMixture, errors: dict[float, Any], paths: dict[str, Any]) -> Figure:
    """Plot both fields at three times, the error against time, and 60 paths in both fields."""
    figure = plots.new_figure(5.7, title="The learned velocity field beside the exact one of a known mixture")
    panels = figure.subplots(2, 3)
    grid = np.stack(np.meshgrid(WINDOW, WINDOW), axis=-1).reshape(-1, 2)
    for ax, t in zip(panels[0], SHOWN, strict=True):
        log_p = exact.log_density(grid, t, 1 - t)
        x = grid[log_p > log_p.max() - 6].astype(np.float32)    # where there are points
        for field, colour, width in ((exact.velocity(x, t), "#b5b5b5", 0.016),
                                          (flow.velocity(x, t), plots.LINES[1][0], 0.005)):
            ax.quiver(*x.T, *field.T, color=colour, width=width, angles="xy", scale_units="xy", scale=6)
        tidy(ax, f"t = {t:g}; grey: exact, orange: learned", "", grid=False, size=9)
    curves = {name: (list(errors), [row[name] for row in errors.values()]) for name in FORMATS}
    plot_lines(panels[1, 0], curves, markersize=4)
    panels[1, 0].set_yscale("log")
    panels[1, 0].set_yticks((0.001, 0.01, 0.1, 1), ("0.1 %", "1 %", "10 %", "100 %"))
    panels[1, 0].legend(frameon=False, fontsize=8)
    tidy(panels[1, 0], "error relative to the exact field", "time t", "", size=9)
    for ax, (name, states) in zip(panels[1, 1:], paths.items(), strict=True):
        ax.plot(states[:, :60, 0], states[:, :60, 1], color=plots.GREY, linewidth=0.6)
        ax.scatter(*states[-1].T, s=2, color=plots.LINES[0][0], linewidths=0, zorder=3)
        tidy(ax, f"60 paths in the {name} field", "", grid=False, size=9)
    for ax in (*panels[0], *panels[1, 1:]):
        ax.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    run(main)
