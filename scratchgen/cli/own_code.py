"""Check a layer or a loss in your own file. `scratchgen gradcheck FILE.py:NAME` runs this in a new process.

How the layer and its input are made, in this order:

1. `example()` in the class (a staticmethod) returns (layer, x). For a loss NAME, the function
   `example_NAME()` in the same file returns (pred, target).
2. Without one, x is drawn from N(0, 1) in the shape that --input gives, or (7, 5). The required arguments of
   the class are filled in: `rng` with a generator, the first other one with the last size of x, the others
   with 3, those annotated as float with 0.5. Parameters are moved by N(0, 0.3²), so that a bias is not 0.
   The target of a loss has rows of positive numbers with sum 1; if the loss refuses it, integer labels.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import inspect
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from scratchgen.checks import check_name, describe, is_plain_array
from scratchgen.gradcheck.checker import KINKED, check_jvp, check_layer, check_loss, has_jvp
from scratchgen.gradcheck.contract import check_contract
from scratchgen.gradcheck.differences import Result
from scratchgen.gradcheck.report import NARROWEST, as_values, detailed_rows, error_figure, head
from scratchgen.layers.base import Layer, Parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Exit codes of the process. They are unusual, so that a file that calls exit(0) is not taken for a success.
PASSED, FAILED, REFUSED, CLOSED, INTERRUPTED = 40, 41, 42, 43, 44
SHAPE = (7, 5)
TRAINING = "training: "     # before the names of arrays that were checked in training mode


class Refused(Exception):
    """The file, the class or its arguments cannot be used. The text says why."""


def main(words: Sequence[str] | None = None) -> int:
    """Check one layer or loss, print the result, and return one of the exit codes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--input", type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    width = max(NARROWEST, args.width)
    return guarded(
        lambda: check(args.target, args.input, width, args.plot, args.json),
        args.target, Path(args.target.rpartition(":")[0]), args.timeout,
    )  # fmt: skip


def guarded(check: Callable[[], int], target: str, path: Path, timeout: float) -> int:
    """Run a check of a user's file with a time limit; return its exit code, or that of what went wrong.

    target : how messages name what is checked;  path : of the user's file;  timeout : in seconds
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    start_timer(target, path, timeout)
    try:
        code = check()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Refused as error:
        return say(str(error), REFUSED)
    except BaseException as error:      # also SystemExit: whatever the code of the user raises
        return say(f"{target}: {where(error, path)}", FAILED)


def leave(exit_code: int) -> NoReturn:
    """End the process now. Threads that the user's file started must not keep it alive."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        exit_code = CLOSED
    sys.stderr.flush()
    os._exit(exit_code)


def check(
    target: str, shape: tuple[int, ...] | None, width: int, plot: Path | None, as_json: bool = False
) -> int:
    """Print the checks of FILE.py:NAME, as a table or as JSON; return PASSED or FAILED."""
    file, _, name = target.rpartition(":")
    # With --json, only the results are written to stdout, and not what the user's file prints.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        thing = find(load(Path(file)), name, file)
        if inspect.isclass(thing):
            layer, x = make_layer(thing, shape, file)
            results, title = check_own_layer(layer, x), f"an input of shape {x.shape}"
        else:
            results, title = check_own_loss(thing, shape, file)
            if plot is not None:
                raise Refused(f"--plot expected a layer, got the loss {name}")
    failed = sum(not result.ok for result in results)
    if as_json:
        print(json.dumps({"input": title, "checks": [as_values(result) for result in results]}))
    else:
        print(f"{name} with {title}")
        print(head(True, width))
        for result in results:
            print(*detailed_rows(result, width), sep="\n")
        print(f"checks: {len(results)}, failed: {failed}")
    if plot is not None:
        from scratchgen import plots

        path = plots.save(own_figure(name, layer, x, results), plot)
        print(f"error against step size: {path}", file=sys.stderr if as_json else sys.stdout)
    return FAILED if failed else PASSED


