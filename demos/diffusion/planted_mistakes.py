"""Four mistakes that a gradient check cannot see.

Each is a line or two of a subclass: a right gradient of a wrong loss, or a wrong sampler, which has no
gradient. The comments have the right code. Models with and without a mistake learn two moons. The table has
the loss in the first and the last epoch, the energy distance (PATH.2) of samples to the data, and the mean
log-density of samples under the true density.

Look at the row of x_1 in place of x_t, where the loss is lower than without the mistake. And look at the last
row but one: its noise is smaller than that of the moons, and the distance does not see it. CAUGHT_BY names
the test that fails for each mistake.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import two_moons
from scratchgen.layers import ResidualNet
from scratchgen.losses import squared_error
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.models.diffusion.flow_matching import FlowMatchingCache
from scratchgen.studies.experiments.paths import energy_distance
from scratchgen.training import Cosine

from ..common import print_table, run, save, tidy


class DataFedIn(FlowMatching):
    """The network gets x_1 in place of x_t."""

    def loss(self, x1, x0=None, t=None, y=None, *, rng=None, training=False):
        v, cache = self.net.forward(x1, t, y, training)                 # right: (1 − t)·x0 + t·x1
        loss, dv = squared_error(v, x1 - x0)
        return loss / self.features, FlowMatchingCache(dv / dv.dtype.type(self.features), cache)


class OneTime(FlowMatching):
    """All examples of a batch have the same time, and so the same level of noise."""

    def _times(self, n, rng):
        return np.full(n, rng.random(), self.dtype)                     # right: rng.random(n)


class Timeless(ResidualNet):
    """The network does not see the time."""

    def forward(self, x, t, y=None, training=False):
        return super().forward(x, np.zeros_like(t), y, training)        # right: t


class NoisyEnd(Diffusion):
    """The sampler adds noise in its last step as well."""

    def _ddim(self, denoised, t, u, eta=0.0, rng=None):
        x = super()._ddim(denoised, t, u, eta, rng)                     # right: return this
        std = eta * np.sqrt(1 - self.noise.alpha_bar[t]) if u == 0 else 0.0
        return x + (std * rng.standard_normal(x.shape)).astype(x.dtype) if std else x


CAUGHT_BY = {
    "x_1 in place of x_t": "test_loss_of_the_best_network_is_the_variance_of_the_velocity",
    "one time per batch": "test_times_have_the_stated_distribution",
    "no time": "test_network_starts_at_zero_and_depends_on_time_and_class_after_training",
    "noise in last step": "test_large_variance_is_right_for_standard_normal_data_with_few_steps",
}


def main(
    out: Path, *, points: int = 8000, epochs: int = 60, samples: int = 2000, steps: int = 20, seed: int = 0
) -> dict[str, Any]:
    """Train on `points` examples for `epochs` epochs; draw `samples` samples with `steps` steps."""
    rng = np.random.default_rng(seed)
    X = two_moons().sample(points, rng=rng).astype(np.float32)
    test, other = (two_moons().sample(samples, rng=rng) for _ in range(2))
    timeless = Timeless(2, 128, 2, embedding=64, rng=seed)
    models = {
        "flow matching": FlowMatching.dense(2, 128, 2, rng=seed),
        "x_1 in place of x_t": DataFedIn.dense(2, 128, 2, rng=seed),
        "one time per batch": OneTime.dense(2, 128, 2, rng=seed),
        "diffusion": Diffusion.dense(2, 128, 2, rng=seed),
        "no time": Diffusion(timeless, 2),
        "noise in last step": NoisyEnd.dense(2, 128, 2, rng=seed),
    }
    table, drawn = {}, {}
    for name, model in models.items():
        trainer = model.trainer(X, epochs=epochs, batch_size=128, rng=seed, lr=Cosine(4e-3))
        losses = trainer.run().epochs["loss"]
        drawn[name] = model.sample(samples, rng=seed, steps=steps)
        table[name] = {"first loss": losses[0], "last loss": losses[-1], **measure(drawn[name], test)}
    table["data"] = measure(other, test)
    title = "Training loss, energy distance of samples to the data, their mean true log-density in nats"
    print_table(table, title, dict.fromkeys(("first loss", "last loss", "distance"), ".3f"))
    for name, test_name in CAUGHT_BY.items():
        print(f"\n{name}: the test that fails is\n  {test_name}")
    return {"table": table, "figure": save(draw(drawn, table), out / "planted_mistakes.png")}


def measure(x: np.ndarray, test: np.ndarray) -> dict[str, float]:
    return {"distance": energy_distance(x, test), "log p": float(two_moons().log_density(x).mean())}


def draw(drawn: dict[str, np.ndarray], table: dict[str, dict[str, float]]) -> Figure:
    """Plot the samples of each model, with their distance to the data and the loss."""
    figure = plots.new_figure(5.6, title="Four mistakes (orange), and what they do to samples of two moons")
    for ax, (name, x) in zip(figure.subplots(2, 3).flat, drawn.items(), strict=True):
        wrong, row = name in CAUGHT_BY, table[name]
        ax.scatter(*x.T, s=1.5, color=plots.LINES[int(wrong)][0], linewidths=0)
        title = f"{name}{'' if wrong else ', no mistake'}\n"
        title += f"loss {row['last loss']:.2f}, distance {row['distance']:.3f}, log p {row['log p']:.1f}"
        tidy(ax, title, "", grid=False, size=8.5)
        ax.set(aspect="equal", xlim=(-2.2, 3.2), ylim=(-2, 2.5), xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    run(main)
