"""Write the tables of docs/reliability.md from the figures in results/.

    python tools/reliability.py
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from scratchgen.data.files import write_whole  # noqa: E402
from scratchgen.studies.chapters import fill, grid  # noqa: E402

PAGE = ROOT / "docs" / "reliability.md"
RESULTS = ROOT / "results"
COMMAND = "python tools/reliability.py"
PARTS = {
    "layers": "layers, forward and backward",
    "losses": "losses",
    "distributions": "distributions",
    "training": "steps of optimisers, gradient norms",
    "metrics": "metrics",
    "models": "models in closed form",
    "initializers": "initialisers",
    "data": "warped images",
    "checks": "one-hot rows",
}


def numbers_table(found: dict[str, Any]) -> str:
    """One row for each part of the library, from results/numbers.json."""
    parts = defaultdict(list)
    for row in found["rows"]:
        parts[row["function"].partition(".")[0]].append(row)
    rows = []
    for part, own in parts.items():
        functions, count = {row["function"] for row in own}, sum(row["numbers"] for row in own)
        worst = max(own, key=lambda row: row["worst_ulps"])
        largest = f"{worst['worst_ulps']:g}, `{worst['function'].rpartition('.')[2]}`"
        rows.append((PARTS[part], str(len(functions)), f"{count:,}", largest if worst["worst_ulps"] else "0"))
    return grid(("part", "functions", "numbers compared", "largest error in ulps"), rows)


def faults_table(found: dict[str, Any]) -> str:
    """One row for each kind of fault, from results/faults.json."""
    columns = ("tried", "survived", "refused", "lost")
    rows = [(kind, *(str(counts[c]) for c in columns)) for kind, counts in found["kinds"].items()]
    rows.append(("**total**", *(f"**{found['total'][c]}**" for c in columns)))
    return grid(("fault", *columns), rows)


def fuzz_table(found: dict[str, Any]) -> str:
    """One row for each reader of files, from results/fuzz.json."""
    rows = [
        (
            name, str(r["seconds"]), f"{r['executions']:,}", f"{r['read']:,}", f"{r['slowest_seconds']:g}",
            f"{r['most_megabytes']:g}", str(len(r["defects"])),
        )
        for name, r in found["readers"].items()
    ]  # fmt: skip
    head = ("reader", "seconds", "files tried", "read", "slowest, s", "most memory, MB", "defects left")
    return grid(head, rows)


def versions_table(found: dict[str, Any]) -> str:
    """One row for each combination of versions, from results/dependencies.json."""
    names = ("numpy", "numba", "matplotlib", "safetensors", "scikit-learn")
    rows = [
        (r["python"], r["bounds"], *(r["versions"].get(name, "") for name in names), r["message"])
        for r in found["runs"]
    ]
    return grid(("Python", "versions", *names, "tests"), rows)


def tables() -> dict[str, str]:
    """The tables of the page, by the names of their marks."""
    kinds = {
        "numbers": numbers_table, "faults": faults_table, "fuzz": fuzz_table, "dependencies": versions_table
    }  # fmt: skip
    return {
        name: make(json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")))
        for name, make in kinds.items()
    }


def main() -> None:
    """Write the tables into the page."""
    write_whole(PAGE, fill(PAGE.read_text(encoding="utf-8"), tables(), COMMAND))


if __name__ == "__main__":
    main()
