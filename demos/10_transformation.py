"""Noise is turned into data; but of two sets of samples alone nobody can say how large their KL is.

A small net turns z ~ N(0, 1) into the numbers of a three-humped density. On a line samples can be compared by
sorting them, and that is how it learns; images can't be sorted. The obvious measure, KL, needs densities, and
through two sets of samples there are many: kernels of any width, histograms of any number of bins. Each pair
of densities has a KL of its own, from nearly 0 to infinity, and so have two samples of one and the same
density, where the KL is 0. Kernels of 0.1 come close here; to know that, one needs the answer.

Two ways lead out: learn the measure, too, as a GAN does; or bound what is wanted from a model that has a
density, as a VAE does, whose decoder turns N(0, I) into digits here.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import GaussianMixture1D, load_digits
from scratchgen.layers import LeakyReLU, Linear, Sequential
from scratchgen.losses import squared_error
from scratchgen.models import VAE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import OneCycle

DATA = GaussianMixture1D((0.3, 0.5, 0.2), (-2.5, 0.5, 3.0), (0.4, 0.6, 0.3))
OTHER = GaussianMixture1D((0.4, 0.6), (-1.5, 1.5), (1.0, 1.2))
BANDWIDTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
BINS = (2, 4, 8, 16, 32, 64, 128)
BATCH = 2048                # large: between the humps there are few samples to sort
SEED = 1


def main(out: Path, updates: int = 2000, shown: int = 240_000, points: int = 300) -> None:
    """Train both maps, print the tables, draw.

    updates : how many updates the map on the line makes
    shown   : how many digits the VAE sees, 40 epochs of 6,000
    points  : how many samples of each density the KL is to be told from
    """
    rng = np.random.default_rng(SEED)
    net, before = fit_map(updates, rng)
    z = rng.standard_normal((20_000, 1))
    made = net.forward(z)[0]
    print("Largest gap between the distribution functions of g(z) and of the data, 20,000 samples")
    print(f"before training {before:8.3f}\nafter training  {largest_gap(made):8.3f}")

    p, q, again = (density.sample(points, rng=rng)[:, 0] for density in (DATA, OTHER, DATA))
    true = true_kl()
    print(f"\nKL in nats from {points} samples of each of two densities; and of one density, drawn twice")
    print("                     of two    of one")
    print(f"{'true':17}{true:10.3f}{0:10.3f}")
    kernel = {h: (kernel_kl(p, q, h), kernel_kl(p, again, h)) for h in BANDWIDTHS}
    for h, values in kernel.items():
        print(f"kernels of {h:<6g}" + "".join(f"{value:10.3f}" for value in values))
    for bins in BINS:
        values = histogram_kl(p, q, bins), histogram_kl(p, again, bins)
        print(f"{bins:3} bins{'':9}" + "".join(f"{value:10.3f}" for value in values))
    print("Ways out: learn the measure (GAN), or bound it (VAE).")

    digits = load_digits()
    print(f"\n{digits.source}")
    epochs = max(1, round(shown / len(digits.x_train)))
    vae = VAE.dense((784, 400, 10), rng=rng)
    print(f"VAE 784-400-10 and back; {vae.data_note}")
    lr = OneCycle(3e-3, epochs * -(-len(digits.x_train) // 128))
    vae.fit(digits.x_train, epochs=epochs, lr=lr, rng=rng, callbacks=[ProgressBar()])
    images = vae.inverse_transform(vae.prior_sample(24, rng=rng))

    figure = draw(net, made[:, 0], p, q, kernel, true, images)
    picture = plots.save(figure, out / "transformation.png")
    print(f"\n{picture} is drawn")


def fit_map(updates: int, rng: np.random.Generator) -> tuple[Sequential, float]:
    """A net 1-64-64-1 whose samples, sorted, come near those of the data; and the gap before training.

    Of all ways to pair two sets of numbers, sorting both has the least squared error: the loss is the squared
    Wasserstein distance of the two samples.
    """
    kind = {"rng": rng, "dtype": np.float64}
    layers = Linear(1, 64, **kind), LeakyReLU(), Linear(64, 64, **kind), LeakyReLU(), Linear(64, 1, **kind)
    net = Sequential(*layers)
    before = largest_gap(net.forward(rng.standard_normal((20_000, 1)))[0])
    optimizer = Adam(net.parameters(), OneCycle(1e-2, updates))
    for _ in range(updates):
        made, cache = net.forward(rng.standard_normal((BATCH, 1)))
        order = np.argsort(made[:, 0])
        wanted = np.empty_like(made)
        wanted[order] = np.sort(DATA.sample(BATCH, rng=rng), axis=0)
        _, dmade = squared_error(made, wanted)
        optimizer.zero_grad()
        net.backward(dmade, cache, input_grad=False)
        optimizer.step()
    return net, before


def largest_gap(x: np.ndarray) -> float:
    """The largest distance between the samples' distribution function and the data's."""
    grid = np.linspace(-8, 8, 4001)
    cdf = np.cumsum(np.exp(DATA.log_density(grid[:, None]))) * (grid[1] - grid[0])
    return float(np.abs(np.searchsorted(np.sort(x[:, 0]), grid) / len(x) - cdf).max())


def true_kl() -> float:
    """KL(DATA ‖ OTHER) by quadrature."""
    grid = np.linspace(-12, 12, 20_001)
    log_p, log_q = (density.log_density(grid[:, None]) for density in (DATA, OTHER))
    return float(np.trapezoid(np.exp(log_p) * (log_p - log_q), grid))


def kernel_kl(p: np.ndarray, q: np.ndarray, bandwidth: float) -> float:
    """KL of two kernel densities, a Gaussian of that width at each sample, by quadrature."""
    reach = 6 * bandwidth
    grid = np.linspace(min(p.min(), q.min()) - reach, max(p.max(), q.max()) + reach, 10_001)
    log_p, log_q = kernel_log_density(p, bandwidth, grid), kernel_log_density(q, bandwidth, grid)
    return float(np.trapezoid(np.exp(log_p) * (log_p - log_q), grid))


def kernel_log_density(samples: np.ndarray, bandwidth: float, grid: np.ndarray) -> np.ndarray:
    """log of the mean over samples of N(x; sample, bandwidth²), at each x of the grid."""
    one_each = np.full(len(samples), 1 / len(samples))
    mixture = GaussianMixture1D(one_each, samples, np.full(len(samples), bandwidth))
    return mixture.log_density(grid[:, None])


def histogram_kl(p: np.ndarray, q: np.ndarray, bins: int) -> float:
    """KL of two histograms over one set of bins: infinite where a bin has samples of p and none of q."""
    edges = np.linspace(min(p.min(), q.min()), max(p.max(), q.max()), bins + 1)
    share_p, share_q = (np.histogram(x, edges)[0] / len(x) for x in (p, q))
    some = share_p > 0
    if np.any(share_q[some] == 0):
        return float("inf")
    return float((share_p[some] * np.log(share_p[some] / share_q[some])).sum())


def draw(
    net: Sequential,
    made: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    kernel: dict[float, tuple[float, float]],
    true: float,
    images: np.ndarray,
) -> Figure:
    """The map and what it makes; densities through the samples, and their KL; digits out of noise."""
    fig = plots.new_figure(7.6, title="From noise to data, and why two sets of samples have no KL")
    above, middle, below = fig.subfigures(3, 1, height_ratios=(2.4, 3.2, 2))
    blue, orange, green = (colour for colour, _ in plots.LINES[:3])
    x = np.linspace(-5, 5, 1001)

    noise, curve, data = above.subplots(1, 3)
    noise.fill_between(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=plots.GREY, alpha=0.4, linewidth=0)
    curve.plot(x[200:801], net.forward(x[200:801, None])[0], color=blue, linewidth=2)
    data.hist(made, bins=60, range=(-5, 5), density=True, color=blue, alpha=0.4)
    data.plot(x, np.exp(DATA.log_density(x[:, None])), color=plots.TEXT, linewidth=1.5)
    tidy(noise, "noise z ~ N(0, 1)")
    tidy(curve, "the map g that was learnt")
    tidy(data, "g(z); line: the data")

    through, estimates = middle.subplots(1, 2)
    for bandwidth, colour, width in ((0.03, orange, 0.7), (0.3, blue, 2), (3.0, green, 2)):
        density = np.exp(kernel_log_density(p, bandwidth, x))
        through.plot(x, density, color=colour, linewidth=width, label=f"width {bandwidth:g}")
    through.plot(p, np.full(len(p), -0.05), "|", color=plots.TEXT, markersize=7, markeredgewidth=0.5)
    through.legend(frameon=False, fontsize=8.5, loc="upper center", ncols=3, handlelength=1, columnspacing=1)
    through.set_ylim(-0.1, 0.85)
    tidy(through, f"densities through the same {len(p)} samples")
    of_two, of_one = zip(*kernel.values(), strict=True)
    estimates.loglog(BANDWIDTHS, of_two, color=blue, marker="o", markersize=5, label="of two densities")
    estimates.loglog(BANDWIDTHS, of_one, color=orange, marker="s", markersize=5, label="of one, drawn twice")
    estimates.axhline(true, color=blue, linewidth=1.2, linestyle="--", label=f"true, of two: {true:.2f}")
    estimates.minorticks_off()
    estimates.set_xlabel("width of the kernels", fontsize=9.5, color=plots.TEXT)
    estimates.legend(frameon=False, fontsize=8.5)
    tidy(estimates, "their KL in nats")
    estimates.grid(axis="y", color="#e5e5e5", linewidth=0.8)

    said = "The same in 784 dimensions: a VAE's decoder, g(z) for z ~ N(0, I)"
    below.suptitle(said, fontsize=10, color=plots.TEXT)
    for ax, pixels in zip(below.subplots(2, 12).flat, images, strict=True):
        ax.imshow(pixels.reshape(28, 28), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_axis_off()
    return fig


def tidy(ax: Axes, title: str) -> None:
    ax.set_title(title, fontsize=10, color=plots.TEXT)
    ax.tick_params(labelsize=9)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
