"""A trace as text, 80 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from scratchgen.trace.equations import Equation
from scratchgen.trace.steps import Check, Phase, Step, Summary, Trace, Value

WIDTH = 80
INDENT = 6
NAME = 37       # columns for the name of a step
BAR = 36        # columns of the longest bar
HEADINGS = {
    "forward": "FORWARD PASS, from the batch to the loss",
    "backward": "BACKWARD PASS, from the loss to the parameters",
    "tangent": "SECOND BACKWARD PASS, through the first one",
}
FORWARD = (
    "Each step: its shape, and the mean and root mean square (rms) of its entries. Below it: the equation "
    "with its number, and the file and line that compute it."
)
BACKWARD = (
    "dout is the gradient of the loss with respect to a layer's output. From it, the layer computes the "
    "gradients of its parameters, and dx, the gradient of its input, which is the dout of the layer before. "
    "norm: √Σ entries². error: relative difference to finite differences, of the whole loss for dout and "
    "named values, of the layer alone for its parameters and dx."
)
VALUES = (
    "d… is the gradient of the loss with respect to the value or parameter of that name. norm: √Σ entries². "
    "error: relative difference to finite differences of the loss."
)
PENALTY = (
    "The gradient g of the critic's score with respect to its input, for each example by itself: the first "
    "dout is 1. The critic is frozen. The penalty and its derivative with respect to g follow."
)
TANGENT = (
    "The penalty depends on the weights through the first backward pass. A tangent is pushed forward through "
    "the layers, and at each layer its product with the first pass's dout gives the gradient of the weight."
)
WORDS = {"ok": "error", "kink": "kink", "FAIL": "WRONG"}
AGREES = "{} of {} gradients agree with finite differences (largest error {:.0e})."


def text(trace: Trace) -> str:
    """The whole trace, in lines of at most 80 characters."""
    lines = [*_paragraph(f"{trace.title}: one training step, taken apart"), ""]
    batch = ", ".join(f"{name} {shape_text(shape)}" for name, shape in trace.batch.items())
    lines += _paragraph(
        f"Batch: {batch}. Parameters: {trace.parameters:,}. Computed in float64 with the readable functions."
    )
    for number, phase in enumerate(trace.phases, 1):
        lines += _phase(phase, number, len(trace.phases))
    return "\n".join(line.rstrip() for line in lines)


def _phase(phase: Phase, number: int, of: int) -> list[str]:
    lines = ["", "=" * WIDTH]
    if of > 1:
        lines += _paragraph(f"{number} of {of}. {phase.title}")
    elif phase.title != "One loss":
        lines += _paragraph(phase.title)
    lines += [f"loss {number_text(phase.loss)}", "=" * WIDTH]
    way, explained = "", set[str]()
    for step in phase.steps:
        if step.way != way:
            way = step.way
            title, explanation = heading(phase, way)
            lines += ["", title, "-" * len(title), *_paragraph(explanation), ""]
        lines += step_lines(step, explained)
    flow = _flow(phase)
    return [*lines, "", *flow, *([""] if flow else []), *_result(phase)]


def heading(phase: Phase, way: str) -> tuple[str, str]:
    """The heading of the steps of one way, and how to read them."""
    if phase.name == "penalty" and way == "backward":
        return "FIRST BACKWARD PASS, from the critic's score to its input", PENALTY
    if way == "backward" and not any(step.layer for step in phase.steps):
        return HEADINGS[way], VALUES
    return HEADINGS[way], {"forward": FORWARD, "backward": BACKWARD, "tangent": TANGENT}[way]


def step_lines(step: Step, explained: set[str]) -> list[str]:
    """One step: a line with its name, then its gradients and equations.

    explained : the numbers of equations whose remark was already shown; those of this step are added
    """
    start = f"{step.index:>3}  {'  ' * step.depth}"
    title = start + title_text(step, NAME - len(start))
    backward = step.way != "forward"
    indent = INDENT + 2 * step.depth
    if step.kind == "layer" and not backward:
        lines = [_row(title, step.values[0].summary, None, backward)] if step.values else [title]
    elif len(step.values) == 1 and step.kind != "layer":
        value = step.values[0]
        lines = [_row(title, value.summary, value.check, backward)]
    else:
        lines = [title]
        rows = [] if step.incoming is None else [step.incoming]
        if step.container:
            rows = []
        elif step.kind == "layer":
            rows += [_named_gradient(p.name, p.summary, p.check) for p in step.parameters]
        rows += [] if step.container and not step.parameters else step.values
        lines += [_row(" " * indent + v.name, v.summary, v.check, backward) for v in rows]
    for p in step.parameters if step.kind == "value" else []:
        lines.append(_row(f"{' ' * indent}gradient of {p.name}", p.summary, p.check, True))
    return lines + list(_equations(step, indent, explained))


def title_text(step: Step, room: int = 1000) -> str:
    """The name of a step, its layer, which forward step it belongs to, and its remark.

    If the text would be longer than `room`, the forward step and the first parts of the name are left out.
    """
    title = _title(step, step.name)
    name = step.name
    while len(title) > room and "." in name:
        title = _title(step, name, forward=False)
        name = f"…{name.partition('.')[2]}"
    return title


def _title(step: Step, name: str, forward: bool = True) -> str:
    parts = [name, step.layer, f"of step {step.partner}" if forward and step.partner is not None else ""]
    parts.append(step.note if step.note.startswith("→") or not step.note else f"({step.note})")
    return "  ".join(part for part in parts if part)


def _named_gradient(name: str, summary: Summary, check: Check | None) -> Value:
    return Value(f"d{name}", summary, check)


def _row(name: str, summary: Summary, check: Check | None, gradient: bool) -> str:
    """One line of numbers."""
    mean = 0.0 if abs(summary.mean) < 1e-14 * summary.rms else summary.mean
    if not summary.shape:
        numbers = number_text(mean)
    elif gradient:
        numbers = f"norm {number_text(summary.norm):<9}"
    else:
        numbers = f"mean {number_text(mean):<9} rms {number_text(summary.rms)}"
    if check is not None:
        numbers = f"{numbers:<15}{check_text(check)}"
    shape = shape_text(summary.shape) if summary.shape else "a number"
    left = f"{name:<{NAME}}" if len(name) <= NAME else f"{name[: NAME - 1]}…"
    return f"{left} {shape:<13} {numbers}"[:WIDTH]


def _equations(step: Step, indent: int, explained: set[str]) -> Iterator[str]:
    """The equations of a step with their places; the code, if a statement has no equation."""
    for line in step.lines:
        place = line.statement.place
        if not line.equations:
            first = line.statement.code.splitlines()[0].partition("  #")[0].rstrip()
            yield from _with_place(first, place, indent)
        for equation in line.equations:
            formula, remark = formula_text(equation), equation.remark
            if remark and equation.number not in explained:
                together = f"{formula}   {remark}"
                if indent + len(together) + 2 + len(place) <= WIDTH:
                    formula, remark = together, ""
            yield from _with_place(formula, place, indent)
            if remark and equation.number not in explained:
                yield from _paragraph(remark, " " * (indent + 10))
            explained.add(equation.number)


def formula_text(equation: Equation) -> str:
    """An equation with its number in front."""
    return f"({equation.number})  {equation.formula}".rstrip()


def _with_place(formula: str, place: str, indent: int) -> list[str]:
    """A formula, and at the right end of its last line the place, if there is room for it."""
    lines, start = [], " " * indent
    for part in formula.split("\n"):
        lines += textwrap.wrap(
            part, WIDTH, initial_indent=start, subsequent_indent=" " * (indent + 10), break_on_hyphens=False,
            replace_whitespace=False,
        )  # fmt: skip
        start = " " * (indent + 9)
    room = WIDTH - len(lines[-1]) - len(place)
    if room < 2:
        return [*lines, place.rjust(WIDTH)]
    return [*lines[:-1], lines[-1] + " " * room + place]


def _flow(phase: Phase) -> list[str]:
    """The size of the gradient at each layer's output, as bars."""
    steps = flow_steps(phase)
    if not steps:
        return []
    sizes = [(name, summary.rms) for name, summary in steps]
    largest = max(rms for _, rms in sizes) or 1.0
    width = min(30, max(len(name) for name, _ in sizes))
    lines = _paragraph(f"Gradient flow: {flow_title(phase)}, from the first computed to the last")
    for name, rms in sizes:
        bar = "█" * max(1 if rms else 0, round(BAR * rms / largest))
        shown = name if len(name) <= width else f"…{name[1 - width :]}"
        lines.append(f"  {shown:<{width}}  {bar:<{BAR}} {number_text(rms)}")
    return lines


