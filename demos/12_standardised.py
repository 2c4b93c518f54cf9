"""The codes of all digits together against N(0, I), with the KL left out, weighted 1, and weighted 50.

Were every q(z | x) the prior, so were their mixture over the data, and samples from the prior would be codes
that the decoder knows. With beta = 1 it comes near and not quite: MMD² falls until about epoch 25 of 40 and
stays 16 times what chance makes it, since the codes are 6 to 19 % too wide. Without the KL the noise
dies out, the codes go where they like, and the prior's samples fall where no code was. With beta = 50 nothing
tells the two apart, and the code says nothing.

Two statistics compare one z ~ q(z | x) of each test digit with the prior; by how much true samples of the
prior miss it, too, is simulated:

    KS    the largest gap between the two distribution functions in any one dimension
    MMD²  1/n² Σᵢⱼ k(zᵢ, zⱼ) − 2/n Σᵢ E k(zᵢ, y) + E k(y, y'),   y, y' ~ N(0, I),  k(a, b) = exp(−‖a−b‖²/2K)
          (Gretton et al. 2012, lemma 6, its last two terms in closed form), which sees all K dimensions
"""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import Digits, load_digits
from scratchgen.distributions import Normal
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import VAE, latent_usage
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

BETAS = (0, 1, 50)
WIDTH = 10                  # numbers in the code
TESTED = 1000               # test digits whose codes are compared with the prior, pair by pair
POINTS = 500                # in the picture; more would only cover each other
BATCH = 128
SEED = 1


@dataclass(frozen=True)
class Result:
    """What one VAE made of the test digits: codes z (N, K), of which `first` and `second` are drawn."""

    beta: float
    z: np.ndarray
    std: np.ndarray         # the noise of each code, (N, K)
    axes: tuple[int, int]   # the two dimensions that carry most
    kl: float
    error: float
    ks: float
    course: list[float]     # MMD² after each epoch
    samples: np.ndarray     # mean images of codes from the prior, (15, 784)
    reconstructions: np.ndarray

    @property
    def mmd(self) -> float:
        return self.course[-1]


