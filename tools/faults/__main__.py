"""Run the fault campaign; see the package's docstring."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"    # before NumPy is imported, for one thread in forked processes
os.environ.pop("SCRATCHGEN_DATA", None)

import argparse
import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

import scratchgen.studies
from tools.faults.campaign import LOST, Campaign
from tools.faults.report import KINDS, run_all, save
from tools.faults.runs import use_few_digits


def main() -> int:
    """Parse the arguments, run the faults, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description="Run the fault campaign.")
    parser.add_argument("--short", action="store_true", help="one fault of each kind; writes no file")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), metavar="KIND", help="only these kinds")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments and places (default: 0)")
    parser.add_argument("--keep", type=Path, help="a folder for the files of the faults that lost something")
    parser.add_argument("--out", type=Path, default=Path("results/faults.json"), help="file of the counts")
    args = parser.parse_args()
    for module in pkgutil.walk_packages(scratchgen.studies.__path__, "scratchgen.studies."):
        importlib.import_module(module.name)
    use_few_digits()
    with tempfile.TemporaryDirectory(prefix="faults ") as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        campaign = Campaign(folder.resolve(), args.seed)
        found = run_all(campaign, args.only or list(KINDS), args.short)
    if not (args.short or args.only):
        save(found, args.seed, args.out)
    lost = sum(counts[LOST] for counts in found["kinds"].values())
    print(f"lost: {lost}")
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
