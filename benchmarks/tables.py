"""Make the tables of docs/speed.md from results/bench.json."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from load import HEADER as HEADER_OF_LOAD
from run import HEADER, JAX, LIMIT, PYTORCH
from steps import autoencoder

from scratchgen.studies import chapters

COMMAND = "python benchmarks/chart.py"
NOTHING = "*Not measured yet: `make bench`.*"
MISSED = "✗"
EXPLAINED = f"The number after *of* is the target, for two threads; {MISSED} marks a missed target."
EXPLAINED_STEPS = EXPLAINED.replace("two threads", "two threads and a batch of 128")

KEYS = ("against_eager", "against_best", "against_jax", "limit_share")
# the target for each of these, by model
DENSE = dict.fromkeys(("autoencoder", "vae", "gan", "nice"), (None, 1.15, 1.0, 0.8))
CONVOLUTIONAL = dict.fromkeys(("dcgan", "wgan-gp"), (1.3, 1.1, 1.0, 0.75))
OTHERS = {"unet": (1.2, 1.0, 1.0, 0.7)} | dict.fromkeys(("lstm", "translation"), (None, 1.0, 1.0, None))
ASKED = DENSE | {"made": (None, 1.15, 1.0, 0.7)} | CONVOLUTIONAL | OTHERS
NOTHING_ASKED = (None,) * len(KEYS)


def machine(found: dict[str, Any]) -> str:
    """The machine and the versions of the measured packages."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"Measured on {found['machine']}; {versions}."


def steps(found: dict[str, Any]) -> str:
    """Training steps: every model at every batch size and number of threads."""
    rows = sorted(found["steps"], key=lambda r: (r["model"], r["batch"], r["vectors"]))
    rows.sort(key=lambda r: (-r["threads"], r["batch"] != 128))
    picture = "![A training step's time as bars, for each model and contender](figures/bench.png)"
    lines = [picture, "", HEADER]
    for r in rows:
        is_asked = r["threads"] == 2 and r["batch"] == 128
        asked = ASKED.get(r["model"], NOTHING_ASKED) if is_asked else NOTHING_ASKED
        whose = (PYTORCH[0], r["best"], JAX, LIMIT)
        cells = [
            ratio(r[key], r["spread"][name], least)
            for key, name, least in zip(KEYS, whose, asked, strict=True)
        ]
        cells[1] += ", " + r["best"].removeprefix("PyTorch ")
        what = f"| {r['model']} | {r['batch']} | {r['threads']} | {r['vectors']} | {r['ms']:.2f} | "
        lines.append(what + " | ".join(cells) + " |")
    return "\n".join([*lines, "", EXPLAINED_STEPS])


