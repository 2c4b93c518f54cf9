"""Runs on disk: trained with a bar, saved as they go, taken up again where they stopped."""

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
    """Run a trainer with a progress bar, saving it to `path` each `every` epochs and when it ends.

    With `resume` the run goes on from `path`, to the bits of an undisturbed one. Without it, a run that
    stands there unfinished is not overwritten.

    Raises FileNotFoundError where there is nothing to resume, ValueError for a run of another kind or an
    unfinished one in the way; KeyboardInterrupt, after saving, says how to go on.
    """
    expect_place(path, resume=resume, config=config)
    if resume:
        checkpoint.load(path, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    trainer.callbacks += [ProgressBar(), Checkpointer(path, every, config)]
    try:
        return trainer.run()
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f"{interrupt}; saved in {path}, go on with --resume") from None


def expect_place(path: Path, *, resume: bool, config: dict[str, Any]) -> None:
    """Find out, before any work is done, whether a run can be saved at `path`, or taken up from there.

    Raises what run_saved raises.
    """
    if path.is_dir():
        raise IsADirectoryError(f"expected a file to save the run to, but {path} is a folder")
    if resume and not path.is_file():
        raise FileNotFoundError(f"no run to resume: {path} is not there")
    if resume:
        found = checkpoint.read_config(path)
        if found != config:
            raise ValueError(f"{path} is a run of another kind: expected {config}, the file has {found}")
    elif path.is_file() and not checkpoint.is_finished(path):
        raise ValueError(f"{path} holds a run that is not finished: go on with --resume, or delete it first")
