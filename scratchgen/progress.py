"""Progress bar and early stopping: an alias of `scratchgen.training.callbacks`."""

from scratchgen.training.callbacks import *  # noqa: F403
