"""Only one run at a time may train a model: two runs in two threads would silently mix their gradients."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

_in_training: WeakSet[Any] = WeakSet()     # the models that runs of this process are training now
_lock = threading.Lock()


@contextmanager
def only_run_of(model: Any) -> Iterator[None]:
    """Keep other runs from training the model in the block. Raises RuntimeError if one already trains it."""
    with _lock:
        if model in _in_training:
            raise RuntimeError(
                f"Trainer.run expected a {type(model).__name__} that no other run is training, but "
                "a run in another thread or in a callback is; train one after the other, or train copies"
            )
        _in_training.add(model)
    try:
        yield
    finally:
        with _lock:
            _in_training.discard(model)


def _reset_after_fork() -> None:
    """A forked process has copies of the models, but not the threads that train the originals."""
    global _lock
    _lock = threading.Lock()
    _in_training.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
