"""Diffusion and flow matching: networks that turn noise into data in small steps."""

from scratchgen.models.diffusion.flow_matching import FlowMatching

__all__ = ["FlowMatching"]
