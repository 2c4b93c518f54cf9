"""A GRU and an n-gram model predict text better together.

The text is "Alice's Adventures in Wonderland", and its last tenth is the test text. A GRU and a tuned n-gram
model predict its characters about equally well. A mixture adds their probabilities with two weights, which
are fitted to a part of the book that neither was trained on. A mixture is a distribution too, so its nats per
character can be compared with theirs. The line below the table gives the difference.

A transformer is mixed with the n-gram model in the same way, but it trains for fewer epochs. The figure shows
which earlier characters its heads attend to. The text at the end is sampled from the mixture with the GRU.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import Alphabet, load_text
from scratchgen.models import CharacterModel
from scratchgen.studies.experiments import text_models as experiment
from scratchgen.studies.language import parts_of
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import History
from scratchgen.training.optimisers import Adam, AdamW
from scratchgen.training.schedules import OneCycle

from ..common import parameter_count, print_table, run, save, say, tidy

PHRASE = "`Off with her head!'"     # the phrase whose attention is plotted
PROMPT = "`Off with "
NETS = {    # body, dropout, peak learning rate, optimiser
    "GRU": ("gru", 0.3, 5e-3, partial(AdamW, weight_decay=0.3)),
    "transformer": ("transformer", 0.2, 3e-3, Adam),
}


def main(
    out: Path,
    *,
    epochs: int = 22,
    transformer_epochs: int = 8,
    characters: int = 0,
    written: int = 300,
    width: int = 128,
    seed: int = 1,
) -> dict[str, Any]:
    """Train a GRU and a transformer, and mix each with an n-gram model.

    characters : how much of the text is used; 0 for all of it
    written    : characters of each sample
    """
    alphabet, texts = Alphabet(load_text()), parts_of(load_text()[: characters or None])
    say(f"Alice's Adventures in Wonderland: {len(texts.train):,} characters to train the networks, "
        f"{len(texts.held_out):,} to fit the weights, {len(texts.test):,} to test")
    rng = np.random.default_rng(seed)
    nets, histories = {}, {}
    for (name, settings), count in zip(NETS.items(), (epochs, transformer_epochs), strict=True):
        body, dropout, lr, optimizer = settings
        net = CharacterModel(alphabet, window=64, features=width, body=body, dropout=dropout, rng=rng)
        trainer = net.trainer(
            texts.train, epochs=count, batch_size=16, lr=OneCycle(lr), optimizer=optimizer, rng=rng,
            callbacks=[ProgressBar()], validate=lambda net=net: -net.score(texts.test),
        )  # fmt: skip
        nets[name], histories[name] = net, trainer.run()
        print(f"{name}: {parameter_count(net):,} parameters, {count} epochs")

    mixtures, tuned, table = experiment.compare(nets, alphabet, texts)
    print_table(table, "The last tenth, per character", {"nats": ".4f", "perplexity": ".3f", "bits": ".3f"})
    nats = {name: row["nats"] for name, row in table.items()}
    gain = min(nats["GRU"], nats[tuned]) - nats["GRU and n-gram"]
    weights = {name: mixture.weights_.tolist() for name, mixture in mixtures.items()}
    of_gru, of_counts = weights["GRU"]
    say(f"The GRU and the n-gram model, with weights of {of_gru:.2f} and {of_counts:.2f}, are "
        f"{'better' if gain > 0 else 'not better'} than each alone: by {gain:+.4f} nats per character.")
    for temperature in (0.5, 1.0):
        [text] = mixtures["GRU"].sample(1, rng=seed, length=written, prompt=PROMPT, temperature=temperature)
        print(f"\nat temperature {temperature}:")
        for line in (PROMPT + alphabet.decode(text)).splitlines():
            say(line)
    lines = {tuned: nats[tuned], "GRU and n-gram": nats["GRU and n-gram"]}
    figure = draw(histories["GRU"], lines, experiment.attention_weights(nets["transformer"], PHRASE))
    found = {"table": table, "tuned": tuned, "gain": gain, "weights": weights}
    return found | {"figure": save(figure, out / "characters.png")}


def draw(history: History, others: dict[str, float], weights: np.ndarray) -> Figure:
    """Plot the loss of the GRU during training with that of other models, and the attention of each head."""
    fig = plots.new_figure(5.6, title="A GRU and an n-gram model together, and the heads of a transformer")
    rows = fig.add_gridspec(2, 1, height_ratios=(1, 1.05))
    curve, steps = fig.add_subplot(rows[0], ymargin=0.1), history.epochs["step"]
    names = {"loss": "GRU: training text (with dropout)", "validation": "GRU: last tenth of the book"}
    for (colour, marker), (key, label) in zip(plots.LINES, names.items(), strict=False):
        curve.plot(steps, history.epochs[key], color=colour, marker=marker, markersize=4, label=label)
    for (label, nats), style in zip(others.items(), ("--", "-"), strict=True):
        curve.axhline(nats, color=plots.GREY, linewidth=1.5, linestyle=style, label=f"{label}: last tenth")
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
