"""`scratchgen study language`: mixtures of recurrent nets and an n-gram model."""

from __future__ import annotations

import argparse

from scratchgen.cli.common import check_writable
from scratchgen.cli.studies import Outcome

HELP = "measure mixtures of two recurrent nets and an n-gram model on one book"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("--list", action="store_true", help="list the models and the mixtures")
    parser.add_argument(
        "--write-chapter", action="store_true", help="only write the saved results into docs/attention.md",
    )


def main(args: argparse.Namespace) -> Outcome:
    """Train and measure, and write results/; list the models, or write the chapter."""
    from scratchgen.studies import language

    if args.list:
        titles = [*language.NAMES, *map(language.title, language.MIXTURES)]
        return Outcome({"models": titles}, titles)
    if args.write_chapter:
        language.write_chapter()
        values = {"chapter": language.CHAPTER, "results": language.RESULTS}
        return Outcome(values, [f"{language.CHAPTER} has the table of {language.RESULTS}"])
    check_writable(language.RESULTS.parent)
    found = language.run()
    hint = f"saved in {language.RESULTS}; `{language.COMMAND}` puts it into the chapter"
    return Outcome(found | {"file": language.RESULTS}, [language.table(found), hint])
