"""A net of attention blocks reads a book by the character and writes on, against counts of n characters.

The text is "Alice's Adventures in Wonderland", cut by position: nine tenths to learn from, the last tenth to
be judged by. Both models give every character a probability that sums to 1 over the alphabet, so their
perplexities compare. The n-gram model looks up how often a character came after the few before it; how many,
and how far it trusts rare contexts, is tuned on the last tenth of what it learns from, as long as that helps.

Does the net do better than the best n-gram after two minutes? With so little text it does not: the verdict
stands at the end of the table. But the two know different things. The mean of their probabilities, which is a
distribution again, does better than either. Beside it: how much time keys and values save that are kept while
writing.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.data import Alphabet, load_text, split_text
from scratchgen.models import CharacterModel, NGram
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scratchgen.models.text.base import TextModel
    from scratchgen.training.loop import History

SEED = 1
WINDOW, FEATURES, HEADS, DEPTH = 64, 128, 4, 2
DROPOUT, BATCH, PEAK = 0.2, 16, 3e-3
ORDERS = (1, 2, 3, 4, 5)
PHRASE = "`Off with her head!'"      # whose attention is drawn
PROMPT = "`Off with "


def main(out: Path, epochs: int = 30, characters: int | None = None, written: int = 300) -> None:
    """Train, print the table, write, draw.

    epochs : how many times the text is read
    characters : how much of the text is used; all of it by default
    written : how many characters each sample and each measurement of speed has
    """
    text = load_text()[:characters]
    train, test = split_text(text)
    alphabet = Alphabet(load_text())
    print(f"Alice's Adventures in Wonderland: {len(train):,} characters to learn from, {len(test):,} to test")

    rng = np.random.default_rng(SEED)
    model = CharacterModel(
        alphabet, window=WINDOW, features=FEATURES, heads=HEADS, depth=DEPTH, dropout=DROPOUT, rng=rng
    )
    weights = sum(p.size for p in model.parameters().values())
    print(f"{DEPTH} blocks of {HEADS} heads, {FEATURES} wide: {weights:,} numbers; windows of {WINDOW}")
    run = model.trainer(
        train,
        epochs=epochs,
        batch_size=BATCH,
        rng=rng,
        callbacks=[ProgressBar()],
        validate=lambda: -model.score(test),
    )
    run.optimizer.lr = OneCycle(PEAK, epochs * len(run.batches))
    history = run.run()
    print(f"{epochs} epochs, {history.seconds:.0f} s of training and testing")

    baseline = NGram.tuned(alphabet, train)
    scores = {f"all {len(alphabet)} characters alike": -math.log(len(alphabet))}
    for order in ORDERS:
        scores[f"n = {order}"] = NGram(alphabet, order).fit(train).score(test)
    tuned = f"n = {baseline.order}, strength {baseline.strength:g}, tuned"
    scores[tuned], scores["attention"] = baseline.score(test), model.score(test)
    scores["mean of both probabilities"] = score_of_mean(model, baseline, test)
    print("\non the last tenth                nats a character   perplexity   bits a character")
    for name, score in scores.items():
        print(f"{name:33}{-score:16.4f}{math.exp(-score):13.3f}{-score / math.log(2):19.3f}")
    gain = scores["attention"] - scores[tuned]
    verdict = "beats the tuned n-gram" if gain > 0 else "does not beat the tuned n-gram"
    print(f"attention {verdict}: by {gain:+.4f} nats a character")
    print(f"on what it learnt from, attention has a perplexity of {model.perplexity(train[-len(test):]):.3f}")

    fast, slow = (seconds(model, written, cached=cached) for cached in (True, False))
    print(f"\nwriting {written} characters: {1000 * fast:.0f} ms with keys and values kept,")
    print(f"{1000 * slow:.0f} ms without, {slow / fast:.1f} times as long, for the same characters")
    for temperature in (0.5, 1.0):
        print(f"\nat temperature {temperature}:")
        print(model.write(written, rng=np.random.default_rng(SEED), prompt=PROMPT, temperature=temperature))
    picture = draw(history, -scores[tuned], tuned, *attention_of(model))
    print(f"\n{plots.save(picture, out / 'characters.png')} is drawn")


def score_of_mean(one: TextModel, other: TextModel, text: str) -> float:
    """Nats a character of ½·p + ½·q, where p and q are what two models give each character."""
    both = np.logaddexp(one.log_probabilities(text), other.log_probabilities(text)) - math.log(2)
    return float(both.mean())


def seconds(model: CharacterModel, length: int, cached: bool) -> float:
    """How long one text takes to write, the shortest of three times."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        model.sample(1, rng=np.random.default_rng(SEED), length=length, cached=cached)
        times.append(time.perf_counter() - start)
    return min(times)


def attention_of(model: CharacterModel) -> tuple[str, np.ndarray]:
    """What the model read, and the weights (H, T, T) of each head of its first block."""
    x = model.alphabet.encode(PHRASE)[None]
    (_, _, blocks, _, _) = model.forward(x)[1]
    weights = blocks[0][1][1]           # of the first block, its attention: p
    return "▸" + PHRASE[:-1], weights[0]


def draw(history: History, ngram: float, name: str, read: str, weights: np.ndarray) -> Figure:
    """The course of training against the n-gram; and for each head, which character looks at which."""
    fig = plots.new_figure(5.6, title="Attention learns to read: its course, and where four heads look")
    rows = fig.add_gridspec(2, 1, height_ratios=(1, 1.05))
    curve = fig.add_subplot(rows[0])
    steps, loss = history.epochs["step"], history.epochs["loss"]
    for (colour, marker), values, label in (
        (plots.LINES[0], loss, "learnt from (with dropout)"),
        (plots.LINES[1], history.epochs["validation"], "the last tenth of the book"),
    ):
        curve.plot(steps, values, color=colour, marker=marker, markersize=4, label=label)
    curve.axhline(ngram, color=plots.GREY, linewidth=1.5, linestyle="--", label=name)
    curve.set_xlabel("updates", fontsize=10, color=plots.TEXT)
    curve.set_ylabel("nats a character", fontsize=10, color=plots.TEXT)
    curve.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    curve.spines[["top", "right"]].set_visible(False)
    curve.legend(frameon=False, fontsize=9.5)
    heads = rows[1].subgridspec(1, len(weights)).subplots(squeeze=False)[0]
    for number, (ax, p) in enumerate(zip(heads, weights, strict=True)):
        draw_head(ax, read, p, f"head {number + 1}")
    heads[0].set_ylabel("is asked what comes next", fontsize=9.5, color=plots.TEXT)
    return fig


def draw_head(ax: Any, read: str, p: np.ndarray, title: str) -> None:
    """Row t: what position t looks at, the darker the more."""
    ax.imshow(p, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    shown = [c.replace(" ", "␣") for c in read]
    ax.set_xticks(range(len(read)), shown, fontsize=6)
    ax.set_yticks(range(len(read)), shown, fontsize=6, va="center")
    ax.tick_params(length=0, pad=1.5)
    ax.set_title(title, fontsize=10, color=plots.TEXT)
    ax.set_xlabel("is looked at", fontsize=9.5, color=plots.TEXT)


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
