"""One cell of the study: a model fitted for one protocol, digit and seed, and the AUROC of its scores."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.checks import check_name
from scratchgen.data import Digits
from scratchgen.data.files import write_json
from scratchgen.data.records import read_json
from scratchgen.metrics import auroc
from scratchgen.studies.ood.detectors import detector, usual
from scratchgen.studies.ood.protocols import CONTROLS, PROTOCOLS, controls, task
from scratchgen.studies.ood.scores import Detector

SEEDS = 2
FULL_EFFORT = 4.0       # with all of MNIST, each fit uses four times as many digits
CONTROL_IMAGES = 32


@dataclass(frozen=True)
class Plan:
    """What to measure: every protocol with every digit, model and seed.

    full   : all of MNIST instead of the embedded part
    effort : length of the fits, in units of the usual length
    data   : other images of 28 x 28 in the place of MNIST, a path as for load_dataset

    Raises ValueError for unknown or repeated names and for numbers out of range.
    """

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    models: tuple[str, ...] = field(default_factory=usual)
    digits: tuple[int, ...] = tuple(range(10))
    seeds: int = SEEDS
    full: bool = False
    effort: float = 1.0
    data: str = ""

    def __post_init__(self) -> None:
        for what, given in (("protocol", self.protocols), ("model", self.models), ("digit", self.digits)):
            if not given or len(set(given)) != len(given):
                raise ValueError(f"ood expected at least one {what}, each once, got {list(given)}")
        for protocol in self.protocols:
            check_name("protocol", protocol, PROTOCOLS)
        for name in self.models:
            detector(name)
        if not set(self.digits) <= set(range(10)):
            raise ValueError(f"ood expected digits from 0 to 9, got {list(self.digits)}")
        if self.seeds < 1:
            raise ValueError(f"ood expected at least one seed, got {self.seeds}")
        if not 0 < self.effort < float("inf"):
            raise ValueError(f"ood expected an effort above 0, got {self.effort}")

    @property
    def usual(self) -> bool:
        """Whether this is the default plan, apart from the choice of the images."""
        return self == Plan(full=self.full, data=self.data)

    def cells(self) -> list[tuple[str, int, str, int]]:
        """(protocol, digit, model, seed) of each cell, ordered by seed."""
        return [
            (protocol, digit, model, seed)
            for seed in range(self.seeds)
            for model in self.models
            for protocol in self.protocols
            for digit in self.digits
        ]


def measure(
    digits: Digits, protocol: str, digit: int, detector: Detector, seed: int, effort: float = 1.0
) -> dict[str, Any]:
    """Fit a model and compute, for each score, its AUROC, that of each control image, and mean values.

    (OOD.3)  AUROC = P(s(x′) > s(x)) + ½·P(s(x′) = s(x)),  x a known digit, x′ an OOD image
    """
    start = time.process_time()
    images = task(digits, protocol, digit, rng=np.random.default_rng(seed))
    model = detector.fit(images.train, seed, effort)
    fitted = time.process_time() - start
    odd = controls(CONTROL_IMAGES, rng=np.random.default_rng(seed))
    groups = {"known": images.known, "ood": images.ood, **odd}
    scores = detector.rate(model, images.held_out, groups, seed)
    return {
        "auroc": {score: auroc_of(s["ood"], s["known"]) for score, s in scores.items()},
        "controls": {score: {c: auroc_of(s[c], s["known"]) for c in CONTROLS} for score, s in scores.items()},
        "means": {score: {g: float(v.mean()) for g, v in s.items()} for score, s in scores.items()},
        "spreads": {score: {g: float(v.std()) for g, v in s.items()} for score, s in scores.items()},
        "fit_seconds": round(fitted, 2),
        "seconds": round(time.process_time() - start, 2),
    }


def auroc_of(ood: np.ndarray, known: np.ndarray) -> float:
    """The probability that an OOD image has a higher score than a known digit; ½ is chance."""
    y = np.r_[np.ones(len(ood)), np.zeros(len(known))]
    return auroc(np.concatenate([ood, known]), y)               # (OOD.3)


class Store:
    """Cells that were measured before, one file each, so that an interrupted run can continue."""

    def __init__(self, folder: Path, source: str, effort: float):
        self.folder, self.effort = folder, effort
        self.settings = {"digits": source, "effort": effort}

    def load(self, protocol: str, digit: int, model: str, seed: int) -> dict[str, Any] | None:
        """The cell, or None if it was not measured yet or was measured with other settings.

        Raises ValueError, naming the file, if it is damaged.
        """
        path = self.path(protocol, digit, model, seed)
        if not path.is_file():
            return None
        try:
            found = read_json(path)
            if found["settings"] != self._settings(model):
                return None
            return dict(found["cell"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error}); delete it to measure the cell again") from None

    def save(self, cell: dict[str, Any], protocol: str, digit: int, model: str, seed: int) -> None:
        """Write the cell to its file."""
        write_json(self.path(protocol, digit, model, seed), {"settings": self._settings(model), "cell": cell})

    def path(self, protocol: str, digit: int, model: str, seed: int) -> Path:
        """The file of a cell."""
        return self.folder / f"{protocol}-{digit}-{model}-{seed}.json"

    def _settings(self, model: str) -> dict[str, Any]:
        used = detector(model)
        return {
            **self.settings,
            "typicality": "from the median",
            "model": used.title,
            "shown": used.shown,
            "batch": used.batch,
        }
