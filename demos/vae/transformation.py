"""Samples alone do not determine a KL divergence.

A small net maps z ~ N(0, 1) to samples of a density with three modes. Its loss compares sorted samples, which
is possible on a line; images cannot be sorted. The KL divergence needs densities, and many densities fit the
same samples: kernels of any width, histograms with any number of bins. The plot on the right shows that the
estimated KL ranges from nearly 0 to infinity with the width, even for two sets of samples of one density.
There are two solutions. A GAN learns the measure. A VAE has a density, and bounds its likelihood; its decoder
maps N(0, I) to the digits at the bottom.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import GaussianMixture1D, load_digits
from scratchgen.layers import Sequential
from scratchgen.models import VAE
from scratchgen.studies.experiments import noise_to_data as kl

from ..common import print_table, run, save, say, show_image, tidy, train

DATA = GaussianMixture1D((0.3, 0.5, 0.2), (-2.5, 0.5, 3.0), (0.4, 0.6, 0.3))
OTHER = GaussianMixture1D((0.4, 0.6), (-1.5, 1.5), (1.0, 1.2))
BANDWIDTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
BINS = (2, 4, 8, 16, 32, 64, 128)


def main(
    out: Path, *, updates: int = 2000, shown: int = 240_000, points: int = 300, seed: int = 1
) -> dict[str, Any]:
    """Train both maps, and estimate the KL of two sets of samples.

    updates : of the map on the line
    shown   : digits that the VAE sees, 40 epochs of 6,000
    points  : samples of each density from which the KL is estimated
    """
    rng = np.random.default_rng(seed)
    net, before = kl.fit_map(DATA, updates, rng)
    made = net.forward(rng.standard_normal((20_000, 1)))[0]
    gaps = {"before training": before, "after training": kl.largest_gap(made, DATA)}
    title = "Largest gap between the distribution functions of g(z) and of the data, 20,000 samples"
    print_table({name: {"gap": gap} for name, gap in gaps.items()}, title, {"gap": ".3f"})

    p, q, again = (density.sample(points, rng=rng)[:, 0] for density in (DATA, OTHER, DATA))
    pairs = {"two densities": q, "one density, drawn twice": again}
    true = kl.kl_by_quadrature(DATA, OTHER)
    table = {"true": {"two densities": true, "one density, drawn twice": 0.0}}
    for h in BANDWIDTHS:
        table[f"kernels of {h:g}"] = {name: kl.kernel_kl(p, other, h) for name, other in pairs.items()}
    for bins in BINS:
        table[f"{bins} bins"] = {name: kl.histogram_kl(p, other, bins) for name, other in pairs.items()}
    print_table(table, f"KL in nats, estimated from {points} samples of each", dict.fromkeys(pairs, ".3f"))

    digits = load_digits()
    say(f"\n{digits.source}")
    vae = VAE.dense((784, 400, 10), rng=rng)
    say(vae.data_note)
    train(vae, digits.x_train, shown=shown, lr=3e-3, rng=rng)
    images = vae.inverse_transform(vae.prior_sample(24, rng=rng))
    figure = draw(net, made[:, 0], p, table, images)
    return {"gaps": gaps, "kl": table, "figure": save(figure, out / "transformation.png")}


def draw(net: Sequential, made: np.ndarray, p: np.ndarray, table: dict, images: np.ndarray) -> Figure:
    """Plot the map and its samples, densities that fit the same samples, their KL, and digits from noise."""
    fig = plots.new_figure(7.6, title="From noise to data, and why two sets of samples have no KL")
    above, middle, below = fig.subfigures(3, 1, height_ratios=(2.4, 3.2, 2))
    blue, orange, green = (colour for colour, _ in plots.LINES[:3])
    x = np.linspace(-5, 5, 1001)
    noise, curve, data = above.subplots(1, 3)
    noise.fill_between(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=plots.GREY, alpha=0.4, linewidth=0)
    curve.plot(x[200:801], net.forward(x[200:801, None])[0], color=blue, linewidth=2)
    data.hist(made, bins=60, range=(-5, 5), density=True, color=blue, alpha=0.4)
    data.plot(x, np.exp(DATA.log_density(x[:, None])), color=plots.TEXT, linewidth=1.5)
    tidy(noise, "noise z ~ N(0, 1)", grid=False)
    tidy(curve, "the learned map g", grid=False)
    tidy(data, "g(z); line: the data", grid=False)

    through, estimates = middle.subplots(1, 2)
    for bandwidth, colour, width in ((0.03, orange, 0.7), (0.3, blue, 2), (3.0, green, 2)):
        density = np.exp(kl.kernel_log_density(p, bandwidth, x))
        through.plot(x, density, color=colour, linewidth=width, label=f"width {bandwidth:g}")
    through.plot(p, np.full(len(p), -0.05), "|", color=plots.TEXT, markersize=7, markeredgewidth=0.5)
    through.legend(frameon=False, fontsize=8.5, loc="upper center", ncols=3, handlelength=1, columnspacing=1)
    through.set_ylim(-0.1, 0.85)
    tidy(through, f"densities through the same {len(p)} samples", grid=False)
    for (colour, marker), name in zip(plots.LINES, table["true"], strict=False):
        values = [table[f"kernels of {h:g}"][name] for h in BANDWIDTHS]
        estimates.loglog(BANDWIDTHS, values, color=colour, marker=marker, markersize=5, label=name)
    true = table["true"]["two densities"]
    estimates.axhline(true, color=blue, linewidth=1.2, linestyle="--", label=f"true, two: {true:.2f}")
    estimates.minorticks_off()
    estimates.legend(frameon=False, fontsize=8.5)
    tidy(estimates, "their KL in nats", "width of the kernels")

    below.suptitle("The same in 784 dimensions: a VAE's decoder, g(z) for z ~ N(0, I)", fontsize=10)
    for ax, pixels in zip(below.subplots(2, 12).flat, images, strict=True):
        show_image(ax, pixels)
    return fig


if __name__ == "__main__":
    run(main)
