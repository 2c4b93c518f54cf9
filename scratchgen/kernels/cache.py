"""The cache of compiled kernels on disk: never stale, never damaged, never in a folder named ~.

Numba chooses the folder, defines the key of a compiled function and serialises the function. This cache
differs from Numba's own cache in three ways:

- Numba compares the source of the kernel's own file with the cache. Kernels of one file call functions of
  others (mathematics.py), so here an edit of any file of this package makes the whole cache stale.
- Each compiled function has one file, which starts with a checksum. Numba has a second file, an index without
  a checksum. A single wrong bit in the index could stop every process, or make it use minutes and gigabytes
  to read it.
- If the user has no home folder, Numba's folder there is not used, since Numba would create a folder named
  "~" in the current one.

The parts of Numba that are used here are not documented. They are the same from Numba 0.60 to 0.68.
"""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import time
import warnings
from contextlib import suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps, loads

DIGEST = hashlib.sha256().digest_size
OLD = 3600      # seconds; an older temporary file belongs to a process that was killed
# Names of Numba's classes that use the home folder. Numba 0.60 and 0.61 write an underscore before them.
AT_HOME = ("UserWideCacheLocator", "ZipCacheLocator")


def hash_sources(folder: Traversable | None = None) -> str:
    """The SHA-256 of the names and contents of all Python files in a folder (default: this package).

    The package may be in a zip archive.
    """
    digest = hashlib.sha256()
    entries = (files("scratchgen.kernels") if folder is None else folder).iterdir()
    for name, path in sorted((path.name, path) for path in entries if path.name.endswith(".py")):
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


# The sources that this process runs: computed once, when the first kernel is defined.
running_sources = functools.cache(hash_sources)


class Locator(CompileResultCacheImpl):
    """Chooses the folder of the cache, as Numba does, but never in a home folder that does not exist."""

    @property
    def _locator_classes(self) -> list[Any]:  # type: ignore[override]
        locators = list(super()._locator_classes)
        if os.path.isabs(os.path.expanduser("~")) or os.environ.get("XDG_CACHE_HOME"):
            return locators
        return [locator for locator in locators if locator.__name__.lstrip("_") not in AT_HOME]


class CacheFiles:
    """The files of one kernel: one for each combination of argument types, processor and Numba version.

    A file contains a pickle, (hash of the sources, key, compiled function), and the SHA-256 of this pickle.
    """

    def __init__(self, folder: str, kernel: str, sources: str):
        self.folder, self.kernel, self.sources = Path(folder), kernel, sources

    def path(self, key: Any) -> Path:
        """The file for a key. Its name is always the same, so that a stale file is replaced."""
        name = hashlib.sha256(repr((numba.__version__, key)).encode()).hexdigest()
        return self.folder / f"{self.kernel}.{name[:16]}.nbc"

    def load(self, key: Any) -> Any:
        """The compiled function, or None if there is no file or a stale one.

        Raises ValueError if the file is damaged. The checksum is compared before anything is unpickled.
        """
        try:
            content = self.path(key).read_bytes()
        except OSError:     # it does not exist, or this user may not read it
            return None
        digest, data = content[:DIGEST], content[DIGEST:]
        if hashlib.sha256(data).digest() != digest:
            raise ValueError(f"{self.path(key)} is damaged")
        sources, saved_key, compiled = loads(data)
        return compiled if (sources, saved_key) == (self.sources, key) else None

    def save(self, key: Any, compiled: Any) -> None:
        """Write a temporary file and rename it, so that other processes find a complete file or none."""
        data = dumps((self.sources, key, compiled))
        path = self.path(key)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            temporary.write_bytes(hashlib.sha256(data).digest() + data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        self.remove_leftovers()

    def remove_leftovers(self) -> None:
        """Remove the temporary files of this kernel that killed processes left."""
        for leftover in self.folder.glob(f"{self.kernel}.*.tmp"):
            with suppress(OSError):
                if time.time() - leftover.stat().st_mtime > OLD:
                    leftover.unlink()

    def flush(self) -> None:
        """Remove the files of this kernel. Numba calls this if a kernel must be compiled again."""
        for path in self.folder.glob(f"{self.kernel}.*.nbc"):
            with suppress(OSError):
                path.unlink()


class KernelCache(FunctionCache):
    """The cache of one kernel. Raises RuntimeError if there is no folder for it."""

    _impl_class = Locator

    def __init__(self, function: Any):
        try:
            super().__init__(function)
        except (OSError, ValueError) as error:      # the current folder was deleted; a path with ".zip" in it
            raise RuntimeError(f"no folder for the cache: {error}") from error
        self._cache_file: CacheFiles = CacheFiles(  # type: ignore[assignment]
            self._cache_path, self._impl.filename_base, running_sources()
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for these types, or None if it must be compiled."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:   # machine code that cannot be used may raise any exception
            with suppress(OSError):
                self._cache_file.path(self._index_key(sig, target_context.codegen())).unlink()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a compiled function, unless the sources were edited since this process read them."""
        try:
            if hash_sources() == running_sources():
                super().save_overload(sig, data)
        except OSError:
            warn_uncached()


@functools.cache
def warn_uncached() -> None:
    """Warn once that compiled kernels cannot be cached."""
    warnings.warn(
        "compiled kernels cannot be cached here, so they are compiled again in every process; "
        "set NUMBA_CACHE_DIR to a writable folder",
        RuntimeWarning,
        stacklevel=4,
    )
