"""Why each example needs a posterior of its own: with the prior's code, every digit comes back as the mean.

A VAE's decoder learns to make x from a code that was drawn for x, from q(z | x). Here a second decoder, of
the same shape and with as many updates, learns to make x from a code drawn from the prior N(0, I), whatever x
is. Which code goes with which digit is then an accident, so nothing in the code can lower the loss, and the
best answer to every code is the mean of all digits.
"""

from pathlib import Path

import numpy as np

from scratchgen import plots
from scratchgen.data import Batches, binarise, load_digits
from scratchgen.distributions import Normal
from scratchgen.layers import Layer
from scratchgen.losses import bce_with_logits
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import VAE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import OneCycle

SIZES = (784, 400, 10)
BATCH = 128
SEED = 1


def main(out: Path, shown: int = 120_000) -> None:
    """Train, print the table, draw. `shown`: how many digits each decoder sees, 20 epochs of 6,000."""
    digits = load_digits()
    print(digits.source)
    x, x_test = digits.x_train, digits.x_test
    epochs = max(1, round(shown / len(x)))
    lr = OneCycle(3e-3, epochs * -(-len(x) // BATCH))

    rng = np.random.default_rng(SEED)
    own = VAE.dense(SIZES, rng=rng)
    print(f"\nVAE 784-400-10 and back; {own.data_note}\nthe code is drawn from q(z | x)")
    own.fit(x, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()])

    rng = np.random.default_rng(SEED)
    prior = VAE.dense(SIZES, rng=rng)
    print("the same decoder: the code is drawn from the prior")
    fit_on_prior_codes(prior.decoder, x, epochs, lr, rng)

    mu, logvar = own.posterior(x_test)
    noise = prior.prior_sample(len(x_test), rng=rng)
    mean = x.mean(axis=0)
    outputs = {
        "its own code": own.inverse_transform(Normal.sample(mu, logvar, noise)),
        "the prior's code": prior.inverse_transform(noise),
        "the mean image": np.tile(mean, (len(x_test), 1)),
    }

    print(f"\nSquared errors over {len(x_test):,} test digits. Spread: to the mean of the outputs themselves")
    print("made from              to the digit   to the mean image    spread")
    errors = {}
    for name, made in outputs.items():
        errors[name] = squared_error_per_example(x_test, made)
        to_mean = squared_error_per_example(outputs["the mean image"], made).mean()
        spread = ((made - made.mean(axis=0)) ** 2).sum(axis=1).mean()
        print(f"{name:20}{errors[name].mean():15.2f}{to_mean:20.2f}{spread:10.2f}")

    examples = np.array([np.flatnonzero(digits.y_test == k)[0] for k in range(10)])
    rows = [plots.Row("test digit", x_test[examples])]
    for name, made in outputs.items():
        label = f"{name}\nmean error {errors[name].mean():.1f}"
        rows.append(plots.Row(label, made[examples], numbers=errors[name][examples]))
    title = "A code that was not drawn for this digit says nothing about it"
    note = "Two decoders, one trained with a digit's own code, one with the prior's. Numbers: squared errors"
    picture = plots.save(plots.image_grid(rows, title=title, note=note), out / "prior_code.png")
    print(f"\n{picture} is drawn")


def fit_on_prior_codes(
    decoder: Layer, x: np.ndarray, epochs: int, lr: OneCycle, rng: np.random.Generator
) -> None:
    """Train a decoder as a VAE would, save that z ~ N(0, I) never hears of x."""
    code = next(iter(decoder.parameters().values())).shape[0]
    optimizer = Adam(decoder.parameters(), lr)
    batches = Batches(x, batch_size=BATCH, rng=rng)
    for _ in range(epochs):
        for (grey,) in batches:
            z = rng.standard_normal((len(grey), code), grey.dtype)
            logits, cache = decoder.forward(z, training=True)
            _, dlogits = bce_with_logits(logits, binarise(grey, rng=rng))
            optimizer.zero_grad()
            decoder.backward(dlogits, cache, input_grad=False)
            optimizer.step()


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
