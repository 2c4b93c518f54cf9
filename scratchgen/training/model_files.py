"""Save models, and load them from a path alone.

    scratchgen.save(model, path)            any model of the library, or a layer
    model = scratchgen.load(path)           also in another process; the outputs have the same bits
    model = scratchgen.load("vae-2d")       a model that comes with the package (scratchgen/pretrained)
    load_model(path, model)                 read a file into a model that exists

A file describes the model as JSON: the class and the settings of the model and of its layers, and the values
that it learnt (see saving/values.py). Arrays are tensors: "model.NAME" for parameters, "buffer.NAME" for
buffers, and "state.PLACE" for others. The file has a checksum over everything (saving/container.py) and no
pickle. Only classes of the library and those that the caller passes as `custom` are ever constructed, so
loading a file from an untrusted source runs no code.

`load` and `load_model` also read the model of a training run (training/checkpoint.py), and `load_model` reads
files of the format "scratchgen 1", which have no description.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from inspect import isfunction
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import pretrained
from scratchgen.checks import expect_flags
from scratchgen.data.files import expect_replaceable
from scratchgen.saving.container import one_line_errors, parsed, read_file, write_file
from scratchgen.saving.differences import expect_equal, has_structure, is_fitted
from scratchgen.saving.values import Decoder, Encoder, Unstorable, names_of_arrays, setting_names
from scratchgen.training.earlier import is_trained, mark_as_trained
from scratchgen.training.step import first_not_finite

__all__ = ["load", "load_model", "save", "save_model"]

PathLike = str | os.PathLike[str]
Arrays = Mapping[str, np.ndarray]


def save(model: Any, path: PathLike, *, half: bool = False) -> None:
    """Write a model with its class, settings, architecture and everything that it learnt to `path`.

    half : whether float32 parameters are rounded to float16, for a file of half the size. `load` returns them
        as float32, with relative errors of up to 2⁻¹¹, so the outputs of the loaded model differ slightly

    Before anything is written, raises TypeError for anything but a model, and ValueError for weights that are
    not finite or for an attribute that a file cannot store, such as a lambda. The message names the
    attribute.
    """
    expect_flags("save", half=half)
    _save("save", model, Path(expect_path("save", path)), None, half)


def load(path: PathLike, *, custom: Sequence[Any] = ()) -> Any:
    """Return the model in a file that `save`, `save_model` or a training run wrote, or a pretrained model.

    path : a file, or the name of a model that comes with the package, such as "vae-2d";
        `pretrained.names()` lists them. A file with that path comes first
    custom : classes and functions from outside scratchgen that the model uses, such as your own layers

    From a finished run with EarlyStopping, the weights of the best epoch are read. Raises ValueError if the
    file is damaged, contains an unknown class, or has only weights, and FileNotFoundError if there is neither
    a file nor a pretrained model of that name.
    """
    path = _found(expect_path("load", path))
    tensors, metadata = read_file(path)
    description = parsed(path, metadata, "model")
    if description is None:
        raise ValueError(f"{path} has weights but no description of the model: use load_model(path, model)")
    model = _decoded(path, description, Decoder(best_weights(path, tensors, metadata), expect_custom(custom)))
    if has_weights(model) and parsed(path, metadata, "trained"):
        mark_as_trained(model)
    return model


def save_model(path: PathLike, model: Any, config: dict[str, Any] | None = None) -> None:
    """Write a model to `path` like `save`, together with `config`, which read_config returns."""
    _save("save_model", model, Path(expect_path("save_model", path)), config)


def load_model(path: PathLike, model: Any, *, strict: bool = True, custom: Sequence[Any] = ()) -> None:
    """Read the weights, buffers and other learnt values of a model into an existing model.

    strict : whether class, settings and architecture must be those of the file. If False, the model keeps its
        settings, and only the names, shapes and dtypes of its weights and buffers must agree
    custom : as for `load`, if the file has classes that the model does not consist of yet

    From a finished run with EarlyStopping, the weights of the best epoch are read, as in memory after run().
    Raises ValueError with the differences; the model is then unchanged.
    """
    path = Path(expect_path("load_model", path))
    expect_model("load_model", model)
    tensors, metadata = read_file(path)
    prepared(path, model, best_weights(path, tensors, metadata), metadata, strict, expect_custom(custom))()


def _found(path: PathLike) -> Path:
    """The file that `load` reads: the path itself, or the file of a pretrained model."""
    is_name = isinstance(path, str) and Path(path).name == path and not Path(path).suffix
    if not is_name or Path(path).is_file():
        return Path(path)
    known = pretrained.names()
    if path not in known:
        raise FileNotFoundError(
            "load expected a file, or the name of a pretrained model, one of "
            f"{', '.join(known)}; got {path!r}"
        )
    return pretrained.file(str(path))


def _save(
    who: str, model: Any, path: Path, config: dict[str, Any] | None, half: bool = False
) -> None:
    expect_model(who, model)
    expect_replaceable(path)
    try:
        description, arrays, _ = describe(model)
    except Unstorable as error:
        raise ValueError(f"{who} cannot store this {type(model).__name__}: {error}") from None
    where = first_not_finite(model) if has_weights(model) else None
    if where is not None:
        raise ValueError(f"{who} expected finite weights and buffers, got nan or infinity in {where}")
    metadata = {
        "config": encoded_config(who, config),
        "model": json.dumps(description),
        "trained": json.dumps(has_weights(model) and is_trained(model)),
    }
    weights = model_arrays(model) if half else {}
    halves = [name for name, a in weights.items() if name.startswith("model.") and a.dtype == np.float32]
    write_file(path, arrays, metadata, halves)


def describe(model: Any, *, strict: bool = True) -> tuple[Any, dict[str, np.ndarray], Encoder]:
    """Return the description of a model as JSON, its arrays by name, and the encoder that made them."""
    try:
        encoder = Encoder("state", names_of_arrays(model), strict=strict)
        description = encoder.encode(model)
    except RecursionError:
        raise Unstorable((), "nested too deeply") from None
    return description, {**model_arrays(model), **encoder.arrays}, encoder


def encoded_config(who: str, config: dict[str, Any] | None) -> str:
    """`config` as text. Raises ValueError, with its place, for a value that would change by being saved.

    Raises TypeError unless `config` is a dict or None.
    """
    if not isinstance(config, dict | None):
        raise TypeError(f"{who} expected config to be a dict, got {type(config).__name__}")
    encoder = Encoder("", objects=False)
    try:
        text = json.dumps(encoder.encode({} if config is None else config, ("config",)))
    except RecursionError:
        raise ValueError(f"{who} cannot store config: it is nested too deeply") from None
    except Unstorable as error:
        raise ValueError(f"{who} cannot store config: {error}") from None
    if encoder.arrays:
        place = next(iter(encoder.arrays))
        raise ValueError(f"{who} cannot store config: {place} is an array; convert it with tolist()")
    return text


def expect_model(who: str, model: Any) -> None:
    """Raise TypeError unless `model` is an object with weights or with a method `fit`."""
    if isinstance(model, type) or not (has_weights(model) or hasattr(model, "fit")):
        got = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        hint = "; for a training run, use checkpoint.save(path, trainer)" if hasattr(model, "run") else ""
        raise TypeError(f"{who} expected a model, got {got}{hint}")


def expect_custom(custom: Any) -> list[Any]:
    """Return `custom` as a list; raise TypeError unless it consists of classes and functions."""
    several = list(custom) if isinstance(custom, list | tuple | set) else [custom]
    for value in several:
        if not (isinstance(value, type) or isfunction(value)):
            raise TypeError(f"load expected custom to be a list of classes and functions, got {value!r}")
    if len({value.__name__ for value in several}) < len(several):
        raise ValueError("load expected custom to have classes and functions of different names")
    return several


def expect_path(who: str, path: Any) -> PathLike:
    """Return the path, or raise TypeError if it is something else, such as a model."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{who} expected a path, got {type(path).__name__}")
    return path


