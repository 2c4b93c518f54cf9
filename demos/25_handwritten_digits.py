"""Handwritten digits out of noise: a dense GAN and a DCGAN, watched from the first steps on.

The same codes z are drawn at several moments of the training, so a column shows what becomes of one code. A
classifier, trained on real digits, reads what is drawn: is it sure, does each digit get its share, how far
do its features of drawn digits lie from those of real ones (Fréchet distance)? A digit that G knew by heart
would lie nearer to a training digit than unseen digits do; the last two columns look for that.

Then z walks from one code to another, along the arc between them (on the straight line a Normal code would
become shorter than nearly all codes that G has learnt from). Halfway the classifier is asked how sure it is,
and the same for the two end pictures laid over each other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.layers import Layer
from scratchgen.metrics import digit_shares, frechet_distance, nearest_distance
from scratchgen.models import DCGAN, GAN, MLPClassifier
from scratchgen.models.gan.networks import small_pixel_init
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.schedules import Cosine, OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
DRAWN = 2000
COLUMNS = 11
MOMENTS = (0.03, 0.12, 0.4, 1.0)    # of the training, at which it is looked at
WINDOW = 50                         # updates over which D(x) and D(G(z)) are averaged
PAIRS = 300
READ = 60_000                       # digits that the classifier sees
BATCH = 64
RARE = 0.005                        # mean ink of a pixel that hardly any digit has ink in


class Moment(NamedTuple):
    """What there was at a moment of the training."""

    shown: int              # real digits that D has seen
    d_real: float
    d_fake: float
    pictures: np.ndarray    # of the codes, (N, 784)


class Watch(Callback):
    """Keeps what G makes of the same codes at some moments."""

    def __init__(self, model: GAN, codes: np.ndarray):
        self.model, self.codes = model, codes
        self.moments: list[Moment] = []

    def on_start(self, trainer: Trainer) -> None:
        total = trainer.epochs * len(trainer.batches)
        self.at = {max(1, round(share * total)) for share in MOMENTS}

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.step in self.at:
            steps = trainer.history.steps
            d_real, d_fake = (float(np.mean(steps[name][-WINDOW:])) for name in ("d_real", "d_fake"))
            pictures = self.model.inverse_transform(self.codes)
            self.moments.append(Moment(trainer.step * trainer.batches.batch_size, d_real, d_fake, pictures))


class Reading:
    """What a classifier trained on real digits says of drawn ones."""

    def __init__(self, classifier: MLPClassifier, x_test: np.ndarray, x: np.ndarray):
        self.classifier, self.x = classifier, x
        self.features = classifier.features(x_test)
        self.very_near = np.quantile(nearest_distance(x_test, x), 0.01)     # of 1 in 100 unseen digits

    def row(self, pictures: np.ndarray) -> str:
        """Certainty, Fréchet distance, nearest training digit, and the share that lies very near one."""
        near = nearest_distance(pictures[:1000], self.x)
        distance = frechet_distance(self.classifier.features(pictures), self.features)
        very_near = (near < self.very_near).mean()
        return f"{self.sure(pictures):8.1%}{distance:9.1f}{np.median(near):9.2f}{very_near:11.1%}"

    def sure(self, pictures: np.ndarray) -> float:
        """The largest of the ten probabilities, on average."""
        return float(self.classifier.predict_proba(pictures).max(axis=1).mean())


def main(out: Path, dense_shown: int = 350_000, conv_shown: int = 120_000) -> None:
    """Train both, print the tables, draw.

    dense_shown, conv_shown : how many real digits each D sees, 58 and 20 epochs of 6,000
    """
    digits = load_digits()
    print(digits.source)
    x, y, x_test = digits.x_train, digits.y_train, digits.x_test[:1000]
    rng = np.random.default_rng(SEED)
    classifier = MLPClassifier((784, 128, 10), rng=rng)
    epochs = max(1, round(READ / len(x)))
    classifier.fit(x, y, epochs=epochs, lr=OneCycle(5e-3, epochs * -(-len(x) // 128)), rng=rng)
    print(f"a classifier reads {classifier.score(x_test, digits.y_test[:1000]):.1%} of the test digits right")
    reading = Reading(classifier, x_test, x)

    runs = {
        "dense GAN": learn("dense GAN", dense_gan, dense_shown, x, reading),
        "DCGAN": learn("DCGAN", dcgan, conv_shown, x, reading),
    }
    print(f"{'test digits':33}{reading.row(x_test)}")
    print(f"{'training digits':33}{reading.row(x[:DRAWN])}")
    print("\nshare of each digit, %   " + "".join(f"{k:6}" for k in range(10)))
    print(f"{'training digits':25}" + "".join(f"{s:6.1f}" for s in 100 * digit_shares(y).share))
    for name, (moments, _) in runs.items():
        share = digit_shares(classifier.predict(moments[-1].pictures)).share
        print(f"{name:25}" + "".join(f"{s:6.1f}" for s in 100 * share))
    rare = x.mean(axis=0) < RARE
    drawn = {"training digits": x, **{name: moments[-1].pictures for name, (moments, _) in runs.items()}}
    shares = [f"{name} {(p[:, rare] > 0.5).any(axis=1).mean():.1%}" for name, p in drawn.items()]
    print("\nwith a white point where hardly any digit has ink: " + ", ".join(shares))
    picture = plots.save(draw(runs, x), out / "handwritten_digits.png")
    print(f"\n{picture} is drawn")


Build = Callable[[np.ndarray, np.random.Generator], tuple[GAN, float, float]]


def learn(
    name: str, build: Build, shown: int, x: np.ndarray, reading: Reading
) -> tuple[list[Moment], np.ndarray]:
    """Train one, print its table; return what it drew at each moment, and a walk (T, 784)."""
    rng = np.random.default_rng(SEED)
    model, lr, discriminator_lr = build(x, rng)
    print(f"\n{name}: {numbers(model.generator):,} numbers in G, {numbers(model.discriminator):,} in D")
    watch = Watch(model, model.prior_sample(DRAWN, rng=np.random.default_rng(SEED)))
    epochs = max(1, round(shown / len(x)))
    steps = epochs * (len(x) // BATCH)
    model.fit(
        x,
        epochs=epochs,
        batch_size=BATCH,
        lr=Cosine(lr, steps),
        discriminator_lr=Cosine(discriminator_lr, steps),
        rng=rng,
        callbacks=[ProgressBar(), watch],
    )
    print("real digits shown   D(x)  D(G(z))    sure  Fréchet  nearest  very near")
    for moment in watch.moments:
        start = f"{moment.shown:17,}{moment.d_real:7.2f}{moment.d_fake:9.2f}"
        print(start + reading.row(moment.pictures))
    return watch.moments, walk(model, reading, rng)


def dense_gan(x: np.ndarray, rng: np.random.Generator) -> tuple[GAN, float, float]:
    """The library's dense GAN, and its learning rates; it begins at the mean digit, small_pixel_init.

    G's last bias is the logit of the mean digit, so the edge of the paper is black from the start and needn't
    come down from grey. And the weights that touch pixels begin near 0, so that what D asks of a pixel, and
    what G does to it, is learnt from the first step on and isn't noise: see docs/gan.md, section 12.
    """
    model = GAN.dense(64, 400, dropout=0.6, pixel_init=small_pixel_init, rng=rng)
    mean = np.clip(x.mean(axis=0), 0.01, 0.99)
    model.generator.parameters()["6.bias"].value[...] = np.log(mean / (1 - mean))
    return model, 2e-3, 4e-4


def dcgan(x: np.ndarray, rng: np.random.Generator) -> tuple[GAN, float, float]:
    """The library's DCGAN, a dense layer in each net that sees the whole picture, and its learning rates."""
    return DCGAN(32, (32, 64), hidden=256, rng=rng), 2e-3, 2e-4


