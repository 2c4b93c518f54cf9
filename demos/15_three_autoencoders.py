"""An autoencoder plus Gaussian noise plus a regulariser is a VAE: leave one out and see what goes wrong.

Three nets of one shape, trained to give digits back through a code with noise in it. They differ in what
decides on the noise:

    fixed noise    z = mu + eps           the encoder spreads its codes out until the noise no longer hurts
    learnt noise   z = mu + std·eps       nobody asks for noise, so the encoder turns it off
    VAE            and the KL as well     codes stay near the origin and the noise stays on

All give digits back. Only in the last does N(0, I) hit the codes, so that what it draws is decoded to digits.
"""

from pathlib import Path

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.layers import Layer, Sequential
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import VAE
from scratchgen.progress import ProgressBar
from scratchgen.schedules import OneCycle

CODE = 10
BATCH = 64
SEED = 1


class FixedNoise(Layer):
    """Put behind an encoder: whatever it says of the noise, logvar is 0 and std 1."""

    def forward(self, x, training=False):
        mu = x[:, :CODE]
        return np.concatenate([mu, np.zeros_like(mu)], axis=1), None

    def backward(self, dout, cache, input_grad=True):
        return np.concatenate([dout[:, :CODE], np.zeros_like(dout[:, CODE:])], axis=1)


def main(out: Path, epochs: int = 20) -> None:
    """Train the three, print the table, draw."""
    digits = load_digits()
    print(digits.source)
    examples = np.array([np.flatnonzero(digits.y_test == k)[0] for k in range(10)])
    rows = [plots.Row("test digits", digits.x_test[examples])]
    table = []
    for name in ("fixed noise", "learnt noise", "VAE"):
        rng = np.random.default_rng(SEED)
        model = VAE.dense((784, 300, 100, CODE), beta=1.0 if name == "VAE" else 0.0, rng=rng)
        if name == "fixed noise":
            model.encoder = Sequential(model.encoder, FixedNoise())
        print(f"\n784-300-100-{CODE} and back: {name}")
        lr = OneCycle(2e-3, epochs * -(-len(digits.x_train) // BATCH))
        model.fit(digits.x_train, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()])

        mu, logvar = model.posterior(digits.x_test)
        std = Normal.std(logvar)
        z = mu + std * rng.standard_normal(mu.shape, mu.dtype)
        error = squared_error_per_example(digits.x_test, model.inverse_transform(z)).mean()
        samples = model.inverse_transform(model.prior_sample(1000, rng=rng))
        fitted = rng.multivariate_normal(z.mean(0), np.cov(z.T), 1000).astype(np.float32)
        nearest = nearest_digit(samples, digits.x_train)
        own = nearest_digit(model.inverse_transform(fitted), digits.x_train)
        table.append((name, error, mu.std(), std.mean(), nearest, own))
        rows += [
            plots.Row(f"{name}: back\nsquared error {error:.1f}", model.inverse_transform(z[examples])),
            plots.Row(f"{name}: N(0, I)\ndistance {nearest:.1f}", samples[:10]),
        ]

    title = "Noise in the code, and what decides on it: only the VAE draws digits from N(0, I)"
    near = nearest_digit(digits.x_test, digits.x_train)
    note = f"Distance: to the nearest training digit, on average; from test digits it is {near:.1f}"
    picture = plots.save(
        plots.image_grid(rows, title=title, note=note, breaks=(1, 3, 5)), out / "three_autoencoders.png"
    )
    print(f"\n{picture} is drawn")

    print("\nCodes of test digits, the squared error of what comes back through code and noise, and how far")
    print(f"samples are from the nearest training digit, on average (test digits: {near:.2f})")
    print("                 spread of    mean           samples of   samples of the Normal")
    print("                     means     std    error     N(0, I)   that fits the codes")
    for name, error, spread, noise, nearest, own in table:
        print(f"{name:15}{spread:11.2f}{noise:8.3f}{error:9.1f}{nearest:12.2f}{own:14.2f}")


def nearest_digit(x: np.ndarray, digits: np.ndarray) -> float:
    """The distance to the nearest of the digits, (M, D), averaged over x, (N, D)."""
    squared = (x**2).sum(1)[:, None] - 2 * x @ digits.T + (digits**2).sum(1)
    return float(np.sqrt(np.maximum(squared.min(axis=1), 0)).mean())


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
