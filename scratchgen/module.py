"""Parameter and Module, the parts that layers and models have in common.

A Module finds its parameters, buffers and generators by looking through its attributes, so a layer or model
only assigns them. Layer (layers/base.py) adds forward and backward, Model (models/base.py) adds loss and fit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Set, ValuesView
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from scratchgen.backward_errors import explain_errors
from scratchgen.checks import MISREAD, Array, describe, float_dtype, is_plain_array
from scratchgen.html_table import html_table
from scratchgen.kernels.gradient import LazyGradient

T = TypeVar("T")


class Parameter:
    """An array that is trained, and its gradient.

    value, grad : arrays of the same shape and dtype, in C order. Once an optimiser holds the parameter, both
    are views into its flat buffers, so assign into them (``p.value[...] = w``) and not to the attributes.

    Raises TypeError for a dtype other than float32 and float64. Assigning an array of another shape raises
    ValueError. Assigning an array of another dtype, or anything but an array, raises TypeError.
    """

    trained = False     # whether value is the result of a run

    def __init__(self, value: Array):
        if isinstance(value, MISREAD):
            raise TypeError(f"Parameter expected an array, got {describe(value)}")
        self._value = np.asarray(value, order="C")
        float_dtype("Parameter", self._value.dtype)
        self.lazy_grad = LazyGradient(np.zeros_like(self._value))   # the gradient; see kernels/gradient.py

    @property
    def value(self) -> Array:
        """The array that is learnt."""
        return self._value

    @value.setter
    def value(self, array: Array) -> None:
        self._value = self._checked("value", array)

    @property
    def grad(self) -> Array:
        """The gradient, an array like value."""
        return self.lazy_grad.read()

    @grad.setter
    def grad(self, array: Array) -> None:
        if array is not self.lazy_grad.array:       # p.grad += a changes the array and then assigns it
            self.lazy_grad = LazyGradient(self._checked("grad", array))

    def _checked(self, name: str, array: Array) -> Array:
        if not is_plain_array(array) or array.dtype != self.dtype:
            raise TypeError(
                f"Parameter.{name} expected an array of dtype {self.dtype}, as before, got {describe(array)}"
            )
        if array.shape != self.shape:
            raise ValueError(f"Parameter.{name} expected shape {self.shape}, as before, got {array.shape}")
        return np.asarray(array, order="C")

    def zero_grad(self) -> None:
        """Set the gradient to zero."""
        self.lazy_grad.set_zero()

    def add_grad(self, a: Array, b: Array | None = None) -> None:
        """Add an array to the gradient, grad += a, or a matrix product, grad += a·b.

        For a product, grad is treated as a matrix (M, C), where C is the last axis and M all others together.
        """
        self.lazy_grad.add(a, b)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._value.shape

    @property
    def dtype(self) -> np.dtype:
        return self._value.dtype

    @property
    def size(self) -> int:
        return self._value.size

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"


class Module:
    """A tree of named parameters, buffers and sublayers.

    A subclass assigns Parameters, buffers (plain arrays whose names are in `buffer_names`), generators and
    other modules as attributes. Parameters and modules may also be inside lists, tuples, deques, dicts and
    dataclasses, but not inside other objects. The methods below find them in the order of assignment. The
    names are those of the attributes: "encoder.0.weight", "blocks.2.bias".

    Raises TypeError for a set of modules or Parameters, which has no order, and for an array of them.
    """

    buffer_names: tuple[str, ...] = ()
    trainable = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        explain_errors(cls)

    def children(self) -> dict[str, Any]:
        """The modules directly inside this one, by name."""
        return self._attributes(Module)

    def parameters(self) -> dict[str, Parameter]:
        """Every Parameter in and below this module, by dotted name ("encoder.0.weight")."""
        own = self.own_parameters()
        try:
            for child_name, child in self.children().items():
                own |= {f"{child_name}.{name}": p for name, p in child.parameters().items()}
        except RecursionError:
            raise ValueError(f"{type(self).__name__} contains itself, in one of its attributes") from None
        return own

    def own_parameters(self) -> dict[str, Parameter]:
        """The Parameters of this module itself, without those of the modules inside it."""
        return self._attributes(Parameter)

    def _attributes(self, kind: type[T]) -> dict[str, T]:
        """The attributes that are of one class, also inside lists, dicts, …, by dotted name."""
        found: dict[str, T] = {}
        who = type(self).__name__
        for attribute, value in vars(self).items():
            if isinstance(value, LEAVES) and not isinstance(value, kind):   # faster than a generator
                continue
            for name, entry in _named(who, attribute, value):
                if isinstance(entry, kind):
                    if name in found:       # {1: a, "1": b}
                        raise ValueError(f"{who} expected different names, got {name} twice")
                    found[name] = entry
        return found

    def buffers(self) -> dict[str, np.ndarray]:
        """State that is saved but not learnt (running_mean, running_var), by dotted name."""
        own = {name: getattr(self, name) for name in self.buffer_names}
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": b for name, b in child.buffers().items()}
        return own

    def generators(self) -> dict[str, np.random.Generator]:
        """Every random generator in and below this module (Dropout's), by dotted name."""
        own = self._attributes(np.random.Generator)
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": g for name, g in child.generators().items()}
        return own

    def unlearned_arrays(self) -> dict[str, Array]:
        """Arrays of floats in and below this module that are neither Parameters nor buffers, by dotted name.

        They are not trained, not saved, and not found by the other methods.
        """
        own = {
            name: a
            for name, a in self._attributes(np.ndarray).items()
            if a.dtype.kind == "f" and name not in self.buffer_names
        }
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": a for name, a in child.unlearned_arrays().items()}
        return own

    def overlooked(self) -> list[str]:
        """The names of Parameters, and of modules with Parameters, inside other objects or behind methods.

        They are not trained, not saved, and not found by the other methods.
        """
        known = {id(thing) for thing in (*self.modules(), *self.parameters().values())}
        found = []
        for module in self.modules():
            for attribute, holder in module._attributes(object).items():
                if isinstance(holder, Module | Parameter | type):
                    continue
                held = {"__self__": getattr(holder, "__self__", None), **getattr(holder, "__dict__", {})}
                for name, thing in held.items():
                    if id(thing) in known:
                        continue
                    if isinstance(thing, Parameter) or (isinstance(thing, Module) and thing.parameters()):
                        found.append(f"{attribute}.{name}")
        return found

    def modules(self) -> Iterator[Module]:
        """This module and every module below it."""
        yield self
        for child in self.children().values():
            yield from child.modules()

    def zero_grad(self) -> None:
        """Set every parameter's gradient to zero. Gradients accumulate until this is called."""
        for p in self.parameters().values():
            p.zero_grad()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the parameters: inside the block their gradients are neither computed nor changed.

        The gradient of the input is still computed. A GAN uses this to train its generator: the gradient
        passes through the frozen discriminator.
        """
        modules = list(self.modules())
        before = [module.trainable for module in modules]
        for module in modules:
            module.trainable = False
        try:
            yield
        finally:
            for module, was in zip(modules, before, strict=True):
                module.trainable = was

    @property
    def dtype(self) -> np.dtype | None:
        """The dtype of the parameters, in which the module computes; None if there are no parameters."""
        for value in vars(self).values():
            if isinstance(value, Parameter):
                return value.dtype
        if not vars(self):      # an activation
            return None
        for child in self.children().values():
            if child.dtype is not None:
                return child.dtype
        return next((p.dtype for p in self.own_parameters().values()), None)    # in a list or dict

    def output_shape_text(self) -> str:
        """The output shape as `summary` shows it, or "" if the parameters do not determine it."""
        return ""

    def summary(self) -> Summary:
        """Return a table of the layers, their output shapes and parameters, for print(model.summary())."""
        return Summary(self)

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}: {child!r}" for name, child in self.children().items())
        return f"{type(self).__name__}({inner})"


class Summary:
    """A table of the layers of a module. str() gives the table, at most 78 columns wide.

    rows : one tuple (name, class, output shape, parameter, count) for each parameter. A layer without
        parameters has one row, where parameter is "" and count is None
    total : the number of learnt values; a parameter that is used twice counts once
    """

    HEAD = ("Name", "Layer", "Output", "Parameter", "Numbers")
    WIDTHS = (24, 18, 14, 24)   # the largest width of each column but the last; longer texts are cut

    def __init__(self, module: Module):
        self.title = type(module).__name__
        self.rows = list(_summary_rows("", module))
        self.total = sum({id(p): p.size for p in module.parameters().values()}.values())

    def __str__(self) -> str:
        lines = [self.HEAD]
        for i, (name, layer, output, parameter, count) in enumerate(self.rows):
            first = i == 0 or self.rows[i - 1][:2] != (name, layer)
            described = (name, layer, output) if first else ("", "", "")
            lines.append((*described, parameter, "" if count is None else f"{count:,}"))
        lines.append(("Total", "", "", "", f"{self.total:,}"))
        widths = [max(len(line[i]) for line in lines) for i in range(5)]
        widths = [*(min(pair) for pair in zip(widths, self.WIDTHS, strict=False)), widths[4]]
        while sum(widths) + 8 > 78:                             # two spaces between columns
            widest = max(range(4), key=lambda i: widths[i])
            widths[widest] -= 1
        table = []
        for *texts, number in lines:
            cells = [_cut(text, width).ljust(width) for text, width in zip(texts, widths, strict=False)]
            table.append("  ".join([*cells, number.rjust(widths[4])]).rstrip())
        rule = "-" * (sum(widths) + 8)
        return "\n".join([self.title, table[0], rule, *table[1:-1], rule, table[-1]])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The same table, without cut texts, which a notebook displays."""
        rows = [(*texts, "" if count is None else f"{count:,}") for *texts, count in self.rows]
        total = ("Total", "", "", "", f"{self.total:,}")
        return html_table(self.title, self.HEAD, rows, foot=total, text=4)


def _summary_rows(prefix: str, module: Module) -> Iterator[tuple[str, str, str, str, int | None]]:
    name, kind, output = prefix or "-", type(module).__name__, module.output_shape_text()
    own, children = module.own_parameters(), module.children()
    for parameter_name, p in own.items():
        shape = "×".join(map(str, p.shape))
        yield name, kind, output, f"{parameter_name} {shape}", p.size
    if not own and not children:
        yield name, kind, output, "", None
    for child_name, child in children.items():
        yield from _summary_rows(f"{prefix}.{child_name}" if prefix else child_name, child)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


LEAVES = (Module, Parameter, int, float, str, type(None), np.random.Generator)  # the usual attributes


def _named(who: str, name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the value, or the entries of a list, tuple, deque, dict or dataclass, with their dotted names."""
    if isinstance(value, LEAVES):
        yield name, value
    elif isinstance(value, (list, tuple, deque)):
        for i, entry in enumerate(value):
            yield from _named(who, f"{name}.{i}", entry)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _named(who, f"{name}.{key}", entry)
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from _named(who, f"{name}.{part.name}", getattr(value, part.name))
    else:
        _expect_no_modules(who, name, value)
        yield name, value


def _expect_no_modules(who: str, name: str, value: Any) -> None:
    """Raise TypeError for modules or Parameters in a container whose order or names are not defined."""
    if isinstance(value, (Set, ValuesView)) or (isinstance(value, np.ndarray) and value.dtype == object):
        entries = value.flat if isinstance(value, np.ndarray) else value
        found = next((entry for entry in entries if isinstance(entry, Module | Parameter)), None)
        if found is not None:
            kind, inside = type(value).__name__, type(found).__name__
            raise TypeError(
                f"{who}.{name} has a {inside} in a {kind}, where it is not found: use a list, tuple or dict"
            )
