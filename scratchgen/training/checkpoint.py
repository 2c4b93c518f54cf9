"""Checkpoints: everything that a run needs to be resumed, in one safetensors file.

    save(path, trainer)      load(path, trainer)         a whole run; a resumed run gives the same bits
    save_model(path, model)  load_model(path, model)     weights and buffers only (reads both kinds of file)
    read_config(path)                                    the dict that was saved with the run
    is_finished(path)                                    whether the run is complete

Tensors: "model.NAME", "buffer.NAME", "optimizer.MOMENT" ("optimizer.NAME.MOMENT" if there are several),
"history.steps.NAME", "history.epochs.NAME", "callback.CLASS.NAME". Everything else is JSON in the metadata of
the file: format, config, step and epoch, the position in the epoch, and the states of all generators. The
file contains no pickle, so loading a file from an untrusted source runs no code. A file is written to a
temporary name and then renamed, so an interrupted write does not damage the previous file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from scratchgen import __version__
from scratchgen.data.files import expect_replaceable, write_whole
from scratchgen.data.records import parse_json
from scratchgen.data.untrusted import LONGEST_REASON, open_regular, refusing_wrong_content, shown
from scratchgen.training.loop import Callback, Stateful, Trainer, first_not_finite

__all__ = ["FORMAT", "Checkpointer", "is_finished", "load", "load_model", "read_config", "save", "save_model"]

FORMAT = "scratchgen 1"


class Checkpointer(Callback):
    """Save the run to `path` every `every` epochs and when it ends, also after Ctrl-C.

    config : a dict that can be stored as JSON, with what is needed to build the model again; see read_config

    Raises ValueError for every < 1. Before the first step, raises OSError if `path` is a folder, a device or
    a pipe, and FileNotFoundError or PermissionError if its folder does not exist or cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1, config: dict[str, Any] | None = None):
        if every < 1:
            raise ValueError(f"Checkpointer expected every >= 1, in epochs, got {every}")
        self.path, self.every, self.config = Path(path), every, config

    def on_start(self, trainer: Trainer) -> None:
        expect_replaceable(self.path)
        folder = self.path.resolve().parent
        if not folder.is_dir():
            raise FileNotFoundError(f"Checkpointer cannot save {self.path.name}: no folder {folder}")
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"Checkpointer cannot write to the folder {folder}")

    def on_epoch(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.epoch % self.every == 0:
            save(self.path, trainer, self.config)

    def on_stop(self, trainer: Trainer) -> None:
        save(self.path, trainer, self.config)


def save(path: str | os.PathLike[str], trainer: Trainer, config: dict[str, Any] | None = None) -> None:
    """Write the whole run to `path`. Call it between two steps, from a callback or after run().

    Raises TrainingDiverged if weights are not finite, and OSError if the file cannot be written.
    """
    trainer.expect_finite()
    tensors = _model_tensors(trainer.model) | _optimizer_tensors(trainer)
    history = trainer.history
    tensors |= {f"history.steps.{name}": np.array(column) for name, column in history.steps.items()}
    tensors |= {f"history.epochs.{name}": np.array(column) for name, column in history.epochs.items()}
    for name, callback in _callbacks(trainer).items():
        tensors |= {f"callback.{name}.{key}": array for key, array in callback.state().items()}
    run = {
        "finished": bool(history.ended) and not history.interrupted,
        "step": trainer.step,
        "epoch": trainer.epoch,
        "seconds": history.seconds,
        "batches": trainer.batches.state(),
        "optimizer_steps": {name: optimizer.steps for name, optimizer in _optimizers(trainer).items()},
        "generators": {name: g.bit_generator.state for name, g in _generators(trainer).items()},
        "history": {"steps": list(history.steps), "epochs": list(history.epochs)},  # safetensors sorts names
    }
    _write(path, tensors, config, {"run": _json(run)})


def load(path: str | os.PathLike[str], trainer: Trainer) -> None:
    """Restore the run in `path` into a trainer that was built like the saved one. Then call run().

    Everything is checked before anything is changed. Raises ValueError with the first difference: not a
    safetensors file, another format, weights without a run, or another model, optimiser or batches.
    """
    tensors, metadata = _read(path)
    with refusing_wrong_content(str(path)):
        _restore(path, trainer, tensors, metadata)


def _restore(path: Any, trainer: Trainer, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    if "run" not in metadata:
        raise ValueError(f"{path} contains weights but no run; read it with load_model")
    run = parse_json(metadata["run"], str(path))
    _expect_fit(path, _model_tensors(trainer.model), _part(tensors, "model.") | _part(tensors, "buffer."))
    optimizers, generators = _optimizers(trainer), _generators(trainer)
    _expect_same(path, "optimiser", list(optimizers), list(run["optimizer_steps"]))
    _expect_same(path, "random generator", list(generators), list(run["generators"]))
    for name, generator in generators.items():
        own, saved = generator.bit_generator.state["bit_generator"], run["generators"][name]["bit_generator"]
        if own != saved:
            raise ValueError(f"{path}: expected random generator {name} to be {own}, the file has {saved}")
    _expect_fit(path, _optimizer_tensors(trainer), _part(tensors, "optimizer."))
    trainer.batches.load_state(run["batches"])          # checks the state before it changes anything

    _fill_model(trainer.model, tensors)
    for name, optimizer in optimizers.items():
        prefix = _prefix(name)
        moments = {key.removeprefix(prefix): array for key, array in _part(tensors, prefix).items()}
        optimizer.load_state(moments, run["optimizer_steps"][name])
    for name, generator in generators.items():
        generator.bit_generator.state = run["generators"][name]
    history = trainer.history
    history.steps = {name: tensors[f"history.steps.{name}"].tolist() for name in run["history"]["steps"]}
    history.epochs = {name: tensors[f"history.epochs.{name}"].tolist() for name in run["history"]["epochs"]}
    history.seconds = run["seconds"]
    for name, callback in _callbacks(trainer).items():
        prefix = f"callback.{name}."
        saved = {key.removeprefix(prefix): array for key, array in _part(tensors, prefix).items()}
        if saved:
            callback.load_state(saved)
    trainer.step, trainer.epoch = run["step"], run["epoch"]


def save_model(path: str | os.PathLike[str], model: Stateful, config: dict[str, Any] | None = None) -> None:
    """Write a model's weights and buffers to `path`.

    Raises ValueError if one of them is not finite, and for a model that has none, such as PCA.
    """
    expect_savable("save_model", model)
    where = first_not_finite(model)
    if where is not None:
        raise ValueError(f"save_model expected finite weights and buffers, got nan or infinity in {where}")
    _write(path, _model_tensors(model), config, {})


def load_model(path: str | os.PathLike[str], model: Stateful) -> None:
    """Read weights and buffers into a model, from either kind of file.

    From a finished run with EarlyStopping, the weights of the best epoch are read, as in memory after run().
    Raises ValueError for a model that has none, and with the first parameter or buffer that does not fit the
    model; the model is then unchanged.
    """
    expect_savable("load_model", model)
    tensors, metadata = _read(path)
    _expect_fit(path, _model_tensors(model), _part(tensors, "model.") | _part(tensors, "buffer."))
    if _finished(path, metadata):
        best = "callback.EarlyStopping."
        tensors |= {name.removeprefix(best): array for name, array in _part(tensors, best).items()}
    _fill_model(model, tensors)


def expect_savable(who: str, model: Any) -> None:
    """Raise ValueError for a model without parameters and buffers, of which a file would hold nothing."""
    if not (hasattr(model, "parameters") and _model_tensors(model)):
        raise ValueError(
            f"{who} expected a model with parameters or buffers, but {type(model).__name__} has none, so "
            "a file would hold nothing of it"
        )


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the `config` that was saved in the file, or an empty dict."""
    _, metadata = _read(path)
    with refusing_wrong_content(str(path)):
        return dict(parse_json(metadata["config"], str(path)))


def is_finished(path: str | os.PathLike[str]) -> bool:
    """Return whether the file contains a run that is complete, not interrupted."""
    _, metadata = _read(path)
    return _finished(path, metadata)


def _finished(path: Any, metadata: dict[str, str]) -> bool:
    with refusing_wrong_content(str(path)):
        return "run" in metadata and parse_json(metadata["run"], str(path))["finished"] is True


def _model_tensors(model: Stateful) -> dict[str, np.ndarray]:
    tensors = {f"model.{name}": p.value for name, p in model.parameters().items()}
    return tensors | {f"buffer.{name}": b for name, b in model.buffers().items()}


def _fill_model(model: Stateful, tensors: dict[str, np.ndarray]) -> None:
    for name, array in _model_tensors(model).items():
        array[...] = tensors[name]


def _optimizers(trainer: Trainer) -> dict[str, Any]:
    return trainer.optimizer if isinstance(trainer.optimizer, dict) else {"": trainer.optimizer}


def _prefix(name: str) -> str:
    return f"optimizer.{name}." if name else "optimizer."


def _optimizer_tensors(trainer: Trainer) -> dict[str, np.ndarray]:
    return {
        _prefix(name) + moment: array
        for name, optimizer in _optimizers(trainer).items()
        for moment, array in optimizer.state().items()
    }


def _generators(trainer: Trainer) -> dict[str, np.random.Generator]:
    inside = {f"model.{name}": generator for name, generator in trainer.model.generators().items()}
    return {"training": trainer.rng} | inside


def _callbacks(trainer: Trainer) -> dict[str, Callback]:
    return {type(callback).__name__: callback for callback in trainer.callbacks}


def _part(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name: array for name, array in tensors.items() if name.startswith(prefix)}


def _expect_same(path: Any, what: str, expected: list[str], found: list[str]) -> None:
    if sorted(expected) != sorted(found):
        raise ValueError(f"{path}: expected the {what}s {expected}, the file has {found}")


def _expect_fit(path: Any, expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    """Compare names, shapes and dtypes in the model's order; raise ValueError at a difference."""
    for name, array in expected.items():
        if name not in found:
            raise ValueError(
                f"{path} belongs to another model: expected {name} of shape {array.shape}, "
                "the file does not have it"
            )
        other = found[name]
        if (other.shape, other.dtype) != (array.shape, array.dtype):
            raise ValueError(
                f"{path} belongs to another model: expected {name} to be {array.dtype} {array.shape}, "
                f"the file has {other.dtype} {other.shape}"
            )
    for name in found:
        if name not in expected:
            raise ValueError(f"{path} belongs to another model: the file has {name}, the model does not")


def _json(value: Any) -> str:
    # The state of some bit generators (MT19937, Philox) contains arrays; NumPy also accepts lists.
    return json.dumps(value, default=lambda array: array.tolist())


def _write(path: Any, tensors: dict[str, np.ndarray], config: dict | None, more: dict[str, str]) -> None:
    path = Path(path)
    metadata = {"format": FORMAT, "version": __version__, "config": _json(config or {})} | more
    # safetensors writes the memory of an array as it is, so it must be in C order.
    ordered = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    write_whole(path, to_bytes(ordered, metadata=metadata))


def _read(path: Any) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    open_regular(path).close()
    try:
        with refusing_wrong_content(str(path)), safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError) as error:     # NumPy raises ValueError for some shapes
        reason = shown(error, quote=False, longest=LONGEST_REASON)
        raise ValueError(f"{path} is not a complete safetensors file: {reason}") from None
    found = metadata.get("format", "none")
    if found != FORMAT:
        raise ValueError(f"{path}: expected the format {FORMAT!r}, the file has {shown(found)}")
    return tensors, metadata
