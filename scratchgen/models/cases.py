"""All gradient cases: every layer, loss and model, in the forms in which it may go wrong.

The cases of a family are in its package, `models/FAMILY/cases.py`: `MODELS`, and `LAYERS` where the
family has layers of its own kind. The first word of a case's name is the name of what it checks.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from scratchgen.gradcheck.cases import kind, worst
from scratchgen.gradcheck.layer_cases import LAYERS as _LAYERS
from scratchgen.gradcheck.loss_cases import LOSSES
from scratchgen.models import FAMILIES

_FAMILIES = [import_module(f"scratchgen.models.{family}.cases") for family in FAMILIES]

LAYERS: tuple[Any, ...] = (*_LAYERS, *(case for f in _FAMILIES for case in getattr(f, "LAYERS", ())))
MODELS: tuple[Any, ...] = tuple(case for f in _FAMILIES for case in f.MODELS)
CASES: tuple[Any, ...] = (*LAYERS, *LOSSES, *MODELS)

__all__ = ["CASES", "LAYERS", "LOSSES", "MODELS", "kind", "worst"]
