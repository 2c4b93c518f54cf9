"""Generative models from scratch: every gradient written by hand.

The public names of the whole library stand here, and each is imported when it is first used, so that
`import scratchgen` loads neither NumPy nor Numba:

    from scratchgen import Linear, Sequential, SiLU
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"       # a plain literal: the build reads it without importing anything

_NAMES = {
    "data": ("Batches", "Digits", "as_images", "download_digits", "load_digits"),
    "layers": (
        "Activation", "ELU", "GELU", "Layer", "LeakyReLU", "Linear", "Parameter", "ReLU", "Sequential",
        "SiLU", "Sigmoid", "Softplus", "Tanh",
    ),
    "losses": ("absolute_error", "bce_with_logits", "softmax_cross_entropy", "squared_error"),
    "optim": ("Adam", "RMSProp", "SGD"),
    "schedules": ("Constant", "Cosine", "OneCycle", "StepDecay"),
}
_MODULES = ("data", "initializers", "kernels", "layers", "losses", "optim", "schedules")
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"scratchgen.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"scratchgen.{name}")
    else:
        raise AttributeError(f"module 'scratchgen' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
