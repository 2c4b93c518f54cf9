"""The graph of a phase as SVG: the forward pass on the left, downwards, and the backward pass on the right.

A backward step is next to its forward step, so that one row has a layer's output and the gradient of it.
"""

from __future__ import annotations

import html
from typing import NamedTuple

from scratchgen.trace.steps import Phase, Step
from scratchgen.trace.text import check_text, number_text, shape_text

ROW, BOX, TALL = 50, 148, 38            # height of a row, width and height of a box
LEFT, RIGHT, WIDTH = 22, 190, 360       # the left ends of the two columns, and the width of the drawing
LETTERS = 26                            # that fit into a box


class Place(NamedTuple):
    """Where a step is: row and column (0 forward, 1 backward)."""

    row: int
    column: int

    @property
    def x(self) -> int:
        return RIGHT if self.column else LEFT

    @property
    def top(self) -> int:
        return 30 + self.row * ROW


def graph(phase: Phase, prefix: str) -> str:
    """The SVG of a phase. Each box links to the element "{prefix}{index of the step}" of the page."""
    places = layout(phase)
    height = 30 + ROW * (1 + max(place.row for place in places.values()))
    parts = [
        f'<svg class="graph" viewBox="0 0 {WIDTH} {height}" role="group" '
        f'aria-label="The graph of this step; each box links to its details">',
        f'<defs><marker id="{prefix}arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" class="head"/></marker></defs>',
    ]
    twice = any(step.way == "tangent" for step in phase.steps)
    headings = ("forward ↓", "first backward ↓") if twice else ("forward ↓", "backward ↑")
    for x, heading in zip((LEFT, RIGHT), headings, strict=True):
        parts.append(f'<text class="column" x="{x}" y="16">{heading}</text>')
    second = min((p.top for i, p in places.items() if phase.steps[i].way == "tangent"), default=0)
    if second:
        parts.append(f'<text class="column" x="{LEFT}" y="{second - 10}">second backward ↓</text>')
    parts += _edges(phase, places, prefix)
    parts += [_box(phase.steps[index], place, prefix) for index, place in places.items()]
    return "\n".join([*parts, "</svg>"])


def layout(phase: Phase) -> dict[int, Place]:
    """The place of each step that is drawn: all but containers, whose parts are drawn instead."""
    drawn = [step for step in phase.steps if not _is_only_parts(phase, step)]
    if any(step.way == "tangent" for step in drawn):
        return _two_passes(drawn)
    forward = [step for step in drawn if step.way == "forward"]
    rows: list[list[int | None]] = [[step.index, None] for step in forward]
    named = {v.name: step.index for step in forward if step.kind != "layer" for v in step.values}
    later: list[Step] = []                  # backward steps that have no forward step
    for step in (s for s in drawn if s.way == "backward"):
        partner = step.partner
        if step.kind == "value":
            partner = next((named[n] for v in step.values if (n := v.name.removeprefix("d")) in named), None)
        row = next((i for i, (left, _) in enumerate(rows) if left == partner), None)
        if row is None or partner is None:
            later.append(step)
            continue
        if rows[row][1] is not None:
            rows.insert(row, [None, None])
            rows[row][0], rows[row + 1][0] = rows[row + 1][0], None
        for other in later:
            _put(rows, row, other)
        later = []
        rows[row][1] = step.index
    for other in later:
        _put(rows, -1, other)
    return {
        index: Place(i, column)
        for i, row in enumerate(rows) for column, index in enumerate(row) if index is not None
    }  # fmt: skip


def _put(rows: list[list[int | None]], row: int, step: Step) -> None:
    """Put a backward step below a row: into the next one if it is free, or else into a new one."""
    if row + 1 < len(rows) and rows[row + 1][1] is None and row >= 0:
        rows[row + 1][1] = step.index
    else:
        rows.insert(row + 1, [None, step.index])


def _two_passes(drawn: list[Step]) -> dict[int, Place]:
    """The places in a gradient penalty: the first backward pass on the right, the second on the left."""
    places, row = {}, 0
    for way, column in (("forward", 0), ("backward", 1), ("tangent", 0)):
        row += way == "tangent"             # room for a heading
        for step in (s for s in drawn if s.way == way):
            places[step.index] = Place(row, column)
            row += 1
    return places


