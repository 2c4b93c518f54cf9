"""Learning-rate schedules compared with values computed by hand."""

import dataclasses
import math

import pytest

from scratchgen.training.schedules import Constant, Cosine, OneCycle, StepDecay, bind


def test_constant_does_not_change():
    assert [Constant(0.3)(t) for t in (0, 1, 1000)] == [0.3, 0.3, 0.3]


def test_step_decay_decreases_at_each_multiple():
    schedule = StepDecay(0.8, every=3, factor=0.5)
    assert [schedule(t) for t in range(8)] == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2])


def test_cosine_has_known_values():
    schedule = Cosine(1.0, 12, final=0.2)
    # cos(π/3) = 1/2, cos(π/2) = 0, cos(2π/3) = -1/2
    assert [schedule(t) for t in (0, 4, 6, 8, 12)] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_cosine_stays_at_its_end():
    assert Cosine(1.0, 12, final=0.2)(13) == 0.2
    assert Cosine(1.0, 12)(24) == 0.0


def test_one_cycle_has_known_values():
    """Peak 1, 20 steps, warmup 0.35: the rise ends at step 6, the fall at 19; start 1/25, end 4e-6."""
    schedule = OneCycle(1.0, 20, warmup=0.35)
    assert schedule(0) == pytest.approx(0.04)
    assert schedule(2) == pytest.approx(0.04 + 0.96 / 4)
    assert schedule(3) == pytest.approx(0.52)
    assert schedule(6) == pytest.approx(1.0)
    assert schedule(19) == pytest.approx(4e-6)
    assert schedule(10) == pytest.approx(4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * 4 / 13)) / 2)


def test_one_cycle_with_a_fractional_warmup_peaks_between_steps():
    """Ten steps, warmup 0.25: the rise ends at 1.5, so neither 1 nor 2 is the peak (torch's values)."""
    schedule = OneCycle(1.0, 10, warmup=0.25)
    assert schedule(1) == pytest.approx(0.04 + 0.96 * 0.75)
    assert schedule(2) == pytest.approx(4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * 0.5 / 7.5)) / 2)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50])
def test_one_cycle_rises_then_falls_and_stays(steps):
    rates = [OneCycle(0.1, steps)(t) for t in range(steps)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert all(0 < rate <= 0.1 for rate in rates)
    assert OneCycle(0.1, steps)(steps + 10) <= rates[-1]


def test_one_cycle_without_warmup_starts_at_the_peak():
    assert OneCycle(0.1, 10, warmup=0.0)(0) == pytest.approx(0.1)


def test_schedules_compare_by_value_and_are_immutable():
    assert Cosine(0.1, 5) == Cosine(0.1, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Cosine(0.1, 5).lr = 0.2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Constant(-0.1), "Constant expected lr to be a finite number >= 0, got -0.1"),
        (lambda: Cosine(math.nan, 5), "Cosine expected lr to be a finite number >= 0, got nan"),
        (lambda: Cosine(0.1, 0), "Cosine expected steps of at least 1, got 0"),
        (lambda: StepDecay(0.1, 0, 0.5), "StepDecay expected every to be a finite number > 0, got 0"),
        (lambda: OneCycle(0.1, 10, warmup=1.0), r"OneCycle expected warmup to be a number in \[0, 1\)"),
        (lambda: OneCycle(0.1, 10, end_divisor=0), "expected end_divisor to be a finite number >= 1, got 0"),
    ],
)
def test_schedule_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


SCHEDULES = [Constant(0.1), Cosine(0.1, final=0.01), OneCycle(0.1), StepDecay(0.1, 0.25, 0.5)]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_schedule_over_many_steps_approaches_the_function_of_the_fraction(schedule):
    bound = schedule.over(100_000)
    for t in (0.0, 0.1, 0.26, 0.5, 0.74, 0.99):
        assert bound(round(t * 100_000)) == pytest.approx(schedule(t), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7, 470])
def test_schedule_bound_by_the_trainer_equals_one_made_for_that_many_steps(steps):
    for free, fixed in ((OneCycle(0.1), OneCycle(0.1, steps)), (Cosine(0.1), Cosine(0.1, steps))):
        assert [free.over(steps)(i) for i in range(steps + 2)] == [fixed(i) for i in range(steps + 2)]


def test_schedule_made_for_a_number_of_steps_keeps_it():
    assert bind(Cosine(0.1, 20), 1000) == Cosine(0.1, 20)


def test_function_of_the_fraction_is_bound_to_the_steps_of_the_run():
    bound = bind(lambda t: 1 - t, 4)
    assert [bound(step) for step in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert bind(0.1, 4) == 0.1


def test_one_cycle_reaches_its_end_if_the_fall_is_shorter_than_a_step():
    assert OneCycle(0.3, 4, 0.9)(3) == pytest.approx(1.2e-6, rel=1e-12)


def test_step_decay_by_fraction_decreases_at_whole_steps():
    assert [StepDecay(1.0, 0.1, 0.5).over(10)(i) for i in range(10)] == [0.5**i for i in range(10)]


@pytest.mark.parametrize("schedule", SCHEDULES[1:], ids=lambda s: type(s).__name__)
def test_schedule_without_steps_refuses_a_step_number(schedule):
    with pytest.raises(ValueError, match="the fraction of training done, got 2; pass steps"):
        schedule(2)
