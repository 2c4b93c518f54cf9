"""Values as JSON and arrays, and back.

Values that JSON supports stay as they are: None, bool, int, str, finite floats, lists, and dicts whose keys
are str. Every other value becomes an object with a key that begins with "$":

    {"$float": "nan"}                           a float that is not finite
    {"$complex": [1.0, 2.0]}  {"$bytes": "00ff"}  {"$path": "runs/a"}
    {"$tuple": [...]}  {"$set": [...]}  {"$frozenset": [...]}  {"$dict": [[key, value], ...]}
    {"$deque": [...], "maxlen": 3}
    {"$scalar": ["<f4", "cdcc4c3e"]}            a NumPy scalar: its dtype and its bytes
    {"$dtype": "<f4"}
    {"$array": "state.mean_"}                   an array, which is a tensor of that name in the file
    {"$array": "state.mean_", "axes": [1, 0], "reversed": [0]}      the same in another order in memory
    {"$parameter": "model.encoder.0.weight"}    a Parameter with the values of that tensor
    {"$generator": {...}}                       a random generator and its state
    {"$class": "scratchgen.SiLU"}  {"$function": "scratchgen.he_normal"}
    {"$partial": [function, args, kwargs]}
    {"$object": "scratchgen.Dropout", "settings": ["p", "rng"], "attributes": {"p": 0.5, "rng": ...}}
    {"$same": ["encoder", "layers", 0]}         the object, Parameter or generator at another place
    {"$unstorable": "a lambda"}                 in training runs: the caller builds it again

An object is its class and its attributes, in their order; `settings` names those that are arguments of the
constructor. A class may define `saved_state()`, which returns the attributes to store, and
`restore_state(state)`, which takes them. An array, object or generator that occurs twice is stored once, and
both places share it again after loading. For a value of any other type, an error names its place, because
loading it would return something else.
"""

from __future__ import annotations

import inspect
import math
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any

import numpy as np

from scratchgen.module import Module, Parameter
from scratchgen.runtime.ranks import PartOfGenerator
from scratchgen.saving import names
from scratchgen.saving.generators import as_generator, generator_state

Place = tuple[str | int, ...]
PATHS = (PosixPath, WindowsPath, PurePosixPath, PureWindowsPath)
SPECIAL_METHODS = ("__new__", "__slots__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__")
KINDS = "biufcSUmM"  # of dtypes: bool, numbers, bytes, text, times
HEAP_TYPE = 1 << 9  # the flag of classes that are not part of the interpreter
DIGITS = 4000       # Python refuses to convert longer integers


class Unstorable(ValueError):
    """Raised for a value that a file cannot hold; the message names its place and says what it is."""

    def __init__(self, place: Place, what: str):
        super().__init__(f"{'.'.join(map(str, place)) or 'the value'} is {what}, which a file cannot store")


