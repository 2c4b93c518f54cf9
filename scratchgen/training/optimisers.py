"""Optimisers: update the weights from their gradients.

An optimiser copies its parameters into one flat value buffer and one flat gradient buffer. Every ``p.value``
and ``p.grad`` is then a view into these buffers. So one step is one pass over a few long arrays, and the norm
of the gradient is one dot product. If several optimisers have the same parameter, the one that is used moves
it into its own buffers. Derived in docs/optimisation.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real

import numpy as np

from scratchgen.checks import Array, as_number, expect_number
from scratchgen.kernels import compiled
from scratchgen.module import Parameter
from scratchgen.runtime.process import return_memory
from scratchgen.runtime.ranks import step_ranks

__all__ = ["Schedule", "Adam", "AdamW", "Optimizer", "RMSProp", "SGD"]

Schedule = Callable[[int], float]
LARGE = 1 << 20     # bytes of weights, above which unused memory is returned to the system


class Optimizer:
    """Base class of the optimisers: flat buffers, learning rate, gradient clipping and state.

    parameters : dict name -> Parameter, all of one dtype, from ``layer.parameters()``
    lr : a float, or a schedule: a function step -> float (steps count from 0)

    value, grad : the flat buffers, (P,) for P numbers in all
    steps : updates made so far
    max_norm : None, or the norm to which `step` clips the gradients first; `fit(clip=...)` sets it
    max_value : None, or the value to which `step` clips each gradient first; `fit(clip_value=...)` sets it

    Raises ValueError if there are no parameters and for settings out of range, TypeError for anything but a
    dict of parameters, for mixed dtypes and for settings that are not numbers.
    """

    moments: tuple[str, ...] = ()
    max_norm: float | None = None
    max_value: float | None = None
    _last_rate: float | None = None

    def __init__(self, parameters: Mapping[str, Parameter], lr: float | Schedule):
        who = type(self).__name__
        if not isinstance(parameters, Mapping):
            got = type(parameters).__name__
            raise TypeError(f"{who} expected a dict of parameters, such as layer.parameters(), got {got}")
        for name, p in parameters.items():
            if not isinstance(p, Parameter):
                raise TypeError(f"{who} expected {name} to be a Parameter, got {type(p).__name__}")
        if not parameters:
            raise ValueError(f"{who} expected at least one parameter, got none")
        dtypes = {p.dtype for p in parameters.values()}
        if len(dtypes) > 1:
            names = ", ".join(sorted(map(str, dtypes)))
            raise TypeError(f"{who} expected parameters of the same dtype, got {names}")
        if isinstance(lr, type | bool) or not (callable(lr) or isinstance(lr, Real)):
            raise TypeError(f"{who} expected lr to be a number or a schedule, got {lr!r}")
        if not callable(lr):
            expect_number(who, "lr", lr, least=0)
        # A layer that is used twice has its Parameters under two names. They are updated once.
        self.parameters: dict[str, Parameter] = {}
        for name, p in parameters.items():
            if all(p is not known for known in self.parameters.values()):
                self.parameters[name] = p
        self.lr, self.steps = lr, 0
        self._flatten(dtypes.pop())
        for name in self.moments:
            setattr(self, name, np.zeros_like(self.value))

    def _flatten(self, dtype: np.dtype) -> None:
        """Create both buffers, copy all parameters into them, and make each parameter a view."""
        size = sum(p.size for p in self.parameters.values())
        if size * dtype.itemsize > LARGE:
            return_memory()         # of the random numbers from which the weights were made
        self._value, self._grad = np.empty(size, dtype), np.empty(size, dtype)
        self._parts, start = [], 0
        for p in self.parameters.values():
            self._parts.append(slice(start, start + p.size))
            start += p.size
        self._restore_views()
        if self._value.nbytes > LARGE:
            return_memory()         # of the places where the weights were before

    def _restore_views(self) -> None:
        """Copy in every parameter that is not a view into the buffers.

        This is the case at the start, and later if another optimiser moved the parameter, if the parameter or
        the optimiser was copied or unpickled, or after an assignment to p.value. Otherwise, steps would
        change memory that the model does not use.
        """
        for p, part in zip(self.parameters.values(), self._parts, strict=True):
            if p.value.base is self._value and p.lazy_grad.array.base is self._grad:
                continue
            self._value[part], self._grad[part] = p.value.reshape(-1), p.grad.reshape(-1)
            p.value, p.grad = self._value[part].reshape(p.shape), self._grad[part].reshape(p.shape)

    @property
    def value(self) -> Array:
        """The flat buffer of all values, (P,)."""
        self._restore_views()
        return self._value

    @property
    def grad(self) -> Array:
        """The flat buffer of all gradients, (P,)."""
        grad = self._current_grad()
        for p in self.parameters.values():
            p.lazy_grad.read()
        return grad

    def _current_grad(self) -> Array:
        """The same buffer as `grad`, for callers that do not keep it (see kernels/gradient.py)."""
        self._restore_views()
        for p in self.parameters.values():
            p.lazy_grad.current()
        return self._grad

    @property
    def last_rate(self) -> float:
        """The learning rate of the last step; before the first step, that of the first."""
        return self.rate if self._last_rate is None else self._last_rate

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        rate = self.lr(self.steps) if callable(self.lr) else self.lr
        rate = as_number(type(self).__name__, f"the learning rate at step {self.steps}", rate)
        if not 0 <= rate < math.inf:
            raise ValueError(
                f"{type(self).__name__} expected a finite learning rate >= 0, got {rate} at step {self.steps}"
            )
        return rate

    def step(self) -> None:
        """Update the parameters once from their gradients.

        If `max_norm` or `max_value` is set, the gradients are clipped first, (CLIP.1) or (CLIP.2). Otherwise
        they do not change.

        Raises ValueError if backward has changed no gradient since zero_grad.
        """
        if all(p.lazy_grad.is_zero for p in self.parameters.values()):
            raise ValueError(
                f"{type(self).__name__}.step expected a gradient from backward, but none was added since "
                "zero_grad; are these the parameters of the model, or those of a copy?"
            )
        if self.max_norm is not None:
            self.clip_grad_norm(self.max_norm)
        if self.max_value is not None:
            self.clip_grad_value(self.max_value)
        self._last_rate = self.rate
        self._update(self._last_rate)
        self.steps += 1

    def _update(self, lr: float) -> None:
        raise TypeError(f"{type(self).__name__} does not define _update; use SGD, RMSProp or Adam")

    def _number(self, x: float) -> np.floating:
        return self.value.dtype.type(x)

    def all_reduce(self) -> None:
        """In a step of a data-parallel run, replace the gradients by their sum over the ranks, (DP.1).

        Without other ranks, the gradients do not change.
        """
        ranks = step_ranks()
        if ranks.size > 1:
            ranks.all_reduce(self._current_grad())

    def zero_grad(self) -> None:
        """Set all gradients to zero. They accumulate until this is called."""
        for p in self.parameters.values():
            p.zero_grad()

    def grad_norm(self) -> float:
        """Return the joint L2 norm of all gradients. It is NaN or infinite if a gradient is."""
        grad = self._current_grad()
        info = np.finfo(grad.dtype)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            square = float(np.dot(grad, grad))
        if grad.size * float(info.tiny) / float(info.eps) < square < math.inf:
            return math.sqrt(square)
        # The squares are outside the range of the dtype, like 1e25² in float32, or all zero, or one is NaN.
        largest = float(max(grad.max(), -grad.min()))  # both are NaN if a gradient is NaN
        if largest == 0 or not math.isfinite(largest):
            return largest
        scaled = grad / self._number(largest)
        return largest * math.sqrt(float(np.dot(scaled, scaled)))

    def clip_grad_norm(self, max_norm: float) -> float:
        """Scale all gradients down to a joint L2 norm of at most max_norm; return the norm before.

        (CLIP.1)  grad ← grad · min(1, max_norm / ‖grad‖)          (Pascanu et al. 2013, algorithm 1)

        If a gradient is NaN or infinite, so is the returned norm, and the gradients are not changed. Raises
        ValueError for max_norm ≤ 0.
        """
        if not max_norm > 0:
            raise ValueError(f"clip_grad_norm expected max_norm > 0, got {max_norm}")
        norm = self.grad_norm()
        if max_norm < norm < math.inf:
            grad = self._current_grad()
            grad *= self._number(max_norm / norm)                       # (CLIP.1)
        return norm

    def clip_grad_value(self, max_value: float) -> float:
        """Limit each number of the gradients to ±max_value; return the largest magnitude before.

        (CLIP.2)  gradᵢ ← min(max(gradᵢ, −max_value), max_value)

        If a gradient is NaN or infinite, so is the returned number, and the gradients are not changed. Raises
        ValueError for max_value ≤ 0.
        """
        if not max_value > 0:
            raise ValueError(f"clip_grad_value expected max_value > 0, got {max_value}")
        grad = self._current_grad()
        largest = float(max(grad.max(), -grad.min()))   # both are NaN if a gradient is NaN
        if max_value < largest < math.inf:
            limit = self._number(max_value)
            np.clip(grad, -limit, limit, out=grad)                      # (CLIP.2)
        return largest

    def state(self) -> dict[str, Array]:
        """Return the moments, name -> flat array (P,). With `steps`, they are the state of the optimiser."""
        return {name: getattr(self, name) for name in self.moments}

    def load_state(self, state: Mapping[str, Array], steps: int) -> None:
        """Restore `state` and `steps`. Raises ValueError if a moment is missing or has another shape."""
        for name in self.moments:
            if name not in state or state[name].shape != self.value.shape:
                got = state[name].shape if name in state else "nothing"
                who = type(self).__name__
                raise ValueError(f"{who} expected {name} of shape {self.value.shape}, got {got}")
        for name in self.moments:
            getattr(self, name)[:] = state[name]
        self.steps = steps


@compiled
def sgd_step(value: Array, grad: Array, lr: float) -> None:
    """Update value, (P,), in place."""
    value -= lr * grad                                          # (SGD.1)


@compiled
def momentum_step(value: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> None:
    """Update value and velocity, (P,), in place."""
    velocity[:] = momentum * velocity + grad                    # (SGD.2)
    value -= lr * velocity                                      # (SGD.2)


class SGD(Optimizer):
    """Stochastic gradient descent, with or without momentum (Polyak 1964, in PyTorch's form).

    (SGD.1)  value ← value − lr·grad
    (SGD.2)  velocity ← momentum·velocity + grad,   value ← value − lr·velocity

    momentum : the factor of the velocity, in [0, 1); 0 selects (SGD.1)
    """

    velocity: Array

    def __init__(self, parameters: Mapping[str, Parameter], lr: float | Schedule, momentum: float = 0.0):
        expect_number("SGD", "momentum", momentum, least=0, below=1)
        self.moments = ("velocity",) if momentum else ()
        super().__init__(parameters, lr)
        self.momentum = momentum

    def _update(self, lr: float) -> None:
        grad = self._current_grad()
        if self.momentum:
            momentum_step(self.value, grad, self.velocity, lr, float(self.momentum))    # (SGD.2)
        else:
            sgd_step(self.value, grad, lr)                                              # (SGD.1)


@compiled
def rmsprop_step(value: Array, grad: Array, square: Array, lr: float, decay: float, eps: float) -> None:
    """Update value and square, (P,), in place."""
    square[:] = decay * square + (1 - decay) * grad**2          # (RMS.1)
    value -= lr * grad / (np.sqrt(square) + eps)                # (RMS.2)


class RMSProp(Optimizer):
    """RMSProp: divide by the root of the recent mean square gradient (Tieleman & Hinton 2012, lecture 6.5).

    (RMS.1)  square ← decay·square + (1 − decay)·grad²
    (RMS.2)  value  ← value − lr·grad / (√square + eps)

    decay : the weight of the old mean, in [0, 1); PyTorch's RMSprop calls it alpha
    eps : added to the root, so that a gradient of zero causes no division by zero
    """

    moments = ("square",)
    square: Array

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        lr: float | Schedule,
        decay: float = 0.99,
        eps: float = 1e-8,
    ):
        expect_number("RMSProp", "decay", decay, least=0, below=1)
        expect_number("RMSProp", "eps", eps, above=0)
        super().__init__(parameters, lr)
        self.decay, self.eps = decay, eps

    def _update(self, lr: float) -> None:
        rmsprop_step(  # (RMS.1), (RMS.2)
            self.value, self._current_grad(), self.square, lr, float(self.decay), float(self.eps)
        )


@compiled
def adam_step(
    value: Array, grad: Array, m: Array, v: Array,
    lr: float, beta1: float, beta2: float, eps: float, t: int,
) -> None:  # fmt: skip
    """Update value, m and v, (P,), in place. t is the number of the step, from 1."""
    m[:] = beta1 * m + (1 - beta1) * grad                       # (ADAM.1)
    v[:] = beta2 * v + (1 - beta2) * grad**2                    # (ADAM.2)
    mhat = m / (1 - beta1**t)
    vhat = v / (1 - beta2**t)
    value -= lr * mhat / (np.sqrt(vhat) + eps)                  # (ADAM.3)


class Adam(Optimizer):
    """Adam: bias-corrected momentum and RMSProp combined (Kingma & Ba 2015, algorithm 1).

    (ADAM.1)  m ← β1·m + (1 − β1)·grad
    (ADAM.2)  v ← β2·v + (1 − β2)·grad²
    (ADAM.3)  value ← value − lr·m̂ / (√v̂ + eps),    m̂ = m / (1 − β1ᵗ),  v̂ = v / (1 − β2ᵗ)

    betas : (β1, β2), the weights of the old means, each in [0, 1)
    eps : added to the root, so that a gradient of zero causes no division by zero
    """

    moments = ("m", "v")
    m: Array
    v: Array

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        lr: float | Schedule,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ):
        who = type(self).__name__
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise TypeError(f"{who} expected betas to be a pair of numbers, got {betas!r}")
        for beta in betas:
            expect_number(who, "betas", beta, least=0, below=1)
        expect_number(who, "eps", eps, above=0)
        super().__init__(parameters, lr)
        self.betas, self.eps = (betas[0], betas[1]), eps

    def _update(self, lr: float) -> None:
        beta1, beta2, eps = map(float, (*self.betas, self.eps))
        adam_step(  # (ADAM.1), (ADAM.2), (ADAM.3)
            self.value, self._current_grad(), self.m, self.v, lr, beta1, beta2, eps, self.steps + 1
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).

    (ADAMW.1)  value ← value − lr·weight_decay·value        then (ADAM.1) to (ADAM.3)

    An L2 penalty in the loss would be divided by √v̂ like the rest of the gradient, so weights with large
    gradients would hardly shrink. Here all weights shrink by the same factor.

    weight_decay : the share of its value that a weight loses per unit of learning rate, at least 0
    betas, eps : those of Adam
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        lr: float | Schedule,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        expect_number("AdamW", "weight_decay", weight_decay, least=0)
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay: float = weight_decay

    def _update(self, lr: float) -> None:
        value = self.value
        value -= self._number(lr * self.weight_decay) * value       # (ADAMW.1)
        super()._update(lr)
