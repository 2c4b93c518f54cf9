"""One cell: a model fitted to one protocol, digit and seed, and what its scores are worth. Kept in a file."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.checks import check_name
from scratchgen.data import Digits
from scratchgen.metrics import auroc
from scratchgen.studies.ood.protocols import CONTROLS, PROTOCOLS, controls, task
from scratchgen.studies.ood.scores import USUAL, Detector, detector

SEEDS = 2
FULL_EFFORT = 4.0       # with all of MNIST each model is shown so many times as many digits
CONTROL_IMAGES = 32


@dataclass(frozen=True)
class Plan:
    """What is to be measured: every protocol with every digit, model and seed.

    full : all of MNIST in place of the embedded part;  effort : how much longer than usual models are fitted
    """

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    models: tuple[str, ...] = USUAL
    digits: tuple[int, ...] = tuple(range(10))
    seeds: int = SEEDS
    full: bool = False
    effort: float = 1.0

    def __post_init__(self) -> None:
        for what, given in (("protocol", self.protocols), ("model", self.models), ("digit", self.digits)):
            if not given or len(set(given)) != len(given):
                raise ValueError(f"anomaly expected at least one {what}, each once, got {list(given)}")
        for protocol in self.protocols:
            check_name("protocol", protocol, PROTOCOLS)
        for name in self.models:
            detector(name)
        if not set(self.digits) <= set(range(10)):
            raise ValueError(f"anomaly expected digits from 0 to 9, got {list(self.digits)}")
        if self.seeds < 1:
            raise ValueError(f"anomaly expected at least one seed, got {self.seeds}")
        if not 0 < self.effort < float("inf"):
            raise ValueError(f"anomaly expected an effort above 0, got {self.effort}")

    @property
    def usual(self) -> bool:
        """Whether nothing was asked for but, perhaps, the full set."""
        return self == Plan(full=self.full)

    def cells(self) -> list[tuple[str, int, str, int]]:
        """(protocol, digit, model, seed) of each cell; all of one seed before the next."""
        return [
            (protocol, digit, model, seed)
            for seed in range(self.seeds)
            for model in self.models
            for protocol in self.protocols
            for digit in self.digits
        ]


def measure(
    digits: Digits, protocol: str, digit: int, judge: Detector, seed: int, effort: float = 1.0
) -> dict[str, Any]:
    """Fit and rate: for each score its AUROC, that of each control against digits at home, and mean values.

    (ANOM.3)  AUROC = P(s(x′) > s(x)) + ½·P(s(x′) = s(x)),  x at home, x′ foreign
    """
    start = time.process_time()
    at = task(digits, protocol, digit, rng=np.random.default_rng(seed))
    model = judge.fit(at.train, seed, effort)
    fitted = time.process_time() - start
    odd = controls(CONTROL_IMAGES, rng=np.random.default_rng(seed))
    groups = {"home": at.home, "foreign": at.foreign, **odd}
    scores = judge.rate(model, at.held, groups, seed)
    return {
        "auroc": {kind: versus(s["foreign"], s["home"]) for kind, s in scores.items()},
        "controls": {kind: {c: versus(s[c], s["home"]) for c in CONTROLS} for kind, s in scores.items()},
        "means": {kind: {g: float(v.mean()) for g, v in s.items()} for kind, s in scores.items()},
        "spreads": {kind: {g: float(v.std()) for g, v in s.items()} for kind, s in scores.items()},
        "fit_seconds": round(fitted, 2),
        "seconds": round(time.process_time() - start, 2),
    }


def versus(foreign: np.ndarray, home: np.ndarray) -> float:
    """How often a foreign image scores above one at home: ½ is chance, 0 the wrong way round."""
    y = np.r_[np.ones(len(foreign)), np.zeros(len(home))]
    return auroc(np.concatenate([foreign, home]), y)            # (ANOM.3)


class Store:
    """Cells that were measured before, a file each: a run that was broken off goes on from here."""

    def __init__(self, folder: Path, source: str, effort: float):
        self.folder, self.effort = folder, effort
        self.settings = {"digits": source, "effort": effort}

    def path(self, protocol: str, digit: int, model: str, seed: int) -> Path:
        return self.folder / f"{protocol}-{digit}-{model}-{seed}.json"

    def load(self, protocol: str, digit: int, model: str, seed: int) -> dict[str, Any] | None:
        """The cell, or None where it wasn't measured yet, or with other settings.

        Raises ValueError, naming the file, for one that can't be read: delete it to have it measured anew.
        """
        path = self.path(protocol, digit, model, seed)
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            same = found["settings"] == self._settings(model)
            return found["cell"] if same else None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error}); delete it to have it measured anew") from None

    def save(self, cell: dict[str, Any], protocol: str, digit: int, model: str, seed: int) -> None:
        """Write the cell whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(protocol, digit, model, seed)
        beside = path.with_suffix(".part")
        text = json.dumps({"settings": self._settings(model), "cell": cell}, indent=1)
        beside.write_text(text + "\n", encoding="utf-8")
        os.replace(beside, path)

    def _settings(self, model: str) -> dict[str, Any]:
        judge = detector(model)
        return {
            **self.settings,
            "typicality": "from the median",
            "model": judge.title,
            "shown": judge.shown,
            "batch": judge.batch,
        }
