"""The models, one folder per family, with scikit-learn's method names and gradients written by hand.

`FAMILIES` is the only list of families. The public names, the gradient cases, the commands and the tests are
derived from it: a family's public names are the `__all__` of its package.
"""

from importlib import import_module

from scratchgen.models.base import Estimator, Model, NoLikelihood
from scratchgen.models.examples import CastData

FAMILIES = (
    "autoencoder", "vae", "gan", "flow", "autoregressive", "diffusion", "text", "classical",
)  # fmt: skip

__all__ = ["FAMILIES", "CastData", "Estimator", "Model", "NoLikelihood"]

for _family in FAMILIES:
    _module = import_module(f"scratchgen.models.{_family}")
    globals().update({_name: getattr(_module, _name) for _name in _module.__all__})
    __all__ += _module.__all__
