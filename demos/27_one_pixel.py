"""One pixel against six: which damage a discriminator minds more, a speck or a thicker stroke.

Every test digit is damaged in three ways, chosen without asking any discriminator:

    speck   one pixel turned fully on, in empty paper, two pixels or more from all ink     squared error 1
    hole    one pixel turned off in the middle of the stroke                               about 1
    swell   six pixels side by side on the edge of the stroke, each darker by a half       1.5

Squared error always says that the one pixel did less harm. The usual account is that a discriminator knows
better. It is measured here over all test digits, at several moments of a dense GAN, a DCGAN and a
Wasserstein GAN with gradient penalty: how often is the swollen digit rated as more real than the specked one?

A discriminator has learnt nothing but to tell digits from the drawings of its generator. So it is counted,
too, how many of these have a pixel that is alone: brighter by a quarter than all eight around it. And there
are two that were shown specks: a DCGAN's that also learns, after every round, to tell digits from the same
with a few pixels drawn anew, and one that never saw a generator, only digits spoilt like that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scratchgen import plots
from scratchgen.data import Batches, load_digits
from scratchgen.layers import BatchNorm, Dropout, Layer, LeakyReLU, Linear, Sequential, Sigmoid
from scratchgen.losses import bce_with_logits
from scratchgen.models import DCGAN, GAN, WGAN
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.optimisers import Adam

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
BATCH = 64
MOMENTS = (0.01, 0.04, 0.15, 0.4, 1.0)  # of the training, at which D is asked
SPOILT = 0.005                          # of the pixels, drawn anew: four of 784
INSIDE = slice(4, 24)                   # the box that the digits are written in
SPACE = (9, 10, 13, 8, 8, 14)           # of the table's columns
AROUND = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


class Damaged(NamedTuple):
    """The digits on which all three kinds of damage fit, intact and damaged, (N, 784) each."""

    intact: np.ndarray
    speck: np.ndarray
    hole: np.ndarray
    swell: np.ndarray
    label: np.ndarray


class Verdict(NamedTuple):
    """How often each was said, of all digits; the first also of the 2s."""

    seen: int           # real digits that D has learnt from
    speck: float        # the specked digit is less real than the swollen one
    speck_of_2s: float
    hole: float         # the digit with a hole is less real than the swollen one
    speck_below: float  # the specked digit is less real than the intact one
    swell_below: float  # the swollen digit is
    alone: float        # drawings with a pixel that is alone


def main(out: Path, shown: int = 80_000) -> None:
    """Train, print the table, draw. `shown`: how many real digits a DCGAN sees; the others by their cost."""
    digits = load_digits()
    print(digits.source)
    x, rng = digits.x_train, np.random.default_rng(SEED)
    damaged = damage(digits.x_test[:1000], digits.y_test[:1000], rng)
    errors = [((part - damaged.intact) ** 2).sum(axis=1).mean() for part in damaged[1:4]]
    print(f"{len(damaged.intact)} of 1,000 test digits have room for all three")
    print("squared error of speck, hole, swell: " + ", ".join(f"{e:.2f}" for e in errors))

    runs: dict[str, list[Verdict]] = {}
    for name, build, share in (
        ("dense GAN", dense_gan, 2.0),
        ("DCGAN", dcgan, 1.0),
        ("WGAN-GP", wgan, 1.5),
        ("DCGAN, specks", specked_dcgan, 1.0),
    ):
        rng = np.random.default_rng(SEED)
        model, lr, discriminator_lr = build(rng)
        watch = Ask(model, damaged)
        epochs = max(1, round(share * shown / len(x)))
        model.fit(
            x,
            epochs=epochs,
            batch_size=BATCH,
            lr=lr,
            discriminator_lr=discriminator_lr,
            rng=rng,
            callbacks=[ProgressBar(), watch],
        )
        runs[name] = watch.verdicts
    runs["specks alone"] = [specks_alone(x, damaged, shown // 4)]

    print("\nsaid to be less real, % of the digits")
    print("                 digits     speck than swell    hole than   than intact:        pixels alone in")
    print("                   seen      all      the 2s        swell   speck   swell       the drawings")
    for name, verdicts in runs.items():
        for v in verdicts:
            columns = "".join(f"{100 * s:{w}.1f}" for s, w in zip(v[1:], SPACE, strict=True))
            print(f"{name:14}{v.seen:9,}{columns}")
    print(f"{'squared error':23}{0:9.1f}{0:10.1f}{0:13.1f}")
    before, after = alone(damaged.intact).mean(), alone(damaged.speck).mean()
    print(f"a pixel is alone in {before:.1%} of the test digits, in {after:.1%} of the specked ones")
    picture = plots.save(draw(damaged, runs), out / "one_pixel.png")
    print(f"\n{picture} is drawn")


def damage(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Damaged:
    """Damage every digit in three ways; those on which one of them finds no place are left out."""
    kept = []
    for flat, label in zip(x, y, strict=True):
        image = flat.reshape(28, 28)
        beside = np.stack([shifted(image, i, j) for i, j in ((-1, 0), (1, 0), (0, -1), (0, 1))])
        box = np.zeros((28, 28), bool)
        box[INSIDE, INSIDE] = True
        near = np.max([shifted(image, i, j) for i in range(-2, 3) for j in range(-2, 3)], axis=0)
        empty = np.argwhere(box & (near == 0))
        edge = np.argwhere((image < 0.5) & (beside.max(axis=0) > 0.75))
        if len(empty) and len(edge) >= 6:
            speck, hole, swell = image.copy(), image.copy(), image.copy()
            speck[tuple(rng.choice(empty))] = 1
            hole[np.unravel_index((beside.min(axis=0) + image).argmax(), image.shape)] = 0
            start = rng.choice(edge)
            six = edge[((edge - start) ** 2).sum(axis=1).argsort(kind="stable")[:6]]
            swell[six[:, 0], six[:, 1]] += 0.5
            kept.append((image, speck, hole, swell, label))
    intact, speck, hole, swell = (np.stack([k[i].reshape(784) for k in kept]) for i in range(4))
    return Damaged(intact, speck, hole, swell, np.array([k[4] for k in kept]))


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """What stands so far above and to the left of each pixel; nothing beyond the paper. (..., 28, 28)"""
    pad = [(0, 0)] * (image.ndim - 2) + [(2, 2), (2, 2)]
    return np.pad(image, pad)[..., 2 - down : 30 - down, 2 - right : 30 - right]


def alone(pictures: np.ndarray) -> np.ndarray:
    """Whether any pixel is brighter by a quarter than all around it: (N, 784) -> (N,)."""
    images = pictures.reshape(-1, 28, 28)
    around = np.max([shifted(images, i, j) for i, j in AROUND], axis=0)
    return (images - around).max(axis=(1, 2)) > 0.25


def ask(net: Layer, damaged: Damaged, seen: int, drawn: np.ndarray) -> Verdict:
    """Compare the logits of D: where D(x) rounds to 1, they still differ."""
    intact, speck, hole, swell = (net.forward(part)[0][:, 0] for part in damaged[:4])
    twos = damaged.label == 2
    less = speck < swell, (speck < swell)[twos], hole < swell, speck < intact, swell < intact
    a, b, c, d, e = (float(np.mean(part)) for part in less)
    return Verdict(seen, a, b, c, d, e, float(alone(drawn).mean()))


class Ask(Callback):
    """Asks D at some moments of the training."""

    def __init__(self, model: GAN, damaged: Damaged):
        self.model, self.damaged = model, damaged
        self.codes = model.prior_sample(1000, rng=np.random.default_rng(SEED))
        self.verdicts: list[Verdict] = []

    def on_start(self, trainer: Trainer) -> None:
        total = trainer.epochs * len(trainer.batches)
        self.at = {max(1, round(share * total)) for share in MOMENTS}

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.step in self.at:
            drawn = self.model.inverse_transform(self.codes)
            seen = trainer.step * trainer.batches.batch_size
            self.verdicts.append(ask(self.model.discriminator, self.damaged, seen, drawn))


Game = tuple[GAN, float, float]


def dense_gan(rng: np.random.Generator) -> Game:
    """G 64-128-256-784, D 784-256-128-1, and their learning rates."""
    generator: list[Layer] = []
    for fan_in, fan_out in ((64, 128), (128, 256)):
        generator += [Linear(fan_in, fan_out, bias=False, rng=rng), BatchNorm(fan_out), LeakyReLU(0.2)]
    critic: list[Layer] = []
    for fan_in, fan_out in ((784, 256), (256, 128)):
        critic += [Linear(fan_in, fan_out, rng=rng), LeakyReLU(0.2), Dropout(0.3, rng=rng)]
    nets = (
        Sequential(*generator, Linear(256, 784, rng=rng), Sigmoid()),
        Sequential(*critic, Linear(128, 1, rng=rng)),
    )
    return GAN(*nets, code=64), 5e-4, 5e-4


def dcgan(rng: np.random.Generator) -> Game:
    return DCGAN(32, (16, 32), rng=rng), 1e-3, 5e-4


def wgan(rng: np.random.Generator) -> Game:
    return WGAN.dense(32, 256, penalty=10.0, k=3, rng=rng), 5e-4, 5e-4


class SpeckedDCGAN(DCGAN):
    """A DCGAN whose D, after every round, also learns to tell the same digits from spoilt ones."""

    def train_step(self, batch, optimizer, rng):
        values = super().train_step(batch, optimizer, rng)
        tell_apart(self.discriminator, optimizer["discriminator"], batch[0], rng)
        return values


def specked_dcgan(rng: np.random.Generator) -> Game:
    return SpeckedDCGAN(32, (16, 32), rng=rng), 1e-3, 5e-4


def tell_apart(net: Layer, optimizer: Adam, real: np.ndarray, rng: np.random.Generator) -> None:
    """One step of D on real digits and on the same, spoilt."""
    optimizer.zero_grad()
    for x, target in ((real, 1), (spoil(real, rng), 0)):
        logits, cache = net.forward(x, training=True)
        _, dlogits = bce_with_logits(logits, np.full_like(logits, target))
        net.backward(dlogits, cache, input_grad=False)
    optimizer.step()


def spoil(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Digits with some pixels drawn anew, anywhere."""
    return np.where(rng.random(x.shape) < SPOILT, rng.random(x.shape), x).astype(x.dtype)


