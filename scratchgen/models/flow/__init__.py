"""Normalizing flows, which are invertible networks with an exact likelihood."""

from scratchgen.models.flow.model import Flow, FlowOverflow
from scratchgen.models.flow.nice import NICE
from scratchgen.models.flow.realnvp import RealNVP

__all__ = [
    "Flow",
    "FlowOverflow",
    "NICE",
    "RealNVP",
]
