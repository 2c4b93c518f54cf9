"""Runs on disk: trained with a bar, saved as they go, taken up again where they stopped."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import checkpoint
from scratchgen.checkpoint import Checkpointer
from scratchgen.data import load_digits
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import Autoencoder
from scratchgen.progress import ProgressBar
from scratchgen.training import History, Trainer


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


def train(args: argparse.Namespace) -> int:
    """The command `scratchgen train autoencoder`: train on digits, save the run, say how good it is."""
    config = {"model": args.model, "form": args.form, "code": args.code, "seed": args.seed, "lr": args.lr}
    expect_place(args.out, resume=args.resume, config=config)
    digits = load_digits()
    print(digits.source)
    rng = np.random.default_rng(args.seed)
    if args.form == "dense":
        model = Autoencoder.dense((784, 400, 150, args.code), rng=rng)
    else:
        model = Autoencoder.convolutional(args.code, rng=rng)
    trainer = model.trainer(digits.x_train, epochs=args.epochs, rng=rng, lr=args.lr)
    run_saved(trainer, args.out, resume=args.resume, config=config)
    error = squared_error_per_example(model.reconstruct(digits.x_test), digits.x_test).mean()
    print(f"squared error per test digit: {error:.2f}; weights and run are in {args.out}")
    return 0
