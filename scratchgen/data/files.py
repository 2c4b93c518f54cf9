"""Write files atomically: a reader finds the old content or the new one, never a part of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_whole(path: str | os.PathLike[str], data: bytes | str) -> Path:
    """Write data (text as UTF-8) to a temporary file next to `path`, rename it to `path`, return the path.

    Raises OSError (FileNotFoundError, PermissionError, …) with `path` if the file cannot be written. The old
    file is then unchanged, and the temporary file is removed.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data.encode("utf-8") if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())     # so that the bytes are on the disk before the file is renamed
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """Write a value as indented JSON with `write_whole`; the folder is created if it does not exist."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
