"""Two gradients through a random code, equal on average: through z, and by the score function, far noisier.

Both estimate how E[f(z)], z ~ N(mu, std²), moves with mu and logvar, from S draws of z = mu + std·eps:

    through z        f'(z) · dz/dmu = f'(z),            f'(z) · dz/dlogvar = f'(z) · ½·eps·std
    score function   f(z) · dlog q/dmu = f(z) · eps/std, f(z) · dlog q/dlogvar = f(z) · ½·(eps² − 1)
    with a baseline  (f(z) − b) in place of f(z), b the mean of f over the other S − 1 draws

The score function asks for values of f alone, which also works where f has no slope. First f is a bowl whose
gradient is known; then it is what a VAE's decoder loses on a digit, one of each class.

The fair comparison is with a baseline: on the decoder the score function then needs 10 times the draws that
the path through z needs for the same error, on the bowl 20 times. That is the price of values in place of
slopes. Without a baseline it is 12,000 and 143 times. Nearly all of that is offset: f is some 120 nats
wherever z falls, and this constant is multiplied by the score's noise, though it says nothing of directions.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import binarise, load_digits
from scratchgen.distributions import Bernoulli, Normal
from scratchgen.models import VAE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

SEED = 1
WIDTH = 10                                      # numbers in the code
SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)    # draws that an estimate is made of
MANY = 16                                       # of these in the table: the baseline is then a fair one
NAMES = ("through z", "score function", "score, baseline")

Slopes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Estimators = dict[str, Callable[[int], np.ndarray]]


class Case(NamedTuple):
    """What estimates a gradient, and what it is, with its standard error, both (2K,)."""

    estimators: Estimators
    truth: np.ndarray
    truth_error: np.ndarray


def main(out: Path, shown: int = 60_000, draws: int = 8_192) -> None:
    """Train, print the tables, draw.

    shown : how many digits the VAE sees, 10 epochs of 6,000
    draws : how many codes are drawn for each digit, and eight times as many for the bowl
    """
    digits = load_digits()
    print(digits.source)
    rng = np.random.default_rng(SEED)

    centre = np.linspace(-1, 1, WIDTH)
    mu, logvar = np.zeros(WIDTH), np.full(WIDTH, -1.0)
    known = np.concatenate([-2 * centre, np.exp(logvar)])       # of E[f] = Σ (mu − centre)² + std²
    bowl = estimates(
        lambda z: (((z - centre) ** 2).sum(axis=1), 2 * (z - centre)), mu, logvar, 8 * draws, rng
    )

    vae = VAE.dense((784, 400, WIDTH), rng=rng)
    epochs = max(1, round(shown / len(digits.x_train)))
    lr = OneCycle(3e-3, epochs * -(-len(digits.x_train) // 128))
    print(f"\nVAE 784-400-{WIDTH} and back; {vae.data_note}")
    vae.fit(digits.x_train, epochs=epochs, lr=lr, rng=rng, callbacks=[ProgressBar()])
    decoder = []
    level = np.random.default_rng(SEED)
    offset, spread = [], []
    for k in range(10):
        f, mu, logvar = posterior(vae, digits.x_test[digits.y_test == k][:1], rng)
        values, _ = f(Normal.sample(mu, logvar, level.standard_normal((1024, WIDTH))))
        offset.append(values.mean())
        spread.append(values.std())
        apart = estimates(f, mu, logvar, draws, rng)[NAMES[0]](1)   # the truth is not known: other draws
        error = apart.std(axis=0) / draws**0.5
        decoder.append(Case(estimates(f, mu, logvar, draws, rng), apart.mean(axis=0), error))

    panels = {
        "a bowl, f(z) = Σ (z − c)²": table("A bowl", [Case(bowl, known, np.zeros_like(known))]),
        "a decoder, f(z) = −log p(x | z)": table("A VAE's decoder, on ten digits", decoder),
    }
    print(f"\nf of a digit: {np.mean(offset):.0f} nats, give or take {np.mean(spread):.1f} from code to code")
    picture = plots.save(draw(panels), out / "reparameterisation.png")
    print(f"\n{picture} is drawn")


def estimates(
    f: Slopes, mu: np.ndarray, logvar: np.ndarray, draws: int, rng: np.random.Generator
) -> Estimators:
    """Name -> a function S -> gradients by mu and logvar, (draws/S, 2K), estimated from S draws each."""
    eps = rng.standard_normal((draws, len(mu)))
    std = Normal.std(logvar)
    z = Normal.sample(mu, logvar, eps)
    value, slope = f(z)                                         # (draws,), (draws, K)
    path = np.concatenate([slope, 0.5 * slope * eps * std], axis=1)
    score = np.concatenate(Normal.log_prob_grad(z, mu, logvar)[1:], axis=1)

    def mean(each: np.ndarray, samples: int) -> np.ndarray:
        return each.reshape(-1, samples, each.shape[1]).mean(axis=1)

    def with_baseline(samples: int) -> np.ndarray:
        group = value.reshape(-1, samples)
        others = (group.sum(axis=1, keepdims=True) - group) / (samples - 1)
        return mean((group - others).reshape(-1, 1) * score, samples)

    return {
        NAMES[0]: lambda samples: mean(path, samples),
        NAMES[1]: lambda samples: mean(value[:, None] * score, samples),
        NAMES[2]: with_baseline,
    }


def posterior(
    vae: VAE, grey: np.ndarray, rng: np.random.Generator
) -> tuple[Slopes, np.ndarray, np.ndarray]:
    """f(z) = −log p(x | z) in nats of one digit x, (1, D), and mu and logvar (K,) of its q(z | x)."""
    x = binarise(grey, rng=rng)
    mu, logvar = (head[0].astype(np.float64) for head in vae.posterior(x))

    def f(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, slopes = [], []
        with vae.decoder.frozen():
            for part in np.split(z.astype(x.dtype), range(1024, len(z), 1024)):
                logits, cache = vae.decoder.forward(part)
                values.append(-Bernoulli.log_prob(x, logits).sum(axis=1))
                slopes.append(vae.decoder.backward(-Bernoulli.log_prob_grad(x, logits), cache))
        return np.concatenate(values).astype(np.float64), np.concatenate(slopes).astype(np.float64)

    return f, mu, logvar


def table(title: str, cases: list[Case]) -> dict[str, tuple[list[int], list[float]]]:
    """Print what the estimators give; return name -> (numbers of draws, relative errors)."""
    print(f"\n{title}")
    print("estimator         mean off by, in     variance    draws for what one through z gives")
    print("                  standard errors     per draw      lowest      all     highest")
    curves = {}
    variance = {}
    for name in NAMES:
        off, variance[name] = [], np.empty(len(cases))
        for i, case in enumerate(cases):
            each = case.estimators[name](MANY)
            error = np.hypot(each.std(axis=0) / len(each) ** 0.5, case.truth_error)
            off += list((each.mean(axis=0) - case.truth) / error)
            variance[name][i] = MANY * each.var(axis=0).sum()
        ratios = variance[name] / variance[NAMES[0]]
        ratio = variance[name].mean() / variance[NAMES[0]].mean()
        print(
            f"{name:17}{np.square(off).mean() ** 0.5:12.2f}{variance[name].mean():17,.1f}"
            f"{ratios.min():12,.1f}{ratio:10,.1f}{ratios.max():11,.1f}"
        )
        used = [s for s in SAMPLES if s > 1 or name != NAMES[2]]    # a baseline needs another draw
        curves[name] = used, [relative_error(cases, name, s) for s in used]
    plain, baseline = (variance[name].mean() - variance[NAMES[0]].mean() for name in NAMES[1:])
    print(f"of what the score function adds to the variance, a baseline takes {1 - baseline / plain:.1%}")
    return curves


def relative_error(cases: list[Case], name: str, samples: int) -> float:
    """The root of the mean squared error of an estimate, over that of the gradient itself."""
    squared = [((c.estimators[name](samples) - c.truth) ** 2).sum(axis=1).mean() for c in cases]
    return float((np.mean(squared) / np.mean([(c.truth**2).sum() for c in cases])) ** 0.5)


def draw(panels: dict[str, dict[str, tuple[list[int], list[float]]]]) -> Figure:
    """Relative error by the number of draws, both axes logarithmic, a panel for each function."""
    figure = plots.new_figure(4.6, title="The same gradient from random codes, estimated in three ways")
    axes = figure.subplots(1, len(panels), sharey=True)
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        for (colour, marker), (name, (draws, errors)) in zip(plots.LINES, curves.items(), strict=False):
            ax.loglog(draws, errors, color=colour, marker=marker, markersize=5, linewidth=2, label=name)
        ax.axhline(1, color=plots.GREY, linewidth=1, linestyle=":")
        ax.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
        ax.minorticks_off()
        many = {name: errors[draws.index(MANY)] for name, (draws, errors) in curves.items()}
        score, baseline = ((many[name] / many[NAMES[0]]) ** 2 for name in NAMES[1:])
        needed = f"score, baseline: {baseline:,.0f}× the draws; without: {score:,.0f}×"
        ax.set_title(f"{title}\n{needed}", fontsize=10, color=plots.TEXT, linespacing=1.4)
        ax.set_xlabel("draws of the code in an estimate", fontsize=10, color=plots.TEXT)
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("error / length of the gradient", fontsize=10, color=plots.TEXT)
    axes[1].legend(frameon=False, fontsize=9.5, loc="upper right")
    return figure


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