def main(out: Path, shown: int = 240_000, simulations: int = 100) -> None:
    """Train three VAEs, print the table, draw.

    shown       : how many digits each sees, 40 epochs of 6,000
    simulations : how many true samples of the prior say what its own statistics are
    """
    digits = load_digits()
    print(digits.source)
    digits = replace(digits, x_test=digits.x_test[:TESTED], y_test=digits.y_test[:TESTED])
    results = [evaluate(digits, beta, shown) for beta in BETAS]

    n = len(digits.x_test)
    rng = np.random.default_rng(SEED)
    true = [rng.standard_normal((n, WIDTH)) for _ in range(simulations)]
    ks = np.quantile([kolmogorov_smirnov(z) for z in true], 0.95)
    mmd = np.quantile([discrepancy(z) for z in true], 0.95)

    print(f"\nOne code of each of {n:,} test digits against N(0, I)")
    print("               std of   codes: largest     std, from    largest     KL in   squared")
    print("               noise       mean, abs.      and to       corr.      nats     error      KS    MMD²")
    for r in results:
        width = r.z.std(axis=0)
        correlation = np.abs(np.corrcoef(r.z.T) - np.eye(WIDTH)).max()
        print(
            f"beta = {r.beta:<6}{r.std.mean():9.3f}{np.abs(r.z.mean(axis=0)).max():15.2f}"
            f"{width.min():9.2f}{width.max():7.2f}{correlation:9.2f}"
            f"{r.kl:10.2f}{r.error:10.1f}{r.ks:8.3f}{r.mmd:8.4f}"
        )
    print(f"95 of 100 true samples of the prior stay below{'':27}{ks:8.3f}{mmd:8.4f}")

    course = results[1].course
    print(f"\nbeta = 1, training: MMD² is {course[-1] / mmd:.0f} times what chance makes it")
    for k in sorted({-(-len(course) * eighth // 8) for eighth in range(1, 9)}):
        print(f"after {k:3} epochs: {course[k - 1]:.4f}")

    picture = plots.save(draw(results, digits, mmd), out / "standardised.png")
    print(f"\n{picture} is drawn")


def evaluate(digits: Digits, beta: float, shown: int) -> Result:
    """Train a VAE with that weight of the KL and look at its codes of the test digits."""
    rng = np.random.default_rng(SEED)
    vae = VAE.dense((784, 400, WIDTH), rng=rng, beta=beta)
    epochs = max(1, round(shown / len(digits.x_train)))
    lr = OneCycle(3e-3, epochs * -(-len(digits.x_train) // BATCH))
    print(f"\nVAE 784-400-{WIDTH} and back, beta = {beta}; {vae.data_note}")
    eps = np.random.default_rng(SEED).standard_normal((len(digits.x_test), WIDTH))
    trainer = vae.trainer(
        digits.x_train,
        epochs=epochs,
        batch_size=BATCH,
        lr=lr,
        rng=rng,
        callbacks=[ProgressBar()],
        validate=lambda: discrepancy(Normal.sample(*vae.posterior(digits.x_test), eps)),
    )
    history = trainer.run()

    mu, logvar = vae.posterior(digits.x_test)
    z = Normal.sample(mu, logvar, eps)
    kl = latent_usage(vae, digits.x_test).kl
    second, first = np.argsort(kl)[-2:]
    made = vae.inverse_transform(z.astype(np.float32))
    return Result(
        beta,
        z,
        Normal.std(logvar),
        (first, second),
        float(kl.sum()),
        float(squared_error_per_example(digits.x_test, made).mean()),
        kolmogorov_smirnov(z),
        history.epochs["validation"],
        vae.inverse_transform(vae.prior_sample(15, rng=rng)),
        made,
    )


def kolmogorov_smirnov(z: np.ndarray) -> float:
    """The largest distance of any column's empirical distribution function from the Normal one."""
    n = len(z)
    cdf = np.vectorize(NormalDist().cdf)(np.sort(z, axis=0))
    above = np.arange(1, n + 1)[:, None] / n - cdf
    return float(max(above.max(), (1 / n - above).max()))


def discrepancy(z: np.ndarray) -> float:
    """MMD² of z (N, K) to N(0, I), with a Gaussian kernel of variance K; 0 only where the two are equal."""
    k = z.shape[1]
    square = (z**2).sum(axis=1)
    between = np.exp(-(square[:, None] + square - 2 * z @ z.T) / (2 * k)).mean()
    to_prior = (k / (k + 1)) ** (k / 2) * np.exp(-square / (2 * (k + 1))).mean()
    return float(between - 2 * to_prior + (k / (k + 2)) ** (k / 2))


def draw(results: list[Result], digits: Digits, usual: float) -> Figure:
    """A column for each beta: the codes, samples from the prior, reconstructions. `usual`: MMD² by chance."""
    height = 7.5
    fig = plots.new_figure(height)

    def text(left: float, top: float, said: str, size: float = 9.5, **style: Any) -> None:
        style = {"color": plots.TEXT, "linespacing": 1.4} | style
        fig.text(left / plots.WIDTH, 1 - top / height, said, fontsize=size, va="top", **style)

    text(0.1, 0.1, "Together the codes of all digits come near the prior, or they don't", 12, weight="bold")
    text(0.1, 2.93 + 0.87, "Two of ten dimensions; circles: 1, 2, 3 std of the prior; "
         f"MMD² by chance: up to {usual:.4f}", color=plots.GREY)
    for k, colour in enumerate(plots.COLOURS):
        text(6.3 + 0.155 * k, 2.93 + 0.85, str(k), 10.5, color=colour, weight="bold")
    text(0.1, 4.15, "Decoded: codes from the prior")
    text(0.1, 5.95, "Test digits, and what came back")
    around = np.linspace(0, 2 * np.pi, 200)
    examples = [np.flatnonzero(digits.y_test == k)[0] for k in (0, 2, 4, 7, 8)]
    for column, (name, r) in enumerate(zip(("KL left out", "VAE", "KL dominates"), results, strict=True)):
        left = 0.1 + 2.65 * column
        text(left, 0.4, f"beta = {r.beta}: {name}", 11, weight="bold")
        text(left, 0.65, f"noise std {r.std.mean():.3f}, KL {r.kl:.1f} nats\n"
             f"error {r.error:.1f}, MMD² to N(0, I) {r.mmd:.4f}")
        ax = fig.add_axes((left / plots.WIDTH, 1 - 3.68 / height, 2.5 / plots.WIDTH, 2.5 / height))
        codes, y = r.z[:POINTS, list(r.axes)], digits.y_test[:POINTS]
        for colour, k in zip(plots.COLOURS, range(10), strict=True):
            ax.scatter(*codes[y == k].T, s=5, color=colour, linewidths=0)
        for radius in (1, 2, 3):
            ax.plot(radius * np.cos(around), radius * np.sin(around), color=plots.TEXT, linewidth=1)
        reach = max(4.0, 1.05 * np.abs(codes).max())
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
        ax.text(0.02, 0.02, f"±{reach:.0f}", transform=ax.transAxes, fontsize=9, color=plots.GREY)
        pairs = np.stack([digits.x_test[examples], r.reconstructions[examples]])
        for top, rows in ((4.4, r.samples.reshape(3, 5, -1)), (6.2, pairs)):
            for i, j in np.ndindex(rows.shape[:2]):
                corner = ((left + 0.5 * j) / plots.WIDTH, 1 - (top + 0.5 * i + 0.48) / height)
                ax = fig.add_axes((*corner, 0.48 / plots.WIDTH, 0.48 / height))
                ax.imshow(rows[i, j].reshape(28, 28), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                ax.set_axis_off()
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