def specks_alone(x: np.ndarray, damaged: Damaged, shown: int) -> Verdict:
    """A D of the same form that never sees a drawing."""
    rng = np.random.default_rng(SEED)
    net = DCGAN(32, (16, 32), rng=rng).discriminator
    optimizer = Adam(net.parameters(), 5e-4, (0.5, 0.999))
    epochs = max(1, round(shown / len(x)))
    for _ in range(epochs):
        for (batch,) in Batches(x, batch_size=BATCH, rng=rng, drop_last=True):
            tell_apart(net, optimizer, batch, rng)
    return ask(net, damaged, epochs * len(x), spoil(damaged.intact, rng))


def draw(damaged: Damaged, runs: dict[str, list[Verdict]]) -> Figure:
    """Some 2s and what was done to them; what the discriminators said of all digits, while they learnt."""
    fig = plots.new_figure(4.3, title="One pixel, or six: which did more harm?")
    halves = fig.add_gridspec(1, 2, width_ratios=(1.2, 1))
    twos = np.flatnonzero(damaged.label == 2)[:4]
    grid = halves[0].subgridspec(4, len(twos), wspace=0.04, hspace=0.04).subplots(squeeze=False)
    for axes, name, pictures in zip(grid, ("intact", "speck", "hole", "swell"), damaged[:4], strict=True):
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10, color=plots.TEXT)
        for ax, picture in zip(axes, pictures[twos], strict=True):
            ax.imshow(picture.reshape(28, 28), cmap="gray", vmin=0, vmax=1)
            ax.set_xticks([])
            ax.set_yticks([])
    ax = fig.add_subplot(halves[1])
    for (colour, marker), (name, verdicts) in zip(plots.LINES, runs.items(), strict=True):
        seen, speck = [v.seen for v in verdicts], [100 * v.speck for v in verdicts]
        ax.plot(seen, speck, color=colour, marker=marker, markersize=5, linewidth=2, label=name)
    ax.axhline(50, color=plots.GREY, linewidth=1, linestyle=":")
    ax.axhline(0, color=plots.TEXT, linewidth=1)
    for level, text in ((0, "squared error: never"), (50, "chance")):
        ax.annotate(text, (0.02, level), (0, 3), xycoords=("axes fraction", "data"),
                    textcoords="offset points", fontsize=9, color=plots.TEXT)
    ax.set_xscale("log")
    ax.set_ylim(-3, 103)
    ax.set_xlabel("real digits that D has seen", fontsize=10, color=plots.TEXT)
    ax.set_title("speck rated less real than swell, % of all digits", fontsize=10, color=plots.TEXT)
    ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=9)
    ax.legend(frameon=False, fontsize=9)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
