"""Reading and writing results/bench.json, which every benchmark updates, and facts about the machine."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path("results/bench.json")


def read(path: Path) -> dict[str, Any]:
    """All parts of the results by name; empty if nothing has been measured yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def put(path: Path, **parts: Any) -> None:
    """Replace the named parts and keep the others. The file is replaced atomically."""
    # Not imported at the top, because startup.py measures the import of NumPy.
    from scratchgen.data.files import write_json
    from scratchgen.studies.machine import machine

    write_json(path, read(path) | {"machine": machine()} | parts)


def save_rows(path: Path, part: str, rows: list[dict[str, Any]], keys: tuple[str, ...]) -> None:
    """Add rows to a part of the results that has its own machine, {"machine", "rows"}.

    Older rows with the same values of `keys` are replaced, and all of them if they are from another machine,
    because rows of different machines cannot be compared.
    """
    from scratchgen.data.files import write_json
    from scratchgen.studies.machine import machine

    found, here = read(path), machine()
    old = found.get(part, {})
    kept = old.get("rows", []) if old.get("machine") == here else []
    every = {tuple(row[key] for key in keys): row for row in [*kept, *rows]}
    write_json(path, found | {part: {"machine": here, "rows": [*every.values()]}})


def versions() -> dict[str, str]:
    """The versions of the measured packages."""
    return {name: metadata.version(name) for name in ("torch", "jax", "numpy", "numba")}


def vectors() -> str:
    """The widest vector extension of the processor: AVX-512, AVX2, or else the name of the architecture.

    Only rows with the same extension can be compared.
    """
    info = Path("/proc/cpuinfo")
    flags = info.read_text(encoding="utf-8", errors="replace").split() if info.is_file() else []
    found = (name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags)
    return next(found, platform.machine())
