"""The chain rule over pixels: who depends on whom, read off by gradient, and digits completed from above.

Above, every logit's gradient with respect to every pixel, of digits of 10×10. A MADE and a PixelCNN with two
stacks see every pixel before, and none from their own on. One stack of masked convolutions, however deep,
never sees some of those to the upper right.

Below, the lower half of a digit, drawn given its upper half. For MADE that is the chain rule and exact. A VAE
has no such factor: here codes are drawn from the prior and weighted by how well they explain the upper half.
NICE has one even less: here the lower half wanders by Langevin steps along the gradient of log p(x), which is
backprop down to the pixels. All completions are held against the true lower half.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.data import binarise, dequantise, load_digits
from scratchgen.distributions import Bernoulli
from scratchgen.layers import MaskedConv2d, ReLU, Sequential
from scratchgen.layers.masked import raster_mask
from scratchgen.models import MADE, NICE, VAE, PixelCNN
from scratchgen.models.flow.model import PRIORS
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
SMALL = (10, 10)
UPPER = np.arange(784) < 392
COLUMNS = 10
STEP = 0.1      # h of the first Langevin step


def main(
    out: Path, shown: int = 240_000, stacks_shown: int = 24_000, codes: int = 30_000, steps: int = 200
) -> None:
    """Train, print the tables, draw.

    shown : how many digits MADE, VAE and NICE see each;  stacks_shown : how many the PixelCNN
    codes : drawn from the VAE's prior;  steps : of Langevin
    """
    digits = load_digits()
    print(digits.source)
    rng = np.random.default_rng(SEED)
    matrices = dependencies(digits, shown // 4, stacks_shown, rng)

    x, grey = digits.x_train, digits.x_test[:200]
    test = binarise(grey, rng=rng)
    print("\nMADE 784-500-784, VAE 784-300-8, NICE of four couplings with two layers of 300 each")
    made = MADE(784, (500,), rng=rng, binarisation="dynamic")
    vae = VAE.dense((784, 300, 8), rng=rng)
    nice = NICE.dense(784, (300, 300), 4, rng=rng, levels=256)
    for model, peak in ((made, 4e-3), (vae, 3e-3), (nice, 2e-3)):
        train(model, x, shown, peak, rng)

    draws = [made.complete(np.where(UPPER, test, 0), UPPER, rng=rng) for _ in range(50)]
    by_code, vae_nats, effective = weighted_codes(vae, test, codes, rng)
    wandered = [langevin(nice, x, grey, steps, rng) for _ in range(3)]
    nearest = nearest_lower_halves(binarise(x, rng=rng), test)
    mean = np.clip(x.mean(axis=0), 1e-3, 1 - 1e-3)[None]
    logit = np.log(mean / (1 - mean))
    made_nats = lower_log_prob(test, made.logits(test)[0])
    lower = ~UPPER
    print(f"\nThe lower half of {len(test)} test digits, given the upper half; per digit of 392 pixels")
    print("                             error of the mean    wrong pixels, one draw    log p(lower | upper)")
    for name, average, draw, nats in (
        ("mean of all digits", np.tile(mean, (len(test), 1)), np.tile(mean > 0.5, (len(test), 1)),
         lower_log_prob(test, np.tile(logit, (len(test), 1)))),
        ("nearest upper half", nearest, nearest, None),
        ("MADE, exact", np.mean(draws, axis=0), draws[0], made_nats),
        ("VAE, weighted codes", by_code, binarise(by_code, rng=rng), vae_nats),
        ("NICE, Langevin", np.mean(wandered, axis=0), wandered[0] > 0.5, None),
    ):
        error = ((average - test)[:, lower] ** 2).sum(axis=1).mean()
        wrong = (draw != test)[:, lower].sum(axis=1).mean()
        said = "" if nats is None else f"{nats.mean():24.1f}"
        print(f"{name:28} {error:17.1f} {wrong:25.1f} {said}")
    print(f"of {codes:,} codes, {np.median(effective):.1f} count for a digit (median of (Σw)² / Σw²)")

    chosen = [int(np.flatnonzero(digits.y_test[:200] == k)[0]) for k in range(COLUMNS)]
    given = np.where(UPPER, test, 0.35)
    rows = [
        plots.Row("digit", test[chosen]),
        plots.Row("given", given[chosen]),
        plots.Row("MADE, a draw", draws[0][chosen]),
        plots.Row("MADE, another", draws[1][chosen]),
        plots.Row("VAE, mean", np.where(UPPER, test, by_code)[chosen]),
        plots.Row("NICE, a chain", np.where(UPPER, grey, wandered[0])[chosen]),
        plots.Row("nearest half", np.where(UPPER, test, nearest)[chosen]),
    ]
    picture = plots.save(draw_all(matrices, rows), out / "one_factor_at_a_time.png")
    print(f"\n{picture} is drawn")


def train(model: Any, x: np.ndarray, shown: int, peak: float, rng: np.random.Generator) -> None:
    epochs = max(1, round(shown / len(x)))
    lr = OneCycle(peak, epochs * -(-len(x) // 128))
    model.fit(x, epochs=epochs, batch_size=128, lr=lr, rng=rng, callbacks=[ProgressBar()])


# Who depends on whom


def dependencies(digits: Any, made_shown: int, stacks_shown: int, rng: np.random.Generator) -> dict[str, Any]:
    """Train two nets on digits of 10×10, print what they see; name -> |gradients| (100, 100)."""
    x, test = (binarise(halved(part), rng=rng) for part in (digits.x_train, digits.x_test[:1000]))
    made = MADE(100, (300,), rng=rng)
    stacks = PixelCNN(SMALL, channels=16, layers=6, first=7, rng=rng)
    train(made, x, made_shown, 4e-3, rng)
    train(stacks, x, stacks_shown, 4e-3, rng)
    kind = {"rng": rng, "dtype": np.float32}
    middle = [
        layer
        for _ in range(9)
        for layer in (MaskedConv2d(8, 8, raster_mask((3, 3), centre=True), padding=1, **kind), ReLU())
    ]
    one_stack = Sequential(
        MaskedConv2d(1, 8, raster_mask((3, 3), centre=False), padding=1, **kind), ReLU(), *middle,
        MaskedConv2d(8, 1, raster_mask((1, 1), centre=True), **kind),
    )
    for p in one_stack.parameters().values():       # biases that leave most units on: no pixel by accident
        p.value += 0.3 * (p.value.ndim == 1)
    found = {
        "MADE": slopes(made.net, test[:20], (100,)),
        "PixelCNN, two stacks": slopes(stacks.net, test[:20], (*SMALL, 1)),
        "one stack of 10 layers": slopes(one_stack, test[:20], (*SMALL, 1)),
    }
    before = np.tri(100, k=-1) > 0
    print(f"\n10×10: −log p(x) of 1,000 test digits: MADE {-made.score_samples(test).mean():.2f} nats, "
          f"PixelCNN {-stacks.score_samples(test).mean():.2f}")
    print(f"gradient: share of the {before.sum():,} pairs of a pixel and one before it; number of the others")
    for name, matrix in found.items():
        print(f"{name:24} {(matrix[before] > 0).mean():8.1%} {(matrix[~before] > 0).sum():8}")
    return found


def halved(x: np.ndarray) -> np.ndarray:
    """Digits of 10×10: the means of 2×2 pixels, without the blank margin."""
    middle = x.reshape(-1, 28, 28)[:, 4:24, 4:24]
    return np.ascontiguousarray(middle.reshape(-1, 10, 2, 10, 2).mean(axis=(2, 4)).reshape(len(x), -1))


def slopes(net: Any, X: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """max over X of |d logit_d / d x_e|, (D, D): D copies of x, each with an upstream 1 at its own pixel."""
    size = X.shape[1]
    largest, upstream = np.zeros((size, size)), np.eye(size, dtype=X.dtype).reshape(size, *shape)
    with net.frozen():
        for x in X:
            _, cache = net.forward(np.tile(x, (size, 1)).reshape(size, *shape))
            np.maximum(largest, np.abs(net.backward(upstream, cache).reshape(size, size)), out=largest)
    return largest


# Lower halves


def lower_log_prob(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Σ over the lower half of log p(x_d), (N,)."""
    return Bernoulli.log_prob(x, logits)[:, ~UPPER].sum(axis=1, dtype=np.float64)


