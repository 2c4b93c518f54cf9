"""Checkpoints: another name for `scratchgen.training.checkpoint`."""

from scratchgen.training.checkpoint import *  # noqa: F403
