"""A flow reconstructs digits exactly; VAE and GAN do not.

A flow is a bijection between x and z, so x → z → x is exact up to rounding, in float32 and, with the same
weights, in float64. A VAE's code is narrower than the digit, so its reconstruction is only close. A GAN has
no map from x to z, so z is found by gradient descent on ‖G(z) − x‖², with the gradient from G's backward
pass. The result is a similar image that G can generate. Images that G generated are the control: for them a z
without error exists, and the last line says how often the search finds it.

The number below each image is its squared error.
"""

from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import plots
from scratchgen.data import dequantise, load_digits
from scratchgen.layers import Parameter
from scratchgen.losses import squared_error
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import GAN, NICE, VAE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Cosine

from ..common import epochs_for, print_table, run, save, say, train

COLUMNS = 9
CODE = 20       # of VAE and GAN


def main(
    out: Path,
    *,
    shown: int = 60_000,
    gan_shown: int = 120_000,
    searched: int = 100,
    steps: int = 600,
    seed: int = 0,
) -> dict[str, Any]:
    """Train a flow, a VAE and a GAN, map digits to z and back, and compare the errors.

    shown     : digits that the flow and the VAE each see;  gan_shown : digits that the GAN sees
    searched  : number of digits, and of the GAN's images, for which z is searched
    steps     : of the search
    """
    digits = load_digits()
    say(digits.source)
    rng = np.random.default_rng(seed)
    x = digits.x_train
    flow = NICE.dense(784, (300, 300), levels=256, rng=rng)
    train(flow, x, shown=shown, lr=3e-3, rng=rng)
    vae = VAE.dense((784, 400, CODE), rng=rng)
    train(vae, x, shown=shown, lr=3e-3, rng=rng)
    gan = GAN.dense(CODE, (256, 256), rng=rng)
    gan.fit(x, epochs=epochs_for(gan_shown, x), rng=rng, callbacks=[ProgressBar()])

    noisy = dequantise(digits.x_test, rng=rng)
    wide = NICE.dense(784, (300, 300), rng=rng, dtype=np.float64, levels=256)
    for name, p in wide.parameters().items():
        p.value[...] = flow.parameters()[name].value
    pairs = {
        "flow, float32": (noisy, flow.reconstruct(noisy)),
        "flow, float64": (noisy.astype(np.float64), wide.reconstruct(noisy.astype(np.float64))),
        f"VAE, code of {CODE}": (digits.x_test, vae.reconstruct(digits.x_test)),
    }
    own, digit = gan.sample(searched, rng=rng), digits.x_test[:searched]
    for name, images in (("GAN, a digit", digit), ("GAN, its own image", own)):
        pairs[name] = images, gan.inverse_transform(search(gan, images, steps, rng))

    table, errors = {}, {}
    for name, (images, back) in pairs.items():
        error = np.abs(back.astype(np.float64) - images)
        errors[name] = squared_error_per_example(back, images)
        table[name] = {
            "images": len(images),
            "largest error of a pixel": error.max(),
            "mean error of a pixel": error.mean(),
            "squared error, mean": errors[name].mean(),
            "squared error, worst": errors[name].max(),
        }
    columns = table["GAN, a digit"]
    print_table(table, "To z and back", dict.fromkeys(columns, ".2g") | {"images": ","})
    variance = (own - own.mean(axis=0)).var(axis=0).sum()
    found = float((errors["GAN, its own image"] < 0.05 * variance).mean())
    say(f"\nThe search found {found:.0%} of the GAN's own images: an error below 1/20 of their variance")

    rows = [plots.Row("test digits", digit[:COLUMNS])]
    for name in ("flow, float32", f"VAE, code of {CODE}", "GAN, a digit"):
        label = name.replace("a digit", "searched")
        rows.append(plots.Row(label, pairs[name][1][:COLUMNS], numbers=errors[name][:COLUMNS]))
    images, back = pairs["GAN, its own image"]
    rows.append(plots.Row("GAN's own", images[:COLUMNS]))
    rows.append(plots.Row("GAN, searched", back[:COLUMNS], numbers=errors["GAN, its own image"][:COLUMNS]))
    figure = plots.image_grid(
        rows,
        title="To z and back again",
        note="Below each image its squared error, summed over pixels; an empty image would have about 90.",
        breaks=[4],
    )
    return {"table": table, "found": found, "figure": save(figure, out / "one_to_one.png")}


def search(gan: GAN, x: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Find z for each x, (N, K), by Adam on ‖G(z) − x‖² from a sample of the prior. G is not changed."""
    z = Parameter(gan.prior_sample(len(x), rng=rng))
    optimizer = Adam({"z": z}, Cosine(0.1, steps))
    with gan.generator.frozen():
        for _ in range(steps):
            optimizer.zero_grad()
            out, cache = gan.generator.forward(z.value)
            _, dout = squared_error(out, x)
            z.grad += gan.generator.backward(dout * len(x), cache)  # of the sum over examples, not the mean
            optimizer.step()
    return z.value


if __name__ == "__main__":
    run(main)