def weighted_codes(vae: VAE, x: np.ndarray, codes: int, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """p(lower | upper) by codes of the prior, weighted by p(upper | z): mean, nats, effective number."""
    logits = vae.decode(vae.prior_sample(codes, rng=rng))
    free = np.logaddexp(0, logits)                              # (S, D): Σ_d log p = x·l − log(1 + eˡ)
    up, low = (
        x[:, part] @ logits[:, part].T - free[:, part].sum(axis=1) for part in (UPPER, ~UPPER)
    )                                                           # (N, S)
    log_w = up.astype(np.float64)
    log_w -= np.logaddexp.reduce(log_w, axis=1, keepdims=True)
    w = np.exp(log_w)
    nats = np.logaddexp.reduce(log_w + low, axis=1)
    return w @ Bernoulli.mean(logits), nats, 1 / (w**2).sum(axis=1)


def langevin(
    nice: NICE, train: np.ndarray, grey: np.ndarray, steps: int, rng: np.random.Generator
) -> np.ndarray:
    """The lower half by x ← x + ½·h·s²·d log p(x)/dx + √h·s·eps, s each pixel's spread, h from STEP to 0.

    It starts at the mean, and so short a way ends near a mode: it is no draw from p(lower | upper).
    """
    x, spread = dequantise(grey, rng=rng), nice.spread_of(train).astype(np.float32)
    x[:, ~UPPER] = train.mean(axis=0)[~UPPER]
    for step in range(steps):
        h = np.float32(STEP * (1 - step / steps))
        noise = np.sqrt(h) * spread * rng.standard_normal(x.shape, np.float32)
        move = 0.5 * h * spread**2 * density_slope(nice, x) + noise
        x[:, ~UPPER] += move[:, ~UPPER]
    return np.clip(x, 0, 1)


def density_slope(nice: NICE, x: np.ndarray) -> np.ndarray:
    """d log p(x) / dx, (N, D): the prior's pull through all couplings, from the last to the first."""
    with nice.frozen():
        _, cache = nice.loss(x)
        dh, one = PRIORS[nice.prior].log_prob_grad(cache.z), np.ones(len(x), x.dtype)
        for layer, layer_cache in zip(nice.layers[::-1], cache.caches[::-1], strict=True):
            dh = layer.backward(dh, layer_cache, dlogdet=one)
    return dh


def nearest_lower_halves(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Of each test digit, the training digit whose upper half has the fewest other pixels, (N, D)."""
    a, b = test[:, UPPER], train[:, UPPER]
    distance = a.sum(axis=1)[:, None] + b.sum(axis=1) - 2 * a @ b.T
    return train[distance.argmin(axis=1)]


# The picture


def draw_all(matrices: dict[str, np.ndarray], rows: list[plots.Row]) -> Figure:
    """The matrices above, the completions below."""
    fig = plots.new_figure(8.2, title="Who depends on whom; and lower halves, given the upper ones")
    grid = fig.add_gridspec(2, 1, height_ratios=(1, 1.55))
    (matrix_axes,) = grid[0].subgridspec(1, 3).subplots(squeeze=False)
    for ax, (name, matrix) in zip(matrix_axes, matrices.items(), strict=True):
        with np.errstate(divide="ignore"):
            shade = np.log10(matrix / matrix.max())
        shade[matrix == 0] = np.nan
        ax.imshow(shade, cmap="viridis", vmin=-5, vmax=0, interpolation="nearest")
        ax.set_title(name, fontsize=10, color=plots.TEXT)
        ax.set_xlabel("pixel", fontsize=9, color=plots.TEXT)
        ax.set_xticks([0, 50, 99])
        ax.set_yticks([0, 50, 99])
        ax.tick_params(labelsize=8.5)
        if name == "MADE":
            ax.set_ylabel("logit", fontsize=9, color=plots.TEXT)
    cells = grid[1].subgridspec(len(rows), COLUMNS, wspace=0.02, hspace=0.02).subplots(squeeze=False)
    for row, axes in zip(rows, cells, strict=True):
        axes[0].set_ylabel(row.label, fontsize=9, color=plots.TEXT, rotation=0, ha="right", va="center")
        for ax, image in zip(axes, row.values, strict=True):
            ax.imshow(image.reshape(28, 28), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
