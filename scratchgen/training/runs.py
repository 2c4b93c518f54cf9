"""Runs that are saved while they train and can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scratchgen.training import checkpoint
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.checkpoint import Checkpointer
from scratchgen.training.loop import History, Trainer


def run_saved(
    trainer: Trainer, path: Path, *, resume: bool, config: dict[str, Any], every: int = 1
) -> History:
    """Run a trainer with a progress bar, and save it to `path` every `every` epochs and at the end.

    resume : continue the run in `path`; the result has the same bits as that of a run without interruption.
        Otherwise an unfinished run in `path` is not overwritten
    config : settings that are saved with the run and must be the same when it is resumed

    Raises FileNotFoundError if there is no run to resume, ValueError for a run with other settings or an
    unfinished run in `path`. On Ctrl-C the run is saved, and the KeyboardInterrupt says how to continue.
    """
    expect_place(path, resume=resume, config=config)
    if resume:
        checkpoint.load(path, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    trainer.callbacks += [ProgressBar(), Checkpointer(path, every, config)]
    try:
        return trainer.run()
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f"{interrupt}; saved in {path}, continue with --resume") from None


def expect_place(path: Path, *, resume: bool, config: dict[str, Any]) -> None:
    """Check, before any work is done, that a run can be saved at `path` or resumed from it.

    Raises what run_saved raises, and IsADirectoryError.
    """
    if path.is_dir():
        raise IsADirectoryError(f"expected a file to save the run to, but {path} is a folder")
    if resume and not path.is_file():
        raise FileNotFoundError(f"no run to resume: {path} does not exist")
    if resume:
        found = checkpoint.read_config(path)
        if found != config:
            raise ValueError(f"{path} has another run: expected {config}, the file has {found}")
    elif path.is_file() and not checkpoint.is_finished(path):
        raise ValueError(f"{path} has an unfinished run: continue it with --resume, or delete it first")