def one_each(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per model: the one with AVX-512, if several were measured."""
    found: dict[str, dict[str, Any]] = {}
    for r in rows:
        if r["model"] not in found or r["vectors"] == "AVX-512":
            found[r["model"]] = r
    return list(found.values())


def ratio(value: float, spread: list[float], asked: float | None = None, digits: int = 2) -> str:
    """A ratio with its quartiles and its target, with a mark if the target is missed."""
    low, high = spread
    text = f"{value:,.{digits}f}"
    if low < high:
        text += f" ({low:,.{digits}f} to {high:,.{digits}f})"
    if asked is not None:
        text += f" of {asked}" + (f" {MISSED}" if value < asked else "")
    return text


def parts(found: dict[str, Any]) -> str:
    """The milliseconds of each part of a step, and the rates of the products and of Adam."""
    columns = ("activations", "loss and its gradient", "Adam")
    heads = ["threads", "whole step", "matrix products", "linear layers minus products", *columns]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for r in found["parts"]:
        ms = r["ms"]
        beyond = ms["linear layers"] - ms["matrix products"]
        values = [ms["whole step"], ms["matrix products"], beyond, *(ms[name] for name in columns)]
        lines.append(f"| {r['threads']} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    rates = []
    for r in found["parts"]:
        operations = 2 * sum(math.prod(sizes) for sizes in autoencoder.products(r["batch"]))
        products, update = operations / r["ms"]["matrix products"], 28 * r["parameters"] / r["ms"]["Adam"]
        of_them = r["ms"]["Adam"] / r["ms"]["matrix products"]
        speed = f"{products / 1e6:.0f} GFLOP/s in the products and {update / 1e6:.0f} GB/s in Adam"
        share = f"which takes {of_them:.2f} times as long as the products"
        rates.append(f"Threads: {r['threads']}; {speed}, {share}.")
    return "\n".join([*lines, "", *rates])


def memory(found: dict[str, Any]) -> str:
    """The peak resident size of each contender's process, at the largest batch size."""
    rows = [r for r in found["steps"] if r["threads"] == 2]
    largest = max((r["batch"] for r in rows), default=0)
    names = list(dict.fromkeys(name for r in rows for name in r["memory_mb"] if name != "matrix products"))
    lines = [f"| model, batch {largest} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for r in one_each([r for r in rows if r["batch"] == largest]):
        cells = (str(r["memory_mb"].get(name, "")) for name in names)
        lines.append(f"| {r['model']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def convolution(found: dict[str, Any]) -> str:
    """The textbook convolutions compared with Conv2d: ratios of their times to ours."""
    lines = [
        "| 4x4, stride 2, batch | threads | Conv2d, ms | share of products | slices | indices | loops |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in found["convolution"]:
        cells = [
            ratio(r["against"][name], r["spread"][name], least if r["threads"] == 2 else None, digits)
            for name, least, digits in (("slices", 5, 1), ("indices", 5, 1), ("loops", 500, 0))
        ]
        what = f"{r['shape']}, {r['batch']} | {r['threads']} | {r['ms']:.2f} | {r['limit_share']:.0%}"
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", EXPLAINED])


def products(found: dict[str, Any]) -> str:
    """The speed of the products of a linear layer, and its ratio to that of the other libraries."""
    formulas = {"xW": "$xW$", "dW": r"$x^{\top} dout$", "dx": r"$dout\, W^{\top}$"}
    others = [*found["products"][0]["against"]]
    heads = ["product", "rows", "weight", "threads", "ours, GFLOP/s", *(f"against {who}" for who in others)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for r in found["products"]:
        rows, inputs, outputs = r["sizes"]
        weight = f"{inputs:,} x {outputs:,}" + (f", {r['weights']} in turn" if r["weights"] > 1 else "")
        cells = [f"{r['rates']['scratchgen']:.0f}"]
        cells += [ratio(r["against"][who], r["spread"][who]) for who in others]
        what = f"| {formulas[r['product']]} | {rows:,} | {weight} | {r['threads']} | "
        lines.append(what + " | ".join(cells) + " |")
    return "\n".join(lines)


def load(found: dict[str, Any]) -> str:
    """Training steps beside busy processes."""
    lines = [HEADER_OF_LOAD]
    for r in sorted(found["load"], key=lambda r: (r["model"], r["busy"])):
        fixed = ratio(r["against_fixed"], r["spread_fixed"], 0.9)
        pytorch = ratio(r["against_pytorch"], r["spread_pytorch"], 3.0 if r["busy"] == 1 else None)
        name = r["pytorch"].removeprefix("PyTorch ")
        cells = f"{r['ms']:.1f} | {fixed}, {r['fixed']} | {pytorch}, {name}"
        lines.append(f"| {r['model']} | {r['busy']} | {cells} |")
    return "\n".join([*lines, "", EXPLAINED.replace(", for two threads", "")])


def growth(found: dict[str, Any]) -> str:
    """The exponents of time and memory, and the memory at the largest point, ours against PyTorch's."""
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
    """The times of the import, the first step and later steps."""
    lines = ["| models | who | import, s | first step, s | a later step, ms |", "|---|---|---|---|---|"]
    for r in found["startup"]:
        times = f"{r['import']:.2f} | {r['first']:.2f} | {r['later'] * 1e3:.1f}"
        lines.append(f"| {', '.join(r['models'])} | {r['who']} | {times} |")
    return "\n".join(lines)


# name in the chapter's markers -> the part of the results, and the function that formats it
TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "machine": ("machine", machine),
    "parts": ("parts", parts),
    "steps": ("steps", steps),
    "memory": ("steps", memory),
    "products": ("products", products),
    "load": ("load", load),
    "convolution": ("convolution", convolution),
    "growth": ("growth", growth),
    "startup": ("startup", startup),
}


def fill(text: str, found: dict[str, Any]) -> str:
    """Insert each table between its two markers. Raises ValueError if a marker is missing."""
    made = {name: table(found) if part in found else NOTHING for name, (part, table) in TABLES.items()}
    return chapters.fill(text, made, COMMAND)
