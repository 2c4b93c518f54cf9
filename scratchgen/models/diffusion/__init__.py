"""Diffusion and flow matching: networks that turn noise into data in small steps."""

from scratchgen.models.diffusion.diffusion import Bound, Diffusion
from scratchgen.models.diffusion.flow_matching import FlowMatching, LogLikelihood
from scratchgen.models.diffusion.guidance import ClassifierGuidance
from scratchgen.models.diffusion.schedule import NoiseSchedule

__all__ = [
    "Bound",
    "ClassifierGuidance",
    "Diffusion",
    "FlowMatching",
    "LogLikelihood",
    "NoiseSchedule",
]
