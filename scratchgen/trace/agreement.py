"""Compare the gradients of a trace with finite differences.

Two kinds of comparisons find different mistakes:

- each backward call of a layer by itself, given the dout that it received: its dx and its parameters. A wrong
  backward fails here, and no other layer does.
- the gradient that reaches a layer's output, or a named value such as mu, with differences of the whole loss:
  the output is moved while the loss is computed. A wrong formula of the model between two layers fails here.

Each array is compared along one line, (GRAD.3): the sum of the direction of the claimed gradient, along which
the signal is strongest, and half a random direction, which finds entries that are wrongly zero.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from scratchgen.gradcheck.arrays import KINKED
from scratchgen.gradcheck.differences import STEPS, Along, compare, line
from scratchgen.module import Module
from scratchgen.trace.calls import Assigned, Call
from scratchgen.trace.phases import Plan
from scratchgen.trace.record import Recorder
from scratchgen.trace.statements import statements
from scratchgen.trace.steps import Check, ParameterGradient, Step, Summary

Terms = Callable[[], np.ndarray]
FEW = 4         # of the largest entries, and of random ones, that are compared if a line crosses kinks


def check_phase(plan: Plan, recorder: Recorder, restore: Callable[[], None], seed: int) -> Check:
    """Add checks to the steps of a phase; return that of all its parameters together.

    restore : sets the buffers and generators of the model back to those before the phase
    """
    rng = np.random.default_rng(seed)

    def loss() -> np.ndarray:
        restore()
        return np.array([plan.loss()[0]])

    claimed = {name: p.grad.copy() for name, p in plan.parameters.items()}
    size = float(np.abs(loss()[0]))
    for call in recorder.calls:
        if call.method != "forward":
            _check_call(call, rng)
    if not plan.together:
        _check_flow(recorder, loss, size, rng)
    _check_rest(plan, recorder, claimed, loss, size, rng)
    return _along_parameters(plan, claimed, loss, size, rng)


def _along_parameters(plan: Plan, claimed: dict, loss: Terms, size: float, rng: np.random.Generator) -> Check:
    """The gradient of all parameters together against the loss."""
    arrays = [p.value for p in plan.parameters.values()]
    check = _compare(arrays, [claimed[name] for name in plan.parameters], loss, size, rng)
    assert check is not None
    return check


def _compare(
    arrays: list[np.ndarray], claims: list[np.ndarray], terms: Terms, size: float, rng: np.random.Generator
) -> Check | None:
    """Compare claimed gradients of arrays along one line; None if all are empty. `terms` depends on them."""
    if not any(a.size for a in arrays):
        return None
    return _compare_along(lambda v: line(zip(arrays, v, strict=True), terms), claims, size, rng)


def _compare_along(
    make: Callable[[list[np.ndarray]], Along], claims: list[np.ndarray], size: float, rng: np.random.Generator
) -> Check:
    """Compare claimed gradients along one line; `make` returns the function t -> terms of a direction.

    If the line crosses kinks of several entries at once, as with biases of 0 before a ReLU, its slope says
    nothing about the claim. Then some entries are compared one by one.
    """
    directions, claimed, largest = _direction(claims, rng)
    along = make(directions)
    entry = compare(along, claimed, largest, size, KINKED, 1.0)
    if entry.verdict != "FAIL" or not _crosses_kinks(along, claimed):
        return Check(entry.error, entry.verdict)
    found = []
    for i, claim in ((i, c) for i, c in enumerate(claims) if c.size):
        flat = np.abs(claim).ravel()
        for at in {*np.argsort(flat)[-FEW:].tolist(), *rng.integers(claim.size, size=FEW).tolist()}:
            direction = [np.zeros_like(c) for c in claims]
            direction[i].flat[at] = 1.0
            found.append(compare(make(direction), float(claim.flat[at]), largest, size, KINKED, 1.0))
    wrong = [e for e in found if e.verdict == "FAIL"]
    return Check(max(e.error for e in wrong or found), "FAIL" if wrong else "kink")


def _crosses_kinks(along: Along, claimed: float) -> bool:
    """Whether the slopes on both sides of a point differ by more than a smooth curve could explain."""
    h = STEPS[-1]
    middle = along(0.0)
    right, left = float((along(h) - middle).sum()) / h, float((middle - along(-h)).sum()) / h
    return abs(right - left) > 1e-4 * max(abs(right), abs(left), abs(claimed))


def _direction(
    claims: list[np.ndarray], rng: np.random.Generator
) -> tuple[list[np.ndarray], float, float]:
    """A direction, the claimed slope along it, and the norm of the claimed gradient."""
    largest = float(np.sqrt(sum(np.sum(c**2) for c in claims)))
    chosen = [rng.standard_normal(c.shape) for c in claims]
    length = float(np.sqrt(sum(np.sum(v**2) for v in chosen)))
    scale = 1 / largest if largest > 0 else 0.0
    chosen = [0.5 * v / length + scale * c for v, c in zip(chosen, claims, strict=True)]
    length = float(np.sqrt(sum(np.sum(v**2) for v in chosen)))
    chosen = [v / length for v in chosen]
    return chosen, float(sum(np.sum(v * c) for v, c in zip(chosen, claims, strict=True))), largest


# Each call of a layer by itself


def _check_call(call: Call, rng: np.random.Generator) -> None:
    """Check dx and the parameters of one backward call, or the result of a jvp."""
    forward = call.forward
    if forward is None or not isinstance(forward.result, tuple):
        return
    if call.method == "jvp":
        _check_tangent(call, forward)
        return
    if call.method == "tangent":
        _check_second(call, forward, rng)
        return
    dout = next(iter(call.arguments.values()), None)
    out = forward.result[0]
    if not isinstance(dout, np.ndarray) or not isinstance(out, np.ndarray) or dout.shape != out.shape:
        return
    module, arguments = call.module, dict(forward.arguments)
    dlogdet = call.arguments.get("dlogdet")

    def terms() -> np.ndarray:
        forward.state()
        found, cache = module.forward(**arguments)          # type: ignore[attr-defined]
        products = (found * dout).ravel()
        return products if dlogdet is None else np.concatenate([products, cache.logdet * dlogdet])

    size = float(np.linalg.norm(terms()))
    results = call.result if isinstance(call.result, tuple) else (call.result,)
    inputs = [name for name, a in arguments.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    for name, value, dx in zip(inputs, call.step.values, results, strict=False):
        x = arguments[name]
        if isinstance(dx, np.ndarray) and dx.shape == x.shape:
            value.check = _compare([x], [dx], terms, size, rng)
    own = module.own_parameters()
    for parameter in call.step.parameters:
        p = own[parameter.name]
        parameter.check = _compare([p.value], [call.gradients[parameter.name]], terms, size, rng)


def _check_tangent(call: Call, forward: Call) -> None:
    """Check a jvp: the change of the output for a small change of the input."""
    name = next(iter(forward.arguments))
    tangent, x, claimed = next(iter(call.arguments.values())), forward.arguments[name], call.result
    size = float(np.linalg.norm(claimed))
    if not size:
        return

    def terms() -> np.ndarray:
        forward.state()
        out = call.module.forward(**{**forward.arguments, name: x})[0]  # type: ignore[attr-defined]
        return (out * claimed / size).ravel()

    along = line([(x, tangent / np.linalg.norm(tangent))], terms)
    slope = size / float(np.linalg.norm(tangent))
    entry = compare(along, slope, slope, float(np.linalg.norm(terms())), KINKED, 1.0)
    call.step.values[0].check = Check(entry.error, entry.verdict)


def _check_second(call: Call, forward: Call, rng: np.random.Generator) -> None:
    """Check the second backward pass of a layer: the gradient of ⟨jvp(tangent), dout⟩ for its parameters.

    f(x + tangent) − f(x), with the slopes of the activations held fixed, is jvp(tangent).
    """
    dout, tangent = call.arguments["dout"], call.arguments["dx"]
    cache = forward.result[1]

    def terms() -> np.ndarray:
        found: np.ndarray = call.module.jvp(tangent, cache) * dout     # type: ignore[attr-defined]
        return found.ravel()

    size = float(np.linalg.norm(terms()))
    for parameter in call.step.parameters:
        p = call.module.own_parameters()[parameter.name]
        parameter.check = _compare([p.value], [call.gradients[parameter.name]], terms, size, rng)


# The gradient that reaches an output or a named value, against the whole loss


def _check_flow(recorder: Recorder, loss: Terms, size: float, rng: np.random.Generator) -> None:
    for call in recorder.calls:
        forward = call.forward
        if call.method != "backward" or call.step.incoming is None or forward is None:
            continue
        dout = next(iter(call.arguments.values()))
        out = forward.result[0]
        if call.step.container or not isinstance(out, np.ndarray) or out.shape != dout.shape:
            continue
        with _moved_output(forward.module, forward.number) as move:
            call.step.incoming.check = _compare_moved(move, dout, loss, size, rng)
    for original, gradient in _pairs(recorder.assigned):
        with _moved_value(original) as move:
            gradient.value.check = _compare_moved(move, gradient.array, loss, size, rng)


def _pairs(assigned: list[Assigned]) -> Iterator[tuple[Assigned, Assigned]]:
    """The named values that were assigned once, such as mu, and their gradients, such as dmu.

    A gradient that is assigned several times is complete after the last time.
    """
    made: dict[str, list[Assigned]] = {}
    gradients: dict[str, Assigned] = {}
    for a in assigned:
        if a.step.way == "forward":
            made.setdefault(a.name, []).append(a)
        elif a.name.startswith("d"):
            gradients[a.name[1:]] = a
    for name, gradient in gradients.items():
        originals = made.get(name, [])
        same = [a for a in originals if not a.shares and a.array.shape == gradient.array.shape]
        if len(originals) == len(same) == 1:
            yield same[0], gradient


def _compare_moved(
    move: Callable[[Any], None], claim: np.ndarray, loss: Terms, size: float, rng: np.random.Generator
) -> Check:
    def make(directions: list[np.ndarray]) -> Along:
        def along(t: float) -> np.ndarray:
            move(t * directions[0])
            return loss()

        return along

    return _compare_along(make, [claim], size, rng)


@contextmanager
def _moved_output(module: Module, number: int) -> Iterator[Callable[[Any], None]]:
    """Let one forward call of a layer return out + change; `number` counts its calls within a loss."""
    change: list[Any] = [0.0]
    original = module.forward                                   # type: ignore[attr-defined]
    count = [0]

    def forward(*args: Any, **kwargs: Any) -> Any:
        out, *rest = original(*args, **kwargs)
        count[0] += 1
        return (out + change[0] if count[0] - 1 == number else out, *rest)

    def move(by: Any) -> None:
        change[0], count[0] = by, 0

    vars(module)["forward"] = forward
    try:
        yield move
    finally:
        del vars(module)["forward"]


@contextmanager
def _moved_value(value: Assigned) -> Iterator[Callable[[Any], None]]:
    """Let a statement assign array + change, by adding to the array right after the statement has run."""
    change: list[Any] = [0.0]
    ran = [0]
    name, statement = value.name, value.statement
    table = statements(statement.file)

    def called(frame: FrameType, event: str, argument: Any) -> Any:
        return lines if frame.f_code is value.code else None

    running: dict[FrameType, bool] = {}

    def lines(frame: FrameType, event: str, argument: Any) -> Any:
        if running.pop(frame, False) and table.get(frame.f_lineno) is not statement:
            ran[0] += 1
            if ran[0] - 1 == value.visit:
                frame.f_locals[name][...] += change[0]
        elif table.get(frame.f_lineno) is statement:
            running[frame] = True
        return lines

    def move(by: Any) -> None:
        change[0], ran[0] = by, 0

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield move
    finally:
        sys.settrace(before)


# Parameters that no step has


def _check_rest(
    plan: Plan, recorder: Recorder, claimed: dict, loss: Terms, size: float, rng: np.random.Generator
) -> None:
    """Check parameters of the model itself; add a step for those whose gradient no step has shown."""
    shown = {id(p) for call in recorder.calls if call.step.parameters for p in _own(call).values()}
    mine = {name: p for name, p in plan.parameters.items() if id(p) not in shown}
    of_steps: list[tuple[Step, ParameterGradient]] = [
        (step, g) for step in recorder.steps if step.kind == "value" for g in step.parameters
    ]
    for name, p in mine.items():
        check = _compare([p.value], [claimed[name]], loss, size, rng)
        found = [g for _, g in of_steps if g.name == name]
        for gradient in found:
            gradient.check = check
        if not found:
            step = Step(len(recorder.steps), "backward", "value", f"gradient of {name}")
            step.parameters = [ParameterGradient(name, Summary.of(claimed[name]), check)]
            recorder.steps.append(step)


def _own(call: Call) -> dict[str, Any]:
    return call.module.own_parameters()

