"""Checkpoints: an alias of `scratchgen.training.checkpoint`."""

from scratchgen.training.checkpoint import *  # noqa: F403