def numbers(net: Layer) -> int:
    """How many numbers a net learns."""
    return sum(p.value.size for p in net.parameters().values())


def walk(model: GAN, reading: Reading, rng: np.random.Generator) -> np.ndarray:
    """Print how sure the classifier is halfway; return one walk, (T, 784)."""
    a, b = model.prior_sample(PAIRS, rng=rng), model.prior_sample(PAIRS, rng=rng)
    ends = [model.inverse_transform(z) for z in (a, b)]
    halfway = model.inverse_transform(arc(a, b, 0.5))
    print(
        f"sure at the ends of {PAIRS} walks {np.mean([reading.sure(end) for end in ends]):.1%}, "
        f"halfway {reading.sure(halfway):.1%}; with one end laid over the other "
        f"{reading.sure(np.mean(ends, axis=0)):.1%}"
    )
    read = [reading.classifier.predict(end) for end in ends]
    pair = np.flatnonzero(read[0] != read[1])[:1]               # a walk from one digit to another
    pair = pair if len(pair) else np.array([0])
    path = [arc(a[pair], b[pair], t) for t in np.linspace(0, 1, COLUMNS)]
    return model.inverse_transform(np.concatenate(path))


def arc(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The point at share t of the way from a to b, (N, K) each, at nearly constant length."""
    return (np.cos(t * np.pi / 2) * a + np.sin(t * np.pi / 2) * b).astype(a.dtype)


def draw(runs: dict[str, tuple[list[Moment], np.ndarray]], x: np.ndarray) -> Figure:
    """For each net: its codes at four moments, the training digits nearest to the last, and a walk."""
    rows: list[plots.Row] = []
    breaks = []
    for name, (moments, way) in runs.items():
        breaks.append(len(rows))
        for moment in moments:
            rows.append(plots.Row(f"{name}\n{moment.shown:,}", moment.pictures[:COLUMNS]))
        last = moments[-1].pictures[:COLUMNS]
        nearest = [((x - picture) ** 2).sum(axis=1).argmin() for picture in last]
        rows.append(plots.Row("nearest digit\nit has seen", x[nearest]))
        rows.append(plots.Row("from code\nto code", way))
    return plots.image_grid(
        rows,
        title="Two GANs learn to write",
        note="a column is one code z, after D has seen so many real digits; last row of each: a walk in z",
        breaks=breaks[1:],
    )


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
