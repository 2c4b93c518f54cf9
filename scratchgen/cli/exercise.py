"""`scratchgen exercise`: write an exercise to a file, check it, give hints, show the progress."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.apart import ask_apart, run_apart
from scratchgen.cli.common import (
    add_json_argument,
    check_output,
    paragraph,
    print_result,
    row,
    seconds,
)

HELP = "derive gradients yourself: exercises with blanks, checked with an explanation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="write this exercise to a file; see --list")
    parser.add_argument("--list", action="store_true", help="list the exercises, and mark the solved ones")
    parser.add_argument("--check", type=Path, metavar="FILE", help="check the file of an exercise")
    parser.add_argument(
        "--hint", metavar="NAME",
        help="the next hint for an exercise, or for one equation such as LIN.2; each call goes one further",
    )
    parser.add_argument("--solution", metavar="NAME", help="the library's lines for all blanks")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the file to write (default: NAME.py in the current folder)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    parser.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="SECONDS",
        help="the time limit of --check (default: 60)",
    )
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Do the one thing that was asked for; return 1 if a check failed."""
    asked = [args.list, *(value is not None for value in (args.check, args.hint, args.solution))]
    if any(asked) and args.name is not None:
        raise ValueError(f"exercise expected NAME or an option such as --check, got both ({args.name})")
    if sum(asked) > 1:
        raise ValueError("exercise expected one of --list, --check, --hint and --solution, got several")
    if args.name is None and (args.out is not None or args.overwrite):
        raise ValueError("--out and --overwrite expected the NAME of an exercise to write")
    if args.list:
        return show_list(args)
    if args.check is not None:
        return check_file(args.check, args)
    if args.hint is not None:
        return show_hint(args.hint, args)
    if args.solution is not None:
        return show_solution(args.solution, args)
    if args.name is None:
        raise ValueError("exercise expected a NAME, --list, --check FILE, --hint NAME or --solution NAME")
    return write(args.name, args)


def write(name: str, args: argparse.Namespace) -> int:
    """Write the file of an exercise."""
    from scratchgen.checks import check_name
    from scratchgen.data.files import write_whole
    from scratchgen.exercises.catalogue import EXERCISES, text_of

    exercise = EXERCISES[check_name("exercise", name, EXERCISES)]
    path = Path(exercise.file) if args.out is None else args.out
    check_output(path)
    if path.exists() and not args.overwrite:
        raise ValueError(f"{path} exists, and may contain your work; --overwrite replaces it")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text_of(exercise))
    lines = [f"written: {path}", f"to check it: scratchgen exercise --check {path}"]
    print_result(args, {"exercise": name, "file": path}, *lines)
    return 0


def check_file(path: Path, args: argparse.Namespace) -> int:
    """Check a file in a process of its own, and remember that it is solved."""
    from scratchgen.exercises.check import parse
    from scratchgen.exercises.progress import Progress

    try:
        exercise, _ = parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise ValueError(f"{path} expected a Python file in UTF-8") from None
    module, found = "scratchgen.cli.own_exercise", None
    if args.json:
        code, found = ask_apart(module, str(path), args.timeout)
    else:
        code = run_apart(module, str(path), args.timeout)
    progress = Progress.load()
    if code == 0:
        progress.solve(exercise.name)
        progress.save()
        if not args.json:
            print(summary(progress.solved))
    if found is not None:
        print_result(args, {**found, "next": next(iter(left(progress.solved)), None)})
    return code


def left(solved: list[str]) -> list[str]:
    """The exercises that are not solved."""
    from scratchgen.exercises.catalogue import EXERCISES

    return [name for name in EXERCISES if name not in solved]


def summary(solved: list[str]) -> str:
    """How many exercises are solved, and which one is next."""
    from scratchgen.exercises.catalogue import EXERCISES

    others = left(solved)
    count = f"solved: {len(EXERCISES) - len(others)} of {len(EXERCISES)}"
    return f"{count}; next: scratchgen exercise {others[0]}" if others else count


def show_list(args: argparse.Namespace) -> int:
    """Print all exercises in their order, with a mark at those that are solved."""
    from scratchgen.exercises.catalogue import EXERCISES
    from scratchgen.exercises.progress import Progress

    solved = Progress.load().solved
    width = max(map(len, EXERCISES)) + 9
    lines, values = [], {}
    for i, exercise in enumerate(EXERCISES.values(), 1):
        mark = "x" if exercise.name in solved else " "
        lines.append(row(f"[{mark}] {i:>2} {exercise.name}", exercise.title, width))
        values[exercise.name] = {
            "title": exercise.title, "equations": exercise.numbers, "solved": exercise.name in solved,
        }  # fmt: skip
    print_result(args, {"exercises": values, "next": next(iter(left(solved)), None)}, *lines, summary(solved))
    return 0


def show_hint(name: str, args: argparse.Namespace) -> int:
    """Print the next hint, and remember that it was read."""
    from scratchgen.exercises.catalogue import find_hints
    from scratchgen.exercises.progress import Progress

    exercise, hints = find_hints(name)
    progress = Progress.load()
    index = progress.next_hint(name, len(hints))
    progress.save()
    lines = [f"hint {index + 1} of {len(hints)} for {name}:", paragraph(hints[index])]
    if index + 1 == len(hints):
        lines.append(f"This is the last hint. The code: scratchgen exercise --solution {exercise}")
    values = {"exercise": exercise, "for": name, "hint": hints[index], "index": index + 1, "of": len(hints)}
    print_result(args, values, *lines)
    return 0


def show_solution(name: str, args: argparse.Namespace) -> int:
    """Print the library's lines for all blanks."""
    from scratchgen.checks import check_name
    from scratchgen.exercises.catalogue import EXERCISES, solution_text

    exercise = EXERCISES[check_name("exercise", name, EXERCISES)]
    code = solution_text(exercise)
    values = {"exercise": name, "module": exercise.module, "solution": code}
    print_result(args, values, f"{exercise.name}, from {exercise.module}:\n", code)
    return 0
