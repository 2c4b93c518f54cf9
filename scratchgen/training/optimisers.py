"""Optimisers: from gradients to new weights, over one flat buffer.

An optimiser moves the parameters it is given into one flat value buffer and one flat gradient buffer, of
which every ``p.value`` and ``p.grad`` is from then on a view. So one step is one pass over two or four long
arrays, and the gradient's norm is one dot product. The loops live in kernels/*/optimisers.py. Derived in
docs/optimisation.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real

import numpy as np

from scratchgen import kernels
from scratchgen.layers.base import Parameter
from scratchgen.runtime import threads

__all__ = ["Adam", "Optimizer", "RMSProp", "SGD"]

Schedule = Callable[[int], float]


class Optimizer:
    """What all optimisers share: the flat buffers, the learning rate's course, clipping, and state.

    parameters : dict name -> Parameter, all of one dtype, from ``layer.parameters()``
    lr : a float, or a schedule: a function step -> float (steps count from 0)

    value, grad : the flat buffers, (P,) for P numbers in all
    steps : updates made so far

    Raises ValueError for no parameters and for settings out of range, TypeError for what is no dict of
    parameters, for mixed dtypes and for settings that are no numbers.
    """

    moments: tuple[str, ...] = ()

    def __init__(self, parameters: Mapping[str, Parameter], lr: float | Schedule):
        who = type(self).__name__
        if not isinstance(parameters, Mapping):
            got = type(parameters).__name__
            raise TypeError(f"{who} expected a dict of parameters, as from layer.parameters(), got {got}")
        for name, p in parameters.items():
            if not isinstance(p, Parameter):
                raise TypeError(f"{who} expected {name} to be a Parameter, got {type(p).__name__}")
        if not parameters:
            raise ValueError(f"{who} expected at least one parameter, got none")
        dtypes = {p.dtype for p in parameters.values()}
        if len(dtypes) > 1:
            names = ", ".join(sorted(map(str, dtypes)))
            raise TypeError(f"{who} expected parameters of one dtype, got {names}")
        if not callable(lr) and not isinstance(lr, Real):
            raise TypeError(f"{who} expected a learning rate, a number or a schedule, got {lr!r}")
        if not callable(lr) and not (math.isfinite(lr) and lr >= 0):
            raise ValueError(f"{who} expected a finite learning rate >= 0, got {lr}")
        self.parameters, self.lr, self.steps = dict(parameters), lr, 0
        self._flatten(dtypes.pop())
        for name in self.moments:
            setattr(self, name, np.zeros_like(self.value))

    def _flatten(self, dtype: np.dtype) -> None:
        """Lay all parameters end to end and make each of them a view into the whole."""
        size = sum(p.size for p in self.parameters.values())
        self.value, self._grad = np.empty(size, dtype), np.empty(size, dtype)
        start = 0
        for p in self.parameters.values():
            part = slice(start, start + p.size)
            self.value[part], self._grad[part] = p.value.reshape(-1), p.grad.reshape(-1)
            p.value, p.grad = self.value[part].reshape(p.shape), self._grad[part].reshape(p.shape)
            start += p.size

    @property
    def grad(self) -> np.ndarray:
        """All gradients, end to end, (P,)."""
        for p in self.parameters.values():
            p.settle()
        return self._grad

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.lr(self.steps) if callable(self.lr) else self.lr)

    def step(self) -> None:
        """Make one update from the gradients as they are; they are left as they are."""
        self._update(self._number(self.rate))
        self.steps += 1

    def _update(self, lr: np.floating) -> None:
        raise TypeError(f"{type(self).__name__} has no update; use SGD, RMSProp or Adam")

    def _number(self, x: float) -> np.floating:
        # Kernels get their settings in the parameters' dtype; a Python float makes them compute in float64.
        return self.value.dtype.type(x)

    def zero_grad(self) -> None:
        """Set all gradients to zero (they add up until someone does)."""
        for p in self.parameters.values():
            p.zero_grad()

    def grad_norm(self) -> float:
        """The joint L2 norm of all gradients; NaN or infinite where one of them is."""
        info = np.finfo(self.grad.dtype)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            square = float(np.dot(self.grad, self.grad))
        if self.grad.size * float(info.tiny) / float(info.eps) < square < math.inf:
            return math.sqrt(square)
        # The squares left the range of the dtype, as those of 1e25 do in float32, or all are zero, or NaN.
        largest = float(max(self.grad.max(), -self.grad.min()))  # a NaN is in both
        if largest == 0 or not math.isfinite(largest):
            return largest
        scaled = self.grad / self._number(largest)
        return largest * math.sqrt(float(np.dot(scaled, scaled)))

    def clip_grad_norm(self, max_norm: float) -> float:
        """Scale all gradients down to a joint L2 norm of at most max_norm; return the norm they had.

        (CLIP.1)  grad ← grad · min(1, max_norm / ‖grad‖)          (Pascanu et al. 2013, algorithm 1)

        Where a gradient is NaN or infinite, so is the norm that comes back, and all gradients stay as they
        are: no scale would mend them, and the caller sees it. Raises ValueError for max_norm ≤ 0.
        """
        if not max_norm > 0:
            raise ValueError(f"clip_grad_norm expected max_norm > 0, got {max_norm}")
        norm = self.grad_norm()
        if max_norm < norm < math.inf:
            np.multiply(self.grad, self._number(max_norm / norm), out=self.grad)   # (CLIP.1)
        return norm

    def state(self) -> dict[str, np.ndarray]:
        """The moments, name -> flat array: with `steps`, all that an optimiser remembers."""
        return {name: getattr(self, name) for name in self.moments}

    def load_state(self, state: Mapping[str, np.ndarray], steps: int) -> None:
        """Take up again where `state` and `steps` were read. Raises ValueError where they don't fit."""
        for name in self.moments:
            if name not in state or state[name].shape != self.value.shape:
                got = state[name].shape if name in state else "nothing"
                who = type(self).__name__
                raise ValueError(f"{who} expected {name} of shape {self.value.shape}, got {got}")
        for name in self.moments:
            getattr(self, name)[:] = state[name]
        self.steps = steps


