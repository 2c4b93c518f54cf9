"""Learning-rate schedules: another name for `scratchgen.training.schedules`."""

from scratchgen.training.schedules import *  # noqa: F403
