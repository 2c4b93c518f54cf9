"""A training curve: results that are measured every few epochs and saved with the run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.training.loop import Callback, Trainer

Point = dict[str, float]


class Curve(Callback):
    """Calls `measure` every `every` epochs and after the last one, and stores the results.

    rows : a dict for each point: "epoch", "seconds" of training, and the figures that `measure` returned
    """

    def __init__(self, measure: Callable[[], Point], every: int):
        self.measure, self.every = measure, every
        self.rows: list[Point] = []

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.epoch % self.every == 0 or trainer.epoch == trainer.epochs:
            self.rows.append({"epoch": trainer.epoch, "seconds": values["seconds"], **self.measure()})

    def state(self) -> dict[str, np.ndarray]:
        names = self.rows[0] if self.rows else {}
        return {name: np.array([row[name] for row in self.rows], np.float64) for name in names}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        length = len(next(iter(state.values()))) if state else 0
        self.rows = [{name: float(column[i]) for name, column in state.items()} for i in range(length)]

    def points(self) -> list[Point]:
        """The rows rounded for a file: seconds to 1 decimal, figures to 4, the epoch as an int."""
        return [
            {"epoch": int(row["epoch"]), "seconds": round(row["seconds"], 1)}
            | {name: round(value, 4) for name, value in row.items() if name not in ("epoch", "seconds")}
            for row in self.rows
        ]
