"""Compare every function with 60-digit arithmetic on numbers of every size; write results/numbers.json.

    python tools/sweep_numbers.py

Ends with status 1 if an error is above its bound. The functions, the numbers and the bounds are in
tests/numbers/sweep.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "numbers")]

from sweep.entries import ENTRIES  # noqa: E402
from sweep.measure import Entry, sweep  # noqa: E402
from sweep.oracle import DIGITS  # noqa: E402

HEADER = f"{'function':<48}{'dtype':<9}{'kernels':<11}{'numbers':>8}{'left out':>9}{'worst':>9}{'bound':>8}"


def rows_of(entry: Entry) -> list[dict]:
    """One row for each dtype and set of kernels. Errors are rounded to two digits."""
    return [
        {
            "function": entry.name,
            "dtype": dtype.__name__,
            "kernels": kernels,
            "numbers": found.cases,
            "left_out": found.outside,
            "worst_ulps": float(f"{found.worst:.2g}"),
            "bound_ulps": entry.bound.ulps,
            "reason": entry.bound.reason,
        }
        for dtype in entry.dtypes
        for kernels, found in sweep(entry, dtype).items()
    ]


def main() -> int:
    """Print one line for each function, dtype and set of kernels; return the exit status."""
    rows = []
    print(HEADER)
    for entry in ENTRIES.values():
        for row in rows_of(entry):
            rows.append(row)
            print(
                f"{row['function']:<48}{row['dtype']:<9}{row['kernels']:<11}{row['numbers']:>8}"
                f"{row['left_out']:>9}{row['worst_ulps']:>9g}{row['bound_ulps']:>8g}"
            )
    wrong = [row for row in rows if not row["worst_ulps"] <= row["bound_ulps"]]
    summary = {
        "digits": DIGITS,
        "functions": len(ENTRIES),
        "numbers": sum(row["numbers"] for row in rows),
        "above_bound": len(wrong),
        "rows": rows,
    }
    path = ROOT / "results" / "numbers.json"
    path.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(
        f"{summary['functions']} functions, {summary['numbers']} numbers, {len(wrong)} rows above their bound"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
