"""Record what runs during a training step: calls of layers, and statements that assign named values.

Python calls a trace function before every line (sys.settrace), as a debugger does. So neither the layers nor
the models contain any code for this. The readable functions must be in use: a compiled twin has no lines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import numpy as np

from scratchgen.models.gan.gradient_penalty import tangent_backward
from scratchgen.module import Module
from scratchgen.trace.calls import (
    Assigned,
    Call,
    copied,
    is_number_or_array,
    named_modules,
    remember,
    source_files,
)
from scratchgen.trace.equations import applicable, equation
from scratchgen.trace.statements import Statement, names_read_after, statements
from scratchgen.trace.steps import Line, ParameterGradient, Step, Summary, Value

WAYS = {"forward": "forward", "backward": "backward", "jvp": "tangent"}
OFTEN = 3       # a statement that runs more often in one call, as in a loop over time, is recorded once


@dataclass
class _Frame:
    """What is known of a running function."""

    call: Call | None                   # the innermost call of a layer that it belongs to
    own: Call | None                    # the call that it is, if it is a method of a layer
    top: bool                           # whether it is code of the model, outside of layers
    statement: Statement | None = None
    pending: list[Line] = field(default_factory=list)   # equations of functions that it has called
    named: dict[str, int] = field(default_factory=dict)     # the steps that made its numbers, by name
    outermost: bool = False             # whether it is the loss or backward itself
    started: int = 0                    # number of steps when the current statement began
    visits: dict[int, int] = field(default_factory=dict)
    latest: dict[int, tuple[Step, list[Assigned]]] = field(default_factory=dict)


class Recorder:
    """The steps of one phase: `with recorder.during(): loss, cache = model.loss(x)`.

    steps : in order;  calls : of layers;  assigned : the named values
    """

    def __init__(self, model: Module):
        self.model = model
        self.names = dict(named_modules(model))
        self.files = source_files(model)
        self.classes = {cls.__name__ for module in model.modules() for cls in type(module).__mro__}
        self.steps: list[Step] = []
        self.calls: list[Call] = []
        self.assigned: list[Assigned] = []
        self.way = "forward"
        self._open: list[Call] = []
        self._frames: dict[FrameType, _Frame] = {}
        self._made: dict[int, tuple[Any, int]] = {}     # id of an array -> (the array, its step)
        self._runs: dict[tuple[CodeType, int], int] = {}
        self._tangents = {f.__code__ for f in tangent_backward.registry.values()}

    @contextmanager
    def during(self, way: str) -> Iterator[None]:
        """Record what runs in the block; statements of the model get this way."""
        self.way = way
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)
            self._frames.clear()
            self._open.clear()

    def input(self, name: str, array: Any) -> None:
        """Record an argument of the loss, such as the batch."""
        step = self._new("input", name)
        step.values.append(Value(name, Summary.of(array)))
        self._made[id(array)] = (array, step.index)

    # What Python calls

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in self.files or frame.f_code.co_name.startswith("<"):
            return None
        call = self._layer_call(frame)
        if call is not None:
            self._open.append(call)
        inside = self._open[-1] if self._open else None
        top = inside is None and self._is_models(frame)
        outermost = top and not any(state.top for state in self._frames.values())
        self._frames[frame] = _Frame(inside, call, top, outermost=outermost)
        return self._line

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        state = self._frames.get(frame)
        if state is None:
            return None
        if event == "line":
            following = statements(frame.f_code.co_filename).get(frame.f_lineno)
            if following is not state.statement or following is None or following.kind == "head":
                self._finish(frame, state, None)
                state.statement, state.started = following, len(self.steps)
        elif event == "return":
            self._finish(frame, state, argument)
            self._returned(frame, state, argument)
        return self._line

    def _returned(self, frame: FrameType, state: _Frame, result: Any) -> None:
        del self._frames[frame]
        if state.own is not None and self._open and self._open[-1] is state.own:
            self._open.pop()
            self._close(state.own, result)
            return
        if state.pending:
            caller = self._caller(frame)
            if caller is not None:
                caller.pending += state.pending
            elif state.call is not None:
                state.call.step.lines += state.pending

    def _caller(self, frame: FrameType) -> _Frame | None:
        back = frame.f_back
        while back is not None:
            if back in self._frames:
                return self._frames[back]
            back = back.f_back
        return None

    # Calls of layers

    def _layer_call(self, frame: FrameType) -> Call | None:
        """The call that this frame is, if it is a method of a layer of the model."""
        code = frame.f_code
        method = "backward" if code in self._tangents else code.co_name
        if method not in WAYS or not code.co_argcount:
            return None
        module = frame.f_locals.get(code.co_varnames[0])
        if not isinstance(module, Module) or module is self.model or id(module) not in self.names:
            return None
        if self._open and self._open[-1].module is module:
            return None                                     # super().forward, or a jvp that calls backward
        names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        arguments = {name: copied(frame.f_locals[name]) for name in names}
        step = self._new("layer", self.names[id(module)])
        step.way, step.layer = "tangent" if code in self._tangents else WAYS[method], type(module).__name__
        step.depth, step.container = len(self._open), bool(module.children())
        step.file, step.line = code.co_filename, code.co_firstlineno
        step.last = max((line for *_, line in code.co_lines() if line), default=step.line)
        step.sources = self._sources(frame.f_locals[name] for name in names)
        call = Call(step, module, "tangent" if code in self._tangents else method, arguments)
        if method == "forward":
            call.number = sum(c.module is module and c.method == "forward" for c in self.calls)
            call.state = remember(module)
        else:
            call.before = {name: p.grad.copy() for name, p in module.own_parameters().items()}
            call.forward = self._forward_of(module, frame.f_locals.get("cache", _second(frame)))
            step.note = "" if module.trainable or not module.own_parameters() else "frozen"
            step.note = "pushed forward" if method == "jvp" else step.note
            step.note = "gradient of its weights" if code in self._tangents else step.note
            if call.forward is not None:
                step.partner = call.forward.step.index
        self.calls.append(call)
        return call

    def _forward_of(self, module: Module, cache: Any) -> Call | None:
        """The forward call that returned this cache; without a match, the last one of the layer."""
        made = [c for c in self.calls if c.module is module and c.method == "forward" and c.result]
        same = [c for c in made if isinstance(c.result, tuple) and c.result[1] is cache]
        found = same or made
        return found[-1] if found else None

    def _close(self, call: Call, result: Any) -> None:
        step = call.step
        out = result[0] if call.method == "forward" and isinstance(result, tuple) and result else result
        call.result = result if call.method == "forward" else copied(result)
        if call.method in ("backward", "tangent"):
            for name, p in call.module.own_parameters().items():
                if call.module.trainable:
                    added = p.grad - call.before[name]
                    call.gradients[name] = added
                    step.parameters.append(ParameterGradient(name, Summary.of(added)))
        if call.method == "backward":
            dout = next(iter(call.arguments.values()), None)
            if is_number_or_array(dout):
                step.incoming = Value("dout", Summary.of(dout))
        name = {"forward": "out", "backward": "dx", "jvp": "tangent"}.get(call.method, "")
        for i, array in enumerate(out if isinstance(out, tuple) else (out,)):
            if name and isinstance(array, np.ndarray):
                step.values.append(Value(f"{name}{i + 1}" if i else name, Summary.of(array)))
                self._made[id(array)] = (array, step.index)
                if call.method == "forward" and i == 0:
                    call.result = (array.copy(), *result[1:])

    # Statements

    def _is_models(self, frame: FrameType) -> bool:
        """Whether the frame is a method of the model, or the function of the gradient penalty."""
        code = frame.f_code
        first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        return first is self.model or code.co_name == "gradient_penalty"

    def _finish(self, frame: FrameType, state: _Frame, returned: Any) -> None:
        """Record the statement that has just ended."""
        statement = state.statement
        if statement is None:
            return
        state.statement = None
        line = self._numbered(statement)
        if not state.top:
            if line is not None and not _has(state, line):
                (state.pending if state.call is None else state.call.step.lines).append(line)
            return
        if statement.kind == "return":
            found = self._returned_values(frame, state, line, returned)
        else:
            values = {n: _value_of(n, frame) for n in statement.names}
            found = {n: value for n, value in values.items() if is_number_or_array(value)}
        self._name_results(found, state)
        added = statement.kind == "add" or line is not None
        found = {n: a for n, a in found.items() if added or self._is_new(a)}
        parameters = self._added_to(frame, statement)
        ran = state.visits[statement.first] = state.visits.get(statement.first, 0) + 1
        if ran > OFTEN and statement.first in state.latest:
            _update(*state.latest[statement.first], found, frame.f_locals, ran)
        empty = "np.empty" in statement.code            # its entries are set later
        if ran > OFTEN or empty or not (found or parameters or line):
            state.pending = []
            return
        self._record(frame, state, statement, line, found, parameters)

    def _name_results(self, found: dict[str, Any], state: _Frame) -> None:
        """Note at the step of a layer which name the model gives to its result."""
        for name, array in found.items():
            step = self.steps[self._made[id(array)][1]] if id(array) in self._made else None
            if step is not None and step.kind == "layer" and step.index >= state.started and not step.note:
                step.note = f"→ {name}"

    def _numbered(self, statement: Statement) -> Line | None:
        """The statement with its equations; None if it has none."""
        equations = (equation(number, statement.file) for number in statement.numbers)
        return Line(statement, applicable(equations, self.classes)) if statement.numbers else None

    def _returned_values(
        self, frame: FrameType, state: _Frame, line: Line | None, returned: Any
    ) -> dict[str, Any]:
        """The array that a helper returns, under the helper's name; the loss, if it has no name yet."""
        if line is not None and isinstance(returned, np.ndarray):
            return {frame.f_code.co_name.strip("_"): returned}
        if state.outermost and self.way == "forward" and isinstance(returned, tuple):
            named = {v.name for step in self.steps if step.kind == "value" for v in step.values}
            if isinstance(returned[0], float) and not named & {"loss", "penalty"}:
                return {"loss": returned[0]}
        return {}

    def _record(
        self, frame: FrameType, state: _Frame, statement: Statement, line: Line | None,
        found: dict[str, Any], parameters: list[ParameterGradient],
    ) -> None:  # fmt: skip
        names = ", ".join(found) or ", ".join(p.name for p in parameters)
        lines, state.pending = [*state.pending, *([line] if line is not None else [])], []
        called = [step for step in self.steps[state.started :] if not step.depth]
        made = [self._made[id(a)][1] for a in found.values() if id(a) in self._made]
        results = [index for index in made if index >= state.started]
        if results and len(made) == len(found) and statement.kind == "assign":
            self.steps[results[0]].lines += lines       # the names of a layer's result and cache
            return
        if not names:                                   # a loop, or a call: its equations belong to it
            if statement.kind == "head":
                state.pending += lines
            elif called:
                called[0].lines += lines
            return
        step = self._new("value", names)
        step.lines = lines or [Line(statement, ())]
        step.file, step.line, step.last = statement.file, statement.first, statement.last
        step.parameters = parameters
        changed = (name.partition("[")[0] for name in statement.names) if statement.kind == "add" else ()
        reads = {*statement.reads, *changed}
        step.sources = self._sources(value for name, value in frame.f_locals.items() if name in reads)
        of_numbers = (state.named[name] for name in reads if name in state.named)
        of_calls = (s.index for s in called if s.kind == "layer")
        step.sources = sorted({*step.sources, *of_numbers, *of_calls} - {step.index})
        state.named |= dict.fromkeys(found, step.index)
        kept: list[Assigned] = []
        for name, array in found.items():
            value = Value(name, Summary.of(array))
            step.values.append(value)
            whole = frame.f_locals.get(name.partition("[")[0])
            if isinstance(array, np.ndarray) and isinstance(whole, np.ndarray):
                kept.append(self._keep(frame, statement, step, value, whole))
        state.latest[statement.first] = step, kept
        self.assigned += kept

    def _keep(
        self, frame: FrameType, statement: Statement, step: Step, value: Value, array: np.ndarray
    ) -> Assigned:
        key = (frame.f_code, statement.first)
        self._runs[key] = self._runs.get(key, -1) + (value is step.values[0])
        own = value.name.partition("[")[0]
        later = names_read_after(statement.file, statement.last)
        later -= {name.partition("[")[0] for name in statement.names}
        shares = any(
            name in later and other is not array and isinstance(other, np.ndarray)
            and np.may_share_memory(other, array)
            for name, other in frame.f_locals.items()
        )  # fmt: skip
        self._made[id(array)] = (array, step.index)
        return Assigned(own, step, value, array.copy(), statement, frame.f_code, self._runs[key], shares)

    def _added_to(self, frame: FrameType, statement: Statement) -> list[ParameterGradient]:
        """The gradients of the model's own parameters that the statement has added to."""
        found = []
        for target in statement.gradients:
            first, _, path = target.partition(".")
            if frame.f_locals.get(first) is self.model and path in self.model.own_parameters():
                found.append(ParameterGradient(path, Summary.of(self.model.own_parameters()[path].grad)))
        return found

    def _is_new(self, array: Any) -> bool:
        return id(array) not in self._made if isinstance(array, np.ndarray) else isinstance(array, float)

    def _sources(self, values: Any) -> list[int]:
        """The steps that made these arrays, or arrays whose memory they share."""
        found = []
        for value in values:
            made = self._made.get(id(value))
            if made is None and isinstance(value, np.ndarray) and value.base is not None:
                made = self._made.get(id(value.base))
            if made is not None:
                found.append(made[1])
        return sorted(set(found))

    def _new(self, kind: str, name: str) -> Step:
        step = Step(len(self.steps), self.way, kind, name, depth=len(self._open))
        self.steps.append(step)
        return step


