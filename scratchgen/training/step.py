"""The training step: one update of the parameters of one optimiser.

`player_step` makes an update with any loss and its backward pass. `training_step` calls it for a model with
one loss and one optimiser. All models except GANs use it as their train_step. In a GAN, two networks play
against each other, and `player_step` is called for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from scratchgen.module import Parameter
from scratchgen.runtime.ranks import step_ranks
from scratchgen.runtime.threads import one_blas_thread
from scratchgen.training.optimisers import Optimizer


class Stateful(Protocol):
    """An object with parameters and buffers: every layer and every model."""

    def parameters(self) -> dict[str, Parameter]: ...
    def buffers(self) -> dict[str, np.ndarray]: ...


class TrainingDiverged(ArithmeticError):
    """Raised when a number becomes nan or infinite. Steps and epochs are counted from 1.

    what : what happened, such as "loss became nan"
    where : the first parameter, gradient or buffer that is not finite; None if all of them are finite
    """

    def __init__(self, what: str, where: str | None = None):
        super().__init__(what, where)
        self.what, self.where = what, where
        self.step = self.epoch = 0

    def __str__(self) -> str:
        when = f" at step {self.step} (epoch {self.epoch})" if self.step else ""
        if self.where is None:
            return (
                f"{self.what}{when}, although all parameters and gradients are finite; "
                "try a smaller learning rate"
            )
        return f"{self.what}{when}: first seen in {self.where}; try a smaller learning rate"


class Step(NamedTuple):
    """What `player_step` computed."""

    loss: float
    cache: Any      # of the loss
    grads: Any      # what backward returned
    norm: float     # of the gradient, before the update; NaN if it was not asked for


def player_step(
    model: Stateful,
    optimizer: Optimizer,
    loss: Callable[[], tuple[float, Any]],
    backward: Callable[[Any], Any],
    name: str = "loss",
    norm: bool = False,
) -> Step:
    """Make one update of the parameters that an optimiser holds: all of a model, or one player of a GAN.

    loss : function () -> (loss, cache);  backward : function (cache) -> grads, which adds to p.grad
    name : of the loss, for an error
    norm : whether to compute the norm of the gradient, which is a pass over all of it

    Raises TrainingDiverged, before any update, if the loss is nan or infinite.
    """
    with one_blas_thread():         # so that the result does not depend on the number of threads
        optimizer.zero_grad()
        value, cache = loss()
        expect_finite(model, value, lambda: backward(cache), name)
        grads = backward(cache)
        optimizer.all_reduce()              # (DP.1)  over the ranks of a data-parallel run
        length = optimizer.grad_norm() if norm else math.nan
        optimizer.step()
    return Step(value, cache, grads, length)


def training_step(model: Any, batch: tuple, optimizer: Any, rng: np.random.Generator) -> dict[str, float]:
    """Make one update of a model that has one loss and one optimiser; return the numbers to record.

        batch = model.prepare(batch, rng)               binarise, dequantise, add noise
        loss, cache = model.loss(*batch, rng=rng, training=True)
        model.backward(cache)
        optimizer.all_reduce()                          the sum over the ranks of a data-parallel run
        optimizer.step()
        return model.report(loss, cache)                {"loss": loss, …}

    Raises TrainingDiverged, before any update, if the loss is nan or infinite.
    """
    batch = step_ranks().part(model.prepare(batch, rng))        # of an MPI run, this rank's part
    step = player_step(
        model, optimizer, lambda: model.loss(*batch, rng=rng, training=True), model.backward
    )
    return model.report(step.loss, step.cache)


def expect_finite(model: Stateful, loss: float, backward: Callable[[], object], name: str = "loss") -> None:
    """Raise TrainingDiverged for a loss that is nan or infinite; call it before backward.

    The error names the first parameter whose value is not finite, in the order of parameters(). If all values
    are finite, `backward` is called on zero gradients to find the first gradient that is not.
    """
    if math.isfinite(loss):
        return
    where = first_not_finite(model)
    if where is None:
        for p in model.parameters().values():
            p.zero_grad()
        with np.errstate(all="ignore"):
            backward()
        where = first_not_finite(model, gradients=True)
    raise TrainingDiverged(f"{name} became {loss}", where)


def first_not_finite(model: Stateful, gradients: bool = False) -> str | None:
    """Name the first parameter or buffer (or gradient) that is not finite; None if all are finite."""
    for name, p in model.parameters().items():
        if not np.isfinite(p.grad if gradients else p.value).all():
            return f"{name} (its {'gradient' if gradients else 'value'})"
    if not gradients:
        for name, b in model.buffers().items():
            if not np.isfinite(b).all():
                return f"{name} (a buffer)"
    return None
