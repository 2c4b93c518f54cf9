"""Train the pretrained models, and write their files and cards."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numba
import numpy as np

import scratchgen
from scratchgen import pretrained
from scratchgen.data import Digits, load_digits
from scratchgen.data.files import write_whole
from scratchgen.studies.machine import minutes
from scratchgen.studies.pretrained.recipes import RECIPES, SEED, Recipe
from scratchgen.training import load, save

ROW = re.compile(r"^\| (?P<name>[^|]+?) \| (?P<value>−?[\d,.]+) \|$", re.MULTILINE)
LICENCE = (
    "MNIST by Y. LeCun, C. Cortes and C. Burges, under [CC BY-SA 3.0]"
    "(https://creativecommons.org/licenses/by-sa/3.0/)"
)


def expect_names(names: list[str]) -> list[str]:
    """The names, or all names if there are none, in the order of building. Raises ValueError for others."""
    for name in names:
        if name not in RECIPES:
            known = ", ".join(RECIPES)
            raise ValueError(f"study pretrained expected NAME to be one of {known}, got {name!r}")
    return [name for name in RECIPES if name in names or not names]


def build(
    name: str,
    digits: Digits | None = None,
    *,
    epochs: int | None = None,
    out: Path = pretrained.FOLDER,
) -> dict[str, float]:
    """Train one model by its recipe, write NAME.safetensors and NAME.md to `out`, and return the figures.

    digits : by default the full MNIST
    epochs : by default those of the recipe

    The figures are measured on the model that was read back from the file.
    """
    recipe = RECIPES[expect_names([name])[0]]
    digits = load_digits("full") if digits is None else digits
    epochs = recipe.epochs if epochs is None else epochs
    start = time.process_time()
    model = recipe.train(digits, epochs)
    seconds = time.process_time() - start
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.safetensors"
    save(model, path, half=True)
    model = load(path)
    figures = recipe.figures(model)
    text = written_card(name, recipe, model, figures, digits, epochs, seconds, path.stat().st_size)
    write_whole(path.with_suffix(".md"), text.encode())
    return figures


def written_card(
    name: str, recipe: Recipe, model: Any, figures: Mapping[str, float], digits: Digits, epochs: int,
    seconds: float, size: int,
) -> str:  # fmt: skip
    """The model card in Markdown."""
    parameters = sum(p.size for p in model.parameters().values())
    if recipe.uses_digits:
        data, licence = f"{len(digits.x_train):,} training digits of MNIST", LICENCE
    else:
        data, licence = "points drawn from `scratchgen.two_moons()`", "none needed: the points are drawn"
    versions = (
        f"scratchgen {scratchgen.__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"Numba {numba.__version__}"
    )
    rows = {
        "class": f"`{type(model).__name__}`",
        "parameters": f"{parameters:,}, stored in half precision and loaded as float32",
        "file": f"{name}.safetensors, {size / 1000:,.0f} kB",
        "data": data,
        "licence of the data": licence,
        "recipe": recipe.text.format(epochs=epochs),
        "seed": str(SEED),
        "time": f"{minutes(seconds)} of one core",
        "versions": versions,
        "command": f"`scratchgen study pretrained {name}`",
    }
    lines = [
        f"# {name}", "", f"{recipe.title[0].upper()}{recipe.title[1:]}.", "", "```python",
        f'model = scratchgen.load("{name}")', "```", "", recipe.use, "", "| | |", "|---|---|",
        *(f"| {key} | {value} |" for key, value in rows.items()), "", "## Figures", "",
        "All figures are of the model as it is stored. Those of digits are measured on the 1,000 test digits "
        "that come with the package, or on 1,000 samples; the classifier is `digit-classifier`.", "",
        "| figure | value |", "|---|---|",
        *(f"| {key} | {f'{value:,.2f}'.replace('-', '−')} |" for key, value in figures.items()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def figures_of(card: str) -> dict[str, float]:
    """The figures in the text of a card."""
    _, table = card.split("## Figures\n")
    return {
        match["name"]: float(match["value"].replace("−", "-").replace(",", ""))
        for match in ROW.finditer(table)
    }
