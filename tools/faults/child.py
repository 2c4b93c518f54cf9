"""Run a function in a forked process, end it, and read what it printed."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

INTERRUPTED = 130
BUG = 70        # exit code of a child whose function raised an exception
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)    # held back until a child is ready
LIMIT = 300.0   # seconds after which a child counts as stuck


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    code : its exit code, or minus the number of the signal that killed it
    text : what it printed to stdout and stderr
    seconds : how long it ran
    """

    code: int
    text: str
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether no traceback was printed."""
        return not any(word in self.text for word in ("Traceback", "Exception ignored", "Fatal Python error"))

    @property
    def refused(self) -> bool:
        """Whether the process ended by itself with an error message in one line."""
        errors = [line for line in self.text.splitlines() if line.startswith("scratchgen: error: ")]
        return self.clean and self.code in (1, 2) and len(errors) == 1

    @property
    def last_lines(self) -> str:
        """The end of the output, for a report."""
        return " / ".join(self.text.splitlines()[-3:])[-400:]


class Child:
    """A forked process that runs `work` and exits with the code that it returns."""

    def __init__(self, work: Callable[[], int], log: Path):
        self.log, self.started = log, time.perf_counter()
        sys.stdout.flush()
        sys.stderr.flush()
        log.touch()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self.pid = os.fork()
        if self.pid == 0:
            _run(work, log)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def signal(self, number: int) -> None:
        """Send a signal. Nothing happens if the process has ended."""
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Wait until the process has ended. A process that is stuck is killed and gets the code BUG."""
        stuck = False
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            seconds = time.perf_counter() - self.started
            if pid:
                break
            if seconds > LIMIT and not stuck:
                stuck = True
                self.signal(signal.SIGKILL)
            time.sleep(0.002)
        code = BUG if stuck else os.waitstatus_to_exitcode(status)
        text = self.log.read_text(encoding="utf-8", errors="replace")
        text += "\nTraceback: the process was stuck" if stuck else ""
        return Ended(code, text, seconds)


def run(work: Callable[[], int], log: Path) -> Ended:
    """Run a function in a forked process and wait until it ends."""
    return Child(work, log).wait()


def _run(work: Callable[[], int], log: Path) -> None:
    code = BUG
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)     # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)     # noqa: SIM115
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        except KeyboardInterrupt:       # sent before this process was ready
            os._exit(INTERRUPTED)
        code = work()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
