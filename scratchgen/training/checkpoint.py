"""Checkpoints: everything that a run needs to be resumed, in one safetensors file.

    save(path, trainer)      load(path, trainer)         a whole run; a resumed run gives the same bits
    save_model(path, model)  load_model(path, model)     a model (training/model_files.py)
    read_config(path)                                    the dict that was saved with the run
    is_finished(path)                                    whether the run is complete

The model is stored as `scratchgen.save` stores it, so `scratchgen.load(path)` returns the model of a run. The
file also contains the tensors "optimizer.MOMENT" ("optimizer.NAME.MOMENT" if there are several),
"history.steps.NAME", "history.epochs.NAME" and "callback.CLASS.NAME" (the second of a class is "CLASS.2").
Everything else is JSON in the metadata (saving/values.py): config, step and epoch, the position in the epoch,
the states of optimisers, callbacks and all generators. The file contains no pickle, so loading a file from an
untrusted source runs no code. A file is written under a temporary name and then renamed, so an interrupted
write does not damage the previous file.
"""

from __future__ import annotations

import json
import operator
import os
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import expect_count, expect_flags
from scratchgen.data.files import Lock, expect_replaceable
from scratchgen.saving.container import FORMER, one_line_errors, parsed, read_file, read_metadata, write_file
from scratchgen.saving.generators import as_generator, generator_state
from scratchgen.saving.values import Decoder, Encoder, Unstorable
from scratchgen.training.callbacks import EarlyStopping
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.model_files import (
    describe,
    encoded_config,
    expect_path,
    load_model,
    prepared,
    save_model,
)

__all__ = ["Checkpointer", "is_finished", "load", "load_model", "read_config", "save", "save_model"]


class Checkpointer(Callback):
    """Save the run to `path` every `every` epochs and when it ends, also after Ctrl-C.

    config : a dict with the settings that are needed to build the model again; see read_config
    overwrite : whether a file that is already at `path` may be replaced. Not needed if the run was loaded
        from that file

    Raises ValueError for every < 1, and TypeError for arguments of another type. Before the first step,
    raises ValueError if the file already exists or if a file cannot store a part of the run, TypeError for a
    config that is not a dict, BlockingIOError if another run is saving to `path`, OSError if `path` is a
    folder, a device or a pipe, and FileNotFoundError or PermissionError if its folder does not exist or
    cannot be written to.
    """

    writes = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        every: int = 1,
        config: dict[str, Any] | None = None,
        overwrite: bool = False,
    ):
        self.path = Path(expect_path("Checkpointer", path))
        expect_count("Checkpointer", "every", every)
        expect_flags("Checkpointer", overwrite=overwrite)
        self.every, self.config, self.overwrite = every, config, overwrite
        self._lock: Lock | None = None

    def on_start(self, trainer: Trainer) -> None:
        expect_replaceable(self.path)
        folder = self.path.resolve().parent
        if not folder.is_dir():
            raise FileNotFoundError(f"Checkpointer cannot save {self.path.name}: no folder {folder}")
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"Checkpointer cannot write to the folder {folder}")
        self._lock = Lock(self.path)
        if self.path.exists() and not self.overwrite and trainer.saved_in != self.path.resolve():
            state = "already contains a finished run" if _holds_finished_run(self.path) else "already exists"
            raise ValueError(
                f"{self.path} {state}: load it to continue it, choose another path, "
                "or replace it with overwrite=True"
            )
        encoded_config("Checkpointer", self.config)
        _encoded_run(trainer)

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.epoch % self.every == 0:
            self._save(trainer)

    def on_stop(self, trainer: Trainer) -> None:
        self._save(trainer)

    def on_end(self, trainer: Trainer) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _save(self, trainer: Trainer) -> None:
        save(self.path, trainer, self.config)
        trainer.saved_in = self.path.resolve()


def save(path: str | os.PathLike[str], trainer: Trainer, config: dict[str, Any] | None = None) -> None:
    """Write the whole run to `path`. Call it between two steps, from a callback or after run().

    Raises TrainingDiverged if weights are not finite, ValueError for a part of the run that a file cannot
    store, and OSError if the file cannot be written.
    """
    path = Path(expect_path("checkpoint.save", path))
    trainer.expect_finite()
    tensors, metadata = _encoded_run(trainer)
    write_file(path, tensors, {"config": encoded_config("checkpoint.save", config), **metadata})


