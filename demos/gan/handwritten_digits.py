"""Two GANs generate digits without copying any.

The figure shows a dense GAN and a DCGAN from the first steps on; each column is one code z. A classifier
trained on real digits measures how sure it is of generated digits, the share of each digit, and the distance
of its features from those of real digits (Fréchet distance). The row of nearest training digits tests for
copies: a memorised digit would be nearer to a training digit than unseen digits are. The last two columns of
the table measure this.

Then z moves from one code to another along an arc (on a straight line, z would become shorter than nearly all
codes of the training). The classifier's probability is measured half-way, and for a blend of the two ends.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import digit_shares
from scratchgen.models import GAN
from scratchgen.studies.experiments import digit_gans as experiment

from ..common import digit_classifier, parameter_count, print_table, run, save, say

COLUMNS = 11
MOMENTS = (0.03, 0.12, 0.4, 1.0)    # of the training
RARE = 0.005                        # pixels with a lower mean intensity are black in nearly all digits


def main(
    out: Path,
    *,
    dense_shown: int = 350_000,
    conv_shown: int = 120_000,
    generated: int = 2000,
    pairs: int = 300,
    seed: int = 1,
) -> dict[str, Any]:
    """Train both GANs, and measure the digits that they generate.

    dense_shown, conv_shown : real digits that each D sees
    generated : digits that are measured;  pairs : of codes with an arc between them
    """
    digits = load_digits()
    say(digits.source)
    x, x_test = digits.x_train, digits.x_test[:1000]
    classifier = digit_classifier(x, digits.y_train, np.random.default_rng(seed))
    measures = experiment.ImageMeasures(classifier, x_test, x)
    table, arcs, runs = {}, {}, {}
    shares = {"training digits": digit_shares(digits.y_train).share}
    rare = x.mean(axis=0) < RARE
    specks = {"training digits": share_with(x[:, rare])}
    for name, build, shown, lr, discriminator_lr in (
        ("dense GAN", experiment.dense_gan, dense_shown, 2e-3, 4e-4),
        ("DCGAN", experiment.dcgan, conv_shown, 2e-3, 2e-4),
    ):
        rng = np.random.default_rng(seed)
        model = build(x, rng)
        sizes = [parameter_count(net) for net in (model.generator, model.discriminator)]
        print(f"\nTraining a {name}: {sizes[0]:,} parameters in G, {sizes[1]:,} in D")
        watch = experiment.Watch(model, model.prior_sample(generated, rng=seed), MOMENTS)
        experiment.fit(model, x, shown, lr, discriminator_lr, rng, watch)
        for m in watch.moments:
            row = {"D(x)": m.d_real, "D(G(z))": m.d_fake, **measures.measure(m.images)}
            table[f"{name}, {m.shown:,} shown"] = row
        last = watch.moments[-1].images
        shares[name], specks[name] = digit_shares(classifier.predict(last)).share, share_with(last[:, rare])
        arcs[name], path = walk(model, measures, pairs, rng)
        runs[name] = watch.moments, path
    table["test digits"] = measures.measure(x_test)
    table["training digits"] = measures.measure(x[:generated])
    formats = {"sure": ".1%", "very near": ".1%", "Fréchet": ".1f"}
    print_table(table, "Generated digits, by the real digits that D has seen", formats)
    rows = {name: {str(k): share for k, share in enumerate(row)} for name, row in shares.items()}
    print_table(rows, "Share of each digit", dict.fromkeys(map(str, range(10)), ".0%"))
    title = f"How sure the classifier is on {pairs} arcs from code to code"
    print_table(arcs, title, dict.fromkeys(("ends", "half-way", "ends blended"), ".1%"))
    rows = {name: {"white points": share} for name, share in specks.items()}
    print_table(rows, "Digits with a white point where real digits have none", {"white points": ".1%"})
    picture = save(draw(runs, x), out / "handwritten_digits.png")
    return {"table": table, "shares": shares, "arcs": arcs, "specks": specks, "figure": picture}


def share_with(pixels: np.ndarray) -> float:
    """The share of images (N, P) with a pixel above 1/2."""
    return float((pixels > 0.5).any(axis=1).mean())


def walk(
    model: GAN, measures: experiment.ImageMeasures, pairs: int, rng: np.random.Generator
) -> tuple[dict[str, float], np.ndarray]:
    """How sure the classifier is at the ends and half-way, and the images along one arc, (T, 784)."""
    a, b = model.prior_sample(pairs, rng=rng), model.prior_sample(pairs, rng=rng)
    ends = [model.inverse_transform(z) for z in (a, b)]
    sure = {
        "ends": float(np.mean([measures.sure(end) for end in ends])),
        "half-way": measures.sure(model.inverse_transform(experiment.arc(a, b, 0.5))),
        "ends blended": measures.sure(np.mean(ends, axis=0)),
    }
    read = [measures.classifier.predict(end) for end in ends]
    pair = [*np.flatnonzero(read[0] != read[1]), 0][:1]         # a walk from one digit to another
    path = [experiment.arc(a[pair], b[pair], t) for t in np.linspace(0, 1, COLUMNS)]
    return sure, model.inverse_transform(np.concatenate(path))


def draw(runs: dict[str, tuple[list[experiment.Moment], np.ndarray]], x: np.ndarray) -> Figure:
    """Plot, for each GAN, the same codes at four moments, the nearest training digits, and an arc."""
    rows = []
    for name, (moments, path) in runs.items():
        rows += [plots.Row(f"{name}\n{m.shown:,}", m.images[:COLUMNS]) for m in moments]
        nearest = [((x - image) ** 2).sum(axis=1).argmin() for image in moments[-1].images[:COLUMNS]]
        rows += [plots.Row("nearest\ntraining digit", x[nearest]), plots.Row("from code\nto code", path)]
    note = "a column is one code z, by the real digits that D has seen; last row of each: a walk in z"
    return plots.image_grid(rows, title="Two GANs learn to write", note=note, breaks=[len(rows) // 2])


if __name__ == "__main__":
    run(main)