def best_weights(
    path: Path, tensors: dict[str, np.ndarray], metadata: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """The tensors; after a finished run, with the weights that EarlyStopping kept."""
    run = parsed(path, metadata, "run")
    if not (isinstance(run, dict) and run.get("finished")):
        return tensors
    best: dict[str, np.ndarray] = {}
    with one_line_errors(path):
        for name in list(run.get("early_stopping", ["EarlyStopping"])):
            prefix = f"callback.{name}."
            best |= _weights({k.removeprefix(prefix): a for k, a in tensors.items() if k.startswith(prefix)})
    return tensors | best


def prepared(
    path: Path, model: Any, tensors: dict[str, np.ndarray], metadata: Mapping[str, str], strict: bool,
    custom: Sequence[Any] = (),
) -> Callable[[], None]:
    """Check that a file matches a model, and return a function that reads it into the model.

    Raises ValueError with the differences. Only the returned function changes the model.
    """
    description = parsed(path, metadata, "model")
    if description is None and not has_weights(model):
        raise ValueError(f"{path} has weights but no description of a {type(model).__name__}")
    own, saved = model_arrays(model), _weights(tensors)
    own_description, arrays, encoder = describe(model, strict=False)
    if encoder.refused and not has_weights(model):
        strict = False          # a function that builds models: the model keeps its own
    if description is None or not strict:
        expect_fit(path, own, saved)
    else:
        with one_line_errors(path):
            expect_equal(path, description, tensors, own_description, arrays)

    def fill_weights() -> None:
        for name, array in own.items():
            array[...] = saved[name]

    if description is None or (has_weights(model) and not strict):
        return fill_weights
    decoder = Decoder(tensors, [*encoder.named.values(), *custom], strict=False)
    loaded = _decoded(path, description, decoder)
    if type(loaded) is not type(model):
        raise ValueError(f"{path} has a {type(loaded).__name__}, not a {type(model).__name__}")
    if not has_weights(model):
        settings = {} if strict else {k: vars(model)[k] for k in description["settings"] if k in vars(model)}
        return lambda: _replace(vars(model), {**vars(loaded), **settings})

    def fill() -> None:
        _take_over(encoder.live, decoder)
        fill_weights()

    return fill


def _take_over(live: Mapping[Any, Any], decoder: Decoder) -> None:
    """Set the attributes of the parts of a model, except settings, layers and weights, to those of the file.

    Layers, parameters and buffers remain the same objects, since an optimiser may hold them.
    """
    for place, own in live.items():
        kept = {*setting_names(type(own)), *getattr(own, "buffer_names", ())}
        attributes = decoder.nodes[place]["attributes"] if place in decoder.nodes else {}
        for name, value in attributes.items():
            changes = is_fitted(name) or not has_structure(value)
            if name not in kept and changes and "$unstorable" not in json.dumps(value):
                vars(own)[name] = vars(decoder.live[place]).get(name)


def _replace(attributes: dict[str, Any], by: dict[str, Any]) -> None:
    attributes.clear()
    attributes.update(by)


def _weights(tensors: Arrays) -> dict[str, np.ndarray]:
    return {name: a for name, a in tensors.items() if name.startswith(("model.", "buffer."))}


def _decoded(path: Path, description: Any, decoder: Decoder) -> Any:
    """The model that JSON describes. Raises ValueError, in one line, for anything that is wrong with it."""
    with one_line_errors(path):
        model = decoder.decode(description)
        expect_model("the file", model)
        if has_weights(model):
            expect_fit(path, model_arrays(model), _weights(decoder.tensors))
        repr(model)
        return model


def has_weights(model: Any) -> bool:
    """Whether a model has parameters and buffers, like all models that are trained by gradients."""
    return hasattr(model, "parameters") and hasattr(model, "buffers")


def model_arrays(model: Any) -> dict[str, np.ndarray]:
    """The parameters and buffers of a model, as they are named in a file."""
    if not has_weights(model):
        return {}
    tensors = {f"model.{name}": p.value for name, p in model.parameters().items()}
    return tensors | {f"buffer.{name}": b for name, b in model.buffers().items()}


def expect_fit(path: Any, expected: Arrays, found: Arrays) -> None:
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
