"""Numba's cache of compiled kernels on disk, with three changes.

Numba compares the source of the kernel's own file with the cache. Kernels of one file call functions of
others (mathematics.py), so here an edit of any file of this package makes the whole cache stale. A file that
is damaged is removed, and the kernel compiled again. If the user has no home folder, Numba's folder there is
not used, since Numba would create a folder named "~" in the current one.

The classes of numba.core.caching are not documented. These of them are the same from Numba 0.60 to 0.68.
"""

from __future__ import annotations

import functools
import hashlib
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    UserWideCacheLocator,
    ZipCacheLocator,
)

FOLDER = Path(__file__).parent
DIGEST = hashlib.sha256().digest_size


def hash_sources(folder: Path = FOLDER) -> str:
    """The SHA-256 of the names and contents of all Python files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


# The sources that this process runs: computed once, when the first kernel is defined.
running_sources = functools.cache(hash_sources)


class Locator(CompileResultCacheImpl):
    """Chooses the folder of the cache, as Numba does, but never in a home folder that does not exist."""

    @property
    def _locator_classes(self) -> list[Any]:  # type: ignore[override]
        if os.path.isabs(os.path.expanduser("~")) or os.environ.get("XDG_CACHE_HOME"):
            return list(super()._locator_classes)
        at_home = (UserWideCacheLocator, ZipCacheLocator)
        return [locator for locator in super()._locator_classes if locator not in at_home]


class CacheFile(IndexDataCacheFile):
    """The index and the data files of one kernel, with checksums."""

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (self._source_stamp, key, data))

    def load(self, key: Any) -> Any:
        found = super().load(key)
        if found is None:
            return None
        stamp, saved_key, data = found
        if (stamp, saved_key) != (self._source_stamp, key):
            raise ValueError("the index of a kernel cache names the wrong file")
        return data

    def remove(self) -> None:
        """Remove the index, so that the data files are not used any more."""
        os.remove(self._index_path)

    def _dump(self, obj: Any) -> bytes:
        data: bytes = super()._dump(obj)
        return data + hashlib.sha256(data).digest()     # a pickle ends before it, so Numba can read the file

    def _load_data(self, name: str) -> Any:
        data = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(data[:-DIGEST]).digest() != data[-DIGEST:]:
            raise ValueError(f"{name} is damaged")
        return super()._load_data(name)


class KernelCache(FunctionCache):
    """The cache of one kernel. Raises RuntimeError if there is no folder for it."""

    _impl_class = Locator

    def __init__(self, function: Any):
        super().__init__(function)
        self._cache_file: CacheFile = CacheFile(self._cache_path, self._impl.filename_base, running_sources())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for these types, or None if it must be compiled."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:   # a damaged pickle may raise any exception
            with suppress(OSError):
                self._cache_file.remove()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a compiled function, unless the sources were edited since this process read them."""
        if hash_sources() != running_sources():
            return
        try:
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
