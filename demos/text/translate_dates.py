"""A translator reads dates that it never saw.

It attends to the word that it translates.

The data are numbers and dates, written out in English and in Chinese, and the same in digits:
"march 3rd, 1994" and "一九九四年三月三日" become "1994-03-03". No number or date of the test occurs in the
training data, in either language. The model has recurrent layers and additive attention.

The table shows the share of the test that is translated exactly. The model is not told which word belongs to
which digit. The last line says how often the largest weight is at the same digit of the source, when
the model writes the year of an English date. At random, it would be a ninth of the digits. A zero for which
there is no word comes from elsewhere: in the figure from "and", from "thousand" or from the end.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.models import Translator
from scratchgen.studies.experiments import written_values as experiment
from scratchgen.training.callbacks import ProgressBar

from ..common import parameter_count, print_table, run, save, say

SHOWN = {"march 3rd, 1994": "1994-03-03", "three hundred and five thousand and forty-two": "305042"}


def main(
    out: Path,
    *,
    examples: int = 12_000,
    tests: int = 1_000,
    epochs: int = 8,
    width: int = 64,
    body: str = "gru",
    seed: int = 0,
) -> dict[str, Any]:
    """Train a translator, count its exact translations of unseen values, and plot its attention."""
    pairs, test = experiment.parts(examples, tests, seed)
    model = experiment.build(pairs, features=width, depth=1, body=body, rng=seed)
    print(f"{examples:,} pairs to train, {parameter_count(model):,} parameters")
    seconds = experiment.train(model, pairs, epochs=epochs, rng=seed, lr=5e-3, callbacks=[ProgressBar()])
    print(f"{epochs} epochs, {seconds:.0f} s")
    rows = experiment.exact_by_kind(model, test)
    print_table(rows, "Unseen values that are translated exactly", {"pairs": ",.0f", "exact": ".1%"})
    at_year = experiment.looks_at_year(model, experiment.of_kind(test, "english date", 200))
    say(f"\nWhen it writes the year of an English date, its largest weight is at the same digit of the "
        f"source for {at_year:.1%} of the digits.")
    for source in (*SHOWN, "一九九四年三月三日", "三十万五千零四十二"):
        print(f"{source}  ->  {model.translate([source], beam=4)[0]}")
    picture = save(draw(model), out / "translate_dates.png")
    return {"table": rows, "at_year": at_year, "figure": picture}


def draw(model: Translator) -> Figure:
    """The attention for each pair of SHOWN: the words across, and the digits that were written down."""
    figure = plots.new_figure(4.6, title="The model looks at the word of the digit that it writes")
    panels = figure.subplots(1, len(SHOWN), width_ratios=[2, 3])
    maps = model.attention(list(SHOWN), list(SHOWN.values()))
    for ax, (source, target), weights in zip(panels, SHOWN.items(), maps, strict=True):
        image = ax.imshow(weights.mean(axis=0), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        words = [*model.source.split(source), "(end)"]
        ax.set_xticks(np.arange(len(words)), words, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(np.arange(len(target) + 1), [*target, "(end)"])
        ax.set(xlabel="word that is read", title=f"{source} → {target}")
        ax.title.set_size(9.5)
        ax.tick_params(length=0)
    panels[0].set_ylabel("digit that is written")
    figure.colorbar(image, ax=panels, label="weight of the attention", shrink=0.8)
    return figure


if __name__ == "__main__":
    run(main)
