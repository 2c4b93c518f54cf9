"""`scratchgen gallery`: a page of the demos that were run, and a tour of all demos within a given time."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from scratchgen.cli.common import add_json_argument, check_writable, paragraph, print_result

HELP = "build a page of the demos that were run; --budget 5m runs them first"


def budget(text: str) -> float:
    """An argument that is a time, in seconds."""
    from scratchgen.cli.demo_tour import seconds_of

    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="run these demos only (default: all demos)",
    )
    parser.add_argument(
        "--budget", type=budget, metavar="TIME",
        help="run the demos in about TIME, such as 90s, 5m or 1h, with settings made smaller to fit; a tour "
        "that was interrupted continues",
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--out", type=Path, default=Path("gallery"), metavar="DIR",
        help="folder of the demos' figures and of the page (default: gallery)",
    )
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Run demos if asked to, and write the page; return 1 if a demo failed."""
    from scratchgen.checks import check_name
    from scratchgen.cli.demo import find_demos, usual_times
    from scratchgen.cli.demo_page import write_page
    from scratchgen.cli.demo_record import read_records
    from scratchgen.cli.demo_tour import pace_of, tour
    from scratchgen.data.digits import digits_from, load_digits

    demos = find_demos()
    if args.names and args.budget is None:
        raise ValueError(
            "gallery expected --budget TIME with the names of demos; the page shows all demos that were run"
        )
    chosen = {check_name("demo", name, demos) for name in args.names} or set(demos)
    check_writable(args.out)
    times = usual_times()
    failed: list[str] = []
    with ExitStack() as stack:
        if args.budget is not None:
            if args.json:
                import sys
                from contextlib import redirect_stdout

                stack.enter_context(redirect_stdout(sys.stderr))
            selected = {name: demo for name, demo in demos.items() if name in chosen}
            pace = pace_of(list(selected))
            args.out.mkdir(parents=True, exist_ok=True)
            # One epoch of the full set would already be longer than most demos have time for
            stack.enter_context(digits_from(load_digits("embedded")))
            try:
                failed = tour(selected, pace, args.out, args.budget)
            except KeyboardInterrupt:
                page = write_page(args.out, demos, times)
                again = "finished demos are kept; the same command continues the tour"
                raise KeyboardInterrupt(f"interrupted: {again}; open {page}") from None
    records = read_records(args.out, demos)
    if not records and not failed:
        raise FileNotFoundError(
            f"{args.out} has no record of a demo; run one (scratchgen demo latent) or a tour "
            "(scratchgen gallery --budget 5m)"
        )
    page = write_page(args.out, demos, times)
    lines = [f"{len(records)} of {len(demos)} demos are on the page"]
    if failed:
        lines.append(paragraph(f"failed: {', '.join(failed)}"))
    lines.append(f"open {page}")
    print_result(args, {"page": str(page), "demos": list(records), "failed": failed}, *lines)
    if args.open:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            raise OSError(f"no browser was found; open {page.resolve()} yourself")
    return 1 if failed else 0
