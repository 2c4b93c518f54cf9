"""What only a generative model can do: draw a class, read a digit in part, refuse what is foreign.

Two models of P(x, y), naive Bayes on black and white pixels and a Gaussian for each class on grey ones, stand
against two of P(y | x), logistic regression and a small net, all learnt from the same digits.

Where pixels are missing, a model of P(x, y) sums over what they might have been, exactly. A model of P(y | x)
must be given some pixel: black here, or the mean. For what is foreign, log p(x) is held against the largest
P(y | x), the discriminative one's confidence; AUROC is the share of pairs, a digit and a foreign image, in
which the digit has the higher score. Not every foreign image has a low density: see the blank one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import auroc
from scratchgen.models import BernoulliNaiveBayes, GaussianDiscriminant, LogisticRegression, MLPClassifier
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
NAIVE, GAUSSIAN, LOGISTIC, NET = "naive Bayes", "Gaussians", "logistic regression", "net"
MISSING = (0.0, 0.5, 0.75, 0.9, 0.95)


def main(out: Path, examples: int = 6000, tested: int = 1000, epochs: int = 15) -> None:
    """Train, print the tables, draw.

    examples : how many digits there are to learn from;  tested : how many to be asked about
    epochs : for the net
    """
    digits = load_digits()
    print(digits.source)
    x, y = digits.x_train[:examples], digits.y_train[:examples]
    x_test, y_test = digits.x_test[:tested], digits.y_test[:tested]
    rng = np.random.default_rng(SEED)
    net = MLPClassifier((784, 128, 10), rng=rng)
    net.fit(x, y, epochs=epochs, lr=OneCycle(5e-3, epochs * -(-len(x) // 128)), rng=rng)
    models: dict[str, Any] = {
        NAIVE: BernoulliNaiveBayes(threshold=0.5).fit(x, y),
        GAUSSIAN: GaussianDiscriminant(shared=False, shrinkage=0.1).fit(x, y),
        LOGISTIC: LogisticRegression(l2=1e-2).fit(x, y, tolerance=1e-4),
        NET: net,
    }
    pictures = {}
    print("\ndrawn: 100 new digits of each class, and how many the net reads as that class")
    for name in (NAIVE, GAUSSIAN):
        wanted = np.tile(np.arange(10), 100)
        new = models[name].sample(1000, rng=rng, y=wanted).astype(np.float32).clip(0, 1)
        pictures[name] = new[:10]
        print(f"{name:20}{net.score(new, wanted):8.1%}")
    print(f"{'real test digits':20}{net.score(x_test, y_test):8.1%}")

    errors = missing(models, x, x_test, y_test)
    print("\nerror with pixels missing       " + "".join(f"{share:8.0%}" for share in MISSING))
    for name, row in errors.items():
        print(f"{name:32}" + "".join(f"{error:8.1%}" for error in row))

    strange = foreign(x_test, rng)
    print("\nAUROC, digits against         " + "".join(f"{name:>13}" for name in strange))
    found = {}
    for name, model in models.items():
        score = confidence(model)
        found[name] = [separated(score(x_test), score(images)) for images in strange.values()]
        kind = "log p(x)" if model.likelihood else "max P(y | x)"
        print(f"{name + ', ' + kind:34}" + "".join(f"{a:13.3f}" for a in found[name])[4:])
    picture = plots.save(draw(pictures, errors, list(strange), found), out / "only_generative.png")
    print(f"\n{picture} is drawn")


def missing(models: dict[str, Any], x, x_test, y_test) -> dict[str, list[float]]:
    """The errors by the share of pixels that are missing, the same ones of all digits, chosen by chance."""
    order = np.random.default_rng(SEED).permutation(784)
    found: dict[str, list[float]] = {}
    for share in MISSING:
        seen = np.ones(784, bool)
        seen[order[: round(share * 784)]] = False
        black, mean = np.where(seen, x_test, 0), np.where(seen, x_test, x.mean(axis=0))
        rows = {
            f"{NAIVE}, summed out": models[NAIVE].score(x_test, y_test, seen=seen),
            f"{NAIVE}, black": models[NAIVE].score(black, y_test),
            f"{GAUSSIAN}, integrated out": models[GAUSSIAN].score(x_test, y_test, seen=seen),
            f"{LOGISTIC}, black": models[LOGISTIC].score(black, y_test),
            f"{LOGISTIC}, mean": models[LOGISTIC].score(mean, y_test),
            f"{NET}, black": models[NET].score(black, y_test),
            f"{NET}, mean": models[NET].score(mean, y_test),
        }
        for name, score in rows.items():
            found.setdefault(name, []).append(1 - score)
    return found


def foreign(x: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images that are no digits, (N, 784) each."""
    shuffled = rng.permuted(x, axis=1)                          # the same amount of ink, anywhere
    return {
        "noise": rng.random(x.shape, np.float32),
        "shuffled": shuffled,
        "inverted": 1 - x,
        "on its side": np.rot90(x.reshape(-1, 28, 28), axes=(1, 2)).reshape(len(x), -1).copy(),
        "blank": np.zeros_like(x[:1]),
    }


