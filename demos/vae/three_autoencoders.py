"""A VAE needs learned noise and the KL to generate digits.

Three nets of the same shape reconstruct digits through a noisy code. They differ in the noise:

    fixed noise     z = mu + eps         the encoder spreads its codes until the noise has little effect
    learned noise   z = mu + std·eps     nothing keeps the noise above 0, so the encoder removes it
    VAE             and the KL as well   codes stay near the origin and the noise stays on

All reconstruct digits. Look at the rows "from N(0, I)": only the VAE generates digits. The distance from a
sample to the nearest training digit is small for a blank image, so the main measure is the distance from each
test digit to the nearest of 1,000 samples. It is large if the samples are blank or omit some digits.
"""

from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.layers import Layer, Sequential
from scratchgen.metrics import nearest_distance, squared_error_per_example
from scratchgen.models import VAE

from ..common import first_of_each_digit, print_table, run, save, say, train

CODE = 10


class FixedNoise(Layer):
    """Replaces the log-variance of an encoder by 0, so that std is 1."""

    def forward(self, x, training=False):
        mu = x[:, :CODE]
        return np.concatenate([mu, np.zeros_like(mu)], axis=1), None

    def backward(self, dout, cache, input_grad=True):
        return np.concatenate([dout[:, :CODE], np.zeros_like(dout[:, CODE:])], axis=1)


def main(out: Path, *, shown: int = 120_000, samples: int = 1000, seed: int = 1) -> dict[str, Any]:
    """Train the three nets, and compare their reconstructions and samples.

    shown   : digits that each net sees, 20 epochs of 6,000
    samples : generated digits in each distance
    """
    digits = load_digits()
    say(digits.source)
    x, x_test = digits.x_train[:6000], digits.x_test[:1000]     # for the distances; the nets see all digits
    examples = first_of_each_digit(digits.y_test[:1000])
    real = mean(nearest_distance(x_test, x)), mean(nearest_distance(x_test, x[:samples]))
    table: dict[str, dict[str, float]] = {}
    rows = [plots.Row("test digits", x_test[examples])]
    for name in ("fixed noise", "learned noise", "VAE"):
        rng = np.random.default_rng(seed)
        model = VAE.dense((784, 300, 100, CODE), beta=1.0 if name == "VAE" else 0.0, rng=rng)
        if name == "fixed noise":
            model.encoder = Sequential(model.encoder, FixedNoise())
        print(f"\nTraining 784-300-100-{CODE}: {name}")
        train(model, digits.x_train, shown=shown, lr=2e-3, rng=rng, batch_size=64)

        mu, logvar = model.posterior(x_test)
        std = Normal.std(logvar)
        z = mu + std * rng.standard_normal(mu.shape, mu.dtype)
        generated = model.inverse_transform(model.prior_sample(samples, rng=rng))
        fitted = rng.multivariate_normal(z.mean(0), np.cov(z.T), samples).astype(np.float32)
        table[name] = {
            "std of mu": mu.std(),
            "mean noise std": std.mean(),
            "squared error": squared_error_per_example(x_test, model.inverse_transform(z)).mean(),
            **both_ways(generated, x, x_test, "N(0, I)"),
            **both_ways(model.inverse_transform(fitted), x, x_test, "fitted Normal"),
        }
        label = f"{name}\nmu ±{mu.std():.3g}, std {std.mean():.2g}"
        rows.append(plots.Row(label, model.inverse_transform(z[examples])))
        distance = table[name]["N(0, I): in"]
        rows.append(plots.Row(f"from N(0, I):\ndistance {distance:.1f}", generated[:10]))

    table["real digits"] = {"N(0, I): out": real[0], "N(0, I): in": real[1]}
    table["mean image"] = both_ways(x.mean(axis=0)[None], x, x_test, "N(0, I)")
    table["black image"] = both_ways(np.zeros_like(x[:1]), x, x_test, "N(0, I)")
    title = (
        "Codes of test digits; the squared error of their reconstruction from a noisy code; mean distances: "
        f"`out` from a sample to the nearest training digit, `in` from a test digit to the nearest of "
        f"{samples:,} samples, of N(0, I) and of the Normal that fits the codes"
    )
    print_table(table, title, {"mean noise std": ".3f", "squared error": ".1f"})
    note = (
        f"Distance: from a test digit to the nearest of {samples:,} samples; "
        f"real digits {real[1]:.1f}, the mean image {table['mean image']['N(0, I): in']:.1f}"
    )
    title = "Noise in the code: only the VAE generates digits from N(0, I)"
    figure = plots.image_grid(rows, title=title, note=note, breaks=(1, 3, 5))
    return {"table": table, "figure": save(figure, out / "three_autoencoders.png")}


def both_ways(samples: np.ndarray, x: np.ndarray, x_test: np.ndarray, name: str) -> dict[str, float]:
    """Mean distances of samples to the nearest training digit, and of test digits to the nearest sample."""
    out, back = mean(nearest_distance(samples, x)), mean(nearest_distance(x_test, samples))
    return {f"{name}: out": out, f"{name}: in": back}


def mean(values: np.ndarray) -> float:
    return float(values.mean())


if __name__ == "__main__":
    run(main)
