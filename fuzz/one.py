"""Fuzz one reader with atheris: python -m fuzz.one NAME FOLDER [options of libFuzzer].

Every input is written to a file and read. A defect does not end the run. Its input is saved in
FOLDER/defects, and the first defect of each kind adds a line to FOLDER/defects.txt. FOLDER/counts.json
contains the counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np

INSTRUMENTED = ["scratchgen.data", "scratchgen.saving", "scratchgen.training", "zipfile", "gzip", "PIL"]
with atheris.instrument_imports(include=INSTRUMENTED):
    import gzip  # noqa: F401
    import zipfile  # noqa: F401

    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin  # noqa: F401

    import scratchgen.data
    import scratchgen.data.records
    import scratchgen.training  # noqa: F401
    from fuzz.reader import Reader
    from fuzz.readers import READERS

MEGABYTES = 200         # that one call may allocate
SECONDS = 1.0           # seconds of processor time that one call may take
LONGEST_MESSAGE = 2_000     # characters; the longest lists eight differences between two models


def main(argv: list[str]) -> None:
    """Fuzz until libFuzzer's -max_total_time. This function never returns."""
    inside = np.lib.format.read_array_header_1_0.__globals__    # of the module that parses NPY headers
    for function in ("_read_array_header", "descr_to_dtype"):
        atheris.instrument_func(inside[function])
    name, folder = argv[1], Path(argv[2])
    reader = READERS[name]()
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in reader.seeds:
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    run = Run(reader, folder)
    for seed in reader.seeds:       # the first calls import modules, which takes time and memory
        run.path.write_bytes(seed)
        with contextlib.suppress(ValueError):
            reader.read(run.path)
    atheris.Setup([argv[0], str(corpus), *argv[3:]], run.one, custom_mutator=mutator(reader))
    atheris.Fuzz()


class Run:
    """The calls of one reader, their results, and the defects.

    The inputs are written to a file in the folder for temporary files. libFuzzer ends the process without
    notice, so the caller removes it.
    """

    def __init__(self, reader: Reader, folder: Path):
        self.reader, self.folder = reader, folder
        self.path = Path(tempfile.gettempdir(), f"scratchgen-fuzz-{os.getpid()}")
        self.counts: dict[str, float] = {"executions": 0, "refused": 0, "read": 0}
        self.counts |= {"slowest_seconds": 0.0, "most_megabytes": 0.0}
        self.kinds: set[str] = set()
        self.saved = time.monotonic()

    def one(self, data: bytes) -> None:
        """Read one input. Any error except a refusal is a defect."""
        self.path.write_bytes(data)
        before, start = start_peak(), time.process_time()
        try:
            result = self.reader.read(self.path)
        except ValueError as error:
            outcome = "refused"
            if "\n" in str(error) or len(str(error)) > LONGEST_MESSAGE:
                self.defect(data, f"a message of several lines or {len(str(error))} characters", error)
        except BaseException as error:      # also errors that no reader should raise, such as SystemExit
            outcome = "refused"
            self.defect(data, "an error that is no refusal", error)
        else:
            outcome = "read"
        seconds, megabytes = time.process_time() - start, peak_megabytes() - before
        if outcome == "read":
            try:
                self.reader.check(result, data)
            except Exception as error:
                self.defect(data, "a wrong result", error)
        if seconds > SECONDS:
            self.defect(data, f"a slow call of {seconds:.1f} seconds", None)
        if megabytes > MEGABYTES:
            self.defect(data, f"a large call of {megabytes:.0f} MB", None)
        self.count(outcome, seconds, megabytes)

    def count(self, outcome: str, seconds: float, megabytes: float) -> None:
        """Add a call to the counts, and write them every second, because libFuzzer ends without notice."""
        self.counts["executions"] += 1
        self.counts[outcome] += 1
        self.counts["slowest_seconds"] = round(max(self.counts["slowest_seconds"], seconds), 3)
        self.counts["most_megabytes"] = round(max(self.counts["most_megabytes"], megabytes), 1)
        if time.monotonic() - self.saved > 1:
            self.saved = time.monotonic()
            (self.folder / "counts.json").write_text(json.dumps(self.counts), encoding="utf-8")

    def defect(self, data: bytes, what: str, error: BaseException | None) -> None:
        """Save the input of a defect, unless the same error was already raised in the same line."""
        place = traceback.extract_tb(error.__traceback__)[-1] if error is not None else None
        kind = what.split(" of ")[0]
        if place is not None:
            kind = what = f"{kind}: {type(error).__name__} at {place.filename}:{place.lineno}"
        if kind in self.kinds:
            return
        self.kinds.add(kind)
        inputs = self.folder / "defects"
        inputs.mkdir(exist_ok=True)
        file = inputs / hashlib.sha1(data).hexdigest()
        file.write_bytes(data)
        message = " ".join(str(error).split())[:300]
        with (self.folder / "defects.txt").open("a", encoding="utf-8") as lines:
            lines.write(f"{file.name}: {what}: {message}\n")


def mutator(reader: Reader) -> Callable[[bytes, int, int], bytes]:
    """Change the file itself, or unpack it, change its content and pack it again. Both are equally likely."""

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        choice = random.Random(seed)
        if reader.inside and choice.random() < 0.5:
            unpack, pack = choice.choice(reader.inside)
            try:
                packed = pack(atheris.Mutate(unpack(data), longest), data)
            except Exception:       # a file that cannot be unpacked is changed as it is
                packed = b""
            if 0 < len(packed) <= longest:
                return packed
        return atheris.Mutate(data, longest)

    return mutate


def start_peak() -> float:
    """Reset the peak memory of this process; return its current memory in MB."""
    with open("/proc/self/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")
    return peak_megabytes()


def peak_megabytes() -> float:
    """The peak memory of this process since start_peak, in MB."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) / 1000 for line in file if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(sys.argv)
