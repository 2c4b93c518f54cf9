"""Parameter and Module, the parts that layers and models have in common.

A Module finds its parameters, buffers and generators by looking through its attributes, so a layer or model
only assigns them. Layer (layers/base.py) adds forward and backward, Model (models/base.py) adds loss and fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import FLOATS, Array
from scratchgen.kernels.gradient import Gradient


def float_dtype(who: str, dtype: DTypeLike) -> np.dtype:
    """Return `dtype` as a NumPy dtype; raise TypeError unless it is float32 or float64."""
    if np.dtype(dtype) not in FLOATS:
        raise TypeError(f"{who} expected dtype float32 or float64, got {np.dtype(dtype)}")
    return np.dtype(dtype)


class Parameter:
    """An array that is learnt, and its gradient.

    value, grad : arrays of the same shape and dtype, in C order. Once an optimiser holds the parameter, both
    are views into its flat buffers, so assign into them (``p.value[...] = w``) and not to the attributes.
    Read ``p.grad`` again after zero_grad; an array that was read before may hold old numbers.

    Raises TypeError for a dtype other than float32 and float64.
    """

    grad = Gradient()   # an array like value; its zeros are written at the first use (kernels/gradient.py)

    def __init__(self, value: Array):
        self.value = np.asarray(value, order="C")
        float_dtype("Parameter", self.value.dtype)
        self.grad = np.zeros_like(self.value)

    def zero_grad(self) -> None:
        """Set the gradient to zero."""
        Parameter.grad.set_zero(self)

    def add_grad(self, a: Array, b: Array | None = None) -> None:
        """Add an array to the gradient, grad += a, or a matrix product, grad += a·b.

        For a product, grad is treated as a matrix (M, C), where C is the last axis and M all others together.
        """
        Parameter.grad.add(self, a, b)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    @property
    def size(self) -> int:
        return self.value.size

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"


class Module:
    """A tree of named parameters, buffers and sublayers.

    A subclass assigns Parameters, buffers (plain arrays whose names are in `buffer_names`), generators and
    other modules as attributes. Parameters and modules may also be inside lists, tuples and dicts. The
    methods below find them in the order of assignment. The names are those of the attributes:
    "encoder.0.weight", "blocks.2.bias".
    """

    buffer_names: tuple[str, ...] = ()
    trainable = True

    def children(self) -> dict[str, Any]:
        """The modules directly inside this one, by name."""
        return {
            name: found
            for attribute, value in vars(self).items()
            for name, found in _named(attribute, value)
            if isinstance(found, Module)
        }

    def parameters(self) -> dict[str, Parameter]:
        """Every Parameter in and below this module, by dotted name ("encoder.0.weight")."""
        own = self.own_parameters()
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": p for name, p in child.parameters().items()}
        return own

    def own_parameters(self) -> dict[str, Parameter]:
        """The Parameters of this module itself, without those of the modules inside it."""
        return {
            name: found
            for attribute, value in vars(self).items()
            for name, found in _named(attribute, value)
            if isinstance(found, Parameter)
        }

    def buffers(self) -> dict[str, np.ndarray]:
        """State that is saved but not learnt (running_mean, running_var), by dotted name."""
        own = {name: getattr(self, name) for name in self.buffer_names}
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": b for name, b in child.buffers().items()}
        return own

    def generators(self) -> dict[str, np.random.Generator]:
        """Every random generator in and below this module (Dropout's), by dotted name."""
        own = {name: v for name, v in vars(self).items() if isinstance(v, np.random.Generator)}
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": g for name, g in child.generators().items()}
        return own

    def unlearned_arrays(self) -> dict[str, Array]:
        """Arrays of floats in and below this module that are neither Parameters nor buffers, by dotted name.

        They are not trained, not saved and not found by anything else here.
        """
        own = {
            name: found
            for attribute, value in vars(self).items()
            for name, found in _named(attribute, value)
            if isinstance(found, np.ndarray) and found.dtype.kind == "f" and name not in self.buffer_names
        }
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": a for name, a in child.unlearned_arrays().items()}
        return own

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
        for child in self.children().values():
            if child.dtype is not None:
                return child.dtype
        return None

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


def _named(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the value, or the entries of a list, tuple or dict, each with its dotted name.

    Raises ValueError if two parameters or modules in a dict have the same name.
    """
    if isinstance(value, list | tuple):
        for i, entry in enumerate(value):
            yield from _named(f"{name}.{i}", entry)
    elif isinstance(value, Mapping):
        seen = set()
        for key, entry in value.items():
            for inner_name, inner in _named(f"{name}.{key}", entry):
                if inner_name in seen and isinstance(inner, Module | Parameter):
                    raise ValueError(
                        f"two parameters or modules have the name {inner_name!r}; "
                        "do not use dots in the keys of a dict"
                    )
                seen.add(inner_name)
                yield inner_name, inner
    else:
        yield name, value
