"""results/bench.json, which every benchmark writes a part of, and what stands beside the numbers in it."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path("results/bench.json")


def read(path: Path) -> dict[str, Any]:
    """All parts by name; none where nothing was measured yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def put(path: Path, **parts: Any) -> None:
    """Write parts in place of older ones of the same names; the others stay. Whole or not at all."""
    from scratchgen.studies.reproduce.record import machine  # here: startup.py times the import of NumPy

    result = read(path) | {"machine": machine()} | parts
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, path)


def versions() -> dict[str, str]:
    """Of what was measured."""
    return {name: metadata.version(name) for name in ("torch", "jax", "numpy", "numba")}


def vectors() -> str:
    """The widest vectors the processor has: AVX-512, AVX2, or else its architecture. Rows of one compare."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text(encoding="utf-8", errors="replace").split() if info.is_file() else []
    found = (name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags)
    return next(found, platform.machine())