class SGD(Optimizer):
    """Stochastic gradient descent, with or without momentum (Polyak 1964, in PyTorch's form).

    (SGD.1)  value ← value − lr·grad
    (SGD.2)  velocity ← momentum·velocity + grad,   value ← value − lr·velocity
    """

    def __init__(self, parameters, lr, momentum=0.0):
        _expect_share("SGD", "momentum", momentum)
        self.moments = ("velocity",) if momentum else ()
        super().__init__(parameters, lr)
        self.momentum = momentum

    def _update(self, lr):
        if not self.momentum:
            kernels.optimisers.sgd_step(self.grad, lr, self.value)  # (SGD.1)
            return
        momentum = self._number(self.momentum)
        kernels.optimisers.momentum_step(self.grad, lr, momentum, self.velocity, self.value)  # (SGD.2)


class RMSProp(Optimizer):
    """Gradients divided by the root of their recent mean square (Tieleman & Hinton 2012, lecture 6.5).

    (RMS.1)  square ← decay·square + (1 − decay)·grad²
    (RMS.2)  value  ← value − lr·grad / (√square + eps)

    decay : the share of the old mean that is kept; torch's RMSprop calls it alpha
    """

    moments = ("square",)

    def __init__(self, parameters, lr, decay=0.99, eps=1e-8):
        _expect_share("RMSProp", "decay", decay)
        _expect_eps("RMSProp", eps)
        super().__init__(parameters, lr)
        self.decay, self.eps = decay, eps

    def _update(self, lr):
        decay, eps = self._number(self.decay), self._number(self.eps)
        kernels.optimisers.rmsprop_step(  # (RMS.1), (RMS.2)
            self.grad, lr, decay, eps, self.square, self.value
        )


class Adam(Optimizer):
    """Momentum and RMSProp together, both corrected for their start at zero (Kingma & Ba 2015, algorithm 1).

    (ADAM.1)  m ← β1·m + (1 − β1)·grad
    (ADAM.2)  v ← β2·v + (1 − β2)·grad²
    (ADAM.3)  value ← value − lr·m̂ / (√v̂ + eps),    m̂ = m / (1 − β1ᵗ),  v̂ = v / (1 − β2ᵗ)
    """

    moments = ("m", "v")
    m: np.ndarray
    v: np.ndarray

    def __init__(self, parameters, lr, betas=(0.9, 0.999), eps=1e-8):
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise TypeError(f"Adam expected betas as a pair of numbers, got {betas!r}")
        for beta in betas:
            _expect_share("Adam", "betas", beta)
        _expect_eps("Adam", eps)
        super().__init__(parameters, lr)
        self.betas, self.eps = tuple(betas), eps

    def _update(self, lr):
        t = self.steps + 1
        beta1, beta2, eps = map(self._number, (*self.betas, self.eps))
        correction1, correction2 = (self._number(1 - beta**t) for beta in self.betas)
        grad = self.grad

        def work(part: slice) -> None:
            kernels.optimisers.adam_step(  # (ADAM.1), (ADAM.2), (ADAM.3)
                grad[part], lr, beta1, beta2, eps, correction1, correction2,
                self.m[part], self.v[part], self.value[part],
            )

        threads.share(work, grad.size, least=threads.ENTRIES)


def _expect_share(who: str, name: str, value: float) -> None:
    if not isinstance(value, Real):
        raise TypeError(f"{who} expected {name} in [0, 1), got {value!r}")
    if not 0 <= value < 1:
        raise ValueError(f"{who} expected {name} in [0, 1), got {value}")


def _expect_eps(who: str, eps: float) -> None:
    if not isinstance(eps, Real):
        raise TypeError(f"{who} expected a finite eps > 0, got {eps!r}")
    if not 0 < eps < math.inf:
        raise ValueError(f"{who} expected a finite eps > 0, got {eps}")
