"""Write files atomically: a reader finds either the old content or the complete new content.

A symbolic link is followed: the file that it points to is replaced, not the link.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import secrets
from pathlib import Path
from typing import IO, Any

import numpy as np

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
    given, path = Path(path), Path(os.path.realpath(path))
    expect_replaceable(given)
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
        raise OSError(error.errno, error.strerror, str(given)) from error
    finally:
        with contextlib.suppress(OSError):      # the folder may have vanished
            temporary.unlink()
    _remove_leftovers(path)
    return given


def expect_replaceable(path: str | os.PathLike[str]) -> None:
    """Check that `path` is a regular file or does not exist, so that a new file may take its place.

    Raises IsADirectoryError for a folder and FileExistsError for a device, a pipe or a socket.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"expected a file to write, but {path} is a folder")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"expected a regular file to write, but {path} is a device, a pipe or a socket")


def expect_memory(size: int) -> None:
    """Raise MemoryError unless `size` bytes can be allocated. Call it before code that cannot raise it.

    The library safetensors, for example, ends the process if it gets no memory.
    """
    np.empty(size, np.uint8)        # takes no time because nothing is written to it


def write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """Write a value as indented JSON with `write_whole`; the folder is created if it does not exist."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


class Lock:
    """A lock on the name of a file. Only one run at a time can hold it, in this process or in any other.

    The lock is taken on an empty file, ".NAME.lock", next to the file. It ends with the process, even if the
    process is killed. It has no effect on file systems that do not support locks.

    Raises BlockingIOError if another run holds the lock, and OSError if the folder cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str]):
        target = Path(os.path.realpath(path))
        self._path = target.with_name(f".{target.name}.lock")
        while not self._acquired(path):
            pass        # the run that held the lock has just removed its file

    def _acquired(self, path: str | os.PathLike[str]) -> bool:
        self._file = open(self._path, "ab")  # noqa: SIM115
        if fcntl is None:
            return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            message = "another run is saving to this file"
            raise BlockingIOError(errno.EWOULDBLOCK, message, os.fspath(path)) from None
        except OSError:
            return True         # no locks on this file system
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path)):
                return True
        self._file.close()
        return False

    def release(self) -> None:
        """Release the lock and remove its file."""
        if fcntl is not None:           # while the lock is held; Windows cannot remove an open file
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._file.close()
        if fcntl is None:
            with contextlib.suppress(OSError):
                self._path.unlink()


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
            if not leftover.is_file():
                continue
            if fcntl is None:
                leftover.unlink()       # Windows refuses to remove an open file
                continue
            with open(leftover, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
