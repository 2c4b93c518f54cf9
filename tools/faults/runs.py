"""The training runs of the campaign: all models of `scratchgen train`, and scripts with all callbacks."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import scratchgen.data
from scratchgen import cli
from scratchgen.cli.catalogue import entries
from scratchgen.data import Alphabet, Digits, Jitter, load_digits
from scratchgen.models import (
    DCGAN,
    GAN,
    VAE,
    AveragedGenerator,
    CharacterModel,
    LogisticRegression,
    WatchGame,
)
from scratchgen.studies.cards import cards
from scratchgen.training import checkpoint
from scratchgen.training.callbacks import EarlyStopping, ProgressBar
from scratchgen.training.checkpoint import Checkpointer
from scratchgen.training.loop import Trainer
from scratchgen.training.schedules import OneCycle

EPOCHS, TRAIN, TEST = 4, 160, 20
SLOW_FORMS = {("real_nvp", "convolutional")}     # six seconds for four epochs; the dense form takes its place
NARROW = {"made": "24", "mlp": "24,16", "gan": "24,16", "wgan": "24,16", "nice": "24,16", "real_nvp": "24,16"}


def use_few_digits() -> None:
    """Limit the digits that this process loads to TRAIN + TEST embedded ones."""
    digits = load_digits("embedded")
    few = replace(
        digits, x_train=digits.x_train[:TRAIN], y_train=digits.y_train[:TRAIN],
        x_test=digits.x_test[:TEST], y_test=digits.y_test[:TEST],
    )

    def load_few(*args: Any, **kwargs: Any) -> Digits:
        return few

    for name, module in list(sys.modules.items()):
        if name.startswith("scratchgen") and getattr(module, "load_digits", None) is load_digits:
            module.load_digits = load_few  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Run:
    """One training run.

    name   : for reports;  family : the title of its family's card
    work   : (path, resume, seed) -> exit code: trains, saves to path after every epoch, reports errors in one
        line
    is_command : whether it is a run of `scratchgen train`
    """

    name: str
    family: str
    work: Callable[[Path, bool, int], int]
    is_command: bool = False

    def into(self, path: Path, bits: Path, seed: int = 0) -> Callable[[], int]:
        """A function that starts the run, or continues it if `path` exists, and returns its exit code.

        After a run that ended successfully, `bits` contains the fingerprints of the trainer and of the file.
        """

        def work() -> int:
            seen: list[Trainer] = []
            original = Trainer.run

            def run(trainer: Trainer) -> Any:
                seen.append(trainer)
                return original(trainer)

            Trainer.run = run  # type: ignore[method-assign]
            code = self.work(path, path.is_file(), seed)
            end_faults()
            if code == 0 and path.is_file():
                record(seen[-1], path, bits)
            return code

        return work


def end_faults() -> None:
    """Ignore signals from now on, and lift the limits of this process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        while signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(KeyboardInterrupt):       # which can come while signal.signal runs
                signal.signal(number, signal.SIG_IGN)
    for limit in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE):
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (hard, hard))


def record(trainer: Trainer, path: Path, bits: Path) -> None:
    """Write the fingerprints of the trainer, and of the trainer with the state of the file, to `bits`."""
    in_memory = fingerprint(trainer)
    seconds = [*trainer.history.epochs["seconds"], trainer.history.seconds]
    checkpoint.load(path, trainer)
    found = {"memory": in_memory, "file": fingerprint(trainer), "seconds": seconds}
    bits.write_text(json.dumps(found), encoding="utf-8")


def fingerprint(trainer: Trainer) -> str:
    """The SHA-256 of all state of a run, except its durations."""
    digest = hashlib.sha256()

    def add(name: str, value: Any) -> None:
        array = np.asarray(value)
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())

    for name, p in trainer.model.parameters().items():
        add(name, p.value)
    for name, buffer in trainer.model.buffers().items():
        add(name, buffer)
    several = trainer.optimizer if isinstance(trainer.optimizer, dict) else {"": trainer.optimizer}
    for name, optimizer in several.items():
        add(name, optimizer.steps)
        for moment, array in optimizer.state().items():
            add(name + moment, array)
    for table in (trainer.history.steps, trainer.history.epochs):
        for name, column in table.items():
            if name != "seconds":
                add(name, column)
    for callback in trainer.callbacks:
        for name, array in sorted(callback.state().items()):
            add(type(callback).__name__ + name, array)
    generators = {"training": trainer.rng, **trainer.model.generators()}
    states = {name: g.bit_generator.state for name, g in generators.items()}
    place = [states, trainer.batches.state(), trainer.step, trainer.epoch, trainer.history.interrupted]
    digest.update(json.dumps(place, default=str).encode())
    return digest.hexdigest()


