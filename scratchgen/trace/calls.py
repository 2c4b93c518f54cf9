"""What is kept of a training step for the comparison with finite differences: calls and named arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np

from scratchgen.module import Module
from scratchgen.trace.statements import PACKAGE, Statement
from scratchgen.trace.steps import Step, Value

READ = ("layers", "models", "losses.py", "distributions.py")    # parts of the package whose lines are read
SKIPPED = ("layers/returned.py", "models/arguments.py")         # checks, which compute nothing


@dataclass
class Call:
    """A call of forward, backward or jvp of a layer, with copies of what it was given and returned."""

    step: Step
    module: Module
    method: str
    arguments: dict[str, Any]
    result: Any = None
    state: Callable[[], None] = lambda: None        # restores the layer's buffers and generators
    forward: Call | None = None                     # of backward and jvp: the call whose cache they got
    number: int = 0                                 # of forward: how often this layer was called before
    before: dict[str, np.ndarray] = field(default_factory=dict)         # gradients before backward
    gradients: dict[str, np.ndarray] = field(default_factory=dict)      # what backward added to them


@dataclass
class Assigned:
    """A variable: where it was computed, and a copy of the array."""

    name: str
    step: Step
    value: Value
    array: np.ndarray
    statement: Statement
    code: CodeType
    visit: int                  # how often the statement had run before in this phase
    shares: bool                # whether a variable that is read later shares its memory


def remember(module: Module) -> Callable[[], None]:
    """Return a function that restores the buffers and generators of a module to their current state.

    Unlike that of gradcheck, it does not look for them again at each call, because it is called very often.
    """
    buffers = [(b, b.copy()) for b in module.buffers().values()]
    generators = [(g, g.bit_generator.state) for g in module.generators().values()]

    def restore() -> None:
        for buffer, before in buffers:
            buffer[...] = before
        for generator, state in generators:
            generator.bit_generator.state = state

    return restore


def named_modules(module: Module, prefix: str = "") -> Iterator[tuple[int, str]]:
    """The id and the dotted name of every module below this one."""
    for name, child in module.children().items():
        yield id(child), f"{prefix}{name}"
        yield from named_modules(child, f"{prefix}{name}.")


def source_files(model: Module) -> set[str]:
    """The files whose lines are read: of layers and models, and those of the user's classes."""
    files = set()
    for part in READ:
        path = PACKAGE / part
        files |= {str(f) for f in (path.rglob("*.py") if path.is_dir() else [path])}
    for module in model.modules():
        for cls in type(module).__mro__:
            for member in vars(cls).values():
                code = getattr(inspect.unwrap(member), "__code__", None) if callable(member) else None
                if code is not None and not code.co_filename.startswith(str(PACKAGE)):
                    files.add(code.co_filename)
    return files - {str(PACKAGE / name) for name in SKIPPED}


def copied(value: Any) -> Any:
    """A copy of an array; anything else as it is."""
    return value.copy() if isinstance(value, np.ndarray) else value


def is_number_or_array(value: Any) -> bool:
    """Whether a value is shown: a float, or an array of floats that is not empty."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" and value.size > 0
    return isinstance(value, float)