def _is_only_parts(phase: Phase, step: Step) -> bool:
    """Whether a step is a container and has steps inside it."""
    following = phase.steps[step.index + 1 : step.index + 2]
    return step.container and bool(following) and following[0].depth > step.depth


def _drawn_as(phase: Phase, index: int, places: dict[int, Place]) -> int | None:
    """The step that is drawn for a source: for a container, the last of its parts."""
    if index in places:
        return index
    last = None
    for step in phase.steps[index + 1 :]:
        if step.depth <= phase.steps[index].depth:
            break
        last = step.index if step.index in places else last
    return last


def _edges(phase: Phase, places: dict[int, Place], prefix: str) -> list[str]:
    """The arrows between steps, and dotted lines between a step and its backward step."""
    parts, taken = [], {(place.row, place.column) for place in places.values()}
    for index, place in places.items():
        step = phase.steps[index]
        if step.partner in places and places[step.partner].row == place.row:
            y = place.top + TALL / 2
            parts.append(f'<path class="cache" d="M{LEFT + BOX} {y}H{RIGHT}"/>')
        for source in step.sources:
            start = _drawn_as(phase, source, places)
            if start is not None and start != index and places[start].column == place.column:
                between = range(min(places[start].row, place.row) + 1, max(places[start].row, place.row))
                free = not any((row, place.column) in taken for row in between)
                path = _edge(places[start], place, free)
                parts.append(f'<path class="edge" d="{path}" marker-end="url(#{prefix}arrow)"/>')
    return list(dict.fromkeys(parts))


def _edge(start: Place, end: Place, free: bool) -> str:
    """The path between two boxes of a column: straight if no box is between them, and else around them."""
    down = end.row > start.row
    if free:
        x = start.x + BOX / 2
        y1, y2 = (start.top + TALL, end.top) if down else (start.top, end.top + TALL)
        return f"M{x} {y1}V{y2}"
    side = start.x + BOX if start.column else start.x
    out = (1 if start.column else -1) * (6 + min(13, abs(end.row - start.row)))
    y1, y2 = start.top + TALL // 2, end.top + TALL // 2
    around = side + out
    return f"M{side} {y1}C{around} {y1} {around} {y1} {around} {(y1 + y2) / 2}S{around} {y2} {side} {y2}"


def _box(step: Step, place: Place, prefix: str) -> str:
    wrong = any(not check.ok for _, check in step.checks)
    kind = "wrong" if wrong else "gradient" if step.way != "forward" else step.kind
    first = _label(step)
    x, y = place.x, place.top
    return (
        f'<a href="#{prefix}{step.index}"><g class="{kind}"><title>{html.escape(step.name)}</title>'
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{TALL}" rx="5"/>'
        f'<text x="{x + 7}" y="{y + 15}">{html.escape(first)}</text>'
        f'<text class="small" x="{x + 7}" y="{y + 30}">{html.escape(_numbers(step))}</text></g></a>'
    )


def _label(step: Step) -> str:
    """The name and the layer of a step; the name without its first parts if it is long."""
    name = step.name
    while len(f"{name} {step.layer}".strip()) > LETTERS and "." in name:
        name = f"…{name.partition('.')[2]}"
    label = f"{name} {step.layer}".strip()
    return label if len(label) <= LETTERS else f"{label[: LETTERS - 1]}…"


def _numbers(step: Step) -> str:
    """The second line of a box."""
    if step.way == "forward":
        if not step.values:
            return ""
        summary = step.values[0].summary
        if not summary.shape:
            return number_text(summary.mean)
        return f"{shape_text(summary.shape)} rms {summary.rms:.2g}"
    if step.incoming is not None:
        check = step.incoming.check
        end = "" if check is None else f" {check_text(check)}"
        return f"|dout| {step.incoming.summary.norm:.2g}{end}"
    if step.values:
        check = step.values[0].check
        end = "" if check is None else f" {check_text(check)}"
        return f"norm {step.values[0].summary.norm:.2g}{end}"
    return ", ".join(f"d{p.name} {p.summary.norm:.2g}" for p in step.parameters)[:LETTERS + 3]
