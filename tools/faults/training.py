"""Faults of training runs: kills, signals, and two processes that write one run."""

from __future__ import annotations

import signal
import time

import numpy as np

from tools.faults import child
from tools.faults.campaign import LOST, REFUSED, SURVIVED, Campaign, Outcome
from tools.faults.operations import KillAt, watch
from tools.faults.runs import Run

ATTEMPTS = 20       # attempts to hit a run before it ends


def killed(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """SIGKILL at a random moment of the run."""
    return signalled(campaign, run, rng, [signal.SIGKILL])


def killed_again(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """SIGKILL at a random moment, and again while the run is continued, three times in all."""
    reference, place, ends = campaign.reference(run), campaign.place(), []
    for _ in range(3):
        process = child.Child(run.into(place.path, place.bits), place.log())
        time.sleep(rng.uniform(0.2, 0.8) * reference.seconds)
        process.signal(signal.SIGKILL)
        ends.append(process.wait())
        place.bits.unlink(missing_ok=True)
    return place.resume(run, reference, *ends)


def killed_inside_a_write(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """SIGKILL before, inside or after one of the file operations with which the run is saved."""
    reference, place = campaign.reference(run), campaign.place()
    at = int(rng.integers(reference.operations))

    def work() -> int:
        watch(place.run, KillAt(at))
        return run.into(place.path, place.bits)()

    ended = child.run(work, place.log())
    if ended.code != -signal.SIGKILL:
        return Outcome(LOST, f"operation {at} of {reference.operations} not reached: {ended.last_lines}")
    return place.resume(run, reference, ended)


def interrupted(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """Ctrl-C at a random moment."""
    return signalled(campaign, run, rng, [signal.SIGINT])


def terminated(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """SIGTERM at a random moment. Schedulers send it, and systems that shut down."""
    return signalled(campaign, run, rng, [signal.SIGTERM])


def hung_up(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """SIGHUP at a random moment. A terminal that is closed sends it."""
    return signalled(campaign, run, rng, [signal.SIGHUP])


def signalled_several_times(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """Two to four signals, at random moments within 50 ms; Ctrl-C most often."""
    numbers = rng.choice([signal.SIGINT] * 4 + [signal.SIGTERM, signal.SIGHUP], size=rng.integers(2, 5))
    return signalled(campaign, run, rng, [int(number) for number in numbers])


def signalled(campaign: Campaign, run: Run, rng: np.random.Generator, numbers: list[int]) -> Outcome:
    """Send signals to a run. If it ends before the first one, repeat the run and send them earlier."""
    reference = campaign.reference(run)
    until = reference.seconds
    for _ in range(ATTEMPTS):
        place = campaign.place()
        process = child.Child(run.into(place.path, place.bits), place.log())
        time.sleep(rng.uniform(0, until))
        for number in numbers:
            process.signal(number)
            time.sleep(rng.uniform(0, 0.05) if len(numbers) > 1 else 0)
        ended = process.wait()
        if ended.code != 0:
            return place.resume(run, reference, ended)
        until *= 0.8
        place.remove()
    return Outcome(LOST, f"{run.name} ended before a signal in {ATTEMPTS} attempts")


def two_writers(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """Two processes start or continue the same run with the same file at almost the same time."""
    reference, place = campaign.reference(run), campaign.place()
    first = child.Child(run.into(place.path, place.bits), place.log())
    time.sleep(rng.uniform(0, 0.6) * reference.seconds)
    second = child.Child(run.into(place.path, place.folder / "bits of the second"), place.log())
    ends = first.wait(), second.wait()
    for ended in ends:
        if ended.code != 0 and not ended.refused:
            return Outcome(LOST, f"not in one line: code {ended.code}, {ended.last_lines}")
    if all(ended.code != 0 for ended in ends):
        return Outcome(LOST, f"both processes were refused: {ends[0].last_lines}; {ends[1].last_lines}")
    return place.resume(run, reference, *ends)


def two_runs_in_one_file(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """Two processes with different seeds start to save to the same file. One of them must be refused."""
    reference, place = campaign.reference(run), campaign.place()
    bits = place.bits, place.folder / "bits of the second"
    first = child.Child(run.into(place.path, bits[0], seed=0), place.log())
    time.sleep(rng.uniform(0, 0.3) * reference.seconds)
    second = child.Child(run.into(place.path, bits[1], seed=1), place.log())
    ends = first.wait(), second.wait()
    ended_well = [ended.code == 0 for ended in ends]
    if sum(ended_well) != 1 or not all(ended.refused or ended.code == 0 for ended in ends):
        codes = [ended.code for ended in ends]
        return Outcome(LOST, f"codes {codes}: {ends[0].last_lines}; {ends[1].last_lines}")
    if ended_well[0]:
        return place.resume(run, reference, *ends)
    place.remove()
    return Outcome(SURVIVED, messages=1)


def new_run_over_an_unfinished_one(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """A run with another seed starts to save to the file of a run that was killed. It must be refused."""
    reference, place = campaign.reference(run), campaign.place()
    at = int(rng.integers(reference.operations // 2, reference.operations))

    def work() -> int:
        watch(place.run, KillAt(at))
        return run.into(place.path, place.bits)()

    ended = child.run(work, place.log())
    other = child.run(run.into(place.path, place.bits, seed=1), place.log())    # with --resume
    if not other.refused:
        return Outcome(LOST, f"the other run was not refused: code {other.code}, {other.last_lines}")
    outcome = place.resume(run, reference, ended)
    return Outcome(REFUSED, messages=1) if outcome.result == SURVIVED else outcome


