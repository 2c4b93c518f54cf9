"""Learning-rate schedules: functions of the fraction of training completed.

    model.fit(X, epochs=10, lr=OneCycle(3e-3), rng=0)

A schedule is a function of t in [0, 1], the fraction of the updates that are done, so it does not depend on
the number of steps. An optimiser expects a function of the step instead: step -> learning rate, with steps
counted from 0. The trainer calls ``schedule.over(steps)``, which returns the schedule as such a function. If
you use a schedule without a trainer, pass the number of steps, as in
``Adam(parameters, OneCycle(3e-3, steps))``. After the last step, the rate keeps its final value.

``fit(lr=f)`` also takes any other function of the fraction, ``lambda t: 1e-3 * (1 - t)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from scratchgen.checks import expect_count, expect_number

__all__ = ["Constant", "Cosine", "OneCycle", "StepDecay", "bind"]

Rate = Callable[[float], float]     # a function of the fraction of training, or of the step


@dataclass(frozen=True)
class Constant:
    """lr(t) = lr.

    All schedules raise ValueError for a learning rate that is negative or not finite.
    """

    lr: float

    def __post_init__(self) -> None:
        _expect_rate(self, "lr", self.lr)

    def __call__(self, t: float) -> float:
        return float(self.lr)

    def over(self, steps: int) -> Self:
        """Return the same schedule as a function of the step."""
        return self


@dataclass(frozen=True)
class StepDecay:
    """lr(t) = lr·factor^⌊t / every⌋: multiply the rate by `factor` after each `every` (torch's StepLR).

    every : a fraction of the training below 1, such as 0.25, or a whole number of steps
    """

    lr: float
    every: float
    factor: float
    steps: int | None = None

    def __post_init__(self) -> None:
        _expect_rate(self, "lr", self.lr)
        _expect_rate(self, "factor", self.factor)
        expect_number("StepDecay", "every", self.every, above=0)
        if self.every >= 1 and self.every != int(self.every):
            raise ValueError(
                f"StepDecay expected every to be a fraction of the training below 1, or a whole number of "
                f"steps, got {self.every}"
            )
        _expect_steps(self, self.steps)

    def __call__(self, t: float) -> float:
        if self.every < 1:
            # If the number of steps is known, count in steps. 1e-9 is added because 0.3 / 0.1 is below 3.
            every = self.every if self.steps is None else self.every * self.steps
            t = _fraction(self, t) if self.steps is None else t
            return float(self.lr * self.factor ** math.floor(t / every + 1e-9))
        return float(self.lr * self.factor ** (t // self.every))

    def over(self, steps: int) -> Self:
        """Return the same schedule as a function of the step, for a run of `steps` steps."""
        return replace(self, steps=steps) if self.steps is None else self


@dataclass(frozen=True)
class Cosine:
    """Decrease the rate from lr to final along half a cosine.

    lr(t) = final + (lr - final)·(1 + cos(π·t)) / 2           t = step / steps, then final

    Source: Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts; torch's CosineAnnealingLR in
    closed form.

    steps : if given, the schedule is a function of the step, for use with an optimiser; a trainer sets it
    """

    lr: float
    steps: int | None = None
    final: float = 0.0

    def __post_init__(self) -> None:
        _expect_rate(self, "lr", self.lr)
        _expect_rate(self, "final", self.final)
        _expect_steps(self, self.steps)

    def __call__(self, t: float) -> float:
        done = _fraction(self, t) if self.steps is None else t / self.steps
        return _half_cosine(self.lr, self.final, done)

    def over(self, steps: int) -> Self:
        """Return the same schedule as a function of the step, for a run of `steps` steps."""
        return replace(self, steps=steps) if self.steps is None else self


@dataclass(frozen=True)
class OneCycle:
    """Increase the rate to peak along half a cosine, then decrease it to almost 0 along a longer one.

    start = peak / start_divisor,  end = start / end_divisor

    lr(t) = start + (peak - start)·(1 - cos(π·t / warmup)) / 2                     t ≤ warmup
    lr(t) = end + (peak - end)·(1 + cos(π·(t - warmup) / (1 - warmup))) / 2        warmup ≤ t ≤ 1

    As a function of the step, the rise takes max(warmup·steps - 1, 0) steps and the last update uses `end`.
    The values are those of torch's OneCycleLR. Large rates in the middle of training act as a regulariser.
    Source: Smith & Topin 2018, "Super-Convergence". In torch peak is called max_lr, warmup pct_start,
    start_divisor div_factor, and end_divisor final_div_factor.

    steps : if given, the schedule is a function of the step, for use with an optimiser; a trainer sets it
    """

    peak: float
    steps: int | None = None
    warmup: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4

    def __post_init__(self) -> None:
        _expect_rate(self, "peak", self.peak)
        _expect_steps(self, self.steps)
        expect_number("OneCycle", "warmup", self.warmup, least=0, below=1)
        for name in ("start_divisor", "end_divisor"):
            expect_number("OneCycle", name, getattr(self, name), least=1)

    def __call__(self, t: float) -> float:
        start = self.peak / self.start_divisor
        end = start / self.end_divisor
        if self.steps is None:
            t, rise, last = _fraction(self, t), self.warmup, 1.0
        else:
            rise, last = max(self.warmup * self.steps - 1, 0.0), float(self.steps - 1)
        if t < rise:
            return _half_cosine(start, self.peak, t / rise)
        fall = last - rise
        return _half_cosine(self.peak, end, (t - rise) / fall if fall > 0 else t - rise)

    def over(self, steps: int) -> Self:
        """Return the same schedule as a function of the step, for a run of `steps` steps."""
        return replace(self, steps=steps) if self.steps is None else self


def bind(lr: float | Rate, steps: int) -> float | Rate:
    """Convert a learning rate to what an optimiser expects: a number, or a function of the step.

    lr : a number, a schedule, or a function of the fraction of training completed
    steps : the number of updates that the optimiser will make

    A schedule that already has a number of steps keeps it.
    """
    steps = max(steps, 1)
    if hasattr(lr, "over"):
        return lr.over(steps)
    if callable(lr):
        return lambda step: lr(min(step / steps, 1.0))
    return lr


def _half_cosine(start: float, end: float, fraction: float) -> float:
    """Go from start (fraction 0) to end (fraction 1) along half a cosine; for larger fractions return end."""
    return float(end + (start - end) * (1 + math.cos(math.pi * min(fraction, 1.0))) / 2)


def _fraction(schedule: object, t: float) -> float:
    """Return t, or raise ValueError if it is not a fraction but, most likely, the number of a step."""
    if not 0 <= t <= 1:
        raise ValueError(
            f"{type(schedule).__name__} without steps expected t in [0, 1], the fraction of training done, "
            f"got {t}; pass steps to use it with an optimiser"
        )
    return t


def _expect_rate(schedule: object, name: str, value: float) -> None:
    expect_number(type(schedule).__name__, name, value, least=0)


def _expect_steps(schedule: object, steps: int | None) -> None:
    if steps is not None:
        expect_count(type(schedule).__name__, "steps", steps)
