"""A measurement in a Python of its own: so many threads, so many cores, and its answer as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def answer_of(arguments: list[str], threads: int = 2, env: Mapping[str, str] = MappingProxyType({})) -> Any:
    """Run `python arguments...`, with `env` added to the environment; return what it prints last, as JSON.

    Raises SystemExit where it ends with anything but 0.
    """
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    cores = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | dict.fromkeys(names, str(threads)) | dict(env),
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])
