"""Exact against bounded: what a flow and a VAE say of log p(x), beside the truth, on three toy densities.

A toy density knows its own log p(x), so a model's can be held against it, point by point, and the mean gap is
the Kullback-Leibler divergence KL(p_data ‖ model) in nats. The flow's number is exact: one pass, no draws. Of
the VAE there is a lower bound, and an estimate by importance sampling that comes close to what the model
really gives; what lies between them is the price of a posterior that isn't the true one.

A Normal fitted to the same points is the control. No model may beat the truth: a mean gap below zero, beyond
its standard error, would show a density that doesn't integrate to one.

Both models get the same number of updates. The VAE is told the spread of the noise; the flow isn't.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import eight_gaussians, pinwheel, two_moons
from scratchgen.models import VAE, NormalPixels, RealNVP
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

SEED = 0
# Each with the spread of its own noise, which the VAE's decoder is given: the flow has to find it.
DENSITIES = {
    "two moons": (two_moons, 0.1),
    "eight Gaussians": (eight_gaussians, 0.2),
    "pinwheel": (pinwheel, 0.15),
}
NAMES = ("flow, exact", "VAE, importance-sampled", "VAE, lower bound", "Normal")


def main(out: Path, updates: int = 3000, samples: int = 100) -> None:
    """Train a flow and a VAE on each density, print the gaps, draw.

    updates : of either model, 256 points each
    samples : codes for each test point in the importance sampling
    """
    epochs = max(1, updates // 100)
    print("                        mean log p(x)    KL(p_data ‖ model), nats    points above")
    print("                                          mean   standard error      the truth by 1")
    found = {}
    for name, (make, std) in DENSITIES.items():
        density, rng = make(), np.random.default_rng(SEED)
        X, test = density.sample(25_600, rng=rng).astype(np.float32), density.sample(2000, rng=rng)
        flow, vae = train(X, std, epochs, rng)
        test32 = test.astype(np.float32)
        true = density.log_density(test)
        said = {
            NAMES[0]: flow.score_samples(test32),
            NAMES[1]: vae.score_samples(test32, rng=rng, samples=samples),
            NAMES[2]: vae.elbo(test32, rng=rng, samples=samples),
            NAMES[3]: normal_log_density(X, test),
        }
        print(f"{name:24}{true.mean():13.3f}")
        for kind, log_p in said.items():
            gap = true - log_p
            error = gap.std() / len(gap) ** 0.5
            above = (gap < -1).mean()
            print(f"  {kind:24}{log_p.mean():11.3f}{gap.mean():14.3f}{error:14.3f}{above:18.1%}")
        print(f"  between the VAE's two   {(said[NAMES[1]] - said[NAMES[2]]).mean():25.3f}")
        found[name] = (true, said)
    picture = plots.save(draw(found), out / "exact_likelihood.png")
    print(f"\n{picture} is drawn")


def train(X: np.ndarray, std: float, epochs: int, rng: np.random.Generator) -> tuple[RealNVP, VAE]:
    """A flow and a VAE of about as many weights, on the same points for the same number of updates."""
    run: dict[str, Any] = {"epochs": epochs, "batch_size": 256, "rng": rng, "callbacks": [ProgressBar()]}
    flow = RealNVP.dense(2, (64, 64), 6, rng=rng)
    flow.fit(X, lr=OneCycle(4e-3, 100 * epochs), **run)
    vae = VAE.dense((2, 108, 108, 2), rng=rng, observation=NormalPixels(std))
    vae.fit(X, lr=OneCycle(3e-3, 100 * epochs), **run)
    return flow, vae


def normal_log_density(X: np.ndarray, points: np.ndarray) -> np.ndarray:
    """log p of a Normal with the mean and covariance of X, (N,)."""
    mean, spread = X.mean(axis=0), np.cov(X.T)
    centred = points - mean
    distance = (centred * np.linalg.solve(spread, centred.T).T).sum(axis=1)
    return -0.5 * (distance + np.linalg.slogdet(spread)[1]) - np.log(2 * np.pi)


def draw(found: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]) -> Figure:
    """What each model says of a point against the truth, a panel for each density."""
    figure = plots.new_figure(4.4, title="log p(x) as the models have it, against the true one")
    for ax, (name, (true, said)) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        low, high = np.percentile(true, 0.5) - 1, true.max() + 0.7
        for (colour, _), kind in zip(plots.LINES, (NAMES[0], NAMES[1]), strict=False):
            ax.scatter(true, said[kind], s=3, color=colour, alpha=0.4, linewidths=0, label=kind)
        ax.plot([low, high], [low, high], color=plots.GREY, linewidth=1)
        flow, vae, bound = ((true - said[kind]).mean() for kind in NAMES[:3])
        title = f"{name}\nKL: flow {flow:.2f}, VAE {vae:.2f}\n(by the VAE's bound {bound:.2f})"
        ax.set_title(title, fontsize=10, color=plots.TEXT, linespacing=1.4)
        ax.set_xlim(low, high)
        ax.set_ylim(low - 2, high + 0.5)
        ax.set_xlabel("true log p(x), nats", fontsize=10, color=plots.TEXT)
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("the model's, nats", fontsize=10, color=plots.TEXT)
    figure.axes[0].legend(frameon=False, fontsize=9, loc="lower right", markerscale=4)
    return figure


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
