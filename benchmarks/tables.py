"""The tables of docs/speed.md, made from results/bench.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from run import HEADER, line

NOTHING = "*Not measured yet: `make bench`.*"


def marks(name: str) -> tuple[str, str]:
    """What stands before and after a table."""
    return f"<!-- {name}: made by python benchmarks/chart.py -->", f"<!-- end of {name} -->"


def machine(found: dict[str, Any]) -> str:
    """What was measured, and on what."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"Measured on {found['machine']}; {versions}."


def steps(found: dict[str, Any]) -> str:
    """Training steps: every model at every batch and number of threads, and the memory beside."""
    rows = sorted(found["steps"], key=lambda r: (-r["threads"], r["batch"] != 128, r["model"], r["batch"]))
    picture = "![A training step's time as bars, for each model and contender](figures/bench.png)"
    return "\n".join([picture, "", HEADER, *map(line, rows)])


def parts(found: dict[str, Any]) -> str:
    """Where the time of one step goes, in milliseconds."""
    columns = ("activations", "loss and its gradient", "Adam")
    heads = ["threads", "whole step", "matrix products", "linear layers beyond them", *columns]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for r in found["parts"]:
        ms = r["ms"]
        beyond = ms["linear layers"] - ms["matrix products"]
        values = [ms["whole step"], ms["matrix products"], beyond, *(ms[name] for name in columns)]
        lines.append(f"| {r['threads']} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    return "\n".join(lines)


def memory(found: dict[str, Any]) -> str:
    """The largest resident size of each contender's process, at the largest batch."""
    rows = [r for r in found["steps"] if r["threads"] == 2]
    largest = max((r["batch"] for r in rows), default=0)
    names = list(dict.fromkeys(name for r in rows for name in r["memory_mb"] if name != "matrix products"))
    lines = [f"| model, batch {largest} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for r in rows:
        if r["batch"] == largest:
            cells = (str(r["memory_mb"].get(name, "")) for name in names)
            lines.append(f"| {r['model']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def convolution(found: dict[str, Any]) -> str:
    """Conv2d beside the textbook's: how many times as long they take."""
    lines = [
        "| 4x4, stride 2, batch | threads | Conv2d, ms | of it products | slices | indices | loops |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in found["convolution"]:
        cells = []
        for name in ("slices", "indices", "loops"):
            low, high = r["spread"][name]
            spread = f" ({low:.1f} to {high:.1f})" if low < high else ""
            cells.append(f"{r['against'][name]:,.{0 if name == 'loops' else 1}f}{spread}")
        what = f"{r['shape']}, {r['batch']} | {r['threads']} | {r['ms']:.2f} | {r['limit_share']:.0%}"
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def growth(found: dict[str, Any]) -> str:
    """The exponents of time and memory, and the memory against PyTorch's at the largest point."""
    lines = [
        "![Time and memory of a step against batch, width and depth](figures/growth.png)",
        "",
        "| what grows | time: scratchgen | PyTorch eager | matrix products "
        "| memory: scratchgen | PyTorch eager | memory at the last point, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in found["growth"]["rows"]:
        exponents, contenders = r["exponents"], r["contenders"].values()
        cells = [f"{exponents[who]['ms']:.2f}" for who in exponents]
        cells += [f"{e['mb']:.2f}" for e in exponents.values() if "mb" in e]
        cells.append(" against ".join(f"{c['mb'][-1]:.0f}" for c in contenders if "mb" in c))
        sizes = f"{r['what']}, {r['sizes'][0]} to {r['sizes'][-1]}"
        lines.append(f"| {sizes} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def startup(found: dict[str, Any]) -> str:
    """Import, first step and later steps."""
    lines = ["| models | who | import, s | first step, s | a later step, ms |", "|---|---|---|---|---|"]
    for r in found["startup"]:
        times = f"{r['import']:.2f} | {r['first']:.2f} | {r['later'] * 1e3:.1f}"
        lines.append(f"| {', '.join(r['models'])} | {r['who']} | {times} |")
    return "\n".join(lines)


# name of the marks -> the part of the results, and the function that makes the text
TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "machine": ("machine", machine),
    "parts": ("parts", parts),
    "steps": ("steps", steps),
    "memory": ("steps", memory),
    "convolution": ("convolution", convolution),
    "growth": ("growth", growth),
    "startup": ("startup", startup),
}


def fill(text: str, found: dict[str, Any]) -> str:
    """Put each table between its two marks; raises ValueError where one is missing."""
    for name, (part, table) in TABLES.items():
        start, end = marks(name)
        if start not in text or end not in text:
            raise ValueError(f"expected the marks {start!r} and {end!r} in the text")
        before, rest = text.split(start, 1)
        after = rest.split(end, 1)[1]
        text = f"{before}{start}\n{table(found) if part in found else NOTHING}\n{end}{after}"
    return text
