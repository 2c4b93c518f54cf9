"""Run a measurement in a separate Python process, with a given number of threads and cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

OURS, LIMIT = "scratchgen", "matrix products"


def environment(who: str, threads: int | None) -> dict[str, str]:
    """The environment of a contender's process: the number of threads, and our settings if it is ours.

    With None, the variables that set the number of threads are removed.

    NumPy reads the setting for BLAS threads (scratchgen/runtime/process.py) when it is imported, so it is
    made here. The other contenders' processes use scratchgen too, for their initial weights; GLIBC_TUNABLES
    keeps it from changing how memory is kept there.
    """
    from scratchgen.runtime import process  # not at the top: startup.py times the import of scratchgen

    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    own = {"OPENBLAS_THREAD_TIMEOUT": process.TIMEOUT} if who == OURS else {"GLIBC_TUNABLES": ""}
    usual = {name: value for name, value in os.environ.items() if name not in names}
    return usual | ({} if threads is None else dict.fromkeys(names, str(threads))) | own


def answer_of(
    arguments: list[str], threads: int = 2, env: Mapping[str, str] = MappingProxyType({}), who: str = OURS
) -> Any:
    """Run `python arguments...` with `env` added to the environment. Returns its last line, parsed as JSON.

    Raises SystemExit if the process ends with a code other than 0.
    """
    cores = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=environment(who, threads) | dict(env),
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])