class Encoder:
    """Turns values into JSON. Arrays are collected in `arrays`, by name.

    prefix : the beginning of the names of arrays, or ""; the rest of a name is the place of the array
    known : id of an array -> its name, for the parameters and buffers of a model
    objects : whether objects, classes and functions can be stored
    strict : whether a value that cannot be stored raises Unstorable; otherwise {"$unstorable": what it is}
        takes its place, and the error is added to `refused`

    live : place -> object, for all objects that were encoded
    named : name -> class or function, for all that occurred
    """

    def __init__(
        self,
        prefix: str,
        known: Mapping[int, str] | None = None,
        *,
        objects: bool = True,
        strict: bool = True,
    ):
        self.prefix, self.known = (prefix,) if prefix else (), known or {}
        self.objects, self.strict = objects, strict
        self.arrays: dict[str, np.ndarray] = {}
        self.live: dict[Place, Any] = {}
        self.named: dict[str, Any] = {}
        self.refused: list[Unstorable] = []
        self._places: dict[int, Place] = {}     # id -> place of an object, Parameter or generator
        self._names: dict[int, str] = {}        # id -> name of an array
        self._kept: list[Any] = []              # keeps objects alive, so that no id is used again

    def encode(self, value: Any, place: Place = ()) -> Any:
        """Return the JSON of a value. If `strict`, raises Unstorable for one that cannot be stored."""
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind in (int, float, complex, bytes) or kind in PATHS:
            return self._encode_simple(value, place)
        if kind is list:
            return [self.encode(entry, (*place, i)) for i, entry in enumerate(value)]
        if kind in (tuple, set, frozenset):
            entries = sorted(value, key=repr) if kind is not tuple else value
            return {f"${kind.__name__}": [self.encode(v, (*place, i)) for i, v in enumerate(entries)]}
        if kind is deque:
            return {"$deque": self.encode(list(value), place), "maxlen": value.maxlen}
        if kind is dict:
            return self._encode_dict(value, place)
        if isinstance(value, np.ndarray | np.generic | np.dtype):
            return self._encode_numpy(value, place)
        if not self.objects:
            return self._refused(place, f"of type {kind.__name__}")
        if isinstance(value, type | np.ufunc | partial) or inspect.isroutine(value):
            return self._encode_callable(value, place)
        if id(value) in self._places:
            return {"$same": list(self._places[id(value)])}
        self._places[id(value)] = place
        self._kept.append(value)
        if kind in (np.random.Generator, PartOfGenerator):      # the latter is saved as the former
            return self._encode_generator(value, place)
        if kind is Parameter:
            return {"$parameter": self._name(value.value, place)}
        return self._encode_object(value, place)

    def _encode_simple(self, value: Any, place: Place) -> Any:
        if isinstance(value, int):
            too_long = abs(value) >= 10**DIGITS
            return self._refused(place, f"an int of more than {DIGITS} digits") if too_long else value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"$float": repr(value)}
        if isinstance(value, complex):
            return {"$complex": [self.encode(value.real), self.encode(value.imag)]}
        if isinstance(value, bytes):
            return {"$bytes": value.hex()}
        return {"$path": [type(value).__name__, str(value)]}

    def _encode_dict(self, value: dict[Any, Any], place: Place) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.encode(entry, (*place, key)) for key, entry in value.items()}
        return {
            "$dict": [
                [self.encode(key, (*place, i, "key")), self.encode(entry, (*place, i))]
                for i, (key, entry) in enumerate(value.items())
            ]
        }

    def _encode_numpy(self, value: Any, place: Place) -> Any:
        dtype = value if isinstance(value, np.dtype) else value.dtype
        if dtype.kind not in KINDS:
            return self._refused(place, f"of dtype {dtype}")
        if isinstance(value, np.dtype):
            return {"$dtype": dtype.str}
        if isinstance(value, np.generic):
            return {"$scalar": [dtype.str, value.tobytes().hex()]}
        if type(value) not in (np.ndarray, np.memmap):
            return self._refused(place, f"an array of type {type(value).__name__}")
        return {"$array": self._name(value, place), **memory_layout(value)}

    def _name(self, array: np.ndarray, place: Place) -> str:
        """The name of the array in the file."""
        if id(array) not in self._names:
            name = self.known.get(id(array)) or ".".join(map(str, (*self.prefix, *place)))
            while name in self.arrays:          # two places with dots in their keys may have equal names
                name += "'"
            self.arrays[name], self._names[id(array)] = array, name
            self._kept.append(array)
        return self._names[id(array)]

    def _encode_generator(self, value: np.random.Generator, place: Place) -> Any:
        try:
            return {"$generator": generator_state(value)}
        except ValueError as error:
            del self._places[id(value)]
            return self._refused(place, str(error))

    def _encode_callable(self, value: Any, place: Place) -> Any:
        if type(value) is partial:
            parts = [value.func, value.args, value.keywords]
            return {"$partial": [self.encode(part, (*place, i)) for i, part in enumerate(parts)]}
        name = self._name_of(value) if hasattr(value, "__name__") else None
        if name is None:
            full = getattr(value, "__qualname__", type(value).__name__)
            what = f"the {'class' if isinstance(value, type) else 'function'} {full}"
            return self._refused(place, "a lambda" if full.endswith("<lambda>") else what)
        return {"$class" if isinstance(value, type) else "$function": name}

    def _name_of(self, value: Any) -> str | None:
        """The name of a class or function; None if it has no name, or if another one has the same name."""
        name = names.name_of(value)
        return name if name is None or self.named.setdefault(name, value) is value else None

    def _refused(self, place: Place, what: str) -> Any:
        refused = Unstorable(place, what)
        if self.strict:
            raise refused
        self.refused.append(refused)
        return {"$unstorable": what}

    def _encode_object(self, value: Any, place: Place) -> Any:
        kind = type(value)
        name = self._name_of(kind) if is_plain(kind) and hasattr(value, "__dict__") else None
        if name is None:
            del self._places[id(value)]         # otherwise, the next place would refer to this one
            second = "a second class with the name" if kind.__name__ in self.named else "type"
            return self._refused(place, f"an object of {second} {kind.__name__}")
        self.live[place] = value
        state = value.saved_state() if hasattr(value, "saved_state") else vars(value)
        return {
            "$object": name,
            "settings": [setting for setting in setting_names(kind) if setting in state],
            "attributes": {key: self.encode(entry, (*place, key)) for key, entry in state.items()},
        }


