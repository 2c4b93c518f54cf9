"""Write files atomically: a reader finds the old content or the new one, never a part of it."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import secrets
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:     # Windows
    fcntl = None        # type: ignore[assignment]


def write_whole(path: str | os.PathLike[str], data: bytes | str) -> Path:
    """Write data (text as UTF-8) to a temporary file next to `path`, rename it to `path`, return the path.

    Temporary files of processes that were killed while they wrote `path` are removed.

    Raises OSError (FileNotFoundError, PermissionError, …) with `path` if the file cannot be written, and what
    `expect_replaceable` raises. The old file is then unchanged, and the temporary file is removed.
    """
    path = Path(path)
    expect_replaceable(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with _open_locked(temporary) as file:
            file.write(data.encode("utf-8") if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())     # so that the bytes are on the disk before the file is renamed
            if fcntl is not None:       # while the lock is held; Windows cannot rename an open file
                os.replace(temporary, path)
        if fcntl is None:
            os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
    _remove_leftovers(path)
    return path


def expect_replaceable(path: str | os.PathLike[str]) -> None:
    """Check that `path` is a regular file or does not exist, so that a new file may take its place.

    Raises IsADirectoryError for a folder and FileExistsError for a device, a pipe or a socket.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"expected a file to write, but {path} is a folder")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"expected a regular file to write, but {path} is a device, a pipe or a socket")


def write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """Write a value as indented JSON with `write_whole`; the folder is created if it does not exist."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _open_locked(temporary: Path) -> IO[bytes]:
    """Open a temporary file and lock it. The lock ends with the process, even if the process is killed."""
    while True:
        file = open(temporary, "wb")  # noqa: SIM115
        if fcntl is None:
            return file
        with contextlib.suppress(OSError):      # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if temporary.exists():
            return file
        file.close()        # another process took the file for a leftover before it was locked


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files for `path` that no process is writing to."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):
            if fcntl is None:
                leftover.unlink()       # Windows refuses to remove an open file
                continue
            with open(leftover, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
