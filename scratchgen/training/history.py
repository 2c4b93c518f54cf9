"""The numbers that a training run recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from scratchgen.html_table import html_table

__all__ = ["History", "is_result"]

SHOWN = 20      # the largest number of epochs in the table that a notebook displays


@dataclass(repr=False)
class History:
    """The numbers that a run recorded. All lists of a table have the same length.

    steps  : name -> one value per update: "loss", and whatever else the model's step returns
    epochs : name -> one value per epoch: the epoch's mean of everything in `steps`, "validation" if the run
             has a validate function, "lr" (learning rate of the last update of the epoch; for several
             optimisers one per name, such as "generator_lr"), "step" (updates so far), "seconds" (training
             time so far)
    seconds : training time so far
    interrupted : whether Ctrl-C ended the run
    ended  : a sentence that says how the run ended; empty while it is running, or after an error
    """

    steps: dict[str, list[float]] = field(default_factory=dict)
    epochs: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False
    ended: str = ""

    def add(self, table: dict[str, list[float]], values: dict[str, float]) -> None:
        """Append one row to a table. Raises ValueError if its names differ from those of earlier rows."""
        if table and table.keys() != values.keys():
            raise ValueError(f"History expected the values {', '.join(table)}, got {', '.join(values)}")
        for name, value in values.items():
            table.setdefault(name, []).append(float(value))

    def epoch_means(self) -> dict[str, float]:
        """Return the mean of each column of `steps` since the last recorded epoch."""
        start = int(self.epochs["step"][-1]) if self.epochs else 0
        return {name: float(np.mean(column[start:])) for name, column in self.steps.items()}

    def __repr__(self) -> str:
        """The numbers of steps and epochs, the last value of each result, and how the run ended."""
        counts = f"{len(next(iter(self.epochs.values()), []))} epochs, "
        counts += f"{len(next(iter(self.steps.values()), []))} steps"
        last = ", ".join(f"{name} {c[-1]:.4g}" for name, c in self.epochs.items() if is_result(name) and c)
        return f"History({counts}{last and f'; last epoch: {last}'}{self.ended and f'; {self.ended}'})"

    def _repr_html_(self) -> str:
        """A table of the epochs, which a notebook displays; the first and last ones if there are many."""
        return html_table(self.ended or "not finished", ("epoch", *self.epochs), self._shown_rows())

    def _shown_rows(self) -> Iterator[tuple[str, ...]]:
        columns = list(self.epochs.values())
        count = len(columns[0]) if columns else 0
        for i in range(count):
            if count <= SHOWN or i < SHOWN // 2 or i >= count - SHOWN // 2:
                yield str(i + 1), *(f"{column[i]:.6g}" for column in columns)
            elif i == SHOWN // 2:
                yield tuple("…" for _ in range(len(columns) + 1))


def is_result(name: str) -> bool:
    """Whether a column of History.epochs is a result, and not a count, a time or a learning rate."""
    return name not in ("step", "seconds", "lr") and not name.endswith("_lr")
