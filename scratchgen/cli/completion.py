"""`scratchgen completion`: a script that completes commands, options, names and files in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

HELP = "print a completion script for bash or zsh"
HINT = "completion needs the package shtab: pip install 'scratchgen[completion]'"
SHELLS = ("bash", "zsh", "tcsh")
FILES, FOLDERS = ("FILE", "PATH", "RUN", "DATA"), ("DIR", "FOLDER")     # how the help names them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "shell", choices=SHELLS,
        help="the shell. bash: eval \"$(scratchgen completion bash)\" in ~/.bashrc; zsh: save the output as "
        "_scratchgen in a folder of $fpath",
    )


def main(args: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise ValueError(HINT) from None
    from scratchgen.cli import COMMANDS, build_parser

    parser, known = build_parser(*COMMANDS), names()
    for command, action in actions(parser):
        if action.metavar in FILES:
            action.complete = shtab.FILE
        elif action.metavar in FOLDERS:
            action.complete = shtab.DIRECTORY
        action.choices = known.get((command, action.dest), action.choices)
    print(shtab.complete(parser, shell=args.shell))
    return 0


def names() -> dict[tuple[str, str], list[str]]:
    """(command, argument) -> the names that can be typed there."""
    from scratchgen import zoo
    from scratchgen.cli.catalogue import entries
    from scratchgen.cli.demo import find_demos
    from scratchgen.cli.train_translator import tasks
    from scratchgen.exercises.catalogue import EXERCISES
    from scratchgen.gradcheck.cases import kind
    from scratchgen.models.cases import CASES
    from scratchgen.studies.gans import TABLES
    from scratchgen.studies.ood.detectors import detectors
    from scratchgen.studies.reproduce.recipe import recipe_names
    from scratchgen.trace.make import cases_by_model

    exercises = list(EXERCISES)
    return {
        ("demo", "name"): list(find_demos()),
        ("train", "model"): [*entries(), *tasks()],
        ("exercise", "name"): exercises,
        ("exercise", "hint"): exercises,
        ("exercise", "solution"): exercises,
        ("gradcheck", "names"): list(dict.fromkeys(map(kind, CASES))),
        ("trace", "name"): list(cases_by_model()),
        ("zoo", "name"): [entry.name for entry in zoo.entries()],
        ("study reproduce", "names"): list(recipe_names()),
        ("study gans", "table"): list(TABLES),
        ("study ood", "models"): list(detectors()),
    }


def actions(parser: argparse.ArgumentParser, command: str = "") -> Iterator[tuple[str, Any]]:
    """The arguments of all commands, each with the name of its command, such as "study ood"."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from actions(sub, f"{command} {name}".strip())
        else:
            yield command, action
