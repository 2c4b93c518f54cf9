"""All gradient cases: every layer, loss and model, in the configurations that are checked.

The cases of a family are in its package, `models/FAMILY/cases.py`: `MODELS`, and `LAYERS` if the family
defines layers. The name of a case begins with the name of the layer, loss or model that it checks.
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
