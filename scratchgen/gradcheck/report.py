"""The table and the plot of `scratchgen gradcheck`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen.checks import check_name
from scratchgen.gradcheck.cases import LayerCase, kind, worst
from scratchgen.gradcheck.checker import KINKED, SMOOTH, backward, check_layer, remember
from scratchgen.gradcheck.differences import STEPS, Result, central, line, richardson
from scratchgen.plots import WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 400          # entries of the largest array of parameters that is plotted against the step
CURVE_STEPS = tuple(2.0**-k for k in range(0, 45))
# After the names: a summary has a row for each case, the detailed table one for each array.
SUMMARY = "{:>11}  {:7}"
DETAILED = "{:<12}{:>11}{:>7}  {:7}"
NARROWEST = 50      # columns of the narrowest table; a terminal with fewer wraps its lines
VERSIONS = {"reference": "the readable function", "jit": "the compiled twin"}


def choose(every_case: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """The cases of the named layers, losses and models; all cases if no name is given.

    Raises ValueError for an unknown name; the message has the most similar known name.
    """
    kinds = list(dict.fromkeys(kind(case) for case in every_case))
    for name in names:
        check_name("layer, loss or model", name, kinds)
    return [case for case in every_case if not names or kind(case) in names]


def head(detailed: bool, width: int) -> str:
    """The line above the rows."""
    if detailed:
        (line,) = _row("  array", DETAILED.format("shape", "worst error", "step", "verdict"), width)
    else:
        (line,) = _row("case", SUMMARY.format("worst error", "verdict"), width)
    return line


def rows(case: Any, results: Mapping[str, list[Result]], detailed: bool, width: int) -> list[str]:
    """The rows of one case: all arrays, only those that failed, or one summary.

    results : the results of the readable functions ("reference"), of their compiled twins ("jit"), or both
    width : columns of the table, at least NARROWEST

    The step "none" means that the check takes no differences, like those of jvp and the contract.
    """
    failed = {version: [r for r in found if not r.ok] for version, found in results.items()}
    wrong = [version for version, found in failed.items() if found]
    if wrong and len(wrong) < len(results):
        shown = results[wrong[0]] if detailed else failed[wrong[0]]
        title = textwrap.wrap(f"{case.name} ({VERSIONS[wrong[0]]}):", width)
        return title + [line for r in shown for line in detailed_rows(r, width)]
    last = list(results)[-1]
    if detailed or wrong:
        shown = results[last] if detailed else failed[last]
        return [f"{case.name}:"] + [line for r in shown for line in detailed_rows(r, width)]
    largest = worst([r for found in results.values() for r in found])
    return _row(case.name, SUMMARY.format(f"{largest.error:.1e}", largest.verdict), width)


def case_to_plot(cases: Sequence[Any], names: Sequence[str]) -> LayerCase:
    """The first layer among the named ones, or a small dense network if no name is given.

    Raises ValueError if none of the names is that of a layer.
    """
    layers = [case for case in cases if isinstance(case, LayerCase)]
    if not layers:
        raise ValueError(f"--plot expected the name of a layer, got {', '.join(names)}")
    return layers[0] if names else next(case for case in layers if case.name == "Sequential dense")


def error_figure(case: Any, results: Sequence[Result] | None = None) -> Figure:
    """Plot the error of one array's gradient against the step, and the error of each of its entries.

    case : a LayerCase, or an object with its attributes name and training, and make
    results : of check_layer; by default, those of the layer and input that case.make() returns

    Rounding errors dominate at small steps and truncation errors at large ones. A layer that is linear in its
    input has no truncation error. The error of a wrong gradient stays, whatever the step. The array is the
    one with the worst failure, and the input if there is none or if it has more than MOST entries.
    """
    from matplotlib.figure import Figure

    if results is None:
        layer, x, rng = case.make()
        tolerance = SMOOTH if case.smooth else KINKED
        results = check_layer(layer, x, rng=rng, training=case.training, tolerance=tolerance)
    arrays = [r for r in results if r.errors is not None and r.errors.size]
    if not any(r.what == "input" for r in arrays):
        raise ValueError(f"--plot expected a dx of the shape of the input from {case.name}")
    shown = max(arrays, key=lambda r: (not r.ok, r.error if not r.ok else r.what == "input"))
    parameters = case.make()[0].parameters()
    what = shown.what if shown.what in parameters and parameters[shown.what].size <= MOST else "input"
    figure = Figure(figsize=(WIDTH, 9.2), layout="constrained")
    curve, heat = figure.subplots(2, 1, height_ratios=(3, 2))
    _plot_curves(curve, case, what)
    if shown.what == what and not shown.ok:
        curve.set_title(f"{case.name}: no step makes the differences agree with backward, for {what}")
    _plot_entries(heat, shown)
    return figure


def _plot_curves(axes: Any, case: Any, what: str) -> None:
    for dtype, colour in ((np.float64, "tab:blue"), (np.float32, "tab:orange")):
        for rule, style in ((central, "--"), (richardson, "-")):
            label = f"{np.dtype(dtype).name}, {'central' if rule is central else 'Richardson'}"
            errors = error_curve(case, dtype, rule, what)
            axes.loglog(CURVE_STEPS, errors, style, color=colour, label=label, linewidth=1.8)
    axes.axvline(STEPS[0], color="grey", linewidth=1, linestyle=":", label="the checker's first step")
    axes.set_xlabel("step h  (small: rounding, ε/h;  large: truncation, h² or h⁴)")
    axes.set_ylabel(f"worst error of the gradient of {what},\nrelative to its largest entry")
    axes.set_title(f"{case.name}: difference quotients against backward, for {what}")
    axes.set_ylim(1e-16, 30)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")


def _plot_entries(axes: Any, result: Result) -> None:
    """A heat map of the errors of an array: the first axis down, all others to the right."""
    assert result.errors is not None
    errors = np.nan_to_num(result.errors, nan=np.inf)
    errors = np.clip(errors.reshape(len(errors) if errors.ndim > 1 else 1, -1), 1e-16, 1)
    edges = {"edgecolors": "white", "linewidth": 0.5} if errors.size <= MOST else {}
    image = axes.pcolormesh(np.log10(errors), vmin=-16, vmax=0, cmap="viridis", **edges)
    axes.invert_yaxis()
    wrong = result.explanation.wrong if result.explanation else 0
    shape = "×".join(map(str, result.shape))
    axes.set_title(f"Error of each entry of {result.what} ({shape}): {wrong} of {errors.size} wrong")
    axes.set_ylabel("index of the first axis")
    axes.set_xlabel("index of the second axis" if len(result.shape) < 3 else "other axes, joined")
    for axis, size in ((axes.yaxis, errors.shape[0]), (axes.xaxis, errors.shape[1])):
        indices = range(0, size, max(1, -(-size // 12)))
        axis.set_ticks([i + 0.5 for i in indices], labels=[str(i) for i in indices])
    bar = axes.figure.colorbar(image, ax=axes, label="relative error, power of ten\n(red: the tolerance)")
    bar.ax.axhline(np.log10(result.tolerance), color="red", linewidth=2)


def error_curve(
    case: Any, dtype: Any, rule: Callable[..., float], what: str = "input"
) -> list[float]:
    """The largest error of the difference quotients for each of CURVE_STEPS, with the forward in `dtype`.

    The reference is the backward pass in float64, at the same point and with the same weights.
    rule : `central` or `richardson`
    what : "input" or the name of a parameter
    Errors are relative to the largest entry of the gradient.
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
    dx, gradients = backward(layer, u.astype(np.float64), cache)
    claimed = dx if what == "input" else gradients[what]
    restore()

    moved = layer if np.dtype(dtype) == np.float64 else coarse
    x = x32.astype(dtype)
    restore = remember(moved)

    def terms() -> np.ndarray:
        restore()
        return moved.forward(x, case.training)[0] * u

    array = x if what == "input" else moved.parameters()[what].value
    errors = np.zeros(len(CURVE_STEPS))
    for index in np.ndindex(array.shape):
        entry = array[tuple(slice(i, i + 1) for i in index)] if index else array
        along = line([(entry, np.ones_like(entry))], terms)
        found = np.array([rule(along, h) for h in CURVE_STEPS])
        errors = np.maximum(errors, np.abs(found - claimed[index]))
    largest = float(np.abs(claimed).max(initial=0.0)) or 1.0
    return [float(error) / largest for error in errors]


