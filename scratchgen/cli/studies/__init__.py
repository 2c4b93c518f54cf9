"""The subcommands of `scratchgen study`, one module each, with HELP, add_arguments(parser) and main(args)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """What a study prints: with --json its values, otherwise lines of text."""

    values: Mapping[str, Any]
    lines: Sequence[str]
