"""What `scratchgen gradcheck` checks: every layer, loss and model, in the forms in which it may go wrong.

A new layer, loss or model is a new line in the module of its kind; a test complains until it has one.
Shapes are odd and not square, so that a transposed product can't go unnoticed. The first word of a case's
name is the name of what it checks.
"""

from __future__ import annotations

from scratchgen.differences import Result
from scratchgen.gradcases import autoregressive, flows, layers, models
from scratchgen.gradcases.base import LayerCase, LossCase, ModelCase
from scratchgen.gradcases.classical import CLASSICAL
from scratchgen.gradcases.games import GAMES, GameCase
from scratchgen.gradcases.losses import LOSSES
from scratchgen.gradcases.text import TABLES, TEXTS, TableCase

Case = LayerCase | LossCase | ModelCase | GameCase | TableCase

LAYERS: tuple[LayerCase, ...] = (*layers.LAYERS, *autoregressive.LAYERS, *flows.LAYERS)
MODELS: tuple[ModelCase, ...] = (*models.MODELS, *autoregressive.MODELS, *flows.MODELS, *TEXTS, *CLASSICAL)
CASES: tuple[Case, ...] = (*LAYERS, *TABLES, *LOSSES, *MODELS, *GAMES)


def kind(case: Case) -> str:
    """The name of what a case checks: "Conv2d" for "Conv2d stride 2"."""
    return case.name.split()[0]


def worst(results: list[Result]) -> Result:
    """The result that says most: a failure first, then what differences measured, then the largest error."""
    return max(results, key=lambda r: (not r.ok, r.step > 0, r.error / r.tolerance))