def as_values(result: Result) -> dict[str, Any]:
    """A result as plain values, for JSON: infinity as text, and the explanation of a failure or None."""
    error = float(result.error)
    return {
        "what": result.what,
        "shape": list(result.shape),
        "error": error if math.isfinite(error) else str(error),
        "verdict": result.verdict,
        "explanation": None if result.explanation is None else str(result.explanation),
    }


def detailed_rows(r: Result, width: int) -> list[str]:
    """The row of one array and, for a failure, its explanation, wrapped."""
    shape = "×".join(map(str, r.shape)) or "scalar"
    step = f"{r.step:.0e}" if r.step else "none"
    rest = DETAILED.format(shape, f"{r.error:.1e}", step, r.verdict)
    lines = _row(f"  {_shorten(r.what, width - 2)}", rest, width)
    for paragraph in str(r.explanation or "").splitlines():
        lines += textwrap.wrap(paragraph, width, initial_indent="    ", subsequent_indent="    ")
    return lines


def _row(name: str, rest: str, width: int) -> list[str]:
    """One line, or two if the name does not fit in front of the rest."""
    room = min(50, width - len(rest))
    rest = rest.rstrip()
    return [f"{name:<{room}}{rest}"] if len(name) < room else [name, f"{'':<{room}}{rest}"]


def _shorten(text: str, width: int) -> str:
    """Shorten a text from the left, because the end of an array's name says more than its beginning."""
    return text if len(text) <= width else "…" + text[1 - width :]
