"""Measure the peak memory of training each model on all of MNIST with `scratchgen train`: less than 1.5 GB.

    SCRATCHGEN_DATA=folder python benchmarks/memory.py              all models, about ten minutes
    SCRATCHGEN_DATA=folder python benchmarks/memory.py --models vae gan

Each model is trained in its own process, in its default form, on all 60,000 digits, for a few steps: memory
does not grow from one step to the next. Then it is measured on the test digits, as the command does. The peak
is that of the resident size, which includes Python, the libraries and the data.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from pathlib import Path
from typing import Any

from measured import RESULTS, save_rows
from processes import answer_of

SECONDS = 1


def models() -> list[str]:
    """The models of images that `scratchgen train` offers."""
    from scratchgen.cli.catalogue import entries

    return [name for name, entry in entries().items() if not entry.of_text]


def here(name: str) -> dict[str, Any]:
    """Train a model in this process; returns the peak in GB, or the reason why it is not trained on MNIST."""
    from scratchgen import cli
    from scratchgen.cli.catalogue import find_entry

    by_epochs = find_entry(name).by_epochs
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", name, "--quiet", "--out", f"{folder}/run"]
        words += ["--epochs", "1", "--budget", f"{SECONDS}s"] if by_epochs else []
        code = cli.main(words)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return {"model": name, "gb": peak} if code == 0 else {"model": name, "gb": None}


def main() -> None:
    every = models()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=every, default=every)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--here", choices=every, help="measure in this process, print JSON")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(here(args.here)))
        return
    for name in args.models:
        row = answer_of([__file__, "--here", name])
        print(row, flush=True)
        save_rows(args.out, "memory", [row], ("model",))


if __name__ == "__main__":
    main()
