"""A trace as one HTML page that needs no network: the graph, and each step's equations next to its code."""

from __future__ import annotations

import html
import inspect
import linecache
import textwrap
from importlib.resources import files
from typing import Any

from scratchgen.trace.equations import Equation
from scratchgen.trace.graph import graph
from scratchgen.trace.steps import Check, Line, Phase, Step, Trace
from scratchgen.trace.text import (
    check_text,
    disagreement_text,
    heading,
    number_text,
    shape_text,
    title_text,
)
from scratchgen.trace.typeset import mathml


def page(trace: Trace) -> str:
    """The page as a string. It contains no script, and refers to no other file."""
    title = html.escape(f"{trace.title}: one training step, taken apart")
    batch = ", ".join(f"{name} {shape_text(shape)}" for name, shape in trace.batch.items())
    body = [
        f"<h1>{title}</h1>",
        f"<p>Batch: {html.escape(batch)}. Parameters: {trace.parameters:,}. Computed in float64 with the "
        "readable functions, and compared with finite differences.</p>",
        _verdict(trace),
        _links(trace),
    ]
    for number, phase in enumerate(trace.phases):
        body += _phase(phase, number, len(trace.phases))
    style = files("scratchgen.trace").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:,">\n<title>{title}</title>\n<style>\n{style}</style>\n</head>\n'
        f"<body>\n<main>\n{chr(10).join(body)}\n</main>\n</body>\n</html>\n"
    )


def _verdict(trace: Trace) -> str:
    if trace.ok:
        count = sum(len(step.checks) for phase in trace.phases for step in phase.steps)
        return f'<p class="verdict ok">All {count} gradients agree with finite differences.</p>'
    texts = [disagreement_text(phase) for phase in trace.phases if phase.disagreements]
    text = " ".join(texts) or "The gradient of all parameters together differs from finite differences."
    return f'<p class="verdict wrong">{html.escape(text)}</p>'


def _links(trace: Trace) -> str:
    """Links to the losses, if there are several."""
    if len(trace.phases) == 1:
        return ""
    items = "".join(
        f'<li><a href="#phase{i}">{html.escape(phase.title)}</a></li>' for i, phase in enumerate(trace.phases)
    )
    return f"<nav aria-label='Losses'><ol>{items}</ol></nav>"


def _phase(phase: Phase, number: int, of: int) -> list[str]:
    title = f"{number + 1} of {of}. {phase.title}" if of > 1 else phase.title
    prefix = f"p{number}s"
    parts = [f'<section class="phase" id="phase{number}">', f"<h2>{html.escape(title)}</h2>"]
    together = "" if phase.check is None else f", {check_text(phase.check)}"
    parts.append(
        f"<p>Loss {number_text(phase.loss)}. Gradient of all its {phase.parameters:,} parameters: norm "
        f"{number_text(phase.norm)}{together}.</p>"
    )
    parts.append('<div class="columns">')
    parts.append(f'<div class="drawing">{graph(phase, prefix)}{LEGEND}</div>')
    parts.append('<div class="steps">')
    way = ""
    for step in phase.steps:
        if step.way != way:
            way = step.way
            title, explanation = map(html.escape, heading(phase, way))
            parts += [f"<h3>{title.capitalize()}</h3>", f"<p>{explanation}</p>"]
        parts.append(_step(step, prefix))
    return [*parts, "</div></div></section>"]


LEGEND = (
    '<p class="legend">A box on the left is an output, with its shape and rms; next to it is the backward '
    "step that uses it (dotted: values kept for backward). |dout| is the norm of the gradient that arrives. "
    "Select a box to open its details.</p>"
)


def _step(step: Step, prefix: str) -> str:
    """A step that opens: its numbers, its equations next to its code, and the whole method."""
    wrong = any(not check.ok for _, check in step.checks)
    shape = shape_text(step.values[0].summary.shape) if step.values else ""
    numbers = dict.fromkeys(f"({e.number})" for line in step.lines for e in line.equations)
    badge = '<span class="badge wrong">wrong</span>' if wrong else ""
    if step.checks and not wrong:
        badge = '<span class="badge ok">agrees</span>'
    summary = (
        f'<summary><span class="index">{step.index}</span> <span class="name">{html.escape(title_text(step))}'
        f'</span> <span class="shape">{html.escape(shape)} {" ".join(numbers)}</span> {badge}</summary>'
    )
    inside = [_numbers(step), *_equations(step), _method(step)]
    style = f' style="margin-left:{min(step.depth, 3) * 0.8:g}rem"' if step.depth else ""
    return (
        f"<details{style}>{summary}<div class='inside' id='{prefix}{step.index}' tabindex='-1'>"
        f"{''.join(inside)}</div></details>"
    )


def _numbers(step: Step) -> str:
    """The table of what was computed."""
    rows: list[tuple[str, Any]] = [] if step.incoming is None else [("dout", step.incoming)]
    rows += [(f"d{p.name}" if step.kind == "layer" else f"gradient of {p.name}", p) for p in step.parameters]
    rows += [(value.name, value) for value in step.values]
    if not rows:
        return ""
    head = "<tr><th>name</th><th>shape</th><th>mean</th><th>rms</th><th>norm</th><th>error</th></tr>"
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(shape_text(v.summary.shape))}</td>"
        f"<td>{number_text(v.summary.mean)}</td><td>{number_text(v.summary.rms)}</td>"
        f"<td>{number_text(v.summary.norm)}</td><td>{_error(v.check)}</td></tr>"
        for name, v in rows
    )
    return f'<div class="scroll" tabindex="0"><table>{head}{cells}</table></div>'


def _error(check: Check | None) -> str:
    if check is None:
        return ""
    return f'<span class="{"ok" if check.ok else "wrong"}">{check_text(check).removeprefix("error ")}</span>'


def _equations(step: Step) -> list[str]:
    return [_line(line) for line in step.lines]


def _line(line: Line) -> str:
    """The equations of a statement, and the statement."""
    equations = "".join(map(_equation, line.equations))
    statement = line.statement
    code = f'<pre tabindex="0"><code>{html.escape(statement.code)}</code></pre>'
    place = f'<p class="place">{html.escape(statement.place)}</p>'
    return f'<div class="pair"><div class="equations">{equations}</div><div>{place}{code}</div></div>'


def _equation(equation: Equation) -> str:
    remark = f'<p class="remark">{html.escape(equation.remark)}</p>' if equation.remark else ""
    chapter = f", derived in {html.escape(equation.chapter)}" if equation.chapter else ""
    formula = mathml(equation.formula) if equation.formula else ""
    return (
        f'<div class="equation"><span class="number">({equation.number}){chapter}</span>'
        f'<div class="scroll" tabindex="0">{formula}</div>{remark}</div>'
    )


def _method(step: Step) -> str:
    """The source of the layer's method, which opens on its own."""
    if step.kind != "layer" or not step.file:
        return ""
    lines = inspect.getblock(linecache.getlines(step.file)[step.line - 1 :])
    code = html.escape(textwrap.dedent("".join(lines)).rstrip())
    return (
        f"<details class='method'><summary>The whole method, {html.escape(step.place)}</summary>"
        f'<pre tabindex="0"><code>{code}</code></pre></details>'
    )
