"""Measure how the time and memory of a step grow with batch, width and depth, here and in PyTorch eager.

    python benchmarks/growth.py                 about five minutes

The model is a dense autoencoder 784-width-...-width and back, with Adam. One of batch, width and depth grows,
and the others stay at BASE. Every point is measured in a separate process, in turn with the other contenders
at the same point. Memory is the increase of the resident size from before the model is built (but after
imports, compilation and a warm-up with a small model) to the peak during the steps. The exponent is the slope
of log time, or log memory, against the log of the growing quantity over the last three points; at smaller
sizes fixed costs dominate.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from limit import Limit
from measured import RESULTS, put, versions
from processes import LIMIT, OURS, answer_of
from pytorch_side import Way
from steps import autoencoder, digits_like

PYTORCH = "PyTorch eager"
ROUNDS, SECONDS = 3, 0.5            # processes per contender and point; seconds of steps in each
LAST = 3                            # number of points to which an exponent is fitted


class Point(NamedTuple):
    """batch : rows;  width : of every hidden layer;  depth : number of weight matrices in total, even."""

    batch: int = 128
    width: int = 512
    depth: int = 4

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths of the encoder's layers; the decoder has the same in reverse order."""
        return 784, *(self.width,) * (self.depth // 2)


BASE = Point()
GROWN = {"batch": (32, 128, 512, 2048), "width": (128, 256, 512, 1024, 2048), "depth": (2, 4, 8, 16, 32)}


def stepper(who: str, point: Point):
    """A contender's training step as a function of a batch, as in run.py, but with the sizes of the point."""
    if who == LIMIT:
        return Limit(autoencoder.products(point.batch, point.sizes), "float32").step
    if who == OURS:
        return autoencoder.ours("float32", point.sizes).step
    return autoencoder.pytorch("float32", Way(), point.sizes).step


def resident(key: str) -> int:
    """Memory in bytes, from Linux: VmRSS is the resident size, VmHWM its peak since the last reset."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(key))) * 1024


def here(who: str, point: Point) -> dict[str, float]:
    """Measure one point in this process: the median milliseconds of a step, and the bytes that it needs."""
    small = point._replace(batch=8, width=16)
    warm = stepper(who, small)
    for _ in range(3):
        warm(*digits_like(small.batch, "float32", 1)[0])
    data = digits_like(point.batch, "float32", 2)
    del warm
    ctypes.CDLL(None).malloc_trim(0)        # return freed memory, so that the model cannot reuse it uncounted
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")     # resets VmHWM to VmRSS
    before = resident("VmRSS")
    step = stepper(who, point)
    for x in data:
        step(*x)
    times: list[float] = []
    while len(times) < 5 or sum(times) < SECONDS * 1e3:
        start = time.perf_counter()
        step(*data[len(times) % len(data)])
        times.append((time.perf_counter() - start) * 1e3)
    return {"ms": median(times), "bytes": resident("VmHWM") - before}


def measure(point: Point, threads: int) -> dict[str, dict[str, float]]:
    """Measure all contenders at one point, in turn. Returns the medians over their processes."""
    found: dict[str, list[dict[str, float]]] = {who: [] for who in (OURS, PYTORCH, LIMIT)}
    for _ in range(ROUNDS):
        for who, answers in found.items():
            arguments = [__file__, "--here", who, "--point", *map(str, point)]
            answers.append(answer_of(arguments, threads, who=who))
    keys = ("ms", "bytes")
    return {who: {key: median(a[key] for a in answers) for key in keys} for who, answers in found.items()}


def exponent(sizes: list[int], values: list[float]) -> float:
    """The least-squares slope of log value against log size over the last points."""
    return float(np.polyfit(np.log(sizes[-LAST:]), np.log(values[-LAST:]), 1)[0])


def row(what: str, sizes: list[int], points: list[dict[str, dict[str, float]]]) -> dict:
    """One row of the results: the growing quantity, each contender's measurements, and the exponents."""
    contenders = {
        who: {
            "ms": [p[who]["ms"] for p in points],
            "mb": [p[who]["bytes"] / 2**20 for p in points],
        }
        for who in points[0]
    }
    del contenders[LIMIT]["mb"]             # the arrays of the products are not the memory of a training step
    exponents = {who: {k: exponent(sizes, v) for k, v in c.items()} for who, c in contenders.items()}
    return {"what": what, "sizes": sizes, "contenders": contenders, "exponents": exponents}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", choices=(OURS, PYTORCH, LIMIT), help="measure one point, print JSON")
    parser.add_argument("--point", nargs=3, type=int, default=BASE, metavar=Point._fields)
    args = parser.parse_args()
    if args.here:
        print(json.dumps(here(args.here, Point(*args.point))))
        return
    found = []
    for what, sizes in GROWN.items():
        points = []
        for size in sizes:
            points.append(measure(BASE._replace(**{what: size}), args.threads))
            each = (f"{who} {p['ms']:.2f} ms {p['bytes'] / 2**20:.1f} MB" for who, p in points[-1].items())
            print(f"{what} {size}: {', '.join(each)}", flush=True)
        found.append(row(what, list(sizes), points))
        print({who: {k: round(v, 2) for k, v in e.items()} for who, e in found[-1]["exponents"].items()})
    base = BASE._asdict()
    put(args.out, versions=versions(), growth={"base": base, "threads": args.threads, "rows": found})


if __name__ == "__main__":
    main()
