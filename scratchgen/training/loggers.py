"""Callbacks that write the history of a run to a file, as CSV or as JSON lines."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

from scratchgen.checks import expect_flags
from scratchgen.data.files import expect_replaceable, write_whole
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.model_files import expect_path

__all__ = ["CSVLogger", "JSONLinesLogger"]


class HistoryLogger(Callback):
    """Base class of the loggers: write all rows of `history.epochs` after each epoch.

    The file is replaced as a whole, so it is complete at any time, also after a crash. A run that is resumed
    from a checkpoint writes its earlier epochs, too.

    path : the file;  overwrite : whether a file that is already there may be replaced by a new run
    Before the first step, raises ValueError if the file exists, and OSError if `path` is a folder or in a
    folder that does not exist.
    """

    writes = True

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False):
        expect_flags(type(self).__name__, overwrite=overwrite)
        self.path, self.overwrite = Path(expect_path(type(self).__name__, path)), overwrite

    def on_start(self, trainer: Trainer) -> None:
        expect_replaceable(self.path)
        who, folder = type(self).__name__, self.path.resolve().parent
        if not folder.is_dir():
            raise FileNotFoundError(f"{who} cannot write {self.path.name}: no folder {folder}")
        if trainer.step == 0 and self.path.exists() and not self.overwrite:
            raise ValueError(
                f"{who} expected a new file, but {self.path} exists: choose another path, "
                "or pass overwrite=True"
            )

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        columns = trainer.history.epochs
        rows = [
            {"epoch": epoch, **dict(zip(columns, row, strict=True))}
            for epoch, row in enumerate(zip(*columns.values(), strict=True), start=1)
        ]
        write_whole(self.path, self._text(rows))

    def _text(self, rows: list[dict[str, float]]) -> str:
        raise TypeError(f"{type(self).__name__} does not define _text; use CSVLogger or JSONLinesLogger")


class CSVLogger(HistoryLogger):
    """Write one line per epoch to a CSV file: epoch, loss, validation, lr, step, seconds.

    The arguments and errors are those of HistoryLogger: `overwrite` allows to replace an existing file.
    """

    def _text(self, rows: list[dict[str, float]]) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


class JSONLinesLogger(HistoryLogger):
    """Write one JSON object per epoch and line: {"epoch": 1, "loss": 0.5, ...}.

    The arguments and errors are those of HistoryLogger: `overwrite` allows to replace an existing file.
    """

    def _text(self, rows: list[dict[str, float]]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)
