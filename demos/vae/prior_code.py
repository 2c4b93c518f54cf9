"""A decoder trained on prior codes gives the mean image.

A VAE's decoder learns to reconstruct x from a code drawn from q(z | x). Here, a second decoder of the same
shape, with the same number of updates, gets a code drawn from the prior N(0, I), independently of x. Such a
code has no information about x, so the best output for every code is the mean of all digits. In the figure,
the row of the prior's codes repeats the mean image.
"""

from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import plots
from scratchgen.data import Batches, binarise, load_digits
from scratchgen.distributions import Normal
from scratchgen.layers import Layer
from scratchgen.losses import bce_with_logits
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import VAE
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import OneCycle

from ..common import epochs_for, first_of_each_digit, print_table, run, save, say, train

SIZES = (784, 400, 10)


def main(out: Path, *, shown: int = 120_000, seed: int = 1) -> dict[str, Any]:
    """Train both decoders, and compare their outputs.

    shown : digits that each decoder sees, 20 epochs of 6,000
    """
    digits = load_digits()
    say(digits.source)
    x, x_test = digits.x_train, digits.x_test

    rng = np.random.default_rng(seed)
    posterior = VAE.dense(SIZES, rng=rng)
    say(posterior.data_note)
    print("\nTraining a VAE 784-400-10: the code is drawn from q(z | x)")
    train(posterior, x, shown=shown, lr=3e-3, rng=rng)

    rng = np.random.default_rng(seed)
    prior = VAE.dense(SIZES, rng=rng)
    print("Training the same decoder: the code is drawn from the prior")
    fit_on_prior_codes(prior.decoder, x, epochs_for(shown, x), 3e-3, rng)

    mu, logvar = posterior.posterior(x_test)
    noise = prior.prior_sample(len(x_test), rng=rng)
    mean = x.mean(axis=0)
    outputs = {
        "posterior's code": posterior.inverse_transform(Normal.sample(mu, logvar, noise)),
        "prior's code": prior.inverse_transform(noise),
        "mean image": np.tile(mean, (len(x_test), 1)),
    }
    examples = first_of_each_digit(digits.y_test)
    rows = [plots.Row("test digit", x_test[examples])]
    table = {}
    for name, made in outputs.items():
        error = squared_error_per_example(x_test, made)
        table[name] = {
            "error to the digit": error.mean(),
            "error to the mean image": squared_error_per_example(outputs["mean image"], made).mean(),
            "variance of the outputs": ((made - made.mean(axis=0)) ** 2).sum(axis=1).mean(),
        }
        label = f"{name}\nmean error {error.mean():.1f}"
        rows.append(plots.Row(label, made[examples], numbers=error[examples]))
    print_table(table, f"Squared errors summed over the pixels, mean of {len(x_test):,} test digits")
    title = "Codes from the prior have no information about the digit"
    note = "Two decoders, trained on codes from q(z | x) and on codes from the prior. Numbers: squared errors"
    figure = plots.image_grid(rows, title=title, note=note)
    return {"table": table, "figure": save(figure, out / "prior_code.png")}


def fit_on_prior_codes(
    decoder: Layer, x: np.ndarray, epochs: int, lr: float, rng: np.random.Generator
) -> None:
    """Train a decoder as a VAE does, but with z ~ N(0, I) independent of x."""
    code = next(iter(decoder.parameters().values())).shape[0]
    batches = Batches(x, batch_size=128, rng=rng)
    optimizer = Adam(decoder.parameters(), OneCycle(lr, epochs * len(batches)))
    for _ in range(epochs):
        for (grey,) in batches:
            z = rng.standard_normal((len(grey), code), grey.dtype)
            logits, cache = decoder.forward(z, training=True)
            _, dlogits = bce_with_logits(logits, binarise(grey, rng=rng))
            optimizer.zero_grad()
            decoder.backward(dlogits, cache, input_grad=False)
            optimizer.step()


if __name__ == "__main__":
    run(main)
