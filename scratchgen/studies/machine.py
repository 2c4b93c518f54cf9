"""The machine that a study ran on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import kernels


def machine() -> str:
    """One line with the processor, the versions of Python, NumPy and BLAS, and the kernels."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    blas: Any = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return (
        f"{os.cpu_count()} cores of {name}, Python {platform.python_version()}, NumPy {np.__version__} "
        f"with {blas['name']} {blas['version']}, {kernels.backend()} kernels"
    )


def minutes(seconds: float) -> str:
    """A duration as text: minutes from one minute on, else seconds."""
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
