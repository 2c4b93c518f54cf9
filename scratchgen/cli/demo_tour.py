"""The tour of `scratchgen gallery --budget`: demos within a given time, with settings made smaller to fit."""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from scratchgen.cli.common import paragraph
from scratchgen.cli.demo import Demo, load, shortest_times, usual_times
from scratchgen.cli.demo_record import Record, command_of, digest, read_records, recorded
from scratchgen.cli.demo_settings import settings_of, shortened

UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600}
TIME = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|m|h)")
UNKNOWN = "1 min", "3 s"    # the usual and the shortest time of a demo that is not in the table
SHORTEST = 0.005        # the smallest share of the usual training
LATE = 0.1              # a tour that exceeds its time by more than this share reports it
PERIOD = 0.2            # seconds between two updates of the bars
EXPECTED = (ValueError, TypeError, OSError, MemoryError, ImportError, ArithmeticError)


def seconds_of(text: str) -> float:
    """The seconds of a time such as "90s", "1.5 min" or "5m". Raises ValueError for other text, and for 0."""
    found = TIME.fullmatch(text.strip())
    number = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not number:
        raise ValueError(f"expected a time such as 90s, 5m or 1h, got {text!r}")
    return number


class Pace:
    """How long demos take: their known times, corrected by the demos of this tour that have run so far.

    usual, shortest : seconds of each demo with its usual training, and with the shortest one

    The time beyond the shortest is corrected. The shortest time is corrected on slower machines only.
    """

    def __init__(self, usual: Mapping[str, float], shortest: Mapping[str, float]):
        self.usual, self.shortest = usual, shortest
        self.expected = self.taken = 0.0

    def seconds(self, name: str, share: float) -> float:
        """The time of a demo with this share of its training."""
        return self._shortest([name]) + share * self._longer([name])

    def share(self, names: Sequence[str], seconds: float) -> float:
        """The share of the usual training with which these demos fit into the seconds, from SHORTEST to 1."""
        share = (seconds - self._shortest(names)) / max(self._longer(names), 1e-3)
        return min(1.0, max(SHORTEST, share))

    def learn(self, name: str, share: float, taken: float) -> None:
        """Take the time of a run into account."""
        self.expected += share * (self.usual[name] - self.shortest[name])
        self.taken += max(0.0, taken - self.shortest[name])

    @property
    def slowness(self) -> float:
        """Time taken / time expected, beyond the shortest times; the first demos count little."""
        few = 0.05 * sum(self.shortest.values())
        return (self.taken + few) / (self.expected + few) if self.expected else 1.0

    def _shortest(self, names: Sequence[str]) -> float:
        return max(1.0, self.slowness) * sum(self.shortest[name] for name in names)

    def _longer(self, names: Sequence[str]) -> float:
        return self.slowness * sum(self.usual[name] - self.shortest[name] for name in names)


def pace_of(names: Sequence[str]) -> Pace:
    """The pace of these demos with the times in the table of the gallery."""
    usual, shortest = usual_times(), shortest_times()
    return Pace(
        {name: seconds_of(usual.get(name, UNKNOWN[0])) for name in names},
        {name: seconds_of(shortest.get(name, UNKNOWN[1])) for name in names},
    )


def usable(record: Record, demo: Demo, budget: float) -> bool:
    """Whether a tour keeps a record: of the same script, in full or from a tour of at least this budget."""
    if record.script != digest(demo.path):
        return False
    return record.is_usual if record.budget is None else record.budget >= budget


