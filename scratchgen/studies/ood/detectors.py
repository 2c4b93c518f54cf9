"""The detectors of the study: a baseline, and those in the cards of the families."""

from __future__ import annotations

from scratchgen.checks import check_name
from scratchgen.studies.cards import cards
from scratchgen.studies.ood.scores import INTENSITY, SCORES, Detector, Intensity

BASELINE = Detector(
    name="intensity",
    title="no model",
    build=lambda rng: Intensity(),
    scores={INTENSITY: Intensity.total},
    lacks={score: "there is no model" for score in SCORES if score != INTENSITY},
)


def detectors() -> dict[str, Detector]:
    """All detectors by name: the baseline first, then the families in their order."""
    found = (detector for card in cards().values() for detector in card.detectors)
    return {detector.name: detector for detector in (BASELINE, *found)}


def detector(name: str) -> Detector:
    """The detector of that name. Raises ValueError, with all names, if there is none."""
    known = detectors()
    return known[check_name("model", name, known)]


def usual() -> tuple[str, ...]:
    """The names of the detectors that are measured by default: all but the slow ones."""
    return tuple(name for name, detector in detectors().items() if not detector.slow)
