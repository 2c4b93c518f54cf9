"""Measure start-up times: import, first step with a cold and a warm cache, later steps.

    python benchmarks/startup.py                about two minutes

Each result is the median of three separate processes. With a cold cache, Numba's cache folder is empty, so
every kernel of a step is compiled. With a warm cache, the same folder is used again. The steps are those of
run.py. The time of a first step includes building the model; PyTorch and JAX copy the weights of ours.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from measured import RESULTS, put, versions
from processes import answer_of

DENSE = ("autoencoder", "vae", "gan", "nice", "made")
BATCH, REPEATS, LATER = 128, 3, 20


def here(who: str, models: list[str]) -> dict[str, float]:
    """Seconds for the import, the first step of each model and later steps, in this process.

    The modules that this file imports must not import NumPy, scratchgen, PyTorch or JAX: otherwise the time
    of the import would not include them.
    """
    start = time.perf_counter()
    import_module({"scratchgen": "scratchgen.models", "PyTorch": "torch", "JAX": "jax"}[who])
    imported = time.perf_counter()
    first, later = 0.0, 0.0
    for name in models:
        module = import_module(f"steps.{name}")
        batch = module.data(BATCH, "float32")[0]
        begun = time.perf_counter()
        step = steps_of(who, module).step
        step(*batch)
        done = time.perf_counter()
        times = []
        for _ in range(LATER):
            again = time.perf_counter()
            step(*batch)
            times.append(time.perf_counter() - again)
        first, later = first + done - begun, later + median(times)
    return {"import": imported - start, "first": first, "later": later}


def steps_of(who: str, module: Any):
    """The Step of a contender, as in run.py; for PyTorch the eager one."""
    from pytorch_side import Way

    if who == "scratchgen":
        return module.ours("float32")
    return module.jax("float32") if who == "JAX" else module.pytorch("float32", Way())


def measure(who: str, models: list[str], **env: str) -> dict[str, float]:
    """The medians over several processes, each with an empty folder as Numba's cache unless `env` sets it."""
    found = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as empty:
            at_work = {"NUMBA_CACHE_DIR": empty} | env
            found.append(answer_of([__file__, "--here", who, "--models", *models], env=at_work, who=who))
    return {key: median(one[key] for one in found) for key in found[0]}


def rows(models: list[str]) -> list[dict]:
    """The rows for all contenders; scratchgen runs with both sets of kernels."""
    with tempfile.TemporaryDirectory() as cache:
        answer_of([__file__, "--here", "scratchgen", "--models", *models], env={"NUMBA_CACHE_DIR": cache})
        found = {
            "scratchgen, first time": measure("scratchgen", models),
            "scratchgen, compiled before": measure("scratchgen", models, NUMBA_CACHE_DIR=cache),
            "scratchgen, reference kernels": measure("scratchgen", models, SCRATCHGEN_KERNELS="reference"),
            "PyTorch eager": measure("PyTorch", models),
            "JAX jit": measure("JAX", models),
        }
    return [{"who": who, "models": models} | times for who, times in found.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=DENSE)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", choices=("scratchgen", "PyTorch", "JAX"), help="measure here, print JSON")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(here(args.here, args.models)))
        return
    found = []
    for models in [args.models] if args.models else [["autoencoder"], list(DENSE)]:
        for r in rows(models):
            found.append(r)
            seconds = f"import {r['import']:.2f} s, first step {r['first']:.2f} s"
            print(f"{' '.join(models)}: {r['who']}: {seconds}, later {r['later'] * 1e3:.1f} ms", flush=True)
    put(args.out, versions=versions(), startup=found)


if __name__ == "__main__":
    main()
