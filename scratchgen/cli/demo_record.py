"""Records of demos: what a run printed and returned, its command, settings, time, seed and versions.

`scratchgen demo NAME` writes NAME.json beside the pictures. The local gallery and the site show records.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import platform
import shlex
import sys
import time
import tokenize
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import scratchgen
from scratchgen.cli.common import plain

if TYPE_CHECKING:
    from scratchgen.cli.demo import Demo

LONGEST = 200           # numbers of an array that --json prints and a record keeps
PACKAGES = ("numpy", "numba", "matplotlib")
SAVED = "Saved "        # the start of the lines that name a figure, which a record does not keep


class Record(NamedTuple):
    """One finished run of a demo.

    settings : all settings, with those that were not changed
    budget : seconds of the tour that this run was a part of; None outside of a tour
    seconds, processor : how long it took, and its processor time, which depends less on other programs
    numbers : what the demo returned, without long arrays;  printed : the lines that it printed
    figures : names of files in the same folder
    script : SHA-256 of the script's code, so that a demo that was changed is run again
    """

    name: str
    family: str
    claim: str
    command: str
    settings: dict[str, Any]
    budget: float | None
    seed: int | None
    seconds: float
    processor: float
    finished: str
    versions: dict[str, str]
    numbers: dict[str, Any]
    printed: str
    figures: list[str]
    script: str

    @property
    def is_usual(self) -> bool:
        """Whether the demo ran with its own settings and data."""
        return self.command == command_of(self.name, {}, {})

    @property
    def is_short(self) -> bool:
        """Whether a tour made its settings smaller."""
        return self.budget is not None and not self.is_usual

    def about(self) -> dict[str, str]:
        """How the demo was run, in words: the time, seed, settings and versions."""
        return {
            "time": f"{self.seconds:.1f} s, {self.processor:.1f} s of processor time",
            "seed": "none" if self.seed is None else str(self.seed),
            "settings": ", ".join(f"{key} = {value}" for key, value in self.settings.items()),
            "versions": ", ".join(f"{name} {number}" for name, number in self.versions.items()),
            "finished": self.finished,
        }


class Tee:
    """A stream that passes everything on and keeps it."""

    def __init__(self, stream: Any):
        self.stream = stream
        self.kept: list[str] = []

    def write(self, text: str) -> int:
        self.kept.append(text)
        self.stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def recorded(
    demo: Demo,
    function: Callable[..., Any],
    out: Path,
    settings: Mapping[str, Any],
    command: str,
    *,
    budget: float | None = None,
) -> dict[str, Any]:
    """Run a demo, write its record to `out`, and return its results.

    A run that raises an exception or is interrupted leaves no record, and an earlier record is removed.
    """
    from scratchgen.cli.demo_settings import settings_of
    from scratchgen.data.files import write_json

    path = out / f"{demo.name}.json"
    path.unlink(missing_ok=True)        # its figures are about to be replaced
    tee = Tee(sys.stdout)
    start, processor = time.perf_counter(), processor_time()
    with redirect_stdout(tee):
        results: dict[str, Any] = function(out, **settings)
    seconds, processor = time.perf_counter() - start, processor_time() - processor
    everything = settings_of(function) | dict(settings)
    figures = [value for value in results.values() if isinstance(value, Path) and value.is_file()]
    record = Record(
        name=demo.name,
        family=demo.family,
        claim=demo.claim,
        command=command,
        settings=everything,
        budget=budget,
        seed=everything.get("seed"),
        seconds=round(seconds, 2),
        processor=round(processor, 2),
        finished=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        versions=versions(),
        numbers={name: v for name, v in numbers_in(results).items() if not isinstance(v, Path)},
        printed=without_paths("".join(tee.kept)),
        figures=[figure.name for figure in figures],
        script=digest(demo.path),
    )
    write_json(path, plain(record._asdict()))
    return results


def command_of(
    name: str, defaults: Mapping[str, Any], settings: Mapping[str, Any], others: Sequence[str] = ()
) -> str:
    """The command that runs a demo with these settings; settings with their default value are left out."""
    words = ["scratchgen", "demo", name]
    for key, value in settings.items():
        if value != defaults[key]:
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            words += ["--set", f"{key}={text}"]
    return shlex.join([*words, *others])


def without_paths(printed: str) -> str:
    """The printed text without the lines that name saved figures, and without blank lines at its ends."""
    lines = [line.rstrip() for line in printed.splitlines() if not line.startswith(SAVED)]
    return "\n".join(lines).strip("\n")


def processor_time() -> float:
    """Seconds of processor time of this process and of its child processes that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def versions() -> dict[str, str]:
    """The versions of scratchgen, Python, and the packages that a demo computes and draws with."""
    return {
        "scratchgen": scratchgen.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def digest(path: Path) -> str:
    """SHA-256 of the code of a script: comments, docstrings and blank lines do not change it."""
    return hashlib.sha256(code_of(path.read_text(encoding="utf-8")).encode()).hexdigest()


def code_of(text: str) -> str:
    """The lines of a script without comments, docstrings and blank lines."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first, last = node.body[0].lineno, node.body[0].end_lineno or 0
            lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def read_record(path: Path) -> Record | None:
    """The record in a file; None if there is no such file.

    Raises ValueError for a file that is not a record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        record = Record(**json.loads(text))
    except (ValueError, TypeError):
        raise ValueError(
            f"{path} is not the record of a demo; delete it and run the demo again: "
            f"scratchgen demo {path.stem}"
        ) from None
    names = [name for name in record.figures if Path(name).name != name]
    if names:
        raise ValueError(f"{path}: expected figures in the same folder, got {names[0]!r}")
    return record


def read_records(folder: Path, demos: Mapping[str, Demo]) -> dict[str, Record]:
    """The records of a folder by the name of the demo, in the order of `demos`."""
    found = {name: read_record(folder / f"{name}.json") for name in demos}
    return {name: record for name, record in found.items() if record is not None}


def numbers_in(results: Any) -> dict[str, Any]:
    """The numbers of a demo's results, without long arrays."""
    found = {}
    for name, value in results.items():
        if isinstance(value, Mapping):
            value = numbers_in(value)
        size = getattr(value, "size", len(value) if isinstance(value, list | tuple) else 1)
        if size <= LONGEST and (not hasattr(value, "__dict__") or hasattr(value, "dtype")):
            found[str(name)] = value
    return found