def confidence(model: Any):
    """log p(x) where there is one, else the largest of P(y | x)."""
    if model.likelihood:
        return model.score_samples
    return lambda x: model.predict_proba(x).max(axis=1)


def separated(digits: np.ndarray, others: np.ndarray) -> float:
    scores = np.concatenate([digits, others]).astype(np.float64)
    return auroc(scores, np.repeat([1, 0], [len(digits), len(others)]))


def draw(pictures: dict, errors: dict, kinds: list[str], found: dict) -> Figure:
    """Drawn digits; error by the share that is missing; AUROC of each kind of foreign image."""
    figure = plots.new_figure(6.0, title="Drawn, read in part, refused: what a model of P(x, y) can do")
    top, bottom = figure.add_gridspec(2, 1, height_ratios=(1, 2.4))
    ax = figure.add_subplot(top)
    rows = np.stack(list(pictures.values()))                    # (2, 10, 784)
    ax.imshow(rows.reshape(2, 10, 28, 28).swapaxes(1, 2).reshape(56, 280), cmap="gray", vmin=0, vmax=1)
    ax.set_yticks([14, 42], list(pictures), fontsize=9.5, color=plots.TEXT)
    ax.set_xticks([14 + 28 * k for k in range(10)], [str(k) for k in range(10)], fontsize=9)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    left, right = bottom.subgridspec(1, 2, width_ratios=(1.1, 1)).subplots()
    shown = (
        (f"{NAIVE}, summed out", 1, "-"), (f"{NAIVE}, black", 1, ":"),
        (f"{GAUSSIAN}, integrated out", 2, "-"), (f"{LOGISTIC}, mean", 0, "-"),
        (f"{NET}, mean", 3, "-"), (f"{NET}, black", 3, ":"),
    )  # fmt: skip
    for name, line, style in shown:
        colour, marker = plots.LINES[line]
        share, values = 100 * np.array(MISSING), 100 * np.array(errors[name])
        left.plot(share, values, color=colour, marker=marker, markersize=4, linestyle=style, label=name)
    left.set_title("error, %, by the share of pixels missing, %", fontsize=10, color=plots.TEXT)
    left.set_ylim(0, 100)
    left.legend(frameon=False, fontsize=8.5, loc="upper left")
    for i, name in enumerate((NAIVE, GAUSSIAN, LOGISTIC, NET)):
        colour, _ = plots.LINES[(1, 2, 0, 3)[i]]
        place = np.arange(len(kinds)) + 0.2 * (i - 1.5)
        kind = "log p(x)" if i < 2 else "largest P(y | x)"
        right.bar(place, found[name], width=0.18, color=colour, label=f"{name}: {kind}")
    right.axhline(0.5, color=plots.GREY, linewidth=1, linestyle=":")
    right.set_xticks(range(len(kinds)), kinds, fontsize=8.5)
    right.set_title("AUROC, digits against what is foreign", fontsize=10, color=plots.TEXT)
    right.set_ylim(0, 1.55)
    right.set_yticks([0, 0.25, 0.5, 0.75, 1])
    right.legend(frameon=False, fontsize=8.5, loc="upper left")
    for ax in (left, right):
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
