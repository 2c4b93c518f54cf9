"""Make the tables of docs/scaling.md and docs/data-parallel.md from results/bench.json.

Each part of the results has its own machine, {"machine", "rows"}.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scratchgen.studies import chapters

COMMAND = "python benchmarks/chart.py"
MISSING = "*Not measured yet.*"
LIMIT = 1.5         # GB, the target of the memory of training


def scaling(rows: list[dict[str, Any]]) -> str:
    """The measured times, the serial share, its largest part, and the gains that Amdahl's law allows."""
    counts = sorted({int(n) for r in rows for n in r["ms"]})
    cores = sorted({int(n) for r in rows for n in r["gain"]} - set(counts))
    heads = ["model, batch", *(f"ms, threads: {n}" for n in counts), "gain, measured", "serial", "most of it"]
    heads += [f"{n} cores" for n in cores]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for r in sorted(rows, key=lambda r: r["serial_share"]):
        ms = [r["ms"].get(str(n)) for n in counts]
        largest = max(r["serial"], key=r["serial"].__getitem__)
        cells = [f"{r['model']}, {r['batch']}", *("" if t is None else f"{t:.1f}" for t in ms)]
        cells += [f"{ms[0] / ms[-1]:.2f}", f"{r['serial_share']:.0%}"]
        cells += [f"{largest}, {r['serial'][largest]:.0%}", *(f"{r['gain'][str(n)]:.1f}" for n in cores)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def end_to_end(rows: list[dict[str, Any]]) -> str:
    """Seconds and epochs of both until the figure is reached, and their ratio."""
    lines = [
        "| task | until | ours: s, epochs | against | theirs: s, epochs | theirs / ours (range) |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        low, high = r["spread"]
        both = [f"{r[who]['seconds']:.1f}, {r[who]['epochs']:.0f}" for who in ("ours", "theirs")]
        until = f"{r['figure']} ≤ {r['target']:g}"
        spread = f"{low:.2f} to {high:.2f}" if r["rounds"] > 1 else "one round"
        ratio = f"{r['ratio']:.2f} ({spread})"
        lines.append(f"| {r['task']} | {until} | {both[0]} | {r['against']} | {both[1]} | {ratio} |")
    return "\n".join(lines)


def memory(rows: list[dict[str, Any]]) -> str:
    """The peak memory of training each model on all of MNIST."""
    lines = ["| model | peak, GB |", "|---|---|"]
    for r in sorted(rows, key=lambda r: -(r["gb"] or 0)):
        if r["gb"] is not None:
            lines.append(f"| {r['model']} | {r['gb']:.2f}{' ✗' if r['gb'] > LIMIT else ''} |")
    return "\n".join(lines)


def mpi(rows: list[dict[str, Any]]) -> str:
    """The time of a step with one thread, two threads and two ranks."""
    lines = [
        "| model | batch | one thread, ms | two threads, ms | two ranks, ms "
        "| gain of two ranks (quartiles) |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        low, high = r["spread"]
        times = " | ".join(f"{r['ms'][way]:.1f}" for way in ("one thread", "two threads", "two ranks"))
        gain = f"{r['gain']:.2f} ({low:.2f} to {high:.2f})"
        lines.append(f"| {r['model']} | {r['batch']} | {times} | {gain} |")
    return "\n".join(lines)


# page -> name in its marks -> part of the results and the function that formats its rows
PAGES: dict[str, dict[str, tuple[str, Callable[[list[dict[str, Any]]], str]]]] = {
    "scaling.md": {
        "scaling": ("scaling", scaling),
        "end to end": ("end_to_end", end_to_end),
        "memory of training": ("memory", memory),
    },
    "data-parallel.md": {"mpi": ("mpi", mpi)},
}


def fill(page: str, text: str, found: dict[str, Any]) -> str:
    """Insert the tables of a page. Raises ValueError if a mark is missing."""
    made = {}
    for name, (part, table) in PAGES[page].items():
        if part in found:
            made[name] = f"Measured on {found[part]['machine']}.\n\n{table(found[part]['rows'])}"
        else:
            made[name] = MISSING
    return chapters.fill(text, made, COMMAND)


def write(docs: Path, found: dict[str, Any]) -> list[Path]:
    """Fill all pages in the folder docs; returns their paths."""
    paths = [docs / page for page in PAGES]
    for path in paths:
        text = fill(path.name, path.read_text(encoding="utf-8"), found)
        path.write_text(text, encoding="utf-8")
    return paths
