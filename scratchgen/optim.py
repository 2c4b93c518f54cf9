"""Optimisers: another name for `scratchgen.training.optimisers`."""

from scratchgen.training.optimisers import *  # noqa: F403
