"""Learning rates that change while a net learns: a schedule is a function, step -> learning rate.

Steps count from 0 and one step is one update. After its last step a schedule stays where it ended, so a
run that goes on a little longer does no harm. Any callable of that kind may stand in for these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Constant", "Cosine", "OneCycle", "StepDecay"]


@dataclass(frozen=True)
class Constant:
    """lr(t) = lr. Raises ValueError for an lr that is negative or not finite, as all schedules do."""

    lr: float

    def __post_init__(self) -> None:
        _expect_rate(self, "lr", self.lr)

    def __call__(self, step: int) -> float:
        return float(self.lr)


@dataclass(frozen=True)
class StepDecay:
    """lr(t) = lr·factor^⌊t / every⌋: a fall by `factor` each `every` steps (torch's StepLR)."""

    lr: float
    every: int
    factor: float

    def __post_init__(self) -> None:
        _expect_rate(self, "lr", self.lr)
        _expect_rate(self, "factor", self.factor)
        _expect_steps(self, "every", self.every)

    def __call__(self, step: int) -> float:
        return float(self.lr * self.factor ** (step // self.every))


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from lr down to final.

    lr(t) = final + (lr - final)·(1 + cos(π·t / steps)) / 2        0 ≤ t ≤ steps, then final

    Source: Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts; torch's CosineAnnealingLR in
    closed form.
    """

    lr: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _expect_rate(self, "lr", self.lr)
        _expect_rate(self, "final", self.final)
        _expect_steps(self, "steps", self.steps)

    def __call__(self, step: int) -> float:
        return _half_cosine(self.lr, self.final, step / self.steps)


@dataclass(frozen=True)
class OneCycle:
    """Up along half a cosine to peak, then down along a longer one to almost nothing.

    start = peak / start_divisor,  end = start / end_divisor,  rise = max(warmup·steps - 1, 0)

    lr(t) = start + (peak - start)·(1 - cos(π·t / rise)) / 2                              t ≤ rise
    lr(t) = end + (peak - end)·(1 + cos(π·(t - rise) / (steps - 1 - rise))) / 2           rise ≤ t < steps

    So the last of `steps` updates is made with `end`. Large rates in the middle act as a regulariser.
    Source: Smith & Topin 2018, "Super-Convergence"; cosine ramps as in torch's OneCycleLR, same values.
    There peak is called max_lr, warmup pct_start, start_divisor div_factor, and end_divisor final_div_factor.
    """

    peak: float
    steps: int
    warmup: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4

    def __post_init__(self) -> None:
        _expect_rate(self, "peak", self.peak)
        _expect_steps(self, "steps", self.steps)
        if not 0 <= self.warmup < 1:
            raise ValueError(f"OneCycle expected warmup in [0, 1), a share of the steps, got {self.warmup}")
        for name in ("start_divisor", "end_divisor"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"OneCycle expected {name} >= 1, got {getattr(self, name)}")

    def __call__(self, step: int) -> float:
        start = self.peak / self.start_divisor
        end = start / self.end_divisor
        rise = max(self.warmup * self.steps - 1, 0.0)
        if step < rise:
            return _half_cosine(start, self.peak, step / rise)
        fall = max(self.steps - 1 - rise, 1.0)
        return _half_cosine(self.peak, end, (step - rise) / fall)


def _half_cosine(start: float, end: float, share: float) -> float:
    """From start (share 0) to end (share 1) along half a cosine; it stays at end from there on."""
    return float(end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2)


def _expect_rate(schedule: object, name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{type(schedule).__name__} expected a finite {name} >= 0, got {value}")


def _expect_steps(schedule: object, name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{type(schedule).__name__} expected {name} >= 1, got {value}")
