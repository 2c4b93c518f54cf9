"""Entries as text, tables, JSON and figures. The code that is shown is the source of the classes."""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.zoo.entry import GRADIENT, Entry, Outcome, quiet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARK = ">   "           # before the lines that differ
KEYS = (                # of an entry as JSON; they are attributes of Entry
    "name", "family", "title", "symptom", "measure", "direction", "caught_by", "bound", "fix", "seen",
    "where", "gradcheck", "exercise",
)  # fmt: skip
HEADINGS = {"vae": "VAE", "gan": "GAN", "infogan": "InfoGAN"}
COLUMNS = ("name", "mistake", "measured: right → wrong", "gradient check", "caught by")
VERDICTS = {True: "passes", False: "fails", None: "no gradient"}


def code_of(entry: Entry, version: str) -> list[str]:
    """The source lines of what the wrong class changes, in the "Wrong" or in the "Right" version."""
    lines: list[str] = []
    for name, value in vars(entry.Wrong).items():
        if name.startswith("__") and name != "__init__":
            continue
        found = inspect.getattr_static(getattr(entry, version), name)
        if callable(getattr(value, "__func__", value)):
            source = inspect.getsource(getattr(found, "__func__", found))
            lines += textwrap.dedent(source).rstrip().splitlines()
        else:
            lines.append(f"{name} = {found!r}")
    return lines


def marked(lines: Sequence[str], others: Sequence[str]) -> list[str]:
    """The lines, indented, with MARK before those that the other version does not have."""
    known = set(others)
    return [f"{'    ' if line in known else MARK}{line}".rstrip() for line in lines]


def gradient_text(entry: Entry) -> str:
    """What a gradient check says about the wrong code."""
    if entry.passes_gradient_check is None:
        return "does not apply: the code has no gradient"
    return "passes" if entry.passes_gradient_check else "fails"


def measured_text(entry: Entry) -> str:
    """The measured symptom: "0.4 with the right code, 2 with the wrong code (training loss at the end)"."""
    right, wrong = map(number_text, entry.numbers)
    return f"{right} with the right code, {wrong} with the wrong code ({entry.measure})"


def number_text(number: float) -> str:
    """A number with three digits; "diverges" for one that is infinite."""
    if math.isinf(number):
        return "diverges"
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def next_steps(entry: Entry) -> Iterator[str]:
    """What the reader can do next: run the entry, check the library's code and their own, do the exercise."""
    yield f"Measure it: scratchgen zoo {entry.name} --run"
    if entry.gradcheck is not None:
        yield f"Check the library: scratchgen gradcheck {entry.gradcheck}"
    if entry.passes_gradient_check is False or entry.caught_by.startswith("contract check"):
        yield "Check your own code: scratchgen gradcheck FILE.py:NAME"
    if entry.exercise is not None:
        yield f"Write it yourself: scratchgen exercise {entry.exercise}"


def explain(entry: Entry, wrap: Callable[[str], str]) -> Iterator[str]:
    """The lines of an explanation; `wrap` breaks a paragraph into lines."""
    wrong, right = code_of(entry, "Wrong"), code_of(entry, "Right")
    yield wrap(f"{entry.name} ({entry.family}): {entry.title}")
    yield from ("", "Wrong:", *marked(wrong, right), "", "Right:", *marked(right, wrong), "")
    yield wrap(f"Symptom: {entry.symptom}")
    yield wrap(f"Measured: {measured_text(entry)}.")
    yield wrap(f"Caught by: {entry.caught_by}.")
    if entry.caught_by != GRADIENT:
        yield wrap(f"Gradient check: {gradient_text(entry)}.")
    yield wrap(f"Fix: {entry.fix}")
    yield wrap(f"Seen in: {entry.seen}.")
    yield wrap(f"Right code in the library: {entry.where}")
    yield ""
    for step in next_steps(entry):
        yield wrap(step)


def errors(entry: Entry) -> dict[str, dict[str, float]]:
    """The errors that the named check and, if it is another one, the gradient check find in both versions."""
    codes = {"right": entry.Right, "wrong": entry.Wrong}
    found = {"check": {version: float(quiet(entry.check, code)) for version, code in codes.items()}}
    if entry.passes_gradient_check is not None and entry.caught_by != GRADIENT:
        found["gradient check"] = {
            version: float(quiet(entry.gradient_error, code)) for version, code in codes.items()
        }
    return found


def holds(entry: Entry, outcomes: dict[str, Outcome]) -> bool:
    """Whether the check passes the right code and fails the wrong one, and the symptom is as stated."""
    right, wrong = outcomes["right"], outcomes["wrong"]
    return not entry.caught(entry.Right) and entry.caught(entry.Wrong) and entry.shows(right, wrong)


def measured(entry: Entry, outcomes: dict[str, Outcome], width: int) -> list[str]:
    """The table of a run, and the verdict."""
    found = errors(entry)
    rows: list[tuple[Any, ...]] = [("", "right", "wrong")]
    rows.append((f"error in the check; {entry.bound:.2g} allowed", *found["check"].values()))
    if "gradient check" in found:
        rows.append(("error in a gradient check", *found["gradient check"].values()))
    rows.append((entry.measure, outcomes["right"].number, outcomes["wrong"].number))
    lines: list[str] = []
    for text, *values in rows:
        *first, last = textwrap.wrap(text, width - 24) or [""]
        lines += [*first, f"{last:{width - 24}}" + "".join(f"{cell(value):>12}" for value in values)]
    if holds(entry, outcomes):
        return [*lines, "The check catches the wrong code."]
    return [*lines, "The entry does not behave as it says."]


