"""Training: the loop, optimisers, learning-rate schedules, callbacks and checkpoints.

The names in `__all__` are also public in `scratchgen`. The other names are for writing new models or training
steps.
"""

from scratchgen.training.average import AveragedWeights
from scratchgen.training.callbacks import EarlyStopping, ProgressBar, ReduceOnPlateau, TimeLimit
from scratchgen.training.checkpoint import Checkpointer
from scratchgen.training.earlier import ContinuedTraining as ContinuedTraining
from scratchgen.training.history import History
from scratchgen.training.loggers import CSVLogger, JSONLinesLogger
from scratchgen.training.loop import Callback, Trainer, TrainingDiverged
from scratchgen.training.loop import Trainable as Trainable
from scratchgen.training.model_files import load, save
from scratchgen.training.muon import Muon
from scratchgen.training.optimisers import SGD, Adam, AdamW, Optimizer, RMSProp
from scratchgen.training.schedules import Constant, Cosine, OneCycle, StepDecay
from scratchgen.training.step import Stateful as Stateful
from scratchgen.training.step import expect_finite as expect_finite
from scratchgen.training.step import first_not_finite as first_not_finite
from scratchgen.training.step import player_step as player_step
from scratchgen.training.step import training_step as training_step

__all__ = [
    "Adam",
    "AdamW",
    "AveragedWeights",
    "CSVLogger",
    "Callback",
    "Checkpointer",
    "Constant",
    "Cosine",
    "EarlyStopping",
    "History",
    "JSONLinesLogger",
    "Muon",
    "OneCycle",
    "Optimizer",
    "ProgressBar",
    "RMSProp",
    "ReduceOnPlateau",
    "SGD",
    "StepDecay",
    "TimeLimit",
    "Trainer",
    "TrainingDiverged",
    "load",
    "save",
]
