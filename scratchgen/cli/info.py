"""`scratchgen info`: what is in the folder of a run."""

from __future__ import annotations

import argparse
from typing import Any

from scratchgen.cli.common import add_json_argument, print_result, row
from scratchgen.cli.run_folder import Run, add_run_argument, open_run

HELP = "show the model, the settings and the history of a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_argument(parser)
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Print what is known of a run."""
    run = open_run(args.run_folder)
    values = about(run)
    history: dict[str, list[float]] = values["history"]
    told = {key: value for key, value in values.items() if key != "history" and value not in (None, "", [])}
    told |= {f"last {name}": f"{column[-1]:.6g}" for name, column in history.items() if column}
    lines = [row(_title(key), _text(value), 21) for key, value in told.items()]
    print_result(args, values, *lines)
    return 0


def about(run: Run) -> dict[str, Any]:
    """Everything that `info` prints, by name."""
    from scratchgen.saving.container import parsed, read_file

    tensors, metadata = read_file(run.path)
    progress = parsed(run.path, metadata, "run")
    progress = progress if isinstance(progress, dict) else {}
    ended = str(progress.get("ended", ""))      # files of earlier versions have none
    parameters = run.model.parameters() if hasattr(run.model, "parameters") else None
    prefix = "history.epochs."
    history = {k.removeprefix(prefix): a.tolist() for k, a in tensors.items() if k.startswith(prefix)}
    return {
        "file": str(run.path),
        "bytes": run.path.stat().st_size,
        "model": run.name,
        "settings": repr(run.model),
        "parameters": None if parameters is None else sum(p.size for p in parameters.values()),
        **{key: value for key, value in run.config.items() if key != "model"},
        "finished": progress.get("finished") and not ended.startswith("stopped"),
        "ended": ended,
        "epochs": progress.get("epoch"),
        "steps": progress.get("step"),
        "history": history,
    }


def _title(key: str) -> str:
    """The key as words; settings as they are typed."""
    return key if key.startswith("set.") else key.replace("_", " ")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
