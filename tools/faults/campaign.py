"""The common parts of all faults: undisturbed runs to compare with, and the run that follows a fault."""

from __future__ import annotations

import json
import logging
import re
import shutil
import zlib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tools.faults import child
from tools.faults.operations import watch
from tools.faults.runs import Run, all_runs

SURVIVED, REFUSED, LOST = "survived", "refused", "lost"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one fault.

    result : SURVIVED if the run ended with the same bits as an undisturbed one; REFUSED if the process said
        in one line why it did nothing, and no file was changed or lost; LOST for everything else
    note   : for LOST, what happened
    messages : errors in one line that the process ended with before the run was continued
    seconds : the seconds in the history, after each epoch and in total
    """

    result: str
    note: str = ""
    messages: int = 0
    seconds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Reference:
    """An undisturbed run: its fingerprints, duration, file operations, and the size of its file."""

    bits: dict[str, str]
    seconds: float
    operations: int
    size: int


@dataclass
class Campaign:
    """The folder and the seed of a campaign, its runs, and the undisturbed ones."""

    folder: Path
    seed: int
    runs: list[Run] = field(default_factory=all_runs)
    references: dict[str, Reference] = field(default_factory=dict)
    studies: dict[str, tuple[float, Any]] = field(default_factory=dict)
    count: int = 0

    def rng(self, kind: str, number: int) -> np.random.Generator:
        """A generator for one fault. It does not depend on which other faults are tried."""
        return np.random.default_rng([self.seed, zlib.crc32(kind.encode()), number])

    def place(self) -> Place:
        """A new folder for one fault."""
        self.count += 1
        return Place(self.folder / f"fault-{self.count:04}")

    def reference(self, run: Run) -> Reference:
        """The undisturbed run. It runs once, and a second time to count its file operations."""
        if run.name not in self.references:
            warm_up(run, self.place())
            first, second = self.place(), self.place()
            ended = child.run(run.into(first.path, first.bits), first.log())
            expect_good(run, ended)
            ended = child.run(second.counted(run), second.log())
            expect_good(run, ended)
            bits, again = first.read_bits(), second.read_bits()
            if same(bits) != same(again):
                raise RuntimeError(f"{run.name}: two undisturbed runs have different bits")
            operations = int(second.operations.read_text(encoding="utf-8"))
            size = first.path.stat().st_size
            self.references[run.name] = Reference(same(bits), ended.seconds, operations, size)
            first.remove()
            second.remove()
        return self.references[run.name]


def warm_up(run: Run, place: Place) -> None:
    """Run once in this process to compile the kernels, which every child inherits."""
    with open(place.log(), "w", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        code = run.work(place.path, False, 0)
    if code != 0:
        raise RuntimeError(f"{run.name}: a run in this process ended with {code}")
    logging.getLogger().handlers.clear()        # the handler of the command writes into the closed log
    place.remove()


def expect_good(run: Run, ended: child.Ended) -> None:
    if ended.code != 0:
        raise RuntimeError(f"{run.name}: an undisturbed run ended with {ended.code}: {ended.text[-2000:]}")


def same(bits: dict[str, Any]) -> dict[str, str]:
    """The part of the recorded bits that must not depend on the fault."""
    return {name: bits[name] for name in ("memory", "file")}


class Place:
    """The folder of one fault: the folder of the run, and next to it the records of the campaign."""

    def __init__(self, folder: Path):
        self.folder, self.run = folder, folder / "run"
        self.run.mkdir(parents=True)
        self.path, self.bits, self.operations = self.run / "a.safetensors", folder / "bits", folder / "count"
        self.logs = 0

    def log(self) -> Path:
        """A new file for the output of a process."""
        self.logs += 1
        return self.folder / f"log-{self.logs}"

    def counted(self, run: Run) -> Callable[[], int]:
        """The run, and the number of its file operations."""

        def work() -> int:
            names: list[str] = []
            watch(self.run, names.append)
            code = run.into(self.path, self.bits)()
            self.operations.write_text(str(len(names)), encoding="utf-8")
            return code

        return work

    def read_bits(self) -> dict[str, Any]:
        """The records of a run that ended successfully."""
        return dict(json.loads(self.bits.read_text(encoding="utf-8")))

    def remove(self) -> None:
        """Remove the folder, except for a file system that is mounted there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def resume(self, run: Run, reference: Reference, *before: child.Ended, seed: int = 0) -> Outcome:
        """Continue the run without faults, and compare its result with the undisturbed run.

        before : how the disturbed processes ended; none may have printed a traceback
        """
        for ended in before:
            if not ended.clean or ended.code in (child.BUG, 3):
                return Outcome(LOST, f"not in one line: code {ended.code}, {ended.last_lines}")
        messages = sum(ended.refused for ended in before)
        kept = self.path.is_file()
        ended = child.run(run.into(self.path, self.bits, seed), self.log())
        if ended.code != 0:
            return Outcome(LOST, f"cannot be resumed: {ended.last_lines}")
        if same(self.read_bits()) != reference.bits:
            return Outcome(LOST, f"other bits than an undisturbed run (checkpoint kept: {kept})")
        repeated = epochs_repeated(before[-1], ended) if before else 0
        if repeated > 1:
            return Outcome(LOST, f"{repeated} complete epochs had to be repeated")
        leftovers = sorted(path.name for path in self.run.iterdir() if path != self.path)
        if leftovers and any(name.endswith(".part") for name in leftovers) and kept_writing(ended):
            return Outcome(LOST, f"leftovers: {', '.join(leftovers)}")
        seconds = tuple(self.read_bits()["seconds"])
        self.remove()
        return Outcome(SURVIVED, messages=messages, seconds=seconds)


def epochs_repeated(before: child.Ended, after: child.Ended) -> int:
    """The number of epochs that the first process completed and the second one repeated.

    A process prints an epoch before it saves it, so the last printed epoch may not have been saved.
    """
    done = [int(n) for n in re.findall(r"^epoch (\d+)/", before.text, re.MULTILINE)]
    again = [int(n) for n in re.findall(r"^epoch (\d+)/", after.text, re.MULTILINE)]
    return max(0, max(done, default=0) + 1 - min(again, default=1 << 30))


def kept_writing(ended: child.Ended) -> bool:
    """Whether the process saved the run at least once."""
    return "epoch " in ended.text or "nothing to do" in ended.text
