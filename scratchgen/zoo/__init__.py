"""A zoo of bugs: wrong forward and backward passes that people really write, and what catches them.

Each entry is wrong code that runs, beside the right code. `scratchgen zoo` lists the entries; `scratchgen zoo
NAME --run` measures the symptom and the check. A module of this package is a family of entries. The rest of
the library does not import this package. Described in docs/zoo.md.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

from scratchgen.zoo.entry import Entry, Outcome

__all__ = ["FAMILIES", "Entry", "Outcome", "entries", "find"]

FAMILIES = (        # in the order of the chapters
    "linear", "activations", "losses", "numerics", "normalisation", "convolution", "dropout", "attention",
    "recurrent", "padding", "optimisers", "training", "vae", "gan", "infogan", "flow", "autoregressive",
    "diffusion",
)  # fmt: skip


def entries() -> list[Entry]:
    """All entries, by family. They are the classes of the families' modules that have a title."""
    found: list[Entry] = []
    for family in FAMILIES:
        module = import_module(f"scratchgen.zoo.{family}")
        kinds = [value for value in vars(module).values() if isinstance(value, type)]
        own = [kind for kind in kinds if issubclass(kind, Entry) and kind.__module__ == module.__name__]
        found += [kind() for kind in own if "title" in vars(kind)]
    return found


def find(name: str) -> Entry:
    """The entry of this name. Raises ValueError, with the nearest names, if there is none."""
    known = {entry.name: entry for entry in entries()}
    if name in known:
        return known[name]
    end = f"{hint(name, known)} `scratchgen zoo` lists all {len(known)}"
    raise ValueError(f"unknown entry of the zoo {name!r}{end}")


def hint(name: str, known: dict[str, Entry]) -> str:
    """The end of a sentence: the entries of a family, the nearest names, or titles with the word."""
    word = name.strip().lower().replace("-", "_").replace(" ", "_")
    if word in FAMILIES:
        own = [entry.name for entry in known.values() if entry.family == word]
        return f", which is a family; its entries are {', '.join(own)}."
    near = [word] if word in known else get_close_matches(word, known, n=2, cutoff=0.7)
    if not near and word:
        near = [entry.name for entry in known.values() if word in entry.title.lower()][:3]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
