"""`scratchgen train translate`: train a translation model on data of the library, and save the run."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchgen.cli.common import check_output, paragraph, print_result
from scratchgen.cli.run_folder import model_path
from scratchgen.cli.settings import EPOCHS, parse_setting, split_settings

if TYPE_CHECKING:
    from scratchgen.data import Pairs
    from scratchgen.models import Translator

EXAMPLES, TESTS = 20_000, 2_000     # written numbers and dates


@dataclass(frozen=True)
class Task:
    """Pairs of sentences that a model can be trained on.

    source : where the pairs come from
    pairs  : seed -> (the training pairs, the test pairs)
    build  : an experiment's build(train, rng=..., features=..., depth=..., body=...) -> model
    figure : (model, the test pairs) -> one line with the model's result
    forms  : body -> the default of --hidden, one width per layer. The first form is the default
    lr     : body -> the highest learning rate, by default; it rises to it, and falls to zero
    batch_size : sentences per batch, by default
    """

    source: str
    pairs: Callable[[int], tuple[Pairs, Pairs]]
    build: Callable[..., Translator]
    figure: Callable[[Translator, Pairs], str]
    forms: dict[str, tuple[int, ...]]
    lr: dict[str, float]
    batch_size: int

    def builders(self) -> dict[str, Callable[..., Any]]:
        """For each form, build(train, rng, hidden=...), with the form's default of `hidden`."""
        return {form: partial(self._build, form, hidden=hidden) for form, hidden in self.forms.items()}

    def _build(self, form: str, train: Pairs, rng: Any, *, hidden: tuple[int, ...]) -> Translator:
        if len(set(hidden)) > 1:
            given = ",".join(map(str, hidden))
            raise ValueError(f"train expected --hidden with the same width for all layers, got {given}")
        return self.build(train, rng=rng, features=hidden[0], depth=len(hidden), body=form)


def tasks() -> dict[str, Task]:
    """The models of this command that translate, by name."""
    from scratchgen.studies.experiments import verses, written_values

    return {
        "translate": Task(
            source=f"numbers and dates, written out in English and Chinese: {EXAMPLES:,} pairs to train, "
            f"and {TESTS:,} whose values do not occur among them",
            pairs=lambda seed: written_values.parts(EXAMPLES, TESTS, seed),
            build=written_values.build,
            figure=exact_translations,
            forms={"gru": (64,), "lstm": (64,), "transformer": (64, 64)},
            lr={"gru": 5e-3, "lstm": 5e-3, "transformer": 2e-3},
            batch_size=64,
        ),
        "translate_verses": Task(
            source="short verses of the Bible, from English to Spanish (World English Bible and Reina-Valera "
            "1909, both in the public domain)",
            pairs=lambda seed: verses.parts(),
            build=verses.build,
            figure=verse_score,
            forms={"gru": (128,), "lstm": (128,), "transformer": (128, 128)},
            lr={"gru": 3e-3, "lstm": 3e-3, "transformer": 1e-3},
            batch_size=32,
        ),
    }


def exact_translations(model: Translator, test: Pairs) -> str:
    """A line with the share of exact translations, of all pairs and of each kind."""
    from scratchgen.studies.experiments.written_values import exact_by_kind

    rows = exact_by_kind(model, test)
    parts = ", ".join(f"{name}s {row['exact']:.1%}" for name, row in rows.items() if name != "all")
    return f"exact translations of unseen values: {rows['all']['exact']:.1%} ({parts})"


def verse_score(model: Translator, test: Pairs) -> str:
    """A line with the BLEU of the test verses."""
    from scratchgen.studies.experiments.verses import score

    return f"BLEU of {len(test.source)} unseen verses, with a beam of 4: {score(model, test, beam=4):.1f}"


def given_settings(args: argparse.Namespace, form: str, task: Task) -> dict[str, Any]:
    """The settings of --set, --hidden, --batch-size and --lr, or the defaults of the form."""
    from scratchgen.checks import check_name
    from scratchgen.cli.early import expect_run_settings

    def known(*, hidden: int | Sequence[int], batch_size: int, lr: float) -> None:
        """The settings, for their types."""

    if args.code is not None:
        raise ValueError(f"{args.model} ({form}) has no --code; leave it out")
    parameters = inspect.signature(known).parameters
    short = {name: getattr(args, name) for name in parameters if getattr(args, name) is not None}
    option = {name: f"--{name.replace('_', '-')}" for name in short}
    words = [*args.settings, *(f"{name}={value}" for name, value in short.items())]
    settings = {"hidden": task.forms[form], "lr": task.lr[form], "batch_size": task.batch_size}
    for key, text in split_settings(words):
        check_name(f"setting of {args.model} ({form})", key, parameters)
        settings[key] = parse_setting(key, text, parameters[key], option.get(key, ""))
    hidden = settings["hidden"]
    settings["hidden"] = hidden if isinstance(hidden, tuple) else (hidden,)
    expect_run_settings({name: settings[name] for name in ("lr", "batch_size")}, option)
    return settings


def main(args: argparse.Namespace) -> int:
    """Train the model `args.model`, save the run, and print its figures."""
    from scratchgen.checks import as_generator, check_name
    from scratchgen.data import Pairs
    from scratchgen.training import TimeLimit
    from scratchgen.training.runs import expect_place, run_saved
    from scratchgen.training.schedules import OneCycle

    task = tasks()[args.model]
    builders = task.builders()
    form = check_name("form", args.form or next(iter(builders)), builders)
    for name in ("data", "test", "labels", "test_labels", "label", "size"):
        if getattr(args, name) is not None:
            option = name.replace("_", "-")
            raise ValueError(f"{args.model} is trained on sentences of the library and has no --{option}")
    settings = given_settings(args, form, task)
    config = {"model": args.model, "form": form, "seed": args.seed, **settings}
    config["hidden"] = list(settings["hidden"])
    path = model_path(args.out or Path("runs") / args.model)
    check_output(path)
    expect_place(path, resume=args.resume, config=config, overwrite=args.overwrite)
    builders[form](Pairs(["a a"], ["a a"]), 0, hidden=settings["hidden"])     # checks the settings
    if not (args.json or getattr(args, "quiet", False)):
        print(paragraph(task.source))
    rng = as_generator("train", args.seed)
    train, test = task.pairs(args.seed)
    model = builders[form](train, rng, hidden=settings["hidden"])
    trainer = model.trainer(
        *train, epochs=args.epochs or EPOCHS, batch_size=settings["batch_size"],  # type: ignore[arg-type]
        lr=OneCycle(settings["lr"]), rng=rng, callbacks=[TimeLimit(args.budget)] if args.budget else [],
    )  # fmt: skip
    history = run_saved(trainer, path, resume=args.resume, config=config, overwrite=args.overwrite)
    line, losses = task.figure(model, test), history.epochs.get("loss", [])
    values = {"model": args.model, "form": form, "file": path, "figure": line, "loss": losses[-1:]}
    if losses:
        line += f"; last epoch: loss {losses[-1]:.4g}"
    print_result(args, values, paragraph(line), f"weights and run are in {args.out or path.parent}")
    return 0
