"""`scratchgen study language`: mixtures of recurrent nets and an n-gram model."""

from __future__ import annotations

import argparse

from scratchgen.cli.common import check_writable

HELP = "measure mixtures of two recurrent nets and an n-gram model on one book"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("--list", action="store_true", help="list the models and the mixtures")
    parser.add_argument(
        "--write-chapter", action="store_true", help="only write the saved results into docs/attention.md",
    )


def main(args: argparse.Namespace) -> int:
    """Train and measure, and write results/; list the models, or write the chapter."""
    from scratchgen.studies import language

    if args.list:
        print(*language.NAMES, *map(language.title, language.MIXTURES), sep="\n")
    elif args.write_chapter:
        language.write_chapter()
        print(f"{language.CHAPTER} has the table of {language.RESULTS}")
    else:
        check_writable(language.RESULTS.parent)
        print(language.table(language.run()))
        print(f"saved in {language.RESULTS}; `{language.COMMAND}` puts it into the chapter")
    return 0
