"""A flow's log p(x) is exact; a VAE has only a bound.

The true log p(x) of a toy density is known, so that of a model can be compared with it at every point. The
mean gap is the divergence KL(p_data ‖ model) in nats. The flow computes log p(x) exactly in one pass, without
samples. A VAE gives a lower bound, and an estimate by importance sampling that is close to its log p(x). The
difference of these two is due to the inexact posterior. A Normal fitted to the same points is the control. A
mean gap below zero, by more than its standard error, would show a density that does not integrate to 1.

Look at the distance of the points from the diagonal. Both models make the same number of updates. The VAE is
given the standard deviation of the noise, and the flow is not.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import eight_gaussians, pinwheel, two_moons
from scratchgen.models import VAE, NormalPixels, RealNVP

from ..common import print_table, run, save, tidy, train

# Each density with the standard deviation of its noise, which the VAE's decoder uses.
DENSITIES = {
    "two moons": (two_moons, 0.1),
    "eight Gaussians": (eight_gaussians, 0.2),
    "pinwheel": (pinwheel, 0.15),
}
FLOW, VAE_ESTIMATE, VAE_BOUND, NORMAL = "flow, exact", "VAE, importance-sampled", "VAE, lower bound", "Normal"


def main(out: Path, *, updates: int = 3000, samples: int = 100, seed: int = 0) -> dict[str, Any]:
    """Train a flow and a VAE on each density, and compare their log p(x) with the true one.

    updates : of either model, 256 points each
    samples : codes for each test point in the importance sampling
    """
    results: dict[str, Any] = {}
    found = {}
    for name, (make, std) in DENSITIES.items():
        density, rng = make(), np.random.default_rng(seed)
        X, test = density.sample(25_600, rng=rng).astype(np.float32), density.sample(2000, rng=rng)
        print(f"\nTraining a flow and a VAE on {name}")
        shown = updates // 100 * len(X)
        flow = RealNVP.dense(2, (64, 64), 6, rng=rng)
        train(flow, X, shown=shown, lr=4e-3, rng=rng, batch_size=256)
        vae = VAE.dense((2, 108, 108, 2), rng=rng, observation=NormalPixels(std))
        train(vae, X, shown=shown, lr=3e-3, rng=rng, batch_size=256)
        test32 = test.astype(np.float32)
        true = density.log_density(test)
        log_p = {
            FLOW: flow.score_samples(test32),
            VAE_ESTIMATE: vae.score_samples(test32, rng=rng, samples=samples),
            VAE_BOUND: vae.elbo(test32, rng=rng, samples=samples),
            NORMAL: normal_log_density(X, test),
        }
        results[name] = {"the density itself": {"mean log p(x)": true.mean()}}
        for kind, values in log_p.items():
            gap = true - values
            results[name][kind] = {
                "mean log p(x)": values.mean(),
                "KL, nats": gap.mean(),
                "standard error": gap.std() / len(gap) ** 0.5,
                "points above the truth by 1": (gap < -1).mean(),
            }
        formats = dict.fromkeys(results[name][FLOW], ".3f") | {"points above the truth by 1": ".1%"}
        print_table(results[name], name, formats)
        found[name] = true, log_p
    return results | {"figure": save(draw(found), out / "exact_likelihood.png")}


def normal_log_density(X: np.ndarray, points: np.ndarray) -> np.ndarray:
    """log p of a Normal with the mean and covariance of X, (N,)."""
    mean, covariance = X.mean(axis=0), np.cov(X.T)
    centred = points - mean
    distance = (centred * np.linalg.solve(covariance, centred.T).T).sum(axis=1)
    return -0.5 * (distance + np.linalg.slogdet(covariance)[1]) - np.log(2 * np.pi)


def draw(found: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]) -> Figure:
    """Plot log p(x) of each model against the true one, in a panel for each density."""
    figure = plots.new_figure(4.4, title="log p(x) of two models against the true one")
    for ax, (name, (true, log_p)) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        low, high = np.percentile(true, 0.5) - 1, true.max() + 0.7
        for (colour, _), kind in zip(plots.LINES, (FLOW, VAE_ESTIMATE), strict=False):
            ax.scatter(true, log_p[kind], s=3, color=colour, alpha=0.4, linewidths=0, label=kind)
        ax.plot([low, high], [low, high], color=plots.GREY, linewidth=1)
        flow, vae, bound = ((true - log_p[kind]).mean() for kind in (FLOW, VAE_ESTIMATE, VAE_BOUND))
        title = f"{name}\nKL: flow {flow:.2f}, VAE {vae:.2f}\n(by the VAE's bound {bound:.2f})"
        tidy(ax, title, "true log p(x), nats", grid=False)
        ax.set(xlim=(low, high), ylim=(low - 2, high + 0.5))
    figure.axes[0].set_ylabel("the model's, nats", fontsize=9.5, color=plots.TEXT)
    figure.axes[0].legend(frameon=False, fontsize=9, loc="lower right", markerscale=4)
    return figure


if __name__ == "__main__":
    run(main)
