"""Learning-rate schedules: an alias of `scratchgen.training.schedules`."""

from scratchgen.training.schedules import *  # noqa: F403
