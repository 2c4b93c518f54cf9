"""What a trace consists of: phases, their steps, and the values and gradients of each step."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scratchgen.data.files import write_whole
from scratchgen.gradcheck.arrays import KINKED
from scratchgen.trace.equations import Equation
from scratchgen.trace.statements import Statement, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Check(NamedTuple):
    """How well a gradient agrees with finite differences.

    error : relative difference between the two
    verdict : "ok", "kink" (the point lies at a kink, and the gradient is one of its slopes) or "FAIL"
    """

    error: float
    verdict: str

    @property
    def ok(self) -> bool:
        return self.verdict != "FAIL"


@dataclass
class Summary:
    """The shape of an array, and a few numbers that describe its entries. norm : the root of Σ x²."""

    shape: tuple[int, ...]
    dtype: str
    mean: float
    rms: float
    low: float
    high: float
    norm: float

    @classmethod
    def of(cls, value: Any) -> Summary:
        array = np.asarray(value)
        flat = array.astype(np.float64).ravel()
        if not flat.size:
            return cls(array.shape, str(array.dtype), 0.0, 0.0, 0.0, 0.0, 0.0)
        with np.errstate(all="ignore"):         # a diverging model has values that overflow here
            mean, norm = float(flat.mean()), float(np.linalg.norm(flat))
        rms, low, high = norm / math.sqrt(flat.size), float(flat.min()), float(flat.max())
        return cls(array.shape, str(array.dtype), mean, rms, low, high, norm)


@dataclass
class Line:
    """A statement that ran, and its equations."""

    statement: Statement
    equations: tuple[Equation, ...]


@dataclass
class Value:
    """A named array or number. check : of a gradient, against differences of the loss."""

    name: str
    summary: Summary
    check: Check | None = None


@dataclass
class ParameterGradient:
    """What one backward call added to the gradient of a parameter. check : against differences."""

    name: str
    summary: Summary
    check: Check | None = None


@dataclass
class Step:
    """One call of a layer, or one statement of the model that computes a named value.

    way : "forward", "backward" or "tangent" (a jvp, which pushes a change forward)
    kind : "input", "layer" or "value"
    name : "encoder.0", or the names of the values
    layer : the class of a layer; "" for a value
    depth : how many calls of layers it is inside
    incoming : of a backward step, the gradient of the layer's output, dout
    values : what was computed: the output of a layer, its dx, or the named values
    parameters : the gradients that it added to
    lines : the statements with equations that ran, in order
    sources : the indices of the steps whose results it uses
    file, line : where the layer's method or the statement is
    note : a remark, such as that the layer is frozen
    partner : of a backward step, the index of its forward step
    """

    index: int
    way: str
    kind: str
    name: str
    layer: str = ""
    depth: int = 0
    incoming: Value | None = None
    values: list[Value] = field(default_factory=list)
    parameters: list[ParameterGradient] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    file: str = ""
    line: int = 0
    last: int = 0
    note: str = ""
    partner: int | None = None
    container: bool = False

    @property
    def place(self) -> str:
        """The file, relative to the package, and the line."""
        return f"{short(self.file)}:{self.line}" if self.file else ""

    @property
    def checks(self) -> list[tuple[str, Check]]:
        """The checks of this step, each with the name of what was checked."""
        parts: list[Value | ParameterGradient] = [] if self.incoming is None else [self.incoming]
        parts += [*self.values, *self.parameters]
        return [(part.name, part.check) for part in parts if part.check is not None]


@dataclass
class Phase:
    """One loss and its backward pass. norm : of the gradient of all parameters that it trains.

    check : of all these parameters together, against differences of the loss
    """

    name: str
    title: str
    loss: float
    steps: list[Step]
    norm: float
    parameters: int
    check: Check | None = None

    def of(self, way: str) -> list[Step]:
        """The steps of one way, in order."""
        return [step for step in self.steps if step.way == way]

    @property
    def disagreements(self) -> list[tuple[Step, str, Check]]:
        """The checks that failed, in the order of the steps."""
        return [(step, what, c) for step in self.steps for what, c in step.checks if not c.ok]


@dataclass
class Trace:
    """One training step of a model, taken apart. str() gives it as text.

    model : the class;  title : the case, or the model's repr;  batch : the shapes of the batch
    tolerance : the largest relative error that counts as agreement
    """

    model: str
    title: str
    batch: dict[str, tuple[int, ...]]
    parameters: int
    phases: list[Phase]
    tolerance: float = KINKED

    @property
    def ok(self) -> bool:
        """Whether every gradient agrees with finite differences."""
        together = [phase.check for phase in self.phases if phase.check is not None]
        return all(c.ok for c in together) and not any(phase.disagreements for phase in self.phases)

    def step(self, name: str, way: str = "forward", phase: int = 0) -> Step:
        """The first step with this name, or with a value of this name. Raises KeyError."""
        for step in self.phases[phase].of(way):
            if name == step.name or name in (value.name for value in step.values):
                return step
        raise KeyError(f"{self.title} has no {way} step {name!r}")

    def __str__(self) -> str:
        from scratchgen.trace.text import text

        return text(self)

    def to_dict(self) -> dict[str, Any]:
        """The trace as dictionaries, lists, strings and numbers."""
        from scratchgen.trace.export import to_dict

        return to_dict(self)

    def to_json(self) -> str:
        """The trace as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def to_html(self) -> str:
        """The trace as one HTML page that needs no other file and no network."""
        from scratchgen.trace.page import page

        return page(self)

    def save_page(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file and return the path. Raises OSError if it cannot be written."""
        return write_whole(path, self.to_html())

    def flow_figure(self) -> Figure:
        """Plot the size of the gradient from the loss to the input; see scratchgen.plots.save."""
        from scratchgen.trace.figure import flow_figure

        return flow_figure(self)
