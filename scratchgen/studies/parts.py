"""The cells of a study: each is measured once and saved in its own file, so a killed study can continue."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scratchgen import __version__
from scratchgen.data.files import write_json
from scratchgen.data.records import read_json
from scratchgen.studies.workers import Workers


@dataclass(frozen=True)
class Cell:
    """One part of a study.

    name     : for messages and for its file
    measure  : function without arguments that returns a value of JSON. Workers receive it by pickle
    settings : on which this cell depends, in addition to those of the study
    """

    name: str
    measure: Callable[[], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)


class Parts:
    """The files of the cells of one study. Remove them once the results of the study are saved.

    folder   : the folder of the files
    settings : the settings on which all cells depend. A cell that was saved with other settings is not used
    """

    def __init__(self, folder: Path, **settings: Any):
        self.folder, self.settings = folder, {"version": __version__, **settings}

    def measured(
        self,
        cells: Sequence[Cell],
        workers: Workers = Workers(),  # noqa: B008   (frozen)
        report: Callable[[str, Any, dict[str, Any]], None] = lambda name, value, known: None,
    ) -> dict[str, Any]:
        """Measure the cells that are missing, and return the values of all cells by name.

        report : called after each cell that was measured, with its name, its value, and the values that are
            known so far, in the order of the cells

        Each value is saved as soon as it is known. Raises ValueError, with the name of the file, if a file is
        damaged, and what Workers.run raises.
        """
        known = self.known(cells)
        missing = {cell.name: cell for cell in cells if cell.name not in known}
        for name, value in workers.run({name: cell.measure for name, cell in missing.items()}):
            self.save(missing[name], value)
            known[name] = value
            report(name, value, {cell.name: known[cell.name] for cell in cells if cell.name in known})
        return {cell.name: known[cell.name] for cell in cells}

    def known(self, cells: Sequence[Cell]) -> dict[str, Any]:
        """The values that were saved with the same settings, by the names of their cells."""
        found = {}
        for cell in cells:
            path = self.path(cell)
            if path.is_file():
                try:
                    saved = read_json(path)
                    if saved["settings"] == self._settings(cell):
                        found[cell.name] = saved["value"]
                except (ValueError, KeyError, TypeError) as error:
                    message = f"{path} is damaged ({error}); delete it to measure it again"
                    raise ValueError(message) from None
        return found

    def save(self, cell: Cell, value: Any) -> None:
        """Write the value of a cell to its file."""
        write_json(self.path(cell), {"settings": self._settings(cell), "value": value})

    def remove(self) -> None:
        """Remove all files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, cell: Cell) -> Path:
        """The file of a cell."""
        return self.folder / f"{re.sub('[^a-zA-Z0-9]+', '-', cell.name)}.json"

    def _settings(self, cell: Cell) -> dict[str, Any]:
        return {"part": cell.name, **self.settings, **cell.settings}
