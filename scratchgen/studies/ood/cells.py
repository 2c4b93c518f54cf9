"""One cell of the study: a model fitted for one protocol, digit and seed, and the AUROC of its scores."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from scratchgen.checks import check_name
from scratchgen.data import Digits
from scratchgen.metrics import auroc
from scratchgen.studies.ood.detectors import detector, usual
from scratchgen.studies.ood.protocols import CONTROLS, PROTOCOLS, controls, task
from scratchgen.studies.ood.scores import Detector
from scratchgen.studies.parts import Cell
from scratchgen.studies.workers import BuiltOnce

SEEDS = 2
FULL_EFFORT = 4.0       # with all of MNIST, each fit uses four times as many digits
CONTROL_IMAGES = 32
Key = tuple[str, int, str, int]     # protocol, digit, model, seed


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

    def cells(self) -> list[Key]:
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


def cell_of(digits: BuiltOnce, key: Key, effort: float) -> Cell:
    """The cell of (protocol, digit, model, seed), with what it depends on."""
    protocol, digit, model, seed = key
    used = detector(model)
    settings = {
        "effort": effort,
        "typicality": "from the median",
        "model": used.title,
        "shown": used.shown,
        "batch": used.batch,
    }
    return Cell(f"{protocol} {digit}, {model}, {seed}", partial(_measured, digits, key, effort), settings)


def _measured(digits: BuiltOnce, key: Key, effort: float) -> dict[str, Any]:
    protocol, digit, model, seed = key
    return measure(digits.value, protocol, digit, detector(model), seed, effort)
