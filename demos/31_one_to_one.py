"""There and back: a digit to its z and home again, through a flow, a VAE and a GAN.

The flow maps x and z one to one, so the way back is exact but for rounding, in float32 and, with the same
weights, in float64. A VAE's code is narrower than the digit and has noise in it: what comes back is close. A
GAN has no way from x to z at all, so z is looked for: gradient descent on ‖G(z) − x‖², where the gradient is
G's own backward, asked for dz and for no weight. That ends at a neighbour on the generator's sheet. The
control are images that G drew itself, for which a z with no error is known to exist: does the search find it?
"""

from pathlib import Path

import numpy as np

from scratchgen import plots
from scratchgen.data import dequantise, load_digits
from scratchgen.layers import Parameter
from scratchgen.losses import squared_error
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import GAN, NICE, VAE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Cosine, OneCycle

SEED = 0
COLUMNS = 9
CODE = 20       # of VAE and GAN


def main(
    out: Path, shown: int = 60_000, gan_shown: int = 120_000, searched: int = 100, steps: int = 600
) -> None:
    """Train all three, send digits there and back, print the errors, draw.

    shown, gan_shown : how many digits flow and VAE, and the GAN, see in training
    searched : digits, and images of the GAN's own, that a z is looked for
    steps : of that search
    """
    digits = load_digits()
    print(digits.source)
    rng = np.random.default_rng(SEED)
    flow, vae, gan = train(digits.x_train, shown, gan_shown, rng)

    x = dequantise(digits.x_test, rng=rng)
    wide = NICE.dense(784, (300, 300), rng=rng, dtype=np.float64, levels=256)
    for name, p in wide.parameters().items():
        p.value[...] = flow.parameters()[name].value
    back = {
        "flow, float32": (x, flow.reconstruct(x)),
        "flow, float64": (x.astype(np.float64), wide.reconstruct(x.astype(np.float64))),
        "VAE, code of 20": (digits.x_test, vae.reconstruct(digits.x_test)),
    }
    own = gan.sample(searched, rng=rng)
    digit = digits.x_test[:searched]
    for name, images in (("GAN, a digit", digit), ("GAN, its own image", own)):
        back[name] = images, gan.inverse_transform(search(gan, images, steps, rng))

    print("\nthere and back        images   largest error    mean error      squared error an image")
    print("                                of a pixel       of a pixel      mean        worst")
    for name, (there, home) in back.items():
        error = np.abs(home.astype(np.float64) - there)
        squared = squared_error_per_example(home, there)
        print(
            f"{name:22}{len(there):6}{error.max():14.2g}{error.mean():17.2g}{squared.mean():14.2g}"
            f"{squared.max():12.2g}"
        )
    found = squared_error_per_example(*back["GAN, its own image"][::-1])
    share = (found < 0.05 * (own - own.mean(axis=0)).var(axis=0).sum()).mean()
    print(f"\nof its own images the search found {share:.0%}: an error below a 20th of their variance")

    rows = [plots.Row("test digits", digit[:COLUMNS])]
    kinds = {"flow": "flow, float32", "VAE": "VAE, code of 20", "GAN, searched": "GAN, a digit"}
    for label, name in kinds.items():
        there, home = (images[:COLUMNS] for images in back[name])
        rows.append(plots.Row(label, home, numbers=list(squared_error_per_example(home, there))))
    there, home = (images[:COLUMNS] for images in back["GAN, its own image"])
    rows += [
        plots.Row("drawn by the GAN", there),
        plots.Row("GAN, searched", home, numbers=list(squared_error_per_example(home, there))),
    ]
    figure = plots.image_grid(
        rows,
        title="To z and back again",
        note="Below each image its squared error, summed over the pixels; "
        "an empty image would have about 90.",
        breaks=[4],
    )
    print(f"\n{plots.save(figure, out / 'one_to_one.png')} is drawn")


def train(X: np.ndarray, shown: int, gan_shown: int, rng: np.random.Generator) -> tuple[NICE, VAE, GAN]:
    """The three models, trained on the same digits."""
    epochs, gan_epochs = (max(1, round(n / len(X))) for n in (shown, gan_shown))
    schedule = OneCycle(3e-3, epochs * -(-len(X) // 128))
    flow = NICE.dense(784, (300, 300), levels=256, rng=rng)
    flow.fit(X, epochs=epochs, lr=schedule, rng=rng, callbacks=[ProgressBar()])
    vae = VAE.dense((784, 400, CODE), rng=rng)
    vae.fit(X, epochs=epochs, lr=schedule, rng=rng, callbacks=[ProgressBar()])
    gan = GAN.dense(CODE, 256, rng=rng)
    gan.fit(X, epochs=gan_epochs, rng=rng, callbacks=[ProgressBar()])
    return flow, vae, gan


def search(gan: GAN, x: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    """z for each x, (N, K): Adam on ‖G(z) − x‖², from a draw of the prior; G's weights stay as they are."""
    z = Parameter(gan.prior_sample(len(x), rng=rng))
    optimizer = Adam({"z": z}, Cosine(0.1, steps))
    with gan.generator.frozen():
        for _ in range(steps):
            optimizer.zero_grad()
            out, cache = gan.generator.forward(z.value)
            _, dout = squared_error(out, x)
            z.grad += gan.generator.backward(dout * len(x), cache)  # the mean's gradient, made the sum's
            optimizer.step()
    return z.value


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
