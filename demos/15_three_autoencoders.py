"""An autoencoder plus Gaussian noise plus a regulariser is a VAE: leave one out and see what goes wrong.

Three nets of one shape, trained to give digits back through a code with noise in it. They differ in what
decides on the noise:

    fixed noise    z = mu + eps           the encoder spreads its codes out until the noise no longer hurts
    learnt noise   z = mu + std·eps       nobody asks for noise, so the encoder turns it off
    VAE            and the KL as well     codes stay near the origin and the noise stays on

All give digits back. Only in the last does N(0, I) hit the codes, so that what it draws is decoded to digits.

How near are samples to digits? Looked at from the samples, a blank image is nearer to the training digits
than a new digit is. So the table looks both ways, and the way that counts is from each test digit to the
nearest of 1,000 samples: a net that draws blanks, or only a few of the ten digits, is far from the others.
"""

from pathlib import Path

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.layers import Layer, Sequential
from scratchgen.metrics import nearest_distance, squared_error_per_example
from scratchgen.models import VAE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

CODE = 10
BATCH = 64
SEED = 1
SAMPLES = 1000


class FixedNoise(Layer):
    """Put behind an encoder: whatever it says of the noise, logvar is 0 and std 1."""

    def forward(self, x, training=False):
        mu = x[:, :CODE]
        return np.concatenate([mu, np.zeros_like(mu)], axis=1), None

    def backward(self, dout, cache, input_grad=True):
        return np.concatenate([dout[:, :CODE], np.zeros_like(dout[:, CODE:])], axis=1)


def main(out: Path, shown: int = 120_000) -> None:
    """Train the three, print the table, draw. `shown`: how many digits each sees, 20 epochs of 6,000."""
    digits = load_digits()
    print(digits.source)
    epochs = max(1, round(shown / len(digits.x_train)))
    train, test = digits.x_train[:6000], digits.x_test[:1000]  # what is compared; the nets see all
    examples = np.array([np.flatnonzero(digits.y_test[:1000] == k)[0] for k in range(10)])
    rows = [plots.Row("test digits", test[examples])]
    table = []
    for name in ("fixed noise", "learnt noise", "VAE"):
        rng = np.random.default_rng(SEED)
        model = VAE.dense((784, 300, 100, CODE), beta=1.0 if name == "VAE" else 0.0, rng=rng)
        if name == "fixed noise":
            model.encoder = Sequential(model.encoder, FixedNoise())
        print(f"\n784-300-100-{CODE} and back: {name}\n{model.data_note}")
        lr = OneCycle(2e-3, epochs * -(-len(digits.x_train) // BATCH))
        model.fit(digits.x_train, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()])

        mu, logvar = model.posterior(test)
        std = Normal.std(logvar)
        z = mu + std * rng.standard_normal(mu.shape, mu.dtype)
        error = squared_error_per_example(test, model.inverse_transform(z)).mean()
        samples = model.inverse_transform(model.prior_sample(SAMPLES, rng=rng))
        fitted = rng.multivariate_normal(z.mean(0), np.cov(z.T), SAMPLES).astype(np.float32)
        near = both_ways(samples, train, test)
        own = both_ways(model.inverse_transform(fitted), train, test)
        table.append((name, mu.std(), std.mean(), error, near, own))
        rows += [
            plots.Row(
                f"{name}: back\nmu ±{mu.std():.3g}, std {std.mean():.2g}",
                model.inverse_transform(z[examples]),
            ),
            plots.Row(f"from N(0, I):\ndistance {near[1]:.1f}", samples[:10]),
        ]

    real = (
        float(nearest_distance(test, train).mean()),
        float(nearest_distance(test, train[:SAMPLES]).mean()),
    )
    mean, black = (both_ways(x, train, test) for x in (train.mean(axis=0)[None], np.zeros_like(train[:1])))
    title = "Noise in the code, and what decides on it: only the VAE draws digits from N(0, I)"
    note = (
        f"Distance: from a test digit to the nearest of {SAMPLES:,} samples; "
        f"of real digits {real[1]:.1f}, to the mean image {mean[1]:.1f}"
    )
    grid = plots.image_grid(rows, title=title, note=note, breaks=(1, 3, 5))
    picture = plots.save(grid, out / "three_autoencoders.png")
    print(f"\n{picture} is drawn")

    print("\nCodes of test digits, the squared error of what comes back through code and noise, distances:")
    print("`out` from a sample to the nearest training digit, `in` from a test digit to the nearest")
    print(f"of {SAMPLES:,} samples. A blank image does well in the first only.")
    print("                 spread of    mean             samples of    samples of the Normal")
    print("                     means     std    error       N(0, I)     that fits the codes")
    print("                                                out      in         out      in")
    for name, spread, noise, error, near, own in table:
        print(f"{name:15}{spread:11.2f}{noise:8.3f}{error:9.1f}{pair(near)}    {pair(own)}")
    for name, distances in (("real digits", real), ("mean image", mean), ("black image", black)):
        print(f"{name:43}{pair(distances)}")


def both_ways(samples: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[float, float]:
    """Distance from samples to the nearest training digit, from test digits to the nearest sample: means."""
    out, back = nearest_distance(samples, train), nearest_distance(test, samples)
    return float(out.mean()), float(back.mean())


def pair(distances: tuple[float, float]) -> str:
    return "".join(f"{distance:8.2f}" for distance in distances)


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
