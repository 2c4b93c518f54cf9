"""Training: the loop, optimisers, learning-rate schedules, callbacks and checkpoints."""

from scratchgen.training.callbacks import (
    EarlyStopping,
    ProgressBar,
)
from scratchgen.training.checkpoint import (
    Checkpointer,
)
from scratchgen.training.loop import (
    Callback,
    History,
    Trainer,
    TrainingDiverged,
)
from scratchgen.training.optimisers import (
    SGD,
    Adam,
    Optimizer,
    RMSProp,
)
from scratchgen.training.schedules import (
    Constant,
    Cosine,
    OneCycle,
    StepDecay,
)

__all__ = [
    "Adam",
    "Callback",
    "Checkpointer",
    "Constant",
    "Cosine",
    "EarlyStopping",
    "History",
    "OneCycle",
    "Optimizer",
    "ProgressBar",
    "RMSProp",
    "SGD",
    "StepDecay",
    "Trainer",
    "TrainingDiverged",
]
