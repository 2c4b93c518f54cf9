"""Training runs that are saved at intervals and can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scratchgen.data.files import expect_replaceable
from scratchgen.training import checkpoint
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.checkpoint import Checkpointer
from scratchgen.training.loop import History, Trainer


def run_saved(
    trainer: Trainer,
    path: Path,
    *,
    resume: bool,
    config: dict[str, Any],
    every: int = 1,
    overwrite: bool = False,
) -> History:
    """Run a trainer with a progress bar, and save it to `path` every `every` epochs and at the end.

    resume : continue the run in `path`; the result has the same bits as that of a run without interruption.
        If False, a run starts from the beginning, and a file in `path` is not overwritten
    config : settings that are saved with the run; a resumed run must have the same
    overwrite : whether a file in `path` is replaced

    Raises FileNotFoundError if there is no run to resume, and ValueError if the run in `path` has other
    settings or must not be overwritten. On Ctrl-C the run is saved, and the KeyboardInterrupt says how to
    continue. A second Ctrl-C ends it without saving, and the KeyboardInterrupt says what is in `path`.
    """
    expect_place(path, resume=resume, config=config, overwrite=overwrite)
    if resume:
        checkpoint.load(path, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    trainer.callbacks += [ProgressBar(), Checkpointer(path, every, config, overwrite)]
    try:
        return trainer.run()
    except KeyboardInterrupt as interrupt:
        if str(interrupt):      # the trainer has ended the run in order, and the Checkpointer has saved it
            message = f"{interrupt}; saved in {path}, continue with --resume"
        elif trainer.saved_in == path.resolve():
            message = f"interrupted without saving; {path} has an earlier state, continue with --resume"
        else:
            message = f"interrupted without saving; nothing of the run is in {path}"
        raise KeyboardInterrupt(message) from None


def expect_place(path: Path, *, resume: bool, config: dict[str, Any], overwrite: bool = False) -> None:
    """Check, before training starts, that a run can be saved at `path` or resumed from it.

    Raises the errors of run_saved, and OSError if `path` is a folder, a device or a pipe.
    """
    expect_replaceable(path)
    if resume and not path.is_file():
        raise FileNotFoundError(f"no run to resume: {path} does not exist")
    if resume:
        found = checkpoint.read_config(path)
        if found != config:
            lines = []
            for name in config | found:
                in_file, asked = (settings.get(name, "nothing") for settings in (found, config))
                if in_file != asked:
                    lines.append(f"{name}: {in_file} in the file, {asked} asked for")
            raise ValueError(f"{path} has a run with other settings: {'; '.join(lines)}")
    elif path.is_file() and not overwrite:
        try:
            finished, ended = checkpoint.is_finished(path), checkpoint.how_it_ended(path)
        except ValueError as error:
            raise ValueError(f"{error}; replace it with --overwrite, or use another file") from None
        if ended.startswith("stopped"):         # by a time limit, or by early stopping
            raise ValueError(
                f"{path} has a run that was {ended}; continue it with --resume, or replace it with "
                "--overwrite"
            )
        if finished:
            raise ValueError(f"{path} has a finished run: replace it with --overwrite, or use another file")
        raise ValueError(
            f"{path} has an unfinished run: continue it with --resume, or replace it with --overwrite"
        )
