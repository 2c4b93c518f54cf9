"""Checks of the arguments of twins, because compiled loops do not check array bounds.

    @expects(x="... d", weight="d m", bias="m ?")
    def affine(x, weight, bias=None): ...

Axes with the same name must have the same size. "..." stands for any number of leading axes, which must be
the same for all arguments with "...". "?" allows None. "int" and "bool" allow arrays of these dtypes. All
other arrays must be float32, or all float64.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from scratchgen.checks import FLOATS, is_plain_array

REMEMBERED = 1000       # the largest number of calls that a twin remembers

F = TypeVar("F", bound=Callable[..., Any])
Pair = tuple[int, int]


class Argument(NamedTuple):
    """The specification of one array argument."""

    position: int
    name: str
    axes: tuple[str, ...]
    leading: bool       # whether the shape begins with "..."
    optional: bool      # whether None is allowed
    kinds: str          # the kinds of dtype that are allowed ("iu", "b"), or "" for floats


def expects(**shapes: str) -> Callable[[F], F]:
    """Check dtypes and shapes at each call of the decorated twin.

    When a call passes the check, its types, shapes and dtypes are remembered, and later calls with the same
    ones are not checked again. Training repeats the same few shapes, so a check is usually one look-up in a
    set.

    Raises TypeError for an argument that is not an array of an allowed dtype, and ValueError for a wrong
    shape.
    """

    def decorate(twin: F) -> F:
        names = list(inspect.signature(twin).parameters)
        plan = [_argument(names.index(name), name, text.split()) for name, text in shapes.items()]
        stop = 1 + max(argument.position for argument in plan)
        passed: set[tuple[Any, ...]] = set()

        @functools.wraps(twin)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if kwargs:
                args = inspect.signature(twin).bind(*args, **kwargs).args
            call: list[Any] = []
            for a in args[:stop]:
                if isinstance(a, np.ndarray):
                    call += type(a), a.shape, a.dtype
                else:
                    call.append(type(a))
            seen = tuple(call)
            if seen not in passed:
                _check(twin.__name__, plan, args)
                if len(passed) >= REMEMBERED:
                    passed.clear()
                passed.add(seen)
            return twin(*args)

        return cast(F, checked)

    return decorate


def _check(who: str, plan: list[Argument], args: tuple[Any, ...]) -> None:
    """Raise the errors of `expects`."""
    sizes: dict[str, Any] = {}
    dtype = None
    for argument in plan:
        if argument.position >= len(args):
            continue
        a = args[argument.position]
        if a is None and argument.optional:
            continue
        if not is_plain_array(a):
            raise TypeError(f"{who} expected {argument.name} to be an array, got {type(a).__name__}")
        if argument.kinds:
            if a.dtype.kind not in argument.kinds:
                raise TypeError(f"{who} expected {argument.name} of integers or bools, got {a.dtype}")
        elif dtype is None and a.dtype in FLOATS:
            dtype = a.dtype
        elif a.dtype != dtype:
            wanted = "float32 or float64" if dtype is None else f"{dtype}, like the other arrays"
            raise TypeError(f"{who} expected {argument.name} of dtype {wanted}, got {a.dtype}")
        if not _fits(a.shape, argument, sizes):
            raise ValueError(_wrong_shape(who, argument, a.shape, sizes))


def _argument(position: int, name: str, words: list[str]) -> Argument:
    kinds = "".join({"int": "iu", "bool": "b"}.get(word, "") for word in words)
    axes = tuple(word for word in words if word not in ("...", "?", "int", "bool"))
    return Argument(position, name, axes, "..." in words, "?" in words, kinds)


def _fits(shape: tuple[int, ...], argument: Argument, sizes: dict[str, Any]) -> bool:
    """Whether a shape agrees with the known sizes of the axes. Adds its own sizes to them."""
    axes = argument.axes
    start = len(shape) - len(axes)
    if start < 0 or (start > 0 and not argument.leading):
        return False
    if argument.leading and sizes.setdefault("...", shape[:start]) != shape[:start]:
        return False
    return all(sizes.setdefault(axis, shape[start + i]) == shape[start + i] for i, axis in enumerate(axes))


def _wrong_shape(who: str, argument: Argument, shape: tuple[int, ...], sizes: dict[str, Any]) -> str:
    leading = [str(size) for size in sizes.get("...", ("...",))] if argument.leading else []
    wanted = ", ".join([*leading, *argument.axes])
    known = ", ".join(f"{axis} = {sizes[axis]}" for axis in argument.axes if axis in sizes)
    return f"{who} expected {argument.name} of shape ({wanted}) with {known}, got {shape}"


def window_places(who: str, size: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """The number of positions of a window in an image of size (H, W), along each axis.

    Raises ValueError if the padded image is smaller than the window.
    """
    found = []
    for length, k, s, p in zip(size, kernel, stride, padding, strict=True):
        if length < 1 or k < 1 or s < 1 or p < 0 or length + 2 * p < k:
            raise ValueError(
                f"{who} expected images of at least {kernel[0]}x{kernel[1]} after padding, "
                f"got {size[0]}x{size[1]} with padding {padding} and stride {stride}"
            )
        found.append((length + 2 * p - k) // s + 1)
    return found[0], found[1]


def expect_places(who: str, places: Pair, size: Pair, kernel: Pair, stride: Pair, padding: Pair) -> None:
    """Raise ValueError unless a window has `places` positions in an image of size (H, W)."""
    wanted = window_places(who, size, kernel, stride, padding)
    if tuple(places) != wanted:
        raise ValueError(
            f"{who} expected {wanted[0]}x{wanted[1]} windows for images of {size[0]}x{size[1]}, "
            f"got {places[0]}x{places[1]}"
        )
