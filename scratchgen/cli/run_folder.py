"""The folder of a run, which `train` writes and the other commands read.

    model.safetensors   the model, the settings of the run and its data, and everything to resume it

A path that ends in .safetensors or .st is the file itself, without a folder. A file that `scratchgen.save`
wrote is read in the same way.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "model.safetensors"
FILES = (".safetensors", ".st")


def model_path(run: Path) -> Path:
    """The file of the model of a run."""
    return run if run.suffix in FILES else run / NAME


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument RUN."""
    parser.add_argument(
        "run_folder", type=Path, metavar="RUN",
        help="the folder that `scratchgen train` wrote, or a file that scratchgen.save wrote",
    )


@dataclass(frozen=True)
class Run:
    """A trained model with what is known of its run.

    config : what `train` saved: model, form, settings, data, shape, names and more; empty for other files
    """

    path: Path
    model: Any
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The class of the model."""
        return type(self.model).__name__

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(H, W, C) of the images; of a model without a config, that of the model itself."""
        shape = self.config.get("shape") if self.config else getattr(self.model, "shape", None)
        return tuple(shape) if shape is not None else None      # type: ignore[return-value]

    @property
    def classes(self) -> int:
        """The number of classes that the model is given; 0 for a model without labels."""
        return int(getattr(self.model, "classes", 0) or 0)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, if they have any."""
        return tuple(self.config.get("names", ()))

    @property
    def of_text(self) -> bool:
        """Whether the model generates text."""
        return hasattr(self.model, "alphabet")

    def has(self, method: str) -> bool:
        """Whether the model has a method that does not only raise an error."""
        from scratchgen.models import Estimator

        found = getattr(type(self.model), method, None)
        return found is not None and found is not getattr(Estimator, method, None)


def open_run(folder: Path) -> Run:
    """Load a run.

    Raises FileNotFoundError if there is none, and ValueError for a damaged file or one of another kind.
    """
    path = model_path(folder)
    if folder.is_dir() and not path.exists():
        raise FileNotFoundError(f"{folder} has no {NAME}; expected a folder that `scratchgen train` wrote")
    if folder.is_file() and path != folder:
        endings = " or ".join(FILES)
        raise ValueError(
            f"expected a folder that `scratchgen train` wrote, or a file that ends in {endings}, got the "
            f"file {folder}"
        )
    if not path.exists():
        raise FileNotFoundError(f"{folder} does not exist; expected a folder that `scratchgen train` wrote")
    import scratchgen
    from scratchgen.training.checkpoint import read_config

    return Run(path, scratchgen.load(path), read_config(path))


def expect_method(run: Run, method: str, command: str, hint: str = "") -> None:
    """Raise ValueError if the model of a run does not have what a command needs."""
    if not run.has(method):
        raise ValueError(f"{command} needs a model with {method}(); {run.name} has none{hint}")