def _update(step: Step, kept: list[Assigned], found: dict[str, Any], variables: Any, ran: int) -> None:
    """Let the last recorded step of a statement in a loop show the values of a later run."""
    step.note = f"run {ran} of a loop"
    for value in step.values:
        if value.name in found:
            value.summary = Summary.of(found[value.name])
    for assigned in kept:
        if isinstance(variables.get(assigned.name), np.ndarray):
            assigned.array = variables[assigned.name].copy()


def _has(state: _Frame, line: Line) -> bool:
    """Whether these equations were recorded in this call already, as an equation is at several lines."""
    lines = state.pending if state.call is None else state.call.step.lines
    known = {e.number for other in lines for e in other.equations}
    return known.issuperset(e.number for e in line.equations)


def _value_of(name: str, frame: FrameType) -> Any:
    """The value of a variable, or of a part of one, such as "alpha[:, t]"."""
    if "[" not in name or not isinstance(frame.f_locals.get(name.partition("[")[0]), np.ndarray):
        return frame.f_locals.get(name)
    return eval(name, frame.f_globals, frame.f_locals)  # it is in the statement that has just run


def _second(frame: FrameType) -> Any:
    """The second argument of a method behind self: the cache, whatever its name."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[2]) if code.co_argcount > 2 else None
