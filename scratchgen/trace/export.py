"""A trace as a dictionary of plain values, for JSON."""

from __future__ import annotations

import math
from typing import Any

from scratchgen.trace.equations import Equation
from scratchgen.trace.statements import short
from scratchgen.trace.steps import Check, Line, Phase, Step, Summary, Trace

SCHEMA = 1      # raised when the meaning or the name of a field changes


def to_dict(trace: Trace) -> dict[str, Any]:
    """The trace as dictionaries, lists, strings and numbers. A number that is not finite becomes None."""
    return {
        "schema": SCHEMA,
        "model": trace.model,
        "title": trace.title,
        "batch": {name: list(shape) for name, shape in trace.batch.items()},
        "parameters": trace.parameters,
        "tolerance": trace.tolerance,
        "agrees": trace.ok,
        "phases": [_phase(phase) for phase in trace.phases],
    }


def _phase(phase: Phase) -> dict[str, Any]:
    return {
        "name": phase.name,
        "title": phase.title,
        "loss": _number(phase.loss),
        "gradient_norm": _number(phase.norm),
        "parameters": phase.parameters,
        "check": _check(phase.check),
        "steps": [_step(step) for step in phase.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "pass": step.way,
        "kind": step.kind,
        "name": step.name,
        "layer": step.layer,
        "depth": step.depth,
        "note": step.note,
        "file": short(step.file) if step.file else "",
        "line": step.line,
        "uses": step.sources,
        "forward_step": step.partner,
        "incoming_gradient": None if step.incoming is None else _value(step.incoming),
        "values": [_value(value) for value in step.values],
        "parameter_gradients": [_value(parameter) for parameter in step.parameters],
        "lines": [_line(line) for line in step.lines],
    }


def _value(value: Any) -> dict[str, Any]:
    return {"name": value.name, **_summary(value.summary), "check": _check(value.check)}


def _summary(summary: Summary) -> dict[str, Any]:
    numbers = {name: _number(getattr(summary, name)) for name in ("mean", "rms", "low", "high", "norm")}
    return {"shape": list(summary.shape), "dtype": summary.dtype, **numbers}


def _line(line: Line) -> dict[str, Any]:
    return {
        "file": short(line.statement.file),
        "line": line.statement.first,
        "code": line.statement.code,
        "equations": [_equation(equation) for equation in line.equations],
    }


def _equation(equation: Equation) -> dict[str, str]:
    return {name: getattr(equation, name) for name in ("number", "formula", "remark", "chapter")}


def _check(check: Check | None) -> dict[str, Any] | None:
    return None if check is None else {"error": _number(check.error), "verdict": check.verdict}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
