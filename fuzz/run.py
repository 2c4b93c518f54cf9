"""Fuzz the file readers, one after the other: make fuzz, make fuzz SECONDS=60.

    python -m fuzz.run 10 minutes for each reader; writes results/fuzz.json
    python -m fuzz.run --seconds 60 idx npz     a minute for each of these

The inputs that the fuzzer finds are kept in FOLDER (runs/fuzz), and the next run starts with them. The exit
code is 1 if there are defects. Their inputs are in FOLDER/NAME/defects. When a defect is corrected, a test
for it is added to tests/data/test_damaged_files.py.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 16_384       # bytes
HANGS = 30                  # seconds; a call of more than one second of processor time is already a defect
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None   # a folder where files cost no disk access


def main(argv: list[str] | None = None) -> int:
    """Fuzz the chosen readers, write the results after each one, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.run", description="Fuzz the file readers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="readers (default: all)")
    parser.add_argument("--seconds", type=int, default=600, help="seconds for each reader (default: 600)")
    parser.add_argument("--folder", type=Path, default=Path("runs/fuzz"), help="folder of inputs")
    parser.add_argument("--results", type=Path, default=Path("results/fuzz.json"), help="file of results")
    args = parser.parse_args(argv)
    try:
        version = importlib.metadata.version("atheris")
    except importlib.metadata.PackageNotFoundError:
        print("fuzz needs atheris (Linux on x86-64): pip install atheris", file=sys.stderr)
        return 2

    from fuzz.readers import READERS
    from scratchgen.checks import check_name
    from scratchgen.data.files import write_json
    from scratchgen.data.records import read_json

    names = [check_name("reader", name, READERS) for name in args.names] or list(READERS)
    found = read_json(args.results)["readers"] if args.results.is_file() else {}
    for name in names:
        figures = fuzz(name, args.folder / name, args.seconds)
        found[name] = figures
        write_json(args.results, {
            "atheris": version,
            "python": platform.python_version(),
            "limits of a call": {"seconds": 1, "megabytes": 200},
            "readers": {key: found[key] for key in READERS if key in found},
        })  # fmt: skip
        print(
            f"{name:11} {figures['seconds']} s: {figures['read']:,} files read, {figures['refused']:,} "
            f"refused, coverage {figures['coverage']}, defects {len(figures['defects'])}",
            *figures["defects"], sep="\n  ", flush=True,
        )  # fmt: skip
    return 1 if any(found[name]["defects"] for name in names) else 0


def fuzz(name: str, folder: Path, seconds: int) -> dict[str, Any]:
    """Fuzz one reader in a process of its own, and return its figures."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "defects", ignore_errors=True)
    for old in ("defects.txt", "counts.json"):
        (folder / old).unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "fuzz.one", name, str(folder), f"-max_total_time={seconds}",
        f"-timeout={HANGS}", f"-max_len={LONGEST_FILE}", f"-artifact_prefix={folder}/",
    ]  # fmt: skip
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    log_file, memory = folder / "log.txt", tempfile.TemporaryDirectory(dir=IN_MEMORY)
    with open(log_file, "w", encoding="utf-8") as log, memory as scratch:
        env["TMPDIR"] = scratch
        code = subprocess.run(command, env=env, stdout=log, stderr=log).returncode
    text = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    defects = folder / "defects.txt"
    lines = defects.read_text(encoding="utf-8").splitlines() if defects.is_file() else []
    if code != 0:
        lines.append(f"the process ended with code {code}; see {folder / 'log.txt'}")
    figures = {"executions": 0, "refused": 0, "read": 0}
    if (folder / "counts.json").is_file():
        figures = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text) or [("0", "0", "0")]
    return {
        "seconds": seconds,
        **figures,
        "coverage": int(coverage[-1][0]),
        "features": int(coverage[-1][1]),
        "corpus": int(coverage[-1][2]),
        "defects": lines,
    }


if __name__ == "__main__":
    sys.exit(main())