def command(model: str, form: str) -> Callable[[Path, bool, int], int]:
    """A run of `scratchgen train` with few, narrow layers."""
    options = ["--form", form, "--epochs", str(EPOCHS), "--batch-size", "16" if model == "wgan" else "32"]
    if "hidden" in entries()[model].forms[form].settings and form != "convolutional":
        options += ["--hidden", NARROW.get(model, "24")]

    def work(path: Path, resume: bool, seed: int) -> int:
        more = ["--seed", str(seed), "--out", os.fspath(path)] + ["--resume"] * resume
        return cli.main(["train", model, *options, *more])

    return work


def script(build: Callable[[np.random.Generator, Digits], Trainer]) -> Callable[[Path, bool, int], int]:
    """A script that trains with a Checkpointer, and reports errors as the command does."""

    def work(path: Path, resume: bool, seed: int) -> int:
        try:
            trainer = build(np.random.default_rng(seed), scratchgen.data.load_digits())
            if resume:
                checkpoint.load(path, trainer)
            trainer.callbacks += [ProgressBar(), Checkpointer(path, config={"seed": seed})]
            trainer.run()
            return 0
        except KeyboardInterrupt as interrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            print(f"scratchgen: {interrupt}", file=sys.stderr)
            return 130
        except (ValueError, OSError, MemoryError) as error:
            return cli.report_error(error, 2, debug=False)

    return work


def average_and_watch(model: GAN, digits: Digits, rng: np.random.Generator, **settings: Any) -> Trainer:
    callbacks = [AveragedGenerator(model), WatchGame(digits.x_train, rng=1, every=3, patience=1, size=20)]
    return model.trainer(digits.x_train, epochs=EPOCHS, rng=rng, callbacks=callbacks, **settings)


def text_run(rng: np.random.Generator, digits: Digits) -> Trainer:
    text = "the quick brown fox jumps over the lazy dog. " * 40
    model = CharacterModel(Alphabet(text), window=16, features=16, heads=2, depth=1, dropout=0.1, rng=rng)
    return model.trainer(text, epochs=EPOCHS, rng=rng, batch_size=8, lr=OneCycle(3e-3))  # type: ignore[arg-type]


def early_stopping_run(rng: np.random.Generator, digits: Digits) -> Trainer:
    model = VAE.dense(features=784, hidden=24, code=4, rng=rng)
    held_out = digits.x_test

    def validate() -> float:
        return float(np.mean((model.reconstruct(held_out) - held_out) ** 2))

    return model.trainer(
        digits.x_train, epochs=EPOCHS, rng=rng, batch_size=32, augment=Jitter(), validate=validate,
        callbacks=[EarlyStopping(1)],
    )


def classifier_run(rng: np.random.Generator, digits: Digits) -> Trainer:
    return LogisticRegression().trainer(digits.x_train, digits.y_train, epochs=EPOCHS, rng=rng, batch_size=32)


def dense_gan_run(rng: np.random.Generator, digits: Digits) -> Trainer:
    return average_and_watch(GAN.dense(8, 24, rng=rng), digits, rng, batch_size=32)


def dcgan_run(rng: np.random.Generator, digits: Digits) -> Trainer:
    return average_and_watch(DCGAN(8, (4, 8), rng=rng), digits, rng, batch_size=32)


SCRIPTS = {
    "characters, dropout": ("language model", text_run),
    "vae, early stopping, augmentation": ("VAE", early_stopping_run),
    "logistic regression": ("classifier", classifier_run),
    "gan, averaged and watched": ("GAN", dense_gan_run),
    "dcgan, averaged and watched": ("GAN", dcgan_run),
}


def all_runs() -> list[Run]:
    """Every form of every model that the command trains, and the scripts."""
    titles = {model: card.title for card in cards().values() for model in (t.model for t in card.trainable)}
    commands = [
        Run(f"{name}, {form}", titles[entry.model], command(name, form), is_command=True)
        for name, entry in entries().items()
        for form in entry.forms
        if entry.model in titles and entry.by_epochs and (name, form) not in SLOW_FORMS
    ]
    return commands + [Run(name, family, script(build)) for name, (family, build) in SCRIPTS.items()]