def load(path: Path) -> ModuleType:
    """Run a file and return it as a module. Files in the same folder can be imported by it."""
    if not path.is_file():
        raise Refused(f"{path}: {'a directory, not a Python file' if path.is_dir() else 'no such file'}")
    sys.path.append(str(path.absolute().parent))
    name = path.stem if path.stem not in sys.modules else f"{path.stem}_of_yours"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Refused(f"{path} expected a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def find(module: ModuleType, name: str, file: str) -> Any:
    """The layer class or loss function of a module."""
    known = [n for n, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__]
    try:
        check_name(f"class or function in {file}", name, known)
    except ValueError as error:
        raise Refused(str(error)) from None
    thing = vars(module)[name]
    if inspect.isclass(thing) and not issubclass(thing, Layer):
        raise Refused(f"{name} expected scratchgen.Layer as its base class: class {name}(Layer)")
    if not callable(thing):
        raise Refused(f"{name} expected a layer class or a loss function, got {describe(thing)}")
    return thing


def make_layer(cls: Any, shape: tuple[int, ...] | None, file: str) -> tuple[Layer, np.ndarray]:
    """The layer and its input, both in float64."""
    rng = np.random.default_rng(0)
    if hasattr(cls, "example") and shape is None:
        made = cls.example()
        right = isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], Layer)
        if not right or not is_plain_array(made[1]):
            raise Refused(f"{cls.__name__}.example expected to return (layer, x), got {describe(made)}")
        return as_dtype(made[0], np.float64), made[1].astype(np.float64)
    x = rng.standard_normal(shape or SHAPE)
    try:
        layer = as_dtype(cls(**arguments(cls, x, rng)), np.float64)
    except Exception as error:
        raise Refused(
            f"{cls.__name__}: its constructor raised {where(error, Path(file))}; write a staticmethod "
            "example() that returns (layer, x)"
        ) from None
    for p in layer.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    return layer, x


