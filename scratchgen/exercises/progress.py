"""What is remembered between commands: which exercises are solved, and how many hints were read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scratchgen.data.files import write_json

VARIABLE = "SCRATCHGEN_PROGRESS"


class Progress:
    """The solved exercises and the number of hints that were read, in a small JSON file.

    solved : names of exercises, in the order in which they were solved
    hints : exercise or equation -> number of hints that were read
    """

    def __init__(self, solved: list[str] | None = None, hints: dict[str, int] | None = None):
        self.solved, self.hints = solved or [], hints or {}

    @classmethod
    def load(cls) -> Progress:
        """Read the file; an empty Progress if there is none. Raises ValueError for another content."""
        path = progress_file()
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except ValueError:      # also a UnicodeDecodeError and a JSONDecodeError
            found = None
        solved = found.get("solved") if isinstance(found, dict) else None
        hints = found.get("hints") if isinstance(found, dict) else None
        if not _is_list_of_names(solved) or not _is_counts(hints):
            raise ValueError(f"{path} expected the progress of exercises; delete the file to begin anew")
        return cls(solved, hints)

    def save(self) -> Path:
        """Write the file and return its path."""
        return write_json(progress_file(), {"solved": self.solved, "hints": self.hints})

    def solve(self, name: str) -> None:
        """Note that an exercise is solved."""
        if name not in self.solved:
            self.solved.append(name)

    def next_hint(self, name: str, count: int) -> int:
        """Note that one more of `count` hints was read, and return its index. The last one is repeated."""
        index = min(self.hints.get(name, 0), count - 1)
        self.hints[name] = index + 1
        return index


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(type(n) is int and n >= 0 for n in value.values())


def progress_file() -> Path:
    """The file that SCRATCHGEN_PROGRESS names, or exercises.json in this user's cache folder.

    Raises FileNotFoundError if there is no home folder.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    import pooch

    try:
        folder = Path(pooch.os_cache("scratchgen"))
    except RuntimeError:            # raised by platformdirs; older versions return a path that starts with ~
        folder = Path("~")
    if folder.parts[0] == "~":
        raise FileNotFoundError(f"expected a home folder, found none; set {VARIABLE} to a file")
    return folder / "exercises.json"