class Decoder:
    """Turns JSON back into values. Raises ValueError for JSON that `Encoder` does not write.

    tensors : the arrays of the file, by name
    custom : classes and functions from outside the library that may occur
    strict : whether to raise ValueError for {"$unstorable": ...}; otherwise it becomes None

    live, nodes : place -> object, and place -> its JSON, for all objects that were made
    """

    def __init__(
        self, tensors: Mapping[str, np.ndarray], custom: Sequence[Any] = (), *, strict: bool = True
    ):
        self.tensors, self.custom, self.strict = tensors, custom, strict
        self.live: dict[Place, Any] = {}
        self.nodes: dict[Place, dict[str, Any]] = {}
        self._shared: dict[Place, Any] = {}
        self._arrays: dict[str, np.ndarray] = {}

    def decode(self, value: Any, place: Place = ()) -> Any:
        """Return the value of JSON that `Encoder.encode` returned."""
        if isinstance(value, list):
            return [self.decode(entry, (*place, i)) for i, entry in enumerate(value)]
        if not isinstance(value, dict):
            return value
        tag = next(iter(value), "")
        if not tag.startswith("$"):
            return {key: self.decode(entry, (*place, key)) for key, entry in value.items()}
        content = value[tag]
        if tag in ("$tuple", "$set", "$frozenset"):
            kind: Any = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}[tag]
            return kind(self.decode(content, place))
        if tag == "$deque":
            return deque(self.decode(content, place), value["maxlen"])
        if tag == "$dict":
            return {
                self.decode(k, (*place, i, "key")): self.decode(v, (*place, i))
                for i, (k, v) in enumerate(content)
            }
        if tag == "$same":
            return self._shared[tuple(content)]
        if tag == "$object":
            return self._decode_object(value, place)
        if tag in ("$generator", "$parameter"):
            shared: Any
            shared = as_generator(content) if tag == "$generator" else Parameter(self._array(content))
            self._shared[place] = shared
            return shared
        if tag == "$array":
            return self._array(content, value.get("axes"), value.get("reversed", []))
        return self._decode_simple(tag, content, place)

    def _decode_simple(self, tag: str, content: Any, place: Place) -> Any:
        if tag == "$unstorable" and self.strict:
            raise Unstorable(place, content)
        if tag == "$unstorable":
            return None
        if tag == "$float":
            return float(content)
        if tag == "$complex":
            return complex(*self.decode(content))
        if tag == "$bytes":
            return bytes.fromhex(content)
        if tag == "$path":
            return {kind.__name__: kind for kind in PATHS}[content[0]](content[1])
        if tag == "$dtype":
            return expect_dtype(np.dtype(content))
        if tag == "$scalar":
            dtype = expect_dtype(np.dtype(content[0]))
            return np.frombuffer(bytes.fromhex(content[1]), dtype)[0]
        if tag in ("$class", "$function"):
            found = names.find(content, self.custom)
            if isinstance(found, type) != (tag == "$class"):
                raise ValueError(f"expects {content} to be a {tag[1:]}")
            return found
        if tag == "$partial":
            function, args, keywords = (self.decode(c, (*place, i)) for i, c in enumerate(content))
            return partial(function, *args, **keywords)
        raise ValueError(f"contains an unknown tag {tag[:40]!r}")

    def _array(self, name: str, axes: list[int] | None = None, backwards: Sequence[int] = ()) -> np.ndarray:
        """A writable copy of a tensor, with the memory layout of the array that was saved."""
        if name not in self._arrays:
            array = self.tensors[name].copy()
            if axes is not None:
                flip = tuple(slice(None, None, -1 if i in backwards else 1) for i in range(array.ndim))
                back = tuple(axes.index(i) for i in range(array.ndim))
                array = array[flip].transpose(axes).copy(order="C").transpose(back)[flip]
            self._arrays[name] = array
        return self._arrays[name]

    def _decode_object(self, value: dict[str, Any], place: Place) -> Any:
        kind = names.find(value["$object"], self.custom)
        settings, attributes = value["settings"], value["attributes"]
        if not isinstance(attributes, dict) or not set(settings) <= attributes.keys():
            raise ValueError(f"contains a {kind.__name__} without settings and attributes")
        if not (isinstance(kind, type) and is_plain(kind)):
            raise ValueError(f"contains {value['$object']}, whose objects cannot be stored")
        made: Any = object.__new__(kind)
        self._shared[place] = self.live[place] = made
        self.nodes[place] = value
        state = {
            key: self.decode(entry, (*place, key))
            for key, entry in attributes.items()
            if self.strict or not (isinstance(entry, dict) and "$unstorable" in entry)
        }
        for key in state:
            if callable(getattr(kind, key, None)) or isinstance(getattr(kind, key, None), property):
                raise ValueError(f"replaces the method {kind.__name__}.{key[:40]}")
        if hasattr(kind, "restore_state"):
            made.restore_state(state)
        else:
            vars(made).update(state)
        return made


