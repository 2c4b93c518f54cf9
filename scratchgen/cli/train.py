"""`scratchgen train`: train a model on digits, or on sentences, and save the run."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchgen.cli import train_translator
from scratchgen.cli.common import check_output, paragraph, row, whole_number, widths

if TYPE_CHECKING:
    from scratchgen.studies.cards import Trainable

HELP = "train a model on digits or sentences and save the run"


def models() -> dict[str, Trainable]:
    """The models that can be trained, from the cards of all families."""
    from scratchgen.studies.cards import cards

    return {name: model for card in cards().values() for name, model in card.trainable.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    known = models() | train_translator.tasks()
    forms = dict.fromkeys(form for model in known.values() for form in model.forms)
    parser.add_argument("model", nargs="?", metavar="MODEL", help=f"one of {', '.join(known)}")
    parser.add_argument("--list", action="store_true", help="list the models, their forms and defaults")
    parser.add_argument(
        "--form", choices=forms, metavar="FORM",
        help=f"form of the networks: {', '.join(forms)} (default: the model's first)",
    )
    parser.add_argument(
        "--hidden", type=widths, metavar="W,W",
        help="widths of the hidden layers, such as 400,200 (default: see --list)",
    )
    parser.add_argument(
        "--code", type=whole_number(1), metavar="K", help="width of the latent code (default: see --list)"
    )
    parser.add_argument(
        "--epochs", type=whole_number(1), default=20, metavar="N", help="epochs in total (default: 20)"
    )
    parser.add_argument(
        "--batch-size", type=whole_number(1), metavar="N", help="examples per batch (default: the model's)"
    )
    parser.add_argument("--lr", type=float, metavar="RATE", help="learning rate (default: the model's)")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="S", help="seed (default: 0)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="file of the run (default: runs/MODEL.safetensors)"
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="continue the run in FILE")
    existing.add_argument("--overwrite", action="store_true", help="replace the run in FILE")


def main(args: argparse.Namespace) -> int:
    """Train the model, save the run, and print its result on the test digits; or list the models."""
    if args.list:
        print(*listing(), sep="\n")
        return 0
    if args.model is None:
        raise ValueError("train expected a MODEL or --list (see scratchgen train --help)")
    from scratchgen.checks import check_name

    check_name("model", args.model, models() | train_translator.tasks())
    path = args.out or Path(f"runs/{args.model}.safetensors")
    check_output(path)
    if args.model in train_translator.tasks():
        print(train_translator.main(args, path))
        print(f"weights and run are in {path}")
        return 0
    run = {"batch_size": args.batch_size, "lr": args.lr}
    line = train(
        args.model,
        models()[args.model],
        path,
        form=args.form,
        hidden=args.hidden,
        code=args.code,
        epochs=args.epochs,
        run={name: value for name, value in run.items() if value is not None},
        seed=args.seed,
        resume=args.resume,
        overwrite=args.overwrite,
    )
    print(line)
    print(f"weights and run are in {path}")
    return 0


def listing() -> list[str]:
    """A row for each form of each model, with the default values of its settings."""
    lines = []
    forms = {name: model.forms for name, model in models().items()}
    forms |= {name: task.builders() for name, task in train_translator.tasks().items()}
    for name, builds in forms.items():
        for form, build in builds.items():
            settings = "  ".join(f"--{key} {shown(value)}" for key, value in defaults(build).items())
            lines.append(row(f"{name:17}{form}", settings, 32))
    return lines


def train(
    name: str,
    model: Trainable,
    path: Path,
    *,
    form: str | None = None,
    hidden: tuple[int, ...] | None = None,
    code: int | None = None,
    epochs: int = 20,
    run: dict[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
) -> str:
    """Train a model of a card on digits, save the run in `path`, and return a line with its figures.

    form, hidden, code : the form and the widths of the networks, by default those of the card
    run : other arguments of the model's trainer, such as batch_size and lr

    Raises ValueError for a form or a setting that the model does not have.
    """
    import numpy as np

    from scratchgen.checks import check_name
    from scratchgen.data import load_digits
    from scratchgen.training.loop import is_result
    from scratchgen.training.runs import expect_place, run_saved

    form = check_name("form", form or next(iter(model.forms)), model.forms)
    settings = network_settings(f"{name} ({form})", model.forms[form], {"hidden": hidden, "code": code})
    run = run or {}
    saved = {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}
    config = {"model": name, "form": form, "seed": seed, **saved, **run}
    expect_place(path, resume=resume, config=config, overwrite=overwrite)
    digits = load_digits()
    print(paragraph(digits.source))
    rng = np.random.default_rng(seed)
    net = model.forms[form](rng, **settings)
    labels = (digits.y_train,) if model.labels else ()
    trainer = net.trainer(digits.x_train, *labels, epochs=epochs, rng=rng, **run)
    history = run_saved(trainer, path, resume=resume, config=config, overwrite=overwrite)
    last = ", ".join(
        f"{key.replace('_', ' ')} {column[-1]:.4g}"
        for key, column in history.epochs.items()
        if is_result(key)
    )
    figure = model.figure(net, digits, model.space)
    return f"{figure}; last epoch: {last}" if figure else f"last epoch: {last}"


def network_settings(who: str, build: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The settings that `build` takes: the given values, or its defaults for those that are None.

    Raises ValueError for a given setting that it does not take.
    """
    own = defaults(build)
    for name, value in given.items():
        if value is not None and name not in own:
            raise ValueError(f"{who} has no --{name}; leave it out")
    return {name: default if given.get(name) is None else given[name] for name, default in own.items()}


def defaults(build: Callable[..., Any]) -> dict[str, Any]:
    """The settings of a form with their defaults, from its signature."""
    parameters = inspect.signature(build).parameters
    return {name: p.default for name, p in parameters.items() if p.default is not p.empty}


def shown(value: Any) -> str:
    """A setting as it is typed: 400,200 for (400, 200)."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
