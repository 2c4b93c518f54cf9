"""The differences between a model and a file: classes, settings, architecture, shapes.

Both are compared as the JSON that `values.Encoder` makes of them. The settings of an object are compared in
full. Of its other attributes, only the structure is compared (the layers and the shapes of parameters),
because their values are learnt. Attributes whose names begin or end with "_" are not compared at all, because
`fit` sets them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from scratchgen.data.untrusted import shown

Arrays = Mapping[str, np.ndarray]
SHOWN = 8           # differences that a message lists


def expect_equal(who: Any, file: Any, file_arrays: Arrays, model: Any, model_arrays: Arrays) -> None:
    """Compare the JSON and the arrays of a file and of a model. Raises ValueError with the differences."""
    found = list(_compared("", file, file_arrays, model, model_arrays, strict=True))
    if found:
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise ValueError(f"{who} belongs to another model: {'; '.join(found[:SHOWN] + more)}")


def is_fitted(name: str) -> bool:
    """Whether an attribute is set by `fit`, by its name."""
    return name.startswith("_") or name.endswith("_")


def has_structure(value: Any) -> bool:
    """Whether JSON contains an object, a parameter or a generator."""
    if isinstance(value, list):
        return any(map(has_structure, value))
    if not isinstance(value, dict):
        return False
    marks = {"$object", "$parameter", "$generator", "$same"}
    return not marks.isdisjoint(value) or any(map(has_structure, value.values()))


def _compared(
    place: str, file: Any, file_arrays: Arrays, model: Any, model_arrays: Arrays, strict: bool
) -> Iterator[str]:
    """Yield one line for each difference. strict : whether values are compared, or the structure alone."""
    both: tuple[Any, Any] = file, model
    if all(isinstance(side, dict) and "$object" in side for side in both):
        if file["$object"] != model["$object"]:
            yield _line(place, file, model)
            return
        settings = {*file["settings"], *model["settings"]}
        for name in {**model["attributes"], **file["attributes"]}:
            if is_fitted(name) and name not in settings:
                continue
            inside = place if _is_sequence(file, name) else f"{place}.{name}" if place else name
            theirs, ours = (side["attributes"].get(name) for side in both)
            yield from _compared(inside, theirs, file_arrays, ours, model_arrays, name in settings)
    elif all(isinstance(side, dict) and ("$parameter" in side or "$array" in side) for side in both):
        shown = [
            _array_shown(side.get("$parameter", side.get("$array")), arrays)
            for side, arrays in zip(both, (file_arrays, model_arrays), strict=True)
        ]
        if shown[0] != shown[1] and (strict or "$parameter" in file):
            yield _line(place, *shown)
    elif any(isinstance(side, dict) and "$generator" in side for side in both):
        kinds = [_generator_shown(side) for side in both]
        if kinds[0] != kinds[1]:
            yield _line(place, *kinds)
    elif all(isinstance(side, list) for side in both) and len(file) == len(model):
        for i, (theirs, ours) in enumerate(zip(*both, strict=True)):
            inside = f"{place}.{i}" if place else str(i)
            yield from _compared(inside, theirs, file_arrays, ours, model_arrays, strict)
    elif all(isinstance(side, dict) for side in both) and file.keys() == model.keys():
        for key in model:
            inside = place if key.startswith("$") else f"{place}.{key}" if place else key
            yield from _compared(inside, file[key], file_arrays, model[key], model_arrays, strict)
    elif file != model and (strict or has_structure(file) or has_structure(model)):
        yield _line(place, file, model)


def _is_sequence(file: Any, name: str) -> bool:
    """Whether an attribute holds the layers of a Sequential, whose names do not contain "layers"."""
    return file["$object"] == "scratchgen.Sequential" and name == "layers"


def _line(place: str, file: Any, model: Any) -> str:
    where = f"{shown(place, quote=False)}: " if place else ""       # a name in the file may be long
    return f"{where}{_shown(file)} in the file, {_shown(model)} in the model"


def _array_shown(name: Any, arrays: Arrays) -> str:
    array = arrays.get(name)
    return "nothing" if array is None else f"{array.dtype} {array.shape}"


def _generator_shown(value: Any) -> str:
    if isinstance(value, dict) and "$generator" in value:
        return str(value["$generator"]["bit_generator"])
    return _shown(value)


def _shown(value: Any) -> str:
    """JSON as a short text: "NormalPixels(std=2.0)"."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        shown = f"[{', '.join(map(_shown, value))}]"
    elif not isinstance(value, dict):
        return "nothing" if value is None else repr(value)
    elif "$object" in value:
        settings = {k: v for k, v in value["attributes"].items() if k in value["settings"]}
        inside = ", ".join(f"{k}={_shown(v)}" for k, v in settings.items() if not has_structure(v))
        shown = f"{value['$object'].removeprefix('scratchgen.')}({inside})"
    elif len(value) == 1 and next(iter(value)).startswith("$"):
        ((tag, content),) = value.items()
        shown = f"{tag[1:]} {_shown(content)}"
        if tag == "$tuple":
            shown = f"({', '.join(map(_shown, content))})"
        elif tag == "$unstorable":
            shown = content
        elif tag in ("$class", "$function"):
            shown = content.removeprefix("scratchgen.")
    else:
        shown = f"{{{', '.join(f'{k}: {_shown(v)}' for k, v in value.items())}}}"
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
