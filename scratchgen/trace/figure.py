"""The gradient flow of a trace as a figure: how large the gradient is at each output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scratchgen.plots import GREY, LINES, new_figure
from scratchgen.trace.steps import Phase, Trace
from scratchgen.trace.text import flow_steps, flow_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 0.24      # inches for each bar
MOST = 60       # bars of one panel; longer paths show every second one, and so on


def flow_figure(trace: Trace) -> Figure:
    """Plot the rms of the gradient at each output, from the loss at the top to the input at the bottom.

    One panel for each loss. Raises ValueError if no gradient reaches an output of a layer or a named value.
    """
    phases = [(phase, _rows(phase)) for phase in trace.phases]
    phases = [(phase, rows) for phase, rows in phases if rows]
    if not phases:
        raise ValueError(f"flow_figure expected a trace with layers or named gradients, got {trace.title}")
    heights = [max(3, len(rows)) * ROW for _, rows in phases]
    gaps = 0.75 * len(phases)
    total = sum(heights) + gaps + 0.5
    fig = new_figure(total)
    title = f"Gradient flow in one training step of {trace.title}"
    fig.text(0.1 / 8, 1 - 0.12 / total, title, fontsize=12, va="top", weight="bold")
    top = total - 0.42
    for (phase, rows), height in zip(phases, heights, strict=True):
        top -= 0.3
        ax = fig.add_axes((2.3 / 8, (top - height) / total, 5.4 / 8, height / total))
        _panel(ax, phase, rows)
        top -= height + 0.45
    return fig


def _rows(phase: Phase) -> list[tuple[str, float, bool]]:
    """The name, the rms and whether it agrees with differences, of each gradient in order."""
    wrong = {step.name for step, what, _ in phase.disagreements}
    rows = [(name, summary.rms, name.split()[0] not in wrong) for name, summary in flow_steps(phase)]
    return rows[:: -(-len(rows) // MOST)] if rows else rows


def _panel(ax: Any, phase: Phase, rows: list[tuple[str, float, bool]]) -> None:
    blue, orange = LINES[0][0], LINES[1][0]
    sizes = [rms for _, rms, _ in rows]
    positive = [rms for rms in sizes if rms > 0] or [1.0]
    ax.barh(
        range(len(rows)), sizes, color=[blue if good else orange for *_, good in rows], height=0.62
    )
    spread = max(positive) / min(positive)
    if spread > 100:
        ax.set_xscale("log")
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(axis="x", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    name = "from the loss (top) to the input (bottom)"
    name = name if phase.name == "loss" else f"{phase.name}: {name}"
    ax.set_title(name, fontsize=9, color=GREY, loc="left")
    label = flow_title(phase)
    if not all(good for *_, good in rows):
        label += " (orange: differs from finite differences)"
    ax.set_xlabel(label, fontsize=8.5)