def cell(value: Any) -> str:
    """A number of the table with four digits; text as it is."""
    return value if isinstance(value, str) else f"{float(value):.4g}"


def markdown(found: Sequence[Entry]) -> str:
    """The tables of docs/zoo.md: one for each family, with one row for each entry."""
    lines: list[str] = []
    for family, group in groupby(found, key=lambda entry: entry.family):
        lines += ["", f"### {HEADINGS.get(family, family.capitalize())}", ""]
        lines += [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
        for entry in group:
            right, wrong = map(number_text, entry.numbers)
            measured = escaped(f"{entry.measure}: {right} → {wrong}")
            verdict, check = VERDICTS[entry.passes_gradient_check], escaped(entry.caught_by)
            lines.append(f"| `{entry.name}` | {escaped(entry.title)} | {measured} | {verdict} | {check} |")
    return "\n".join(lines[1:]) + "\n"


def as_json(entry: Entry, outcomes: dict[str, Outcome] | None = None) -> dict[str, Any]:
    """An entry, and the outcome of a run, as a dictionary for JSON. Numbers that are not finite are None."""
    found = {key: getattr(entry, key) for key in KEYS}
    found["gradient_check"] = VERDICTS[entry.passes_gradient_check]
    found["measured"] = dict(zip(("right", "wrong"), map(finite, entry.numbers), strict=True))
    found["code"] = {key: "\n".join(code_of(entry, key.capitalize())) for key in ("right", "wrong")}
    if outcomes is not None:
        found["run"] = {"holds": holds(entry, outcomes)}
        for check, values in errors(entry).items():
            found["run"][f"error of the {check}"] = {key: finite(value) for key, value in values.items()}
        for part in ("number", "curve", "x", "sample"):
            found["run"][part] = {key: finite(getattr(outcome, part)) for key, outcome in outcomes.items()}
    return found


def finite(value: Any) -> Any:
    """Convert a number, or an array to nested lists. Numbers that are not finite become None."""
    if value is None:
        return None
    if np.ndim(value):
        return [finite(part) for part in value]
    return float(value) if np.isfinite(value) else None


def escaped(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def figure(entry: Entry, outcomes: dict[str, Outcome]) -> Figure:
    """The right and the wrong code side by side: curves, histograms, or points."""
    title = textwrap.fill(f"{entry.name}: {entry.title}", 70)
    fig = plots.new_figure(4.4, title=title)
    right = outcomes["right"]
    if right.sample is not None and right.sample.ndim == 2:
        draw_points(fig, outcomes)
    elif right.sample is not None:
        draw_histograms(fig, outcomes)
    else:
        draw_curves(fig, entry, outcomes)
    return fig


def draw_curves(fig: Figure, entry: Entry, outcomes: dict[str, Outcome]) -> None:
    """Both curves in one plot, up to the first number that is not finite."""
    ax = fig.subplots()
    shown = []
    for (colour, _), style, (name, outcome) in zip(plots.LINES, ("-", "--"), outcomes.items(), strict=False):
        curve = np.asarray(outcome.curve, float)
        x = np.arange(1, len(curve) + 1) if outcome.x is None else outcome.x
        finite = np.isfinite(curve)
        label = name if finite.all() else f"{name} (not finite from {x[np.argmin(finite)]:g} on)"
        ax.plot(x[finite], curve[finite], style, color=colour, linewidth=2, label=label)
        if finite.any() and not finite.all():
            ax.plot(x[finite][-1], curve[finite][-1], "x", color=colour, markersize=10, markeredgewidth=3)
        shown.append(curve[finite])
    right, values = shown[0], np.concatenate(shown)
    if values.min() > 0 and values.max() > 50 * values.min():
        ax.set_yscale("log")
        if values.max() > 1e3 * right.max():
            ax.set_ylim(0.5 * values.min(), 1e3 * right.max())
    ax.legend(frameon=False)
    finish(ax, entry.x_label, entry.y_label)


def draw_histograms(fig: Figure, outcomes: dict[str, Outcome]) -> None:
    """Both samples, in bins that are the same."""
    ax = fig.subplots()
    low, high = -5.0, 5.0
    for (colour, _), (name, outcome) in zip(plots.LINES, outcomes.items(), strict=False):
        inside = np.clip(np.asarray(outcome.sample), low, high)
        ax.hist(inside, bins=80, range=(low, high), histtype="step", linewidth=2, color=colour, label=name)
    ax.legend(frameon=False)
    finish(ax, "generated number", "count")


def draw_points(fig: Figure, outcomes: dict[str, Outcome]) -> None:
    """Both samples of points, in two panels with the same axes."""
    panels = fig.subplots(1, 2, sharex=True, sharey=True)
    for ax, (colour, _), (name, outcome) in zip(panels, plots.LINES, outcomes.items(), strict=False):
        points = np.asarray(outcome.sample)
        ax.plot(points[:, 0], points[:, 1], ".", color=colour, markersize=4)
        ax.set_title(name, fontsize=11)
        ax.set_aspect("equal")
        finish(ax, "pixel 1", "pixel 2")


def finish(ax: Any, xlabel: str, ylabel: str) -> None:
    """Labels and a light frame."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)
