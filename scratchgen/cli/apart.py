"""Run code of the user in a process of its own, which is ended if it does not end itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from scratchgen.cli.common import columns

GRACE = 5.0         # seconds after the time limit in which the process may end itself, with a better message
# The exit codes of scratchgen.cli.own_code, and those of the command that they stand for.
UNUSUAL = {40: 0, 41: 1, 42: 2, 43: 141, 44: 130}


def run_apart(module: str, target: str, timeout: float, options: Sequence[str] = ()) -> int:
    """Run a module on a target, such as FILE.py:CLASS, in a new process; return the exit code of the command.

    Prints one line to stderr if the process did not end within `timeout` seconds, or if the code of the user
    ended it.
    """
    return _run(module, target, timeout, options, None)[0]


def ask_apart(module: str, target: str, timeout: float, options: Sequence[str] = ()) -> tuple[int, Any]:
    """The same with the option --json: the exit code, and the object that was printed or None."""
    code, output = _run(module, target, timeout, [*options, "--json"], subprocess.PIPE)
    return code, json.loads(output) if output else None


def _run(
    module: str, target: str, timeout: float, options: Sequence[str], stdout: int | None
) -> tuple[int, bytes]:
    command = [
        sys.executable, "-P", "-m", module, target, f"--timeout={timeout}", f"--width={columns()}", *options,
    ]  # fmt: skip
    # The readable functions start faster than the compiled ones, and the layer's own code is what is checked.
    environment = {"SCRATCHGEN_KERNELS": "reference", **os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(folder for folder in sys.path if folder)
    sys.stdout.flush()
    process = subprocess.Popen(
        command, env=environment, stdout=stdout, start_new_session=os.name == "posix"
    )
    try:
        output = process.communicate(timeout=timeout + GRACE)[0] or b""
    except subprocess.TimeoutExpired:
        print(f"scratchgen: error: {target} did not finish within {timeout:g} s", file=sys.stderr)
        return 1, b""
    finally:
        end(process)
    code = process.returncode
    if code not in UNUSUAL:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        text = f"{target} ended its process, with {how}, before it was checked"
        print(f"scratchgen: error: {text}", file=sys.stderr)
        return 1, b""
    return UNUSUAL[code], output


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):     # all of them may have ended
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()
