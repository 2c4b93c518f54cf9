"""Samples improve while the loss hardly falls.

In flow matching, a network learns the velocity of straight paths from noise to data, here to two moons. Many
paths pass through one point, and the network can only learn their mean velocity. So a part of the loss
remains however good the network is: the variance of the velocity at a point. The density of the samples does
improve. It is computed by solving the equation backwards. The mean gap to the true one is KL(p_data ‖ model),
in nats.

Look at the last row of the table next to the first one, and at the paths. The network was trained on straight
lines, but the paths that it takes are curved.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import two_moons
from scratchgen.models import FlowMatching
from scratchgen.models.diffusion.ode import integrate
from scratchgen.training import Callback, Cosine, Trainer

from ..common import animated, film, print_table, run, save, tidy

TIMES = (0.0, 0.4, 0.7, 1.0)


class Measure(Callback):
    """Measures the loss and the KL divergence after some of the epochs."""

    def __init__(self, model: FlowMatching, epochs: tuple[int, ...], test: np.ndarray):
        self.model, self.epochs, self.test = model, epochs, test
        self.found: dict[str, dict[str, float]] = {}

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.epoch in self.epochs:
            true = two_moons().log_density(self.test)
            gap = true - self.model.log_likelihood(self.test).log_prob
            self.found[f"after {trainer.epoch} epochs"] = {
                "loss": values["loss"], "KL, nats": float(gap.mean())
            }  # fmt: skip


def main(out: Path, *, points: int = 10_000, epochs: int = 60, seed: int = 0) -> dict[str, Any]:
    """Train on `points` examples for `epochs` epochs; print loss and KL on the way, and plot the paths."""
    rng = np.random.default_rng(seed)
    X, test = (two_moons().sample(n, rng=rng).astype(np.float32) for n in (points, 1000))
    model = FlowMatching.dense(2, 64, 2, rng=rng)
    moments = tuple(dict.fromkeys(max(1, epochs * share // 100) for share in (3, 10, 30, 100)))
    measure = Measure(model, moments, test)
    model.fit(X, epochs=epochs, rng=rng, lr=Cosine(3e-3), callbacks=[measure])
    print_table(measure.found, "Loss and divergence during training", {"loss": ".3f", "KL, nats": ".3f"})
    z = model.prior_sample(2000, rng=rng)
    states = [z]
    for start, end in zip(TIMES[:-1], TIMES[1:], strict=True):
        states += carried(model, states[-1], start, end)
    paths = [states[0][:40]]
    for i in range(40):
        paths += carried(model, paths[-1], i / 40, (i + 1) / 40)
    straight = np.linalg.norm(paths[-1] - paths[0], axis=1)
    walked = np.linalg.norm(np.diff(paths, axis=0), axis=2).sum(axis=0)
    longer = float(walked.sum() / straight.sum() - 1)
    print(f"\nThe paths are {longer:.0%} longer than the straight lines between their ends.")
    figure = draw(model, states, np.array(paths))
    found = measure.found | {"longer": longer, "figure": save(figure, out / "noise_to_moons.png")}
    return found | ({"animation": animate(model, z, out / "noise_to_moons.gif")} if animated() else {})


def carried(model: FlowMatching, x: np.ndarray, start: float, end: float) -> list[np.ndarray]:
    """The points x at time `start`, carried to time `end`."""
    return list(integrate(
        lambda state, t: (model.velocity(state[0], t),), (x,), start, end, steps=10, method="heun"
    ))  # fmt: skip


def draw(model: FlowMatching, states: list[np.ndarray], paths: np.ndarray) -> Figure:
    """Plot the points at four times, coloured by where they started, and the paths of some of them."""
    figure = plots.new_figure(3.6, title="Noise is carried to two moons")
    colour = np.arctan2(states[0][:, 1], states[0][:, 0])
    panels = figure.subplots(1, len(TIMES) + 1, sharex=True, sharey=True)
    for ax, t, x in zip(panels, TIMES, states, strict=False):
        ax.scatter(*x.T, s=2, c=colour, cmap="twilight", linewidths=0)
        tidy(ax, f"t = {t:g}", "", grid=False)
    panels[-1].plot(paths[:, :, 0], paths[:, :, 1], color=plots.GREY, linewidth=0.8)
    panels[-1].scatter(*paths[-1].T, s=4, color=plots.LINES[0][0], zorder=3)
    tidy(panels[-1], "40 paths", "", grid=False)
    for ax in panels:
        ax.set(aspect="equal", xlim=(-2.7, 2.7), ylim=(-2.7, 2.7), xticks=[], yticks=[])
    return figure


def animate(model: FlowMatching, z: np.ndarray, path: Path, frames: int = 40) -> Path:
    """Save the points on their way from noise to the two moons as a GIF."""
    colour = np.arctan2(z[:, 1], z[:, 0])
    states = [(0.0, z)]
    for i in range(frames):
        (x,) = carried(model, states[-1][1], i / frames, (i + 1) / frames)
        states.append(((i + 1) / frames, x))

    def frame(figure: Figure, moment: tuple[float, np.ndarray]) -> None:
        t, x = moment
        ax = figure.subplots()
        ax.scatter(*x.T, s=4, c=colour, cmap="twilight", linewidths=0)
        tidy(ax, f"flow matching carries noise to data: t = {t:.2f}", grid=False)
        ax.set(aspect="equal", xlim=(-2.7, 2.7), ylim=(-2.7, 2.7), xticks=[], yticks=[])

    return film(path, frame, states, size=(4.4, 4.6), fps=12)


if __name__ == "__main__":
    run(main)
