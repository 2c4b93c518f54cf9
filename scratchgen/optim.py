"""Optimisers: an alias of `scratchgen.training.optimisers`."""

from scratchgen.training.optimisers import *  # noqa: F403
