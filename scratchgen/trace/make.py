"""Make a trace: of a model and a batch of the user, or of a small example of the library."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from scratchgen import kernels
from scratchgen.checks import as_generator, check_name
from scratchgen.gradcheck.cases import kind
from scratchgen.kernels.gradient import LazyGradient
from scratchgen.models.base import Model
from scratchgen.models.cases import EXAMPLES, MODELS
from scratchgen.models.diffusion.base import DenoisingModel
from scratchgen.models.pixels import PixelModel
from scratchgen.trace.agreement import check_phase
from scratchgen.trace.calls import remember
from scratchgen.trace.phases import Plan, plans
from scratchgen.trace.record import Recorder
from scratchgen.trace.statements import forget
from scratchgen.trace.steps import Phase, Step, Trace

LONG = 60       # characters of a repr that may be the title
MOST = 64       # examples of a batch: more would only make it slower


def cases() -> dict[str, Any]:
    """The small examples of the models that are trained by gradients, by name."""
    return {case.name: case for case in MODELS}


def cases_by_model() -> dict[str, list[str]]:
    """The names of the examples of each model."""
    found: dict[str, list[str]] = {}
    for name, case in cases().items():
        found.setdefault(kind(case), []).append(name)
    return found


def without_training_step() -> list[str]:
    """The models whose fit has a closed form."""
    return [example.name for example in EXAMPLES if example.name not in cases_by_model()]


def trace_case(name: str) -> Trace:
    """Trace a small example of a model of the library.

    name : of the model, such as "VAE", or of one of its examples, such as "VAE convolutional"; `cases` has
        all of them

    Raises ValueError for an unknown name, TypeError for a model without a training step.
    """
    known, models, others = cases(), cases_by_model(), without_training_step()
    if name in others:
        raise TypeError(f"{name} has no training step: its fit computes the result in closed form")
    check_name("model", name, [*models, *known])
    case = known.get(name) or known[models[name][0]]
    model, (x, *labels), case_rng = case.make()
    if isinstance(model, PixelModel) and model.bernoulli and model.binarisation == "none":
        x = (x > 0.5).astype(x.dtype)
    if isinstance(model, DenoisingModel) and model.levels is not None:
        x = 1 / (1 + np.exp(-x))
    for p in model.parameters().values():       # away from kinks, and from gradients that are 0 by symmetry
        if not p.value.any():
            p.value += 0.1 * case_rng.standard_normal(p.shape)
    return _trace(model, (x, *labels), case.name, seed=0)


def trace(model: Model, X: Any, y: Any = None, *, rng: np.random.Generator | int = 0) -> Trace:
    """Take one training step on a batch apart, without changing the model.

    X, y : a small batch, as for `fit`; a string for a model of text
    rng : a Generator or an integer seed, for all random numbers of the step

    The step is computed in float64 with the readable functions, whatever the model's dtype, so that the
    gradients can be compared with finite differences. Returns a Trace; print it, or see `to_json`,
    `save_page` and `flow_figure`.

    Raises TypeError or ValueError for a model without a training step, for data that `fit` would refuse, and
    for more than 64 examples.
    """
    if not isinstance(model, Model):
        got = type(model).__name__
        raise TypeError(f"trace expected a model that is trained by gradient descent, got {got}")
    who = f"{type(model).__name__}.trace"
    seed = int(as_generator(who, rng).integers(2**31))
    try:
        with kernels.use("reference"):      # some models apply their networks to the data here
            X, y = model.check_data(X, y)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace(f"{type(model).__name__}.fit", who)) from None
    if len(X) > MOST:
        raise ValueError(f"{who} expected a batch of at most {MOST} examples, got {len(X)}")
    batch = (X,) if y is None else (X, y)
    title = repr(model) if len(repr(model)) <= LONG else type(model).__name__
    return _trace(in_float64(model), tuple(map(_as_float64, batch)), title, seed)


def _trace(model: Model, batch: tuple, title: str, seed: int) -> Trace:
    """The trace of a model in float64, which it may change."""
    forget()
    shapes = {name: np.shape(part) for name, part in zip(("X", "y"), batch, strict=False)}
    with kernels.use("reference"):
        phases = [_phase(model, plan, seed) for plan in plans(model, batch, seed)]
    size = sum(p.size for p in model.parameters().values())
    return Trace(type(model).__name__, title, shapes, size, phases)


def _phase(model: Model, plan: Plan, seed: int) -> Phase:
    """Record the loss and the backward pass of a plan, and check its gradients."""
    restore = remember(model)
    recorder = Recorder(model)
    for name, array in plan.inputs.items():
        recorder.input(name, array)
    model.zero_grad()
    with recorder.during("forward"):
        loss, cache = plan.loss()
    with recorder.during("backward"):
        plan.backward(cache)
    if plan.together:
        _values_follow_layers(recorder.steps)
    norm = float(np.sqrt(sum(np.sum(p.grad**2) for p in plan.parameters.values())))
    check = check_phase(plan, recorder, restore, seed)
    size = sum(p.size for p in plan.parameters.values())
    return Phase(plan.name, plan.title, float(loss), recorder.steps, norm, size, check)


def _values_follow_layers(steps: list[Step]) -> None:
    """Give each value of a gradient penalty the way of the layer before it."""
    way = "forward"
    for step in steps:
        way = step.way if step.kind == "layer" else way
        step.way = way


def in_float64(model: Model) -> Model:
    """A copy of a model whose parameters and other arrays of floats are float64."""
    found = copy.deepcopy(model)
    for module in found.modules():
        for p in module.own_parameters().values():
            p._value = p._value.astype(np.float64)
            p.lazy_grad = LazyGradient(np.zeros_like(p._value))
        for name in module.buffer_names:
            setattr(module, name, _as_float64(getattr(module, name)))
        for name, value in vars(module).items():
            if isinstance(value, np.ndarray):
                setattr(module, name, _as_float64(value))
    return found


def _as_float64(value: Any) -> Any:
    floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(np.float64) if floats else value
