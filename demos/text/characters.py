"""Attention does not beat the best n-gram on one book.

The text is "Alice's Adventures in Wonderland": the first nine tenths for training, the last tenth for the
test. Both models give a distribution over the same alphabet for each character, so their perplexities can be
compared. The n-gram's order and strength are tuned on the last tenth of the training text.

After two minutes of training, the n-gram is better: see the line below the table. The mean of their
probabilities, which is also a distribution, is better than either. The figure shows which earlier characters
each head attends to. The last lines give the time that the cache of keys and values saves.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import Alphabet, load_text, split_text
from scratchgen.models import CharacterModel
from scratchgen.studies.experiments import text_models as experiment
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import History
from scratchgen.training.schedules import OneCycle

from ..common import parameter_count, print_table, run, save, say, tidy

PHRASE = "`Off with her head!'"     # the phrase whose attention is plotted
PROMPT = "`Off with "


def main(
    out: Path,
    *,
    epochs: int = 30,
    characters: int = 0,
    written: int = 300,
    width: int = 128,
    heads: int = 4,
    depth: int = 2,
    seed: int = 1,
) -> dict[str, Any]:
    """Train a transformer and an n-gram model, and compare them.

    characters : how much of the text is used; 0 for all of it
    written    : characters of each sample and of each measurement of speed
    """
    alphabet = Alphabet(load_text())
    train, test = split_text(load_text()[: characters or None])
    print(f"Alice's Adventures in Wonderland: {len(train):,} characters to train, {len(test):,} to test")
    rng = np.random.default_rng(seed)
    model = CharacterModel(
        alphabet, window=64, features=width, heads=heads, depth=depth, dropout=0.2, rng=rng
    )
    print(f"{depth} blocks of {heads} heads, {width} wide: {parameter_count(model):,} parameters")
    trainer = model.trainer(
        train, epochs=epochs, batch_size=16, lr=OneCycle(3e-3), rng=rng, callbacks=[ProgressBar()],
        validate=lambda: -model.score(test),
    )  # fmt: skip
    history = trainer.run()
    print(f"{epochs} epochs, {history.seconds:.0f} s of training and testing")

    table, tuned = experiment.scores(model, train, test)
    print_table(table, "The last tenth, per character", {"nats": ".4f", "perplexity": ".3f", "bits": ".3f"})
    gain = table[tuned]["nats"] - table["attention"]["nats"]
    verb = "beats" if gain > 0 else "does not beat"
    print(f"attention {verb} the tuned n-gram: by {gain:+.4f} nats per character")
    print(f"perplexity of attention on training text: {model.perplexity(train[-len(test):]):.3f}")
    seconds = {
        name: experiment.seconds_to_write(model, written, cached)
        for name, cached in (("cached", True), ("not cached", False))
    }
    ratio = seconds["not cached"] / seconds["cached"]
    say(f"\nWriting {written} characters took {1000 * seconds['cached']:.0f} ms with cached keys and values, "
        f"{1000 * seconds['not cached']:.0f} ms without: {ratio:.1f} times as long for the same characters.")
    for temperature in (0.5, 1.0):
        text = model.write(written, rng=seed, prompt=PROMPT, temperature=temperature)
        print(f"\nat temperature {temperature}:")
        for line in text.splitlines():
            say(line)
    figure = draw(history, table[tuned]["nats"], tuned, experiment.attention_weights(model, PHRASE))
    picture = save(figure, out / "characters.png")
    return {"table": table, "tuned": tuned, "gain": gain, "seconds": seconds, "figure": picture}


def draw(history: History, ngram: float, name: str, weights: np.ndarray) -> Figure:
    """Plot the loss during training with that of the n-gram, and the attention of each head."""
    fig = plots.new_figure(5.6, title="Attention learns to read: its course, and what its heads attend to")
    rows = fig.add_gridspec(2, 1, height_ratios=(1, 1.05))
    curve = fig.add_subplot(rows[0])
    steps = history.epochs["step"]
    names = {"loss": "training text (with dropout)", "validation": "the last tenth of the book"}
    for (colour, marker), (key, label) in zip(plots.LINES, names.items(), strict=False):
        curve.plot(steps, history.epochs[key], color=colour, marker=marker, markersize=4, label=label)
    curve.axhline(ngram, color=plots.GREY, linewidth=1.5, linestyle="--", label=name)
    tidy(curve, "", "updates", "nats per character")
    curve.legend(frameon=False, fontsize=9.5)
    axes = rows[1].subgridspec(1, len(weights)).subplots(squeeze=False)[0]
    for number, (ax, p) in enumerate(zip(axes, weights, strict=True)):
        draw_head(ax, p, f"head {number + 1}")
    axes[0].set_ylabel("query: what comes next?", fontsize=9.5, color=plots.TEXT)
    return fig


def draw_head(ax: Axes, p: np.ndarray, title: str) -> None:
    """Plot attention weights: row t has those of position t; darker means larger."""
    ax.imshow(p, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    read = [c.replace(" ", "␣") for c in "▸" + PHRASE[:-1]]
    ax.set_xticks(range(len(read)), read, fontsize=6)
    ax.set_yticks(range(len(read)), read, fontsize=6, va="center")
    ax.tick_params(length=0, pad=1.5)
    ax.set_title(title, fontsize=10, color=plots.TEXT)
    ax.set_xlabel("key", fontsize=9.5, color=plots.TEXT)


if __name__ == "__main__":
    run(main)
