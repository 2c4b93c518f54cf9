"""A shell in a folder: the journeys type their commands into it."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a command printed."""

    out: str
    err: str

    @property
    def words(self) -> str:
        """The output on one line, so that it can be searched whatever the width of the terminal."""
        return " ".join(self.out.split())

    @property
    def json(self) -> Any:
        """The output of a command with --json."""
        return json.loads(self.out)


class Shell:
    """Runs commands of scratchgen in a folder, each in a process of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {
            **os.environ, "SCRATCHGEN_PROGRESS": str(folder / "progress.json"), "SCRATCHGEN_DATA": "",
            "COLUMNS": "80",
        }  # fmt: skip

    def __call__(self, line: str, code: int = 0) -> Answer:
        """Run a command such as "train vae --epochs 1"; its exit code must be `code`."""
        print(f"$ scratchgen {line}")
        command = [sys.executable, "-m", "scratchgen", *shlex.split(line)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Answer(done.stdout, done.stderr)

    def path(self, name: str) -> Path:
        """A file in the folder."""
        return self.folder / name

    def write(self, name: str, text: str) -> None:
        """Write a file, as an editor does."""
        self.path(name).write_text(text, encoding="utf-8")


def run(journey: Callable[[Shell], None]) -> None:
    """Take a journey in a folder that is removed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        journey(Shell(Path(folder)))
    print("everything worked as the journey says")
