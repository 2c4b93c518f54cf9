"""Read JSON files, such as the results of a study. A damaged file raises an error of one line."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any

from scratchgen.data.untrusted import DamagedFile, open_regular, refusing_damage, shown

LARGEST = 64_000_000        # bytes; the largest file of results has about 300,000


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a value from a JSON file.

    Raises ValueError, with the path, if the file is not complete JSON in UTF-8, contains a key twice, is
    nested too deeply or is larger than 64 million bytes. Raises OSError if the file cannot be read.
    """
    with open_regular(path) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise DamagedFile(f"{os.fsdecode(path)}: expected at most {LARGEST} bytes of JSON, got more")
    return parse_json(data, os.fsdecode(path))


def parse_json(data: bytes | str, name: str) -> Any:
    """Return the value in a JSON text.

    name : the name of the file, for error messages

    Raises ValueError for damaged JSON, for a key that occurs twice and for a text that is nested too deeply.
    """
    with refusing_damage(name, "JSON"):
        text = data if isinstance(data, str) else data.decode("utf-8")
        return json.loads(text, object_pairs_hook=lambda pairs: _as_dict(pairs, name))


def _as_dict(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise DamagedFile(f"{name}: expected each key of JSON once, got {shown(twice)} twice")
    return values
