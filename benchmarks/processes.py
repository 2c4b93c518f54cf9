"""A measurement in a Python of its own: so many threads, so many cores, and its answer as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

OURS, LIMIT = "scratchgen", "matrix products"


def environment(who: str, threads: int) -> dict[str, str]:
    """Of a contender's process: so many threads, and nothing of ours in the others'.

    Here users import scratchgen first, and so before NumPy, which a benchmark can't promise: so what
    scratchgen/process.py sets is set. The others' processes import it too, for their starting weights, and to
    them it does nothing: it leaves the allocator alone where GLIBC_TUNABLES is set.
    """
    from scratchgen.runtime import process  # here: startup.py times the import of scratchgen

    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    own = {"OPENBLAS_THREAD_TIMEOUT": process.TIMEOUT} if who == OURS else {"GLIBC_TUNABLES": ""}
    return os.environ | dict.fromkeys(names, str(threads)) | own


def answer_of(
    arguments: list[str], threads: int = 2, env: Mapping[str, str] = MappingProxyType({}), who: str = OURS
) -> Any:
    """Run `python arguments...`, with `env` added to the environment; return what it prints last, as JSON.

    Raises SystemExit where it ends with anything but 0.
    """
    cores = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(who, threads) | dict(env),
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])