def flow_title(phase: Phase) -> str:
    """What the gradients of `flow_steps` are."""
    of = "critic's score" if phase.name == "penalty" else "loss"
    return f"rms of the gradient of the {of} at each output"


def flow_steps(phase: Phase) -> list[tuple[str, Summary]]:
    """The gradients of outputs and named values on the way from the loss to the input, in order."""
    found: list[tuple[str, Summary]] = []
    steps = phase.of("backward")
    names = [step.name for step in steps]
    for step in steps:
        if step.kind == "layer" and step.incoming is not None and not step.container:
            again = f", step {step.partner}" if names.count(step.name) > 1 else ""
            found.append((f"{step.name} {step.layer}{again}", step.incoming.summary))
        elif step.kind == "value":
            found += [(v.name, v.summary) for v in step.values if v.check is not None]
    return found


def _result(phase: Phase) -> list[str]:
    """How many gradients agree, and where the first one does not."""
    checks = [check for step in phase.steps for _, check in step.checks]
    if not checks:
        return []
    good = [c for c in checks if c.ok]
    lines = [AGREES.format(len(good), len(checks), max((c.error for c in good), default=0.0))]
    kinks = sum(c.verdict == "kink" for c in checks)
    if kinks:
        lines[0] += f" {kinks} of them lie at a kink, where the slope is not unique."
    if phase.check is not None:
        whole = f"All {phase.parameters:,} parameters of this loss together: norm of the gradient "
        lines.append(f"{whole}{number_text(phase.norm)}, {check_text(phase.check)}.")
    if phase.disagreements:
        lines.append(disagreement_text(phase))
    return [line for part in lines for line in _paragraph(part)]


def disagreement_text(phase: Phase) -> str:
    """Where the mistake is: the first layer that fails by itself, or else the first wrong gradient."""
    of_layers = [(s, what) for s, what, _ in phase.disagreements if s.kind == "layer" and what != "dout"]
    step, what = of_layers[0] if of_layers else phase.disagreements[0][:2]
    layer = f"{step.name} ({step.layer})" if step.layer else step.name
    where = f"step {step.index}, {layer}, {step.place}"
    if of_layers:
        return (
            f"The backward pass of {where} is wrong: its {what} differs from finite differences of this "
            "layer alone. Gradients that it passes on are wrong as a consequence."
        )
    return f"The first gradient that differs from finite differences of the loss: {what} in {where}."


def check_text(check: Check) -> str:
    """The error of a check: "error 3e-12"; "kink" or "WRONG" instead of "error" for the other verdicts."""
    return f"{WORDS[check.verdict]} {check.error:.0e}"


def number_text(value: float) -> str:
    """A number with about four digits."""
    return f"{value:.4g}"


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape such as (5, 9); "a number" if it has no axes."""
    return str(tuple(shape)) if shape else "a number"


def _paragraph(line: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        line, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
