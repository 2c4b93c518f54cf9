"""Run the notebooks of the chapters: python website/run_notebooks.py OUT [NAME …]

Two kernels run at a time. The command fails, and says where, if a cell raises an exception, if a notebook
takes longer than its limit, or if all of them take longer than the budget. The outputs of a notebook in OUT
are kept if its code, the library and the versions of Python and of packages are still the same.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import scratchgen  # noqa: E402
from website import notebooks  # noqa: E402

LIMIT, BUDGET = 240.0, 480.0        # seconds for a notebook, and for all of them
STARTUP = 120                       # seconds in which a kernel must answer
VERSIONS = ("numpy", "numba", "matplotlib", "ipykernel")
KERNELS = 2


class NotebookError(RuntimeError):
    """A notebook that cannot be run: a cell raised an exception, or it took too long."""


async def run(name: str, made: Any, limit: float, end: float) -> float:
    """Run all cells of a notebook, and store the outputs in it. Returns how many seconds it took.

    Raises NotebookError if a cell raises an exception, or after `limit` seconds, or at the time `end`.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    start = time.perf_counter()
    deadline = min(start + limit, end)
    # A cancelled client reports that its kernel died, so the time that is left is the limit of each cell.
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            made, timeout_func=lambda _: max(0.1, deadline - time.perf_counter()), kernel_name="python3",
            record_timing=False, shutdown_kernel="immediate", startup_timeout=STARTUP,
            resources={"metadata": {"path": folder}}, extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )  # fmt: skip
        try:
            await client.async_execute()
        except CellExecutionError as error:
            raise NotebookError(f"{name}: a cell raised an exception\n{error}") from None
        except DeadKernelError:
            raise NotebookError(f"{name}: its kernel died") from None
        except RuntimeError as error:       # jupyter_client has no class for this error
            raise NotebookError(f"{name}: its kernel does not start: {error}") from None
        except CellTimeoutError:
            over = f"its limit of {limit:g} s" if start + limit < end else "the budget of all notebooks"
            raise NotebookError(f"{name}: not finished within {over}") from None
    return time.perf_counter() - start


async def run_all(
    made: Mapping[str, Any], done: Callable[[str, float], None], limit: float = LIMIT, budget: float = BUDGET
) -> None:
    """Run notebooks, and call done(name, seconds) after each one.

    Raises NotebookError for the first one that fails; the others are then stopped.
    """
    free, end = asyncio.Semaphore(KERNELS), time.perf_counter() + budget

    async def one(name: str) -> None:
        async with free:
            seconds = await run(name, made[name], limit, end)
        done(name, seconds)

    try:
        async with asyncio.TaskGroup() as group:
            for name in made:
                group.create_task(one(name))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def write(out: Path, names: Iterable[str], limit: float = LIMIT, budget: float = BUDGET) -> list[Path]:
    """Run the notebooks of these chapters, and write them to a folder."""
    import nbformat

    start = time.perf_counter()
    made = {name: with_state(notebooks.notebook(name)) for name in names}
    paths = {name: out / f"{name}.ipynb" for name in made}
    out.mkdir(parents=True, exist_ok=True)

    def save(name: str, seconds: float) -> None:
        nbformat.validate(made[name])
        text = nbformat.writes(made[name]) + "\n"
        paths[name].write_text(text, encoding="utf-8")
        print(f"{paths[name].name:28} {seconds:6.1f} s  {len(text) / 1e3:6.0f} kB", flush=True)

    changed = {name: content for name, content in made.items() if not recall(paths[name], content)}
    for name in made.keys() - changed.keys():
        save(name, 0.0)
    asyncio.run(run_all(changed, save, limit, budget))
    seconds = time.perf_counter() - start
    print(f"{len(changed)} of {len(made)} notebooks were run in {seconds:.1f} s; the budget is {budget:g} s")
    return list(paths.values())


def with_state(made: Any) -> Any:
    """The notebook, which has not been run yet, with a digest of everything that its outputs depend on."""
    code = repr([cell["source"] for cell in made["cells"] if cell["cell_type"] == "code"])
    state = hashlib.sha256((state_of_library() + code).encode()).hexdigest()
    made.metadata["scratchgen"] = {"version": scratchgen.__version__, "state": state}
    return made


def recall(path: Path, made: Any) -> bool:
    """Copy the outputs of the notebook in a file, if it has the same code and was run with this library."""
    import nbformat

    if not path.is_file():
        return False
    stored = nbformat.read(path, as_version=4)
    if stored.metadata.get("scratchgen") != made.metadata["scratchgen"]:
        return False
    both = ([cell for cell in found["cells"] if cell["cell_type"] == "code"] for found in (made, stored))
    for cell, before in zip(*both, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    made.metadata.update(stored.metadata)
    return True


@functools.cache
def state_of_library() -> str:
    """A digest of the files of the library, and of the versions of Python and of packages."""
    found = hashlib.sha256(repr([sys.version, *(version(name) for name in VERSIONS)]).encode())
    package = ROOT / "scratchgen"
    for path in sorted(path for path in package.rglob("*") if path.suffix in (".py", ".npz", ".txt")):
        found.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the notebooks of the chapters.")
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write to")
    parser.add_argument("names", metavar="NAME", nargs="*", help="chapters (default: all)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for a notebook")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds for all of them")
    given = parser.parse_args()
    unknown = set(given.names) - set(notebooks.names())
    if unknown:
        parser.error(f"expected names of chapters with code, got {', '.join(sorted(unknown))}")
    try:
        write(given.out, given.names or notebooks.names(), given.limit, given.budget)
    except NotebookError as error:
        print(f"run_notebooks.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
