"""Generative models from scratch: every gradient written by hand.

The public names of `layers`, `losses`, `data`, `training` and `models` can be imported from here. A package
is imported when one of its names is first looked up, so `import scratchgen` loads neither NumPy nor Numba:

    from scratchgen import Linear, Sequential, SiLU
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"       # a plain literal, which the build reads without an import

# Public names are looked up in these packages, in this order. Each package lists its names in `__all__`.
_PACKAGES = ("layers", "losses", "data", "training", "models")
_MODULES = (
    "checkpoint", "data", "distributions", "export", "gradcheck", "initializers", "kernels", "layers",
    "losses", "metrics", "models", "optim", "plots", "pretrained", "progress", "schedules", "trace",
    "training",
)
_OPTIONAL = ("sklearn",)        # needs a package that may be missing, so it is not listed in `__all__`


def __getattr__(name: str) -> Any:
    if name in (*_MODULES, *_OPTIONAL):
        return import_module(f"scratchgen.{name}")
    if name == "__all__":
        packages = [import_module(f"scratchgen.{package}") for package in _PACKAGES]
        value: Any = sorted({*_MODULES, *(name for package in packages for name in package.__all__)})
    elif name.startswith("__"):
        raise AttributeError(f"module 'scratchgen' has no attribute {name!r}")
    else:
        for package in _PACKAGES:
            module = import_module(f"scratchgen.{package}")
            if name in module.__all__:
                value = getattr(module, name)
                break
        else:
            raise AttributeError(f"module 'scratchgen' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
