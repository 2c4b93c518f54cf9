"""Every public module of scratchgen.layers, with the arguments and the input of its gradient cases."""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from scratchgen import layers
from scratchgen.gradcheck.cases import LayerCase
from scratchgen.models.cases import LAYERS
from scratchgen.module import Module

PUBLIC = {name: c for name in layers.__all__ if issubclass(c := getattr(layers, name), Module)}
LAYER_CASES = [case for case in LAYERS if isinstance(case, LayerCase)]


@functools.cache
def layer_examples() -> dict[str, dict[str, Any]]:
    """The arguments with which the gradient cases build each public layer, by name of the class."""
    found: dict[str, dict[str, Any]] = {}
    def recording(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def init(self: Module, *args: Any, **kwargs: Any) -> None:
            bound = inspect.signature(original).bind(self, *args, **kwargs).arguments
            found.setdefault(type(self).__name__, {k: v for k, v in bound.items() if k != "self"})
            original(self, *args, **kwargs)

        return init

    with contextlib.ExitStack() as stack:
        bases = {base for cls in PUBLIC.values() for base in cls.__mro__ if "__init__" in vars(base)}
        for cls in bases - {object}:
            stack.enter_context(mock.patch.object(cls, "__init__", recording(vars(cls)["__init__"])))
        for case in LAYERS:
            case.build(np.random.default_rng(0), np.float64)
    return found


def build(name: str, **changed: Any) -> Module:
    """A public module with the arguments of its first gradient case, some of them changed."""
    cls, given = PUBLIC[name], {**layer_examples().get(name, {}), **changed}
    bound = inspect.signature(cls).bind_partial()
    bound.arguments = {p: given[p] for p in inspect.signature(cls).parameters if p in given}
    return cls(*bound.args, **bound.kwargs)