def load(path: str | os.PathLike[str], trainer: Trainer, *, strict: bool = True) -> None:
    """Restore the run in `path` into a trainer that was built in the same way. Call run() afterwards.

    strict : whether the class, settings and architecture of the model must be those of the file, and whether
        the trainer must have all callbacks whose state is in the file

    Everything is checked before anything is changed. Raises ValueError if the file is not a safetensors file,
    has another format, or contains weights without a run, and, with the differences, if it belongs to another
    model, optimiser or batches.
    """
    path = Path(expect_path("checkpoint.load", path))
    tensors, metadata = read_file(path)
    with one_line_errors(path):
        run = _decoded_run(path, tensors, metadata)
    if run is None:
        raise ValueError(f"{path} contains weights but no run; read it with load_model")
    fill_model = prepared(path, trainer.model, tensors, metadata, strict)
    optimizers, generators, callbacks = _optimizers(trainer), _generators(trainer), _callbacks(trainer)
    _expect_same(path, "optimiser", list(optimizers), list(run.optimizers))
    _expect_same(path, "random generator", list(generators), list(run.generators))
    for name, generator in generators.items():
        own, saved = (type(g.bit_generator).__name__ for g in (generator, run.generators[name]))
        if own != saved:
            raise ValueError(f"{path}: expected random generator {name} to be {own}, the file has {saved}")
    for name, optimizer in optimizers.items():
        _expect_optimizer(path, name, optimizer, run.optimizers[name])
    missing = [name for name, state in run.callbacks.items() if state and name not in callbacks]
    if missing and strict:
        raise ValueError(f"{path} has the state of {missing[0]}, a callback that the trainer does not have")
    with one_line_errors(path):
        trainer.batches.load_state(run.batches)     # checks the state before it changes anything

    fill_model()
    for name, optimizer in optimizers.items():
        optimizer.load_state(run.optimizers[name]["state"], run.optimizers[name]["steps"])
    for name, generator in generators.items():
        generator.bit_generator.state = run.generators[name].bit_generator.state
    for name, callback in callbacks.items():
        if run.callbacks.get(name):
            callback.load_state(run.callbacks[name])
    history = trainer.history
    history.steps, history.epochs, history.seconds = run.history["steps"], run.history["epochs"], run.seconds
    trainer.step, trainer.epoch = run.step, run.epoch
    trainer.saved_in = path.resolve()


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the `config` that was saved in the file, or an empty dict. The tensors are not read."""
    path = Path(expect_path("read_config", path))
    metadata = read_metadata(path)
    found = parsed(path, metadata, "config")
    if metadata["format"] != FORMER:
        with one_line_errors(path):
            found = Decoder({}).decode(found)
    if not isinstance(found, dict):
        raise ValueError(f"{path} has contents of the wrong form: config is {type(found).__name__}, not dict")
    return found


def is_finished(path: str | os.PathLike[str]) -> bool:
    """Return whether the file contains a run that is complete, not interrupted. The tensors are not read."""
    path = Path(expect_path("is_finished", path))
    run = parsed(path, read_metadata(path), "run")
    return isinstance(run, dict) and run.get("finished") is True


def how_it_ended(path: str | os.PathLike[str]) -> str:
    """The sentence that says how the run in the file ended, history.ended; "" while it is running."""
    path = Path(expect_path("how_it_ended", path))
    run = parsed(path, read_metadata(path), "run")
    ended = run.get("ended") if isinstance(run, dict) else None
    return ended if isinstance(ended, str) else ""      # files of earlier versions have none


def _encoded_run(trainer: Trainer) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a run. Raises ValueError for a part that a file cannot store."""
    history = trainer.history
    encoder = Encoder("", objects=False)
    optimizers = {
        name: {
            "class": type(optimizer).__name__,
            "steps": optimizer.steps,
            "state": _encoded(
                encoder, f"optimiser {name}".strip(), optimizer.state(), ("optimizer", *filter(None, [name]))
            ),
        }
        for name, optimizer in _optimizers(trainer).items()
    }
    callbacks = {
        name: _encoded(encoder, f"callback {name}", callback.state(), ("callback", name))
        for name, callback in _callbacks(trainer).items()
    }
    run = {
        "finished": bool(history.ended) and not history.interrupted,
        "ended": history.ended,
        "step": trainer.step,
        "epoch": trainer.epoch,
        "seconds": history.seconds,
        "batches": _encoded(encoder, "batches", trainer.batches.state(), ("batches",)),
        "optimizers": optimizers,
        "callbacks": callbacks,
        "early_stopping": [name for name, c in _callbacks(trainer).items() if isinstance(c, EarlyStopping)],
        "generators": {name: generator_state(g) for name, g in _generators(trainer).items()},
        "history": {"steps": list(history.steps), "epochs": list(history.epochs)},  # safetensors sorts names
    }
    tensors = {f"history.steps.{name}": np.array(column) for name, column in history.steps.items()}
    tensors |= {f"history.epochs.{name}": np.array(column) for name, column in history.epochs.items()}
    # The model may contain a lambda, because the caller builds the model again to resume the run.
    description, arrays, _ = describe(trainer.model, strict=False)
    metadata = {"run": run, "model": description, "trained": trainer.step > 0}
    return arrays | tensors | encoder.arrays, {name: json.dumps(value) for name, value in metadata.items()}


