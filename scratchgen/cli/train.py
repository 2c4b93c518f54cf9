"""`scratchgen train`: train any model on digits or on your own data, and save the run."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchgen.cli import train_translator
from scratchgen.cli.common import (
    add_json_argument,
    check_output,
    paragraph,
    print_result,
    row,
    whole_number,
)
from scratchgen.cli.ranks import add_rank_arguments, on_all_ranks
from scratchgen.cli.run_folder import model_path
from scratchgen.cli.settings import EPOCHS, shown, split_settings
from scratchgen.cli.sources import add_data_arguments, expect_readable

if TYPE_CHECKING:
    from scratchgen.cli.catalogue import Entry, Form

HELP = "train a model on digits, on sentences or on your own data"
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
SHORT = ("hidden", "code", "batch_size", "lr")      # settings with an option of their own


def duration(text: str) -> float:
    """An argument that is a time in seconds, minutes or hours: 90, 90s, 5m, 1.5h."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", text)
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 5m or 2h, got {text!r}")
    return seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a name that --list shows")
    parser.add_argument("--list", action="store_true", help="list the models, their forms and defaults")
    parser.add_argument("--form", metavar="FORM", help="form of the networks (default: the model's first)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="change a setting that --list shows, such as hidden=400,200; may be given several times",
    )
    parser.add_argument("--hidden", metavar="W,W", help="short for --set hidden=W,W")
    parser.add_argument("--code", metavar="K", help="short for --set code=K")
    parser.add_argument("--batch-size", metavar="N", help="short for --set batch_size=N")
    parser.add_argument("--lr", metavar="RATE", help="short for --set lr=RATE")
    parser.add_argument(
        "--epochs", type=whole_number(1), metavar="N", help=f"epochs in total (default: {EPOCHS})"
    )
    parser.add_argument(
        "--budget", type=duration, metavar="TIME", help="stop after this time, such as 5m, if it comes first"
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="S", help="seed (default: 0)")
    parser.add_argument(
        "--out", type=Path, metavar="RUN", help="folder of the run (default: runs/MODEL)"
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="continue the run in RUN")
    existing.add_argument("--overwrite", action="store_true", help="replace the run in RUN")
    add_json_argument(parser)
    add_data_arguments(parser, default="the digits that `scratchgen data` shows, or a text")
    add_rank_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Train the model, save the run, and print its result on the test data; or list the models."""
    from scratchgen.cli.catalogue import find_entry

    if args.list:
        print_result(args, {"models": models_as_json()}, *listing())
        return 0
    if args.model is None:
        raise ValueError("train expected a MODEL or --list (see scratchgen train --help)")
    if args.ordered and not args.mpi:
        raise ValueError("train expected --ordered together with --mpi")
    if not args.mpi:
        return train(args)
    if args.model in train_translator.tasks():
        raise ValueError(f"{args.model} has no --mpi: its loss is a mean over words, not over sentences")
    if not find_entry(args.model).by_epochs:
        raise ValueError(f"{args.model} is fitted in one step and has no --mpi; leave it out")
    return on_all_ranks(args, train)


def train(args: argparse.Namespace) -> int:
    """Train the model that was named, and print its result."""
    from scratchgen.cli.catalogue import find_entry
    from scratchgen.cli.early import expect_constructor_settings, expect_run_settings
    from scratchgen.cli.job import Job, TextJob
    from scratchgen.runtime.ranks import run_ranks

    if args.model in train_translator.tasks():
        return train_translator.main(args)
    entry = find_entry(args.model)
    form = entry.form(args.form)
    options = short_options(args)
    build, run = entry.parse(form, given_settings(args), options)
    check_before_work(args, entry, form, build)
    path = model_path(args.out or Path("runs") / entry.name)
    check_output(path)
    expect_free(path, args.resume, args.overwrite)
    expect_run_settings(run, options)
    expect_constructor_settings(args, entry, form, build)
    job = (TextJob if entry.of_text else Job)(args, entry, form, build, run)
    job.check_place(path)
    if not (args.json or getattr(args, "quiet", False)):
        print(paragraph(job.source), flush=True)
    last = job.train(path)
    figure = job.figure() if run_ranks().rank == 0 else None
    where = args.out or path.parent
    lines = [paragraph(figure.text)] if figure else []
    if last:
        numbers = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in last.items())
        lines.append(paragraph(f"last epoch: {numbers}", indent="    "))
    lines.append(f"weights and run are in {where}")
    values = {"model": entry.model.__name__, "form": form.name, "run": where, "file": path}
    values |= {figure.name: figure.value} if figure else {}
    print_result(args, values | {"last_epoch": last}, *lines)
    return 0


def listing() -> list[str]:
    """Each form of each model, and below it the default values of its settings."""
    from scratchgen.cli.catalogue import OF_DATA, entries

    lines = []
    for name, entry in entries().items():
        for form in entry.forms.values():
            known = {k: v for k, v in entry.defaults(form.name).items() if k not in OF_DATA}
            words = [f"{k}={'?' if k in form.required and v is None else shown(v)}" for k, v in known.items()]
            words += [f"{k}={shown(p.default)}" for k, p in entry.run_settings.items()]
            lines += [f"{name:23}{form.name}", row("", "  ".join(words), 4)]
    for name, task in train_translator.tasks().items():
        for body, hidden in task.forms.items():
            words = [f"hidden={shown(hidden)}", f"batch_size={task.batch_size}", f"lr={task.lr[body]}"]
            lines += [f"{name:23}{body}", row("", "  ".join(words), 4)]
    return lines


def models_as_json() -> dict[str, Any]:
    """Model -> form -> setting -> default, as it is typed."""
    from scratchgen.cli.catalogue import entries

    return {
        name: {
            form: {key: shown(value) for key, value in entry.defaults(form).items()} for form in entry.forms
        }
        for name, entry in entries().items()
    }


def given_settings(args: argparse.Namespace) -> list[tuple[str, str]]:
    """The settings of --set and of its short forms."""
    short = [f"{name}={getattr(args, name)}" for name in short_options(args)]
    return split_settings([*args.settings, *short])


def short_options(args: argparse.Namespace) -> dict[str, str]:
    """The settings that were given by a short form, with its name: {"batch_size": "--batch-size"}."""
    return {name: f"--{name.replace('_', '-')}" for name in SHORT if getattr(args, name) is not None}


def check_before_work(args: argparse.Namespace, entry: Entry, form: Form, build: dict[str, Any]) -> None:
    """Raise ValueError or FileNotFoundError for options that do not go together, before data are read."""
    known = entry.defaults(form.name)
    missing = [name for name in form.required if name not in build and known[name] is None]
    if missing:
        raise ValueError(f"{entry.name} expected --set {missing[0]}=VALUE, which has no default")
    if not entry.by_epochs:
        for name in ("epochs", "budget", "resume"):
            if getattr(args, name):
                raise ValueError(f"{entry.name} is fitted in one step and has no --{name}; leave it out")
    for name in ("data", "test", "labels", "test_labels"):
        expect_readable(getattr(args, name), f"--{name.replace('_', '-')}")


def expect_free(path: Path, resume: bool, overwrite: bool) -> None:
    """Check, before data are read, that a new run may be written to `path`, or that one can be resumed."""
    from scratchgen.training.checkpoint import read_config
    from scratchgen.training.runs import expect_place

    if resume and not path.is_file():
        raise FileNotFoundError(f"no run to resume: {path} does not exist")
    if resume:
        read_config(path)       # a damaged file is refused
    else:
        expect_place(path, resume=False, config={}, overwrite=overwrite)