def tour(demos: Mapping[str, Demo], pace: Pace, out: Path, budget: float) -> list[str]:
    """Run the demos that have no usable record in `out`, within `budget` seconds; return those that failed.

    All demos train for the same share of their usual training. It is computed anew before each demo, from the
    time that is left. What earlier sittings of the same tour took is subtracted first, so an interrupted tour
    takes as long in total.
    """
    records = read_records(out, demos)
    done = {name: r for name, r in records.items() if usable(r, demos[name], budget)}
    todo = [name for name in demos if name not in done]
    if done:
        print(f"{len(done)} of {len(demos)} demos were run before and are kept", flush=True)
    left = budget - sum(record.seconds for record in done.values() if record.budget == budget)
    failed = []
    whole = min(max(left, 0.0), sum(pace.usual[name] for name in todo))
    with bars(len(demos), len(done), whole) as shown:
        for n, name in enumerate(todo):
            share = pace.share(todo[n:], left)
            shown.start(name, pace.seconds(name, share))
            start = time.perf_counter()
            try:
                run_one(demos[name], out, share, budget)
            except EXPECTED as error:
                failed.append(name)
                shown.finish(f"{name}: failed: {' '.join(str(error).split()) or type(error).__name__}", None)
                continue
            finally:
                taken = time.perf_counter() - start
                left -= taken
            pace.learn(name, share, taken)
            shown.finish(f"{name}: {demos[name].claim}", taken)
    if left < -LATE * budget:
        print(paragraph(
            f"The tour took {in_words(budget - left)}, longer than {in_words(budget)}: each demo needs "
            "some time even with its smallest settings. This machine may also be slower or busier than usual."
        ))  # fmt: skip
    return failed


def in_words(seconds: float) -> str:
    """A time such as "45 s" or "5.0 min"."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def run_one(demo: Demo, out: Path, share: float, budget: float) -> None:
    """Run a demo with a share of its training, without output, and write its record."""
    from scratchgen.cli import quiet

    function = load(demo)
    defaults = settings_of(function)
    settings = shortened(defaults, share)
    command = command_of(demo.name, defaults, settings)
    with quiet(), redirect_stdout(io.StringIO()):
        recorded(demo, function, out, settings, command, budget=budget)


class Bars:
    """A bar for the demo that runs and one for the whole tour, on a terminal; otherwise a line per demo.

    The bar of a demo shows the time that has passed next to the time that is expected, because only the demo
    itself knows how far it is. It stays below 100 % until the demo has finished.
    """

    def __init__(self, demos: int, done: int, seconds: float):
        self.demos, self.done = demos, done
        self.spent = self.expected = self.started = 0.0
        self.one: Any = None
        self.all: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            layout = "{desc} {percentage:3.0f} %|{bar}| {unit}"
            common: dict[str, Any] = {"file": sys.stderr, "dynamic_ncols": True, "bar_format": layout}
            self.one = tqdm(total=1.0, position=0, unit="", leave=False, **common)
            self.all = tqdm(total=max(seconds, 1.0), position=1, unit="", leave=False, **common)
        self.lock = threading.Lock()

    def start(self, name: str, expected: float) -> None:
        with self.lock:
            self.started, self.expected = time.perf_counter(), max(expected, 0.1)
            if self.one is not None:
                self.one.set_description_str(f"{name:22}", refresh=False)
        self.update()

    def update(self) -> None:
        """Draw both bars with the time that has passed."""
        with self.lock:
            if self.one is None or not self.started:
                return
            passed = time.perf_counter() - self.started
            self.one.n = min(passed / self.expected, 0.99)
            self.one.unit = f"{passed:.0f} of about {self.expected:.0f} s"
            self.one.refresh()
            self.all.n = min(self.spent + passed, self.all.total * 0.99)
            self.all.set_description_str(f"{f'all, {self.done} of {self.demos} done':22}", refresh=False)
            self.all.unit = f"{self.spent + passed:.0f} of about {self.all.total:.0f} s"
            self.all.refresh()

    def finish(self, line: str, taken: float | None) -> None:
        """Print the line of a demo that has ended. taken : seconds; None if it failed"""
        with self.lock:
            self.spent += time.perf_counter() - self.started
            self.started = 0.0
            self.done += taken is not None
            time_taken = "" if taken is None else f" ({taken:.1f} s)"
            text = paragraph(f"{self.done}/{self.demos} {line}{time_taken}", indent="    ")
            if self.one is None:
                print(text, flush=True)
            else:
                self.one.n = 1.0
                self.one.write(text, file=sys.stdout)

    def close(self) -> None:
        for bar in (self.one, self.all):
            if bar is not None:
                bar.close()


@contextmanager
def bars(demos: int, done: int, seconds: float) -> Iterator[Bars]:
    """Bars that a thread updates while the demos run."""
    shown = Bars(demos, done, seconds)
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(PERIOD):
            shown.update()

    thread = threading.Thread(target=tick, daemon=True)
    if shown.one is not None:
        thread.start()
    try:
        yield shown
    finally:
        ended.set()
        if shown.one is not None:
            thread.join()
        shown.close()