def _encoded(encoder: Encoder, what: str, state: Any, place: tuple[str, ...]) -> Any:
    """The JSON of a state. Raises ValueError with the name of the part of the run."""
    try:
        return encoder.encode(state, place)
    except Unstorable as error:
        raise ValueError(f"a checkpoint cannot store the state of {what}: {error}") from None
    except RecursionError:
        raise ValueError(f"a checkpoint cannot store the state of {what}: it is nested too deeply") from None


class Run(NamedTuple):
    """The contents of a checkpoint besides the model."""

    step: int
    epoch: int
    seconds: float
    batches: Any
    optimizers: dict[str, dict[str, Any]]           # name -> class, steps, state
    callbacks: dict[str, Any]                       # name -> state
    generators: dict[str, np.random.Generator]
    history: dict[str, dict[str, list[float]]]      # steps and epochs


def _decoded_run(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> Run | None:
    """The run in a file; None if there is none. May raise an error of any type for JSON of the wrong form."""
    run = parsed(path, metadata, "run")
    if run is None:
        return None
    if "optimizers" not in run:
        _bring_up_to_date(run, tensors)
    decoder = Decoder(tensors)
    history = {
        table: {str(name): tensors[f"history.{table}.{name}"].tolist() for name in run["history"][table]}
        for table in ("steps", "epochs")
    }
    return Run(
        step=operator.index(run["step"]),
        epoch=operator.index(run["epoch"]),
        seconds=float(run["seconds"]),
        batches=decoder.decode(run["batches"]),
        optimizers={
            name: {**saved, "steps": operator.index(saved["steps"]), "state": decoder.decode(saved["state"])}
            for name, saved in run["optimizers"].items()
        },
        callbacks={name: decoder.decode(state) for name, state in run["callbacks"].items()},
        generators={name: as_generator(state) for name, state in run["generators"].items()},
        history=history,
    )


def _bring_up_to_date(run: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Add the values that the format "scratchgen 1" stores in the names of tensors to the JSON of a run."""

    def arrays(prefix: str) -> dict[str, Any]:
        found = {name.removeprefix(prefix): name for name in tensors if name.startswith(prefix)}
        return {short: {"$array": name} for short, name in found.items()}

    run["optimizers"] = {
        name: {"steps": steps, "state": arrays(f"optimizer.{name}." if name else "optimizer.")}
        for name, steps in run["optimizer_steps"].items()
    }
    classes = dict.fromkeys(name.split(".")[1] for name in tensors if name.startswith("callback."))
    run["callbacks"] = {name: arrays(f"callback.{name}.") for name in classes}


def _optimizers(trainer: Trainer) -> dict[str, Any]:
    return trainer.optimizer if isinstance(trainer.optimizer, dict) else {"": trainer.optimizer}


def _expect_optimizer(path: Path, name: str, optimizer: Any, saved: dict[str, Any]) -> None:
    """Raise ValueError unless the saved optimiser has the class and the moments of this one."""
    what, kind = f"optimiser {name}".strip(), type(optimizer).__name__
    if saved.get("class", kind) != kind:
        raise ValueError(f"{path}: the {what} is {saved['class']} in the file, {kind} in the trainer")
    state, own = saved["state"], optimizer.state()
    shapes = [
        {key: (a.shape, str(a.dtype)) if isinstance(a, np.ndarray) else None for key, a in moments.items()}
        for moments in (state, own)
    ]
    if shapes[0] != shapes[1]:
        in_file, in_trainer = map(_listed, shapes)
        raise ValueError(f"{path}: the {what} has {in_file} in the file, {in_trainer} in the trainer")


def _listed(shapes: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v[1]} {v[0]}" if v else k for k, v in shapes.items()) or "no moments"


def _generators(trainer: Trainer) -> dict[str, np.random.Generator]:
    inside = {f"model.{name}": generator for name, generator in trainer.model.generators().items()}
    return {"training": trainer.rng} | inside


def _callbacks(trainer: Trainer) -> dict[str, Callback]:
    """The callbacks by class; the second of a class has the name "CLASS.2"."""
    named, seen = {}, Counter[str]()
    for callback in trainer.callbacks:
        kind = type(callback).__name__
        seen[kind] += 1
        named[kind if seen[kind] == 1 else f"{kind}.{seen[kind]}"] = callback
    return named


def _expect_same(path: Any, what: str, expected: list[str], found: list[str]) -> None:
    if sorted(expected) != sorted(found):
        raise ValueError(f"{path}: expected the {what}s {expected}, the file has {found}")


def _holds_finished_run(path: Path) -> bool:
    try:
        return is_finished(path)
    except ValueError:
        return False        # something else, or a damaged run
