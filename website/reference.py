"""The pages of the reference: one for each module or model family, with every public name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

import scratchgen
from scratchgen import models

# Names of these packages are imported from scratchgen itself.
AT_THE_TOP = scratchgen._PACKAGES


def pages() -> Iterator[tuple[str, str]]:
    """(name, text) of each page, and of the index that lists them."""
    found = [*_module_pages()]
    yield from ((f"api/{slug}.rst", text) for slug, _, text in found)
    listing = "\n".join(f"   {slug}" for slug, *_ in found)
    text = f"""{heading("Reference")}
Every public name, from the docstrings. Names of layers, losses, data, training and models can be imported
from ``scratchgen`` itself; the others are imported from their module, such as ``scratchgen.metrics``.

.. toctree::
   :maxdepth: 1

{listing}
"""
    yield "api/index.rst", text


def _module_pages() -> Iterator[tuple[str, str, str]]:
    for name in (*AT_THE_TOP, *(m for m in (*scratchgen._MODULES, "sklearn") if m not in AT_THE_TOP)):
        module = importlib.import_module(f"scratchgen.{name}")
        if name == "models":
            yield from _families()
        elif public(module):
            yield name, name, page(f"scratchgen.{name}", module, public(module), name in AT_THE_TOP)


def _families() -> Iterator[tuple[str, str, str]]:
    """One page for each model family, and one for what the families share."""
    seen: set[str] = set()
    for family in models.FAMILIES:
        module = importlib.import_module(f"scratchgen.models.{family}")
        seen |= set(module.__all__)
        yield f"models-{family}", family, page(f"scratchgen.models.{family}", module, module.__all__, True)
    shared = [name for name in models.__all__ if name not in seen]
    yield "models-base", "base", page("scratchgen.models", models, shared, True)


def public(module: ModuleType) -> list[str]:
    """The names that a module lists, or else the functions and classes that it defines."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__, key=str.lower)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isroutine(value))
        and getattr(value, "__module__", "").startswith(module.__name__)
    ]


def page(title: str, module: ModuleType, names: list[str], top: bool) -> str:
    """The text of a page: the docstring of the module, and one entry for each name."""
    lines = [heading(title), f".. automodule:: {module.__name__}", "   :no-members:", "   :no-index:", ""]
    owner = "scratchgen" if top else module.__name__
    for name in names:
        value = getattr(module, name)
        lines += ["", *_entry(f"{owner}.{name}", value)]
    return "\n".join(lines) + "\n"


def _entry(path: str, value: object) -> list[str]:
    if inspect.isclass(value):
        return [f".. autoclass:: {path}", "   :members:", "   :show-inheritance:"]
    if inspect.isroutine(value) or callable(value):
        return [f".. autofunction:: {path}"]
    return [f".. autodata:: {path}", "   :no-value:"]


def heading(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"
