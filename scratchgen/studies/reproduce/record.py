"""The record of a reproduction, saved as a file, and the tables of all records."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from scratchgen.data.files import write_json, write_whole
from scratchgen.data.records import read_json
from scratchgen.data.untrusted import refusing_damage
from scratchgen.studies.chapters import fill, grid
from scratchgen.studies.machine import minutes

COMMAND = "scratchgen study reproduce --write-chapter"
README, CHAPTER = Path("README.md"), Path("docs/results.md")
HEAD = ("figure", "unit", "published", "here", "time")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One reproduced figure.

    name    : of the reproduction
    figure  : what is measured
    unit    : of both figures; lower is better unless it says otherwise
    paper   : the published figure, None if there is none;  source : where it was published
    ours    : the figure of this run
    seconds : of training, on `machine`
    recipe  : all that is needed to repeat the run
    curve   : rows of {"epoch", "seconds", "figure"}, in the order of the run
    other_figures : of the same run, such as a baseline that is measured in the same way
    details : rows of numbers that the tables leave out
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
    other_figures: dict[str, float] = field(default_factory=dict)
    details: dict[str, list[float]] = field(default_factory=dict)

    def save(self, folder: Path, suffix: str = "") -> Path:
        """Write the record to folder/NAME{suffix}.json and return the path."""
        return write_json(folder / f"{self.name}{suffix}.json", asdict(self))

    def summary(self) -> str:
        """One line with the figure, the time and the published figure."""
        return (
            f"{self.figure}: {self.ours:.2f} {self.unit} after {minutes(self.seconds)}, "
            f"published: {self.published}"
        )

    @property
    def published(self) -> str:
        """The published figure with its source, or "none"."""
        return "none" if self.paper is None else f"{self.paper:.2f} ({self.source})"

    @property
    def row(self) -> tuple[str, ...]:
        """The row of this figure in both tables."""
        return self.figure, self.unit, self.published, f"**{self.ours:.2f}**", minutes(self.seconds)


def read_all(folder: Path) -> list[Record]:
    """The records in a folder, sorted by name, without those of runs with another number of epochs."""
    records = []
    for path in sorted(folder.glob("*.json")):
        with refusing_damage(str(path), "results in the form that the studies write"):
            values = read_json(path)
            if values.get("name") == path.stem:
                records.append(Record(**values))
                tables(records[-1:])        # raises an error if a value has the wrong type
    return records


def tables(records: list[Record]) -> dict[str, str]:
    """Two Markdown tables by the names of their marks.

    "results", for README.md, has one row for each figure. "all results", for docs/results.md, also has the
    other figures of each run.
    """
    rows = []
    for record in records:
        rows.append(record.row)
        rows += [(f"… {name}", "", "", f"{value:.2f}", "") for name, value in record.other_figures.items()]
    return {"results": grid(HEAD, [record.row for record in records]), "all results": grid(HEAD, rows)}


def write_tables(results: Path = Path("results"), readme: Path = README, chapter: Path = CHAPTER) -> None:
    """Write both tables from the records in `results`.

    Raises ValueError if a text lacks the marks of its table, OSError for a missing file.
    """
    made = tables(read_all(results))
    for path, name in ((readme, "results"), (chapter, "all results")):
        write_whole(path, fill(path.read_text(encoding="utf-8"), {name: made[name]}, COMMAND))