def arguments(cls: Any, x: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Values for the arguments of a class that have no default."""
    sizes = iter([x.shape[-1]])
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        required = parameter.default is parameter.empty
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name == "dtype":
            found[name] = np.float64
        elif required and name == "rng":
            found[name] = rng
        elif required:
            is_float = parameter.annotation in (float, "float")
            found[name] = 0.5 if is_float else next(sizes, 3)
    return found


def check_own_layer(layer: Layer, x: np.ndarray) -> list[Result]:
    """All checks in evaluation mode, and in training mode too if that makes a difference."""
    results = _in_mode(layer, x, False)
    evaluated, trained = (copy.deepcopy(layer).forward(x.copy(), mode)[0] for mode in (False, True))
    if layer.buffers() or layer.generators() or not np.array_equal(evaluated, trained, equal_nan=True):
        results += [replace(r, what=TRAINING + r.what) for r in _in_mode(layer, x, True)]
    return results


def _in_mode(layer: Layer, x: np.ndarray, training: bool) -> list[Result]:
    results = check_layer(layer, x, rng=0, training=training, tolerance=KINKED)
    if any(r.explanation and r.explanation.cause in ("None", "shape") for r in results):
        return results          # the checks below need a dx
    if has_jvp(layer):
        results.append(check_jvp(layer, x, rng=0, training=training))
    return results + check_contract(layer, x, rng=0, training=training)


def check_own_loss(
    loss: Callable[..., Any], shape: tuple[int, ...] | None, file: str
) -> tuple[list[Result], str]:
    """The check of a loss, and what it was called with."""
    rng = np.random.default_rng(0)
    example = getattr(sys.modules[loss.__module__], f"example_{loss.__name__}", None)
    if example is not None and shape is None:
        pred, target = example()
        return check_loss(loss, pred.astype(np.float64), target, tolerance=KINKED), "its own example"
    pred = rng.standard_normal(shape or SHAPE)
    share = rng.uniform(0.1, 1, pred.shape)
    share /= share.sum(axis=-1, keepdims=True)
    try:
        return (
            check_loss(loss, pred, share, tolerance=KINKED),
            f"pred and target of shape {pred.shape}; the rows of target have sum 1",
        )
    except (ValueError, TypeError, IndexError) as error:
        if not frames_in(error, Path(file)):
            raise Refused(str(error)) from None     # of the checker: what the loss returned
        labels = rng.integers(pred.shape[-1], size=len(pred))
        try:
            return check_loss(loss, pred, labels, tolerance=KINKED), f"pred {pred.shape} and integer labels"
        except Exception:
            raise Refused(
                f"{loss.__name__}: {where(error, Path(file))}; write example_{loss.__name__}() that returns "
                "(pred, target)"
            ) from None


def as_dtype(layer: Layer, dtype: Any) -> Layer:
    """The layer with its parameters and buffers of floats in another dtype."""
    for module in layer.modules():
        for p in module.own_parameters().values():
            Parameter.__init__(p, p.value.astype(dtype))
        for name in module.buffer_names:
            buffer = getattr(module, name)
            if buffer.dtype.kind == "f":
                setattr(module, name, buffer.astype(dtype))
    return layer


def own_figure(name: str, layer: Layer, x: np.ndarray, results: list[Result]) -> Figure:
    """The plots of the mode that failed, or of evaluation mode if none or both did."""
    evaluated = [r for r in results if not r.what.startswith(TRAINING)]
    trained = [replace(r, what=r.what.removeprefix(TRAINING)) for r in results if r not in evaluated]
    training = all(r.ok for r in evaluated) and not all(r.ok for r in trained)
    shown = trained if training else evaluated
    try:
        return error_figure(OwnCase(name, layer, x, training), shown)
    except ValueError as error:
        raise Refused(str(error)) from None


class OwnCase:
    """A layer for `error_figure`, as LayerCase is one."""

    def __init__(self, name: str, layer: Layer, x: np.ndarray, training: bool):
        self.name, self.layer, self.x, self.training = name, layer, x, training

    def make(self, dtype: Any = np.float64) -> tuple[Layer, np.ndarray, np.random.Generator]:
        """A copy of the layer, its input, and a generator."""
        layer = as_dtype(copy.deepcopy(self.layer), dtype)
        return layer, self.x.astype(dtype), np.random.default_rng(20)


def where(error: BaseException, path: Path) -> str:
    """The exception, with the last line of the file that was running, on one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(": ")
    if isinstance(error, SystemExit):
        text = f"it called exit({error.code if error.code is not None else ''})"
    if isinstance(error, SyntaxError):
        line = f", line {error.lineno}" if error.lineno else ""     # none for a file that is not text
        return f"{text.partition(' (')[0]} ({path.name}{line})"
    frames = frames_in(error, path)
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", []))
    place = f" ({path.name}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return text + place + notes


def frames_in(error: BaseException, path: Path) -> list[traceback.FrameSummary]:
    """The calls of the file that were running when the exception was raised."""
    return [f for f in traceback.extract_tb(error.__traceback__) if is_file(f.filename, path)]


def is_file(name: str, path: Path) -> bool:
    """Whether a frame's file name is the user's file."""
    return os.path.abspath(name) == str(path.absolute())


def start_timer(target: str, path: Path, timeout: float) -> None:
    """End the process after `timeout` seconds, with a line that says where it was."""
    main_thread = threading.get_ident()

    def stop() -> NoReturn:
        text = f"scratchgen: error: {target} did not finish within {timeout:g} s{place(main_thread, path)}\n"
        os.write(2, text.encode(errors="replace"))
        os._exit(FAILED)

    timer = threading.Timer(timeout, stop)
    timer.daemon = True
    timer.start()


def place(thread: int, path: Path) -> str:
    """Which line of the user's file a thread is running, or "" if none."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if is_file(frame.f_code.co_filename, path):
            return f"; it was in {path.name}, line {frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back
    return ""


def say(text: str, code: int) -> int:
    """Print an error as one line and return the exit code."""
    sys.stdout.flush()
    print(f"scratchgen: error: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    leave(main())
