"""Count the file operations on one folder, and interrupt a process before one of them.

In this process, the functions of `builtins`, `io` and `os` that write files are replaced. Functions that read
are not changed. A write is divided into two halves, with an operation between them.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

Before = Callable[[str], None]      # called before an operation, with its name

_open, _os_open, _os_write, _fsync = builtins.open, os.open, os.write, os.fsync


def watch(folder: Path, before: Before, room: int | None = None) -> None:
    """Call `before` at every operation that changes `folder`, for the rest of this process.

    room : the total number of bytes that the files in `folder` may have. A write that exceeds it writes what
        fits and raises the error of a full disk
    """
    inside = os.path.abspath(folder)

    def concerns(path: Any) -> bool:
        text = os.fspath(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        text = os.fsdecode(text)
        return bool(text) and os.path.abspath(text).startswith(inside + os.sep)

    def opened(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if not (set(mode) & set("wax+") and concerns(path)):
            return _open(path, mode, *args, **kwargs)
        before("open")
        file = _open(path, mode, *args, **kwargs)
        before("opened")
        return WatchedFile(file, before, lambda: free(inside, room))

    def os_opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and concerns(path)
        if writes:
            before("open")
        descriptor = _os_open(path, flags, *args, **kwargs)
        if writes:
            before("opened")
            descriptors.add(descriptor)
        return descriptor

    def os_written(descriptor: int, data: Any) -> int:
        if descriptor not in descriptors:
            return _os_write(descriptor, data)
        return write_halves(lambda part: _os_write(descriptor, part), data, before, free(inside, room))

    def synced(descriptor: int) -> None:
        before("fsync")
        _fsync(descriptor)
        before("synced")

    descriptors: set[int] = set()
    builtins.open = io.open = opened  # type: ignore[assignment]
    os.open, os.write, os.fsync = os_opened, os_written, synced  # type: ignore[assignment]
    for name in ("replace", "rename", "link", "unlink", "remove", "mkdir"):
        setattr(os, name, _announced(getattr(os, name), name, concerns, before))


def _announced(function: Any, name: str, concerns: Callable[[Any], bool], before: Before) -> Any:
    def call(path: Any, *args: Any, **kwargs: Any) -> Any:
        watched = concerns(path)
        if watched:
            before(name)
        result = function(path, *args, **kwargs)
        if watched:
            before(f"after {name}")
        return result

    return call


class WatchedFile:
    """A file that is open for writing. Its writes count as operations."""

    def __init__(self, file: Any, before: Before, room: Callable[[], int | None]):
        self._file, self._before, self._room = file, before, room

    def write(self, data: Any) -> int:
        def part(half: Any) -> int:
            count: int = self._file.write(half)
            self._file.flush()
            return count

        return write_halves(part, data, self._before, self._room())

    def __enter__(self) -> WatchedFile:
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        self._before("close")
        return self._file.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def write_halves(write: Callable[[Any], int], data: Any, before: Before, room: int | None) -> int:
    """Write data in two halves; raise the error of a full disk after `room` bytes."""
    before("write")
    if room is not None and len(data) > room:
        write(data[:room])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    half = len(data) // 2
    count = write(data[:half])
    before("written in part")
    count += write(data[half:])
    before("written")
    return count


def free(folder: str, room: int | None) -> int | None:
    """The bytes that may still be written to a folder, or None if there is no limit."""
    if room is None:
        return None
    return max(0, room - sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()))


class KillAt:
    """Kills this process before operation number `at`, counted from 0."""

    def __init__(self, at: int):
        self.at, self.count = at, 0

    def __call__(self, name: str) -> None:
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


class DoAt:
    """Calls `action` before operation number `at`, counted from 0."""

    def __init__(self, at: int, action: Callable[[], object]):
        self.at, self.action, self.count = at, action, 0

    def __call__(self, name: str) -> None:
        self.count += 1
        if self.count == self.at + 1:
            self.action()
