"""The KL keeps the codes of all digits close to N(0, I).

If every q(z | x) were equal to the prior, their mixture would be, too, and the decoder would be trained on
samples of the prior. With beta = 1, the mixture comes close: MMD² falls until about epoch 25 of 40 and stays
at 16 times its value for true samples, because the codes are 6 to 19 % too wide. Without the KL, the noise
vanishes, and samples of the prior are far from all codes. With beta = 50, the codes have the distribution of
the prior, but no information about x.

Look at the codes against the circles and at the digits decoded from the prior. KS is the largest gap between
distribution functions in one dimension; MMD² (studies/experiments/aggregate_posterior.py) depends on all of
them.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.models import VAE
from scratchgen.studies.experiments import aggregate_posterior as experiment
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

from ..common import epochs_for, mosaic, print_table, run, save, say, show_image

BETAS = {0: "KL left out", 1: "VAE", 50: "KL dominates"}     # by beta, the weight of the KL
CODE = 10
FORMATS = {"KS": ".3f", "MMD²": ".4f", "std of the noise": ".3f", "squared error": ".1f"}


def main(
    out: Path, *, shown: int = 240_000, simulations: int = 100, tested: int = 1000, seed: int = 1
) -> dict[str, Any]:
    """Train three VAEs, and compare their codes with the prior.

    shown       : digits that each VAE sees, 40 epochs of 6,000
    simulations : sets of true samples of the prior, for reference values of the statistics
    tested      : test digits whose codes are compared
    """
    digits = load_digits()
    say(digits.source)
    digits = replace(digits, x_test=digits.x_test[:tested], y_test=digits.y_test[:tested])
    eps = np.random.default_rng(seed).standard_normal((len(digits.x_test), CODE))
    table, panels, courses = {}, {}, {}
    for beta, name in BETAS.items():
        rng = np.random.default_rng(seed)
        vae = VAE.dense((784, 400, CODE), rng=rng, beta=beta)
        print(f"\nTraining a VAE 784-400-{CODE} with beta = {beta}")
        courses[beta] = train(vae, digits.x_train, digits.x_test, eps, shown, rng)
        codes = experiment.encode(vae, digits, eps)
        table[f"beta = {beta}"] = summary(codes)
        panels[f"beta = {beta}: {name}"] = codes, vae.inverse_transform(vae.prior_sample(15, rng=rng))

    rng = np.random.default_rng(seed)
    true = [rng.standard_normal(eps.shape) for _ in range(simulations)]
    statistics = {"KS": experiment.kolmogorov_smirnov, "MMD²": experiment.mmd_to_normal}
    usual = {name: np.quantile([f(z) for z in true], 0.95) for name, f in statistics.items()}
    table["95 % below"] = usual
    print_table(table, f"Codes of {tested:,} test digits against N(0, I); below: true samples", FORMATS)
    course = courses[1]
    epochs = sorted({-(-len(course) * eighth // 8) for eighth in range(1, 9)})
    title = f"beta = 1: MMD² is {course[-1] / usual['MMD²']:.0f} times the 95 % quantile of true samples"
    print_table({f"after {k} epochs": {"MMD²": course[k - 1]} for k in epochs}, title, FORMATS)
    picture = save(draw(panels, digits.x_test, digits.y_test, usual["MMD²"]), out / "standardised.png")
    return {"table": table, "course": course, "figure": picture}


def train(vae: VAE, x: np.ndarray, x_test: np.ndarray, eps: np.ndarray, shown: int, rng: Any) -> list[float]:
    """Train, and return MMD² of the test digits' codes after each epoch."""
    trainer = vae.trainer(
        x, epochs=epochs_for(shown, x), lr=OneCycle(3e-3), rng=rng, callbacks=[ProgressBar()],
        validate=lambda: experiment.mmd_to_normal(Normal.sample(*vae.posterior(x_test), eps)),
    )  # fmt: skip
    return trainer.run().epochs["validation"]


def summary(codes: experiment.Codes) -> dict[str, float]:
    width = codes.z.std(axis=0)
    return {
        "std of the noise": codes.std.mean(),
        "codes: largest |mean|": np.abs(codes.z.mean(axis=0)).max(),
        "narrowest std": width.min(), "widest std": width.max(),
        "largest corr.": np.abs(np.corrcoef(codes.z.T) - np.eye(CODE)).max(),
        "KL in nats": codes.kl, "squared error": codes.error, "KS": codes.ks, "MMD²": codes.mmd,
    }  # fmt: skip


def draw(panels: dict[str, Any], x_test: np.ndarray, y_test: np.ndarray, usual: float) -> Figure:
    """Plot codes, digits decoded from the prior, and reconstructions, in a column for each beta."""
    title = f"The codes of all digits, and the prior (true samples: MMD² < {usual:.4f})"
    fig = plots.new_figure(7.0, title=title)
    axes = fig.subplots(3, len(panels), height_ratios=(2.6, 1.5, 1))
    around = np.linspace(0, 2 * np.pi, 200)
    examples = [np.flatnonzero(y_test == k)[0] for k in (0, 2, 4, 7, 8)]
    for (above, middle, below), (name, (codes, samples)) in zip(axes.T, panels.items(), strict=True):
        z, y = codes.z[:500, codes.largest], y_test[:500]
        for k, colour in enumerate(plots.COLOURS):
            above.scatter(*z[y == k].T, s=5, color=colour, linewidths=0)
            place = 0.03 + 0.07 * k, 0.03
            above.text(*place, str(k), color=colour, fontsize=9, weight="bold", transform=above.transAxes)
        for radius in (1, 2, 3):
            above.plot(radius * np.cos(around), radius * np.sin(around), color=plots.TEXT, linewidth=1)
        reach = max(4.0, 1.05 * np.abs(z).max())
        above.set(xlim=(-reach, reach), ylim=(-reach, reach), yticks=[], box_aspect=1)
        above.set_title(f"{name}\nKL {codes.kl:.1f} nats, MMD² {codes.mmd:.4f}", fontsize=10)
        above.set_xlabel("2 of 10 dimensions; circles: 1, 2, 3 std", fontsize=9)
        show_image(middle, mosaic(samples, 3), "decoded from the prior")
        pairs = np.concatenate([x_test[examples], codes.reconstructions[examples]])
        show_image(below, mosaic(pairs, 2), "test digits, reconstructed")
    return fig


if __name__ == "__main__":
    run(main)
