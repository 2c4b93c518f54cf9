"""Settings from words such as code=20, with the types that the signature of a function declares."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

EPOCHS = 20         # of `train` without --epochs
PLAIN = {"int", "float", "bool", "str"}
WIDTHS = {"Sequence", "tuple"}
EXPECTED = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "str": "a word",
    "Sequence": "widths such as 400,200", "tuple": "numbers such as 16,32", "None": "none",
}  # fmt: skip
# Types of arguments that are classes or objects with a public name, such as SiLU or NormalPixels(0.3).
NAMED = {"type", "Observation", "Init", "Optimise", "Rate", "Augment", "Callable", "Estimator"}


def split_settings(words: Sequence[str]) -> list[tuple[str, str]]:
    """Words KEY=VALUE as pairs. Raises ValueError for a word without "=" and for a key that occurs twice."""
    pairs: list[tuple[str, str]] = []
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise ValueError(f"--set expected KEY=VALUE, such as code=20, got {word!r}")
        if key in dict(pairs):
            raise ValueError(f"--set expected each setting once, got {key} twice")
        pairs.append((key, value.strip()))
    return pairs


def can_be_typed(parameter: inspect.Parameter) -> bool:
    """Whether the values of a parameter can be written in a command."""
    types = _types(parameter)
    return bool(types & (PLAIN | NAMED)) and "Layer" not in types and "Bijection" not in types


def parse_setting(key: str, text: str, parameter: inspect.Parameter, option: str = "") -> Any:
    """The value of a setting: 20, 1e-3, true, none, 400,200, a word, SiLU, or NormalPixels(0.3).

    option : for messages, the option that gave the setting; by default --set KEY

    Names are those of public classes and functions of scratchgen; other code is never run. Raises ValueError
    for a value of another type than the parameter declares.
    """
    types = _types(parameter)
    option = option or f"--set {key}"
    try:
        value = _value(text, types)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{option}: {error}") from None
    if isinstance(value, int) and not isinstance(value, bool) and "int" not in types:
        value = float(value) if "float" in types else (value,) if types & WIDTHS else value
    kind = "None" if value is None else type(value).__name__
    known = types | ({"tuple"} if types & WIDTHS else set())
    right = kind in known
    if kind == "tuple" and right:
        numbers = [v for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        right = len(numbers) == len(value) and ("float" in types or all(isinstance(v, int) for v in numbers))
    if kind not in PLAIN | {"tuple", "None"}:
        right = bool(types & NAMED)
    if not right:
        wanted = [words for name, words in EXPECTED.items() if name in types]
        if types & NAMED:
            wanted.append(f"the name of a public class of scratchgen, such as {_example(types)}")
        raise ValueError(f"{option} expected {' or '.join(wanted)}, got {text!r}")
    return value


def _example(types: set[str]) -> str:
    """An example of a value for a setting of these types, made from a public class."""
    examples = {"Rate": "OneCycle(0.01)", "Optimise": "AdamW", "Augment": "Jitter((28, 28, 1))"}
    return next((text for name, text in examples.items() if name in types), "SiLU or NormalPixels(0.3)")


def shown(value: Any) -> str:
    """A setting as it is typed: 400,200 for (400, 200), SiLU for the class."""
    if isinstance(value, tuple | list):
        return ",".join(map(shown, value))
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return getattr(value, "__name__", None) or str(value)


def _types(parameter: inspect.Parameter) -> set[str]:
    """The words of an annotation: {"int", "Sequence", "None"} for "int | Sequence[int] | None"."""
    annotation = parameter.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return set(re.findall(r"\w+", text))


def _value(text: str, types: set[str]) -> Any:
    """The text as a number, a tuple, a flag, None, a public name, or a word."""
    simple = {"true": True, "false": False, "none": None}
    if types == {"str"}:
        return text
    if text.lower() in simple:
        return simple[text.lower()]
    try:
        value = ast.literal_eval(text)
        return tuple(value) if isinstance(value, list) else value
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        pass
    if types & NAMED:
        return _named(text, types)
    return text


def _named(text: str, types: set[str]) -> Any:
    """A public class, or an object of one: Name, or Name(arguments); or a function, by its name alone."""
    import scratchgen

    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return text
    call = node if isinstance(node, ast.Call) else None
    name = call.func if call is not None else node
    if not isinstance(name, ast.Name) or name.id.startswith("_"):
        return text
    found = getattr(scratchgen, name.id, None)
    if not callable(found) and types & {"int", "float"}:
        return text             # a mistyped number
    if not callable(found):
        wanted = f"expected a public class of scratchgen, such as {_example(types)}"
        raise ValueError(f"unknown name {name.id!r}; {wanted}")
    if call is None:
        return found
    if not isinstance(found, type):
        raise ValueError(f"expected a class in {text!r}, such as {_example(types)}, got a function")
    try:
        args = [ast.literal_eval(arg) for arg in call.args]
        keywords = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except ValueError:
        raise ValueError(f"expected plain values in {text!r}, such as NormalPixels(0.3)") from None
    later = types & {"Callable", "Optimise"}        # called later, with further arguments
    return partial(found, *args, **keywords) if later else found(*args, **keywords)
