"""Published figures, reproduced: each run writes what came out, and how, to results/NAME.json.

    scratchgen reproduce autoencoder            a whole run; Ctrl-C saves it, --resume takes it up again
    python -m scratchgen.studies.reproduce              write the README's table anew from results/
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from scratchgen.checks import check_name

REPRODUCTIONS = ("autoencoder", "dcgan", "gan", "made", "made_wide", "nice", "vae", "wgan_gp")


def run(name: str, *, epochs: int | None = None, resume: bool = False, out: str | Path = "results") -> int:
    """Run the reproduction of that name and return the exit code.

    epochs : another length than the recipe's, its schedule stretched to fit; the figure is then not the
        recipe's own, and its file is named after the length ("autoencoder-55-epochs.json")
    resume : go on from the checkpoint that an interrupted run left in runs/

    Raises ValueError for an unknown name, FileNotFoundError where there is no run to resume.
    """
    check_name("reproduction", name, REPRODUCTIONS)
    module = import_module(f"scratchgen.studies.reproduce.{name}")
    record = module.reproduce(epochs=epochs, resume=resume)
    path = record.save(Path(out), suffix="" if epochs is None else f"-{epochs}-epochs")
    print(record.summary())
    print(f"written to {path}; python -m scratchgen.studies.reproduce makes the README's table from there")
    return 0
