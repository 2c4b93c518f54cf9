"""Checks of the values that forward and backward of a layer return.

Tests cover the layers of the library. These checks are for layers that users write.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.checks import Array, describe, is_plain_array


def check_returned(cls: Any) -> None:
    """Check the return values of forward and backward, if the layer class itself defines them."""
    if "forward" in vars(cls):
        cls.forward = returns_pair(cls.forward)
    if "backward" in vars(cls):
        cls.backward = returns_gradient(cls.backward)


def returns_pair(forward: Callable[..., Any]) -> Callable[..., tuple[Array, Any]]:
    """Make a layer's forward raise TypeError unless it returns (out, cache), where out is an array.

    Without this check, an array of two rows would be mistaken for the pair.
    """

    @functools.wraps(forward)
    def checked(self: Any, *args: Any, **kwargs: Any) -> tuple[Array, Any]:
        returned = forward(self, *args, **kwargs)
        if isinstance(returned, tuple) and len(returned) == 2:
            if not is_plain_array(returned[0]):
                out = describe(returned[0])
                who = type(self).__name__
                raise TypeError(f"{who}.forward expected to return out as an array, got {out}")
            return returned
        if isinstance(returned, np.ndarray):
            got = f"an array of shape {returned.shape}"
        elif isinstance(returned, tuple):
            got = f"a tuple of {len(returned)}"
        else:
            got = "None" if returned is None else f"a {type(returned).__name__}"
        raise TypeError(f"{type(self).__name__}.forward expected to return (out, cache), got {got}")

    return checked


def returns_gradient(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Make a layer's backward raise TypeError unless it returns dx as an array, or None."""

    @functools.wraps(backward)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        dx = backward(self, *args, **kwargs)
        if dx is not None and not is_plain_array(dx):
            who = type(self).__name__
            raise TypeError(f"{who}.backward expected to return dx as an array, got {describe(dx)}")
        return dx

    return checked
