"""What `scratchgen gradcheck` prints and draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen.checks import check_name
from scratchgen.gradcheck.cases import LayerCase, kind, worst
from scratchgen.gradcheck.checker import backward, remember
from scratchgen.gradcheck.differences import STEPS, Result, central, line, richardson
from scratchgen.plots import WIDTH, picture_format, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE_STEPS = tuple(2.0**-k for k in range(0, 45))
COLUMNS = "{:<44}{:<34}{:<11}{:>12}{:>9}  {}"


def run(every_case: Sequence[Any], names: list[str], plot: str | None) -> int:
    """Check the named layers, losses and models (all where none is named) and print a table.

    every_case : all gradient cases there are, as in `scratchgen.models.cases.CASES`
    With no name there is one line for each case, its worst; with names, one for each array. A step of
    "none" means that no difference was taken (adjoint test and contract).
    plot : where to draw the error against the step size, for the first layer named
    Returns 1 if a check failed, else 0. Raises ValueError, before any check, for a name that nobody has, for
    a plot in a format that isn't written, and for a plot where no layer is named.
    """
    kinds = list(dict.fromkeys(kind(case) for case in every_case))
    for name in names:
        check_name("layer, loss or model", name, kinds)
    cases = [case for case in every_case if not names or kind(case) in names]
    if plot is not None:
        picture_format(plot)
    drawn = _case_to_draw(cases, names) if plot is not None else None

    print(COLUMNS.format("what", "array", "shape", "worst error", "step", "verdict"))
    failed = kinks = 0
    for case in cases:
        results = case.run()
        shown = results if names else [r for r in results if not r.ok] or [worst(results)]
        for r in shown:
            print(_row(case, r), flush=True)
        failed += sum(not r.ok for r in results)
        kinks += sum(r.verdict == "kink" for r in results)
    print(f"cases: {len(cases)}, failed checks: {failed}, arrays with a kink: {kinks}")
    if plot is not None and drawn is not None:
        save(draw(drawn), plot)
        print(f"error against step size: {plot}")
    return 1 if failed else 0


def draw(case: LayerCase) -> Figure:
    """Draw the error of the input's gradient against the step: the V of truncation and rounding.

    A layer that is linear in its input has only the left half: there is nothing to truncate.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    axes = figure.add_subplot()
    for dtype, colour in ((np.float64, "tab:blue"), (np.float32, "tab:orange")):
        for rule, style in ((central, "--"), (richardson, "-")):
            label = f"{np.dtype(dtype).name}, {'central' if rule is central else 'Richardson'}"
            errors = error_curve(case, dtype, rule)
            axes.loglog(CURVE_STEPS, errors, style, color=colour, label=label, linewidth=1.8)
    axes.axvline(STEPS[0], color="grey", linewidth=1, linestyle=":", label="the checker's first step")
    axes.set_xlabel("step h  (small: rounding, ε/h;  large: truncation, h² or h⁴)")
    axes.set_ylabel("worst error of the input's gradient, relative to its largest entry")
    axes.set_title(f"{case.name}: difference quotients against backward")
    axes.set_ylim(1e-16, 30)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return figure


def error_curve(case: LayerCase, dtype: Any, rule: Any) -> list[float]:
    """For each of CURVE_STEPS, the worst error of difference quotients of a forward in `dtype`.

    They are measured against backward in float64, at the same point and with the same weights.
    rule : `central` or `richardson`
    """
    coarse, x32, rng = case.make(np.float32)
    layer, _, _ = case.make(np.float64)
    for name, p in layer.parameters().items():
        p.value[...] = coarse.parameters()[name].value
    for name, b in layer.buffers().items():
        b[...] = coarse.buffers()[name]
    restore = remember(layer)
    out, cache = layer.forward(x32.astype(np.float64), case.training)
    u = rng.standard_normal(out.shape).astype(np.float32)
    dx, _ = backward(layer, u.astype(np.float64), cache)
    restore()

    moved = layer if np.dtype(dtype) == np.float64 else coarse
    x = x32.astype(dtype)
    restore = remember(moved)

    def terms() -> np.ndarray:
        restore()
        return moved.forward(x, case.training)[0] * u

    errors = np.zeros(len(CURVE_STEPS))
    for index in np.ndindex(x.shape):
        entry = x[tuple(slice(i, i + 1) for i in index)]
        along = line([(entry, np.ones_like(entry))], terms)
        found = np.array([rule(along, h) for h in CURVE_STEPS])
        errors = np.maximum(errors, np.abs(found - dx[index]))
    largest = float(np.abs(dx).max(initial=0.0)) or 1.0
    return [float(error) / largest for error in errors]


def _case_to_draw(cases: list[Any], names: list[str]) -> LayerCase:
    """The first layer among the named, or a small dense net."""
    layers = [case for case in cases if isinstance(case, LayerCase)]
    if not layers:
        raise ValueError(f"--plot expected a layer to draw, got {', '.join(names)}")
    return layers[0] if names else next(case for case in layers if case.name == "Sequential dense")


def _row(case: Any, r: Result) -> str:
    shape = "×".join(map(str, r.shape)) or "scalar"
    step = f"{r.step:.0e}" if r.step else "none"
    return COLUMNS.format(case.name, r.what, shape, f"{r.error:.1e}", step, r.verdict)
