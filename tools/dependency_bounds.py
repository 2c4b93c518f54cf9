"""Test the library with other versions of Python and of its dependencies.

    python tools/dependency_bounds.py oldest      the lower bounds in setup.cfg, exactly
    python tools/dependency_bounds.py newest      the newest versions
    python tools/dependency_bounds.py pythons both, with each Python in setup.cfg that is installed

For each combination, packages are installed from wheels into a new environment in a temporary folder, and the
tests that are not marked as slow run there. With --short, only pip check, gradcheck, and the common tests of
models, checkpoints and kernels run. The newest versions are then left out for the Python that runs this
script, because CI tests them anyway. --record FILE adds the outcomes to a JSON file.

A combination is skipped with a message if its Python is not installed or if there is no network. Every other
problem is a failure. Exit code: 0 if nothing failed, else 1.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
# Older versions of other packages, because the newest ones add warnings: Matplotlib before 3.10.8 calls
# functions that pyparsing 3.3 deprecates.
COMPANIONS = ("pyparsing<3.3",)
NO_NETWORK = ("NewConnectionError", "NameResolutionError", "TimeoutError", "ProxyError")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow")
QUICK = ((*PYTEST, "-n", "2", "--dist", "worksteal"),)
SHORT = (
    ("-W", "error", "-m", "scratchgen", "gradcheck"),
    (*PYTEST, "tests/kernels", "tests/models/test_all_models.py", "tests/training/test_checkpoint.py"),
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one combination. `versions` are the versions that were installed."""

    python: str
    bounds: str
    tests: str
    outcome: str        # passed, failed or skipped
    message: str
    versions: dict[str, str]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Test the library with other versions.")
    parser.add_argument("which", choices=("oldest", "newest", "pythons"))
    parser.add_argument("--short", action="store_true", help="a few minutes in all")
    parser.add_argument("--record", type=Path, metavar="FILE", help="JSON file for the outcomes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="combinations at a time")
    args = parser.parse_args(words)

    here = "{}.{}".format(*sys.version_info)
    outcomes = []
    combinations = []
    for version in classified_pythons() if args.which == "pythons" else (here,):
        python = find_python(version)
        for bounds in ("oldest", "newest") if args.which == "pythons" else (args.which,):
            if args.short and (version, bounds) == (here, "newest"):
                continue
            if python is None:
                outcomes.append(Outcome(version, bounds, "none", "skipped", "this Python was not found", {}))
            else:
                combinations.append((version, python, bounds, args.short))
    with ThreadPoolExecutor(args.jobs) as pool:
        outcomes += pool.map(lambda combination: try_versions(*combination), combinations)
    for outcome in outcomes:
        print(f"Python {outcome.python}, {outcome.bounds} versions: {outcome.outcome} ({outcome.message})")
    if args.record:
        record(outcomes, args.record)
    return int(any(outcome.outcome == "failed" for outcome in outcomes))


def classified_pythons() -> list[str]:
    """The versions in the classifiers of setup.cfg: ["3.11", …]."""
    return re.findall(r"Python :: (3\.\d+)$", settings()["metadata"]["classifiers"], re.MULTILINE)


def find_python(version: str) -> str | None:
    """A Python of this version: the running one, one on PATH, or one from pyenv. None if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [sys.executable, shutil.which(f"python{version}")]
    candidates += sorted(map(str, pyenv.glob(f"{version}.*/bin/python")), reverse=True)
    code = "import ensurepip, sys, venv; print('{}.{}'.format(*sys.version_info))"
    for python in filter(None, candidates):
        found = subprocess.run([python, "-c", code], capture_output=True, encoding="utf-8", check=False)
        if found.stdout.strip() == version:
            return python
    return None


def settings() -> configparser.ConfigParser:
    """setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def requirements(python: str) -> Iterator[Requirement]:
    """The requirements of the library and of its tests with this version of Python, from setup.cfg."""
    lists = (settings()["options"]["install_requires"], settings()["options.extras_require"]["test"])
    for line in "\n".join(lists).split("\n"):
        requirement = Requirement(line) if line.strip() else None
        marker = requirement and requirement.marker
        if requirement and (marker is None or marker.evaluate({"python_version": python})):
            yield requirement


def lowest(requirement: Requirement) -> str:
    """The requirement with its lower bound as the version. Raises ValueError if it has none."""
    for bound in requirement.specifier:
        if bound.operator in (">=", "=="):
            return f"{requirement.name}=={bound.version}"
    raise ValueError(f"setup.cfg: expected a lower bound for {requirement.name}, got '{requirement}'")


def try_versions(version: str, python: str, bounds: str, short: bool) -> Outcome:
    """Create the environment, install the packages and run the tests. Prints the output of failures."""
    wanted = list(requirements(version))
    packages = [f"{r.name}{r.specifier}" for r in wanted]
    if bounds == "oldest":
        packages = [*map(lowest, wanted), *COMPANIONS]
    tests = "short" if short else "quick"
    with tempfile.TemporaryDirectory(prefix="scratchgen-") as folder:
        subprocess.run([python, "-m", "venv", f"{folder}/venv"], check=True)
        inside = next(Path(folder, "venv").glob("[bS]*/python*"))
        pip = (str(inside), "-m", "pip", "--disable-pip-version-check")
        installed = run(*pip, "install", "--quiet", "--only-binary", ":all:", *packages, folder=folder)
        if installed.returncode:
            offline = any(sign in installed.stdout for sign in NO_NETWORK)
            print(*(line[:500] for line in installed.stdout.splitlines() if "ERROR" in line), sep="\n")
            message = "no network" if offline else "these versions cannot be installed together"
            return Outcome(version, bounds, tests, "skipped" if offline else "failed", message, {})
        found = json.loads(run(*pip, "list", "--format", "json", folder=folder).stdout)
        names = {requirement.name for requirement in wanted}
        versions = {one["name"]: one["version"] for one in found if one["name"] in names}
        message = ""
        for command in ((*pip, "check"), *((str(inside), *words) for words in (SHORT if short else QUICK))):
            ran = run(*command, folder=folder)
            message = ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else ""
            if ran.returncode:
                print(f"Python {version}, {bounds}: {' '.join(command)}\n{ran.stdout}", flush=True)
                return Outcome(version, bounds, tests, "failed", message, versions)
    return Outcome(version, bounds, tests, "passed", message.split(" in ")[0], versions)


def run(*command: str, folder: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, with a cache of kernels in `folder`; stderr is part of stdout."""
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": f"{folder}/cache", "MPLCONFIGDIR": f"{folder}/matplotlib",
    }  # fmt: skip
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip


def record(outcomes: Sequence[Outcome], path: Path) -> None:
    """Add the outcomes to a JSON file, in place of earlier ones of the same combination."""
    old = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    rows = {(row["python"], row["bounds"]): row for row in [*old, *map(asdict, outcomes)]}
    text = json.dumps({"runs": [rows[key] for key in sorted(rows)]}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