def is_plain(kind: type) -> bool:
    """Whether the attributes of an object are all of its state: it has no slots and no base class in C."""
    if issubclass(kind, Module):
        return True
    return all(
        base is object
        or (base.__flags__ & HEAP_TYPE and not any(vars(base).get(name) for name in SPECIAL_METHODS))
        for base in kind.__mro__
    )


def setting_names(kind: type) -> list[str]:
    """The arguments of the constructor of a class, and of its bases if they are passed on."""
    found: dict[str, None] = {}
    for cls in kind.__mro__:
        if "__init__" not in vars(cls) or cls is object:
            continue
        parameters = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
        found |= dict.fromkeys(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return list(found)


def expect_dtype(dtype: np.dtype) -> np.dtype:
    """Return a dtype that can be stored by its name; raise ValueError for others: objects, records."""
    if dtype.kind not in KINDS:
        raise ValueError(f"contains the dtype {dtype}")
    return dtype


def memory_layout(array: np.ndarray) -> dict[str, list[int]]:
    """The axes of an array from the largest to the smallest stride, and those whose stride is negative.

    Empty for axes in C order. The order is kept because it can change the rounding errors of matrix products.
    """
    in_order = list(range(array.ndim))
    axes = sorted(in_order, key=lambda i: -abs(array.strides[i]))
    backwards = [i for i in axes if array.strides[i] < 0]
    if array.flags.c_contiguous or (axes == in_order and not backwards):
        return {}
    return {"axes": axes, "reversed": backwards}


def names_of_arrays(model: Any) -> dict[int, str]:
    """id of an array -> its name in a file, for the parameters and buffers of a model."""
    if not hasattr(model, "parameters") or not hasattr(model, "buffers"):
        return {}
    parameters = {id(p.value): f"model.{name}" for name, p in model.parameters().items()}
    return {id(b): f"buffer.{name}" for name, b in model.buffers().items()} | parameters
