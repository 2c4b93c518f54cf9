"""What a reproduction found, as a file that a table can be made from."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import kernels
from scratchgen.studies import chapters

COMMAND = "python -m scratchgen.studies.reproduce"


@dataclass(frozen=True)
class Record:
    """One reproduced figure.

    name    : of the reproduction
    figure  : what is measured
    unit    : of both figures; lower is better unless it says otherwise
    paper   : the published figure, None where there is none;  source : where it was published
    ours    : what this run reached
    seconds : of training, on `machine`
    recipe  : what was done, enough to do it again
    curve   : rows of {"epoch", "seconds", "figure"}, in the order of the run
    beside  : other figures of the run, such as a baseline measured the same way
    details : rows of numbers that the table leaves out
    """

    name: str
    figure: str
    unit: str
    paper: float | None
    source: str
    ours: float
    seconds: float
    machine: str
    recipe: str
    curve: list[dict[str, float]]
    beside: dict[str, float] = field(default_factory=dict)
    details: dict[str, list[float]] = field(default_factory=dict)

    def save(self, folder: Path, suffix: str = "") -> Path:
        """Write the record to folder/NAME{suffix}.json, whole or not at all, and return the path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}{suffix}.json"
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(beside, path)
        return path

    def summary(self) -> str:
        return (
            f"{self.figure}: {self.ours:.2f} {self.unit} after {_time(self.seconds)}, "
            f"published: {_published(self)}"
        )


def read_all(folder: Path) -> list[Record]:
    """The records in a folder, by name; without runs of another length than the recipe's."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))}
    found = {stem: json.loads(text) for stem, text in texts.items()}
    return [Record(**values) for stem, values in found.items() if values.get("name") == stem]


def table(records: list[Record]) -> str:
    """The records as a Markdown table."""
    lines = ["| figure | unit | published | here | time |", "|---|---|---|---|---|"]
    for r in records:
        ours, time = f"**{r.ours:.2f}**", _time(r.seconds)
        lines.append(f"| {r.figure} | {r.unit} | {_published(r)} | {ours} | {time} |")
        lines += [f"| … {name} | | | {value:.2f} | |" for name, value in r.beside.items()]
    return "\n".join(lines)


def fill(text: str, records: list[Record]) -> str:
    """Put the table between its marks in a text. Raises ValueError where a mark is missing."""
    return chapters.fill(text, {"results": table(records)}, COMMAND)


def machine() -> str:
    """The processor, and what does the arithmetic on it."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    blas: Any = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return (
        f"{os.cpu_count()} cores of {name}, Python {platform.python_version()}, NumPy {np.__version__} "
        f"with {blas['name']} {blas['version']}, {kernels.backend()} kernels"
    )


def _published(record: Record) -> str:
    return "none" if record.paper is None else f"{record.paper:.2f} ({record.source})"


def _time(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
