"""Measure mixtures of two recurrent nets and an n-gram model on one book, for docs/attention.md.

    scratchgen study language                   train and measure, about five minutes of two cores
    scratchgen study language --write-chapter   put the saved results into the chapter
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scratchgen.data import Alphabet, load_text, split_text
from scratchgen.data.files import write_json, write_whole
from scratchgen.data.records import read_json
from scratchgen.data.untrusted import refusing_damage
from scratchgen.models import NGram
from scratchgen.models.text.mixture import fit_weights, mix
from scratchgen.studies.chapters import fill, grid
from scratchgen.studies.experiments.dynamic_evaluation import dynamic_ngram_log_probabilities
from scratchgen.studies.experiments.language_models import PAIR, Predictions, Trained, train_together
from scratchgen.studies.machine import machine

COMMAND = "scratchgen study language --write-chapter"
CHAPTER, RESULTS = Path("docs/attention.md"), Path("results/language_models.json")
SECONDS = 220       # of processor time to train each net; planning and scoring take about 60 more
HELD_OUT = 0.03     # of the training text, from its beginning: the end is closest to the test text
COUNTED = 3.0       # how often each character that was read is counted, in dynamic evaluation
NAMES = ("GRU 1", "GRU 2", "n-gram")
MIXTURES = ((0, 1), (0, 2), (0, 1, 2))      # of the models in NAMES

Record = dict[str, Any]


class Texts(NamedTuple):
    """The parts of a text: the weights of mixtures are fitted to the held-out part."""

    held_out: str
    train: str
    test: str


def parts_of(text: str) -> Texts:
    """Split a text: its last tenth is the test text, and the first HELD_OUT of the rest is held out."""
    rest, test = split_text(text)
    cut = round(HELD_OUT * len(rest))
    return Texts(rest[:cut], rest[cut:], test)


def count(texts: Texts, alphabet: Alphabet) -> tuple[Predictions, Predictions]:
    """The predictions of the tuned n-gram model, static and dynamic.

    The held-out text is predicted from counts of the training text, the test text from counts of both.
    """
    tuned = NGram.tuned(alphabet, texts.train)
    whole = NGram(alphabet, tuned.order, tuned.strength).fit(texts.held_out + texts.train)
    pairs = ((tuned, texts.held_out), (whole, texts.test))
    return (
        Predictions(*(model.log_probabilities(text) for model, text in pairs)),
        Predictions(*(dynamic_ngram_log_probabilities(model, text, weight=COUNTED) for model, text in pairs)),
    )


def title(chosen: Sequence[int]) -> str:
    """The name of a mixture of some of the models in NAMES."""
    return " + ".join(NAMES[i] for i in chosen)


def nats(log_p: np.ndarray) -> float:
    """Nats per character, rounded as they are recorded."""
    return round(-float(log_p.mean()), 4)


def mixture(each: Sequence[Predictions]) -> Record:
    """Nats per character of a mixture, with weights fitted to the held-out text and with equal ones."""
    weights = fit_weights(np.stack([one.held_out for one in each]))
    test = np.stack([one.test for one in each])
    equal = np.full(len(each), 1 / len(each))
    fitted, plain = (nats(mix(test, w)) for w in (weights, equal))
    return {"weights": weights.round(3).tolist(), "nats": fitted, "equal": plain}


def measure(text: str, members: Sequence[dict[str, Any]] = PAIR, seconds: float = SECONDS) -> Record:
    """Train the members side by side, and measure them, the n-gram model, and their mixtures.

    members : arguments of train_within for each of two nets, with settings of dynamic evaluation
    """
    start, texts, alphabet = time.perf_counter(), parts_of(text), Alphabet(text)
    common = {"alphabet": alphabet, "held_out": texts.held_out}
    trained = train_together(seconds, texts.train, texts.test, [common | member for member in members])
    static, dynamic = count(texts, alphabet)
    kinds = {
        "static": [*(net.static for net in trained), static],
        "dynamic": [*(net.dynamic for net in trained if net.dynamic), dynamic],
    }
    mixtures = {
        title(chosen): {kind: mixture([each[i] for i in chosen]) for kind, each in kinds.items()}
        for chosen in MIXTURES
    }
    models = {
        name: {kind: nats(each[i].test) for kind, each in kinds.items()} for i, name in enumerate(NAMES)
    }
    for name, net in zip(NAMES, trained, strict=False):
        models[name] |= training(net)
    return {
        "characters": {name: len(part) for name, part in texts._asdict().items()},
        "machine": machine(), "planned seconds": seconds, "models": models, "mixtures": mixtures,
        "wall-clock seconds": round(time.perf_counter() - start, 1),
    }


def training(net: Trained) -> Record:
    """How a net was trained, and what it knows of its training text."""
    return {
        "epochs": net.epochs, "processor seconds": round(net.seconds), "last weights": round(net.test, 4),
        "end of training text": round(net.train, 4),
    }


def table(found: Record) -> str:
    """The models and the mixtures as Markdown, and below it a line with what was run."""
    rows = []
    for name, model in found["models"].items():
        rows.append((name, "", f"{model['static']:.3f}", f"{model['dynamic']:.3f}"))
    for name, kinds in found["mixtures"].items():
        each = [f"{kind['nats']:.3f} ({kind['equal']:.3f})" for kind in (kinds["static"], kinds["dynamic"])]
        rows.append((name, " / ".join(f"{w:.2f}" for w in kinds["static"]["weights"]), *each))
    nets = [model for model in found["models"].values() if "epochs" in model]
    epochs = " and ".join(str(net["epochs"]) for net in nets)
    processor = " and ".join(str(net["processor seconds"]) for net in nets)
    made = grid(("models", "weights (static)", "static", "dynamic"), rows)
    return (
        f"{made}\n\nNats per character of the last tenth; in brackets, with equal weights. The nets trained "
        f"for {epochs} epochs, {processor} seconds of processor time. Everything together took "
        f"{found['wall-clock seconds']:.0f} seconds."
    )


def run(results: Path = RESULTS, text: str | None = None, **settings: Any) -> Record:
    """Measure, write the results, and return them. The arguments are those of `measure`."""
    found = measure(load_text() if text is None else text, **settings)
    write_json(results, found)
    return found


def write_chapter(results: Path = RESULTS, chapter: Path = CHAPTER) -> None:
    """Put the table of the results into the chapter."""
    with refusing_damage(str(results), f"the results of `{COMMAND}`"):
        made = {"language": table(read_json(results))}
    write_whole(chapter, fill(chapter.read_text(encoding="utf-8"), made, COMMAND))
