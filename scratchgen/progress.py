"""Callbacks that show or end a run: another name for `scratchgen.training.callbacks`."""

from scratchgen.training.callbacks import *  # noqa: F403
