"""Small trained models that come with the package, so that nothing has to be trained or downloaded first.

    model = scratchgen.load("vae-2d")       one of them
    pretrained.names()                      their names
    pretrained.card("vae-2d")               the model card: data, recipe, figures, seed, versions, licence

Each model is a file NAME.safetensors in this folder, with weights in half precision, and a card NAME.md. The
command `scratchgen study pretrained` builds both from the recipes in scratchgen/studies/pretrained.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["card", "file", "names", "title"]

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """The names of all pretrained models, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def file(name: str) -> Path:
    """The file of a pretrained model. Raises ValueError, with all names, for an unknown name."""
    if name not in names():
        known = ", ".join(names())
        raise ValueError(f"expected the name of a pretrained model, one of {known}; got {name!r}")
    return FOLDER / f"{name}.safetensors"


def title(name: str) -> str:
    """What a pretrained model is, in one line, from its card. Raises ValueError for an unknown name."""
    return next(line for line in card(name).splitlines()[1:] if line).rstrip(".")


def card(name: str) -> str:
    """The model card of a pretrained model, in Markdown. Raises ValueError for an unknown name."""
    return file(name).with_suffix(".md").read_text(encoding="utf-8")
