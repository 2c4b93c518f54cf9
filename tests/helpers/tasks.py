"""Tasks of workers, which need a module that the workers can import."""

import logging
import os
import signal
import time
import warnings
from pathlib import Path


def square(x):
    return x * x


def threads():
    """The number of threads that BLAS uses, and whether anything that is printed is shown."""
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_info

    print("not shown")
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


def die(folder: Path, times: int):
    """End this process as an out-of-memory killer would, the first `times` times."""
    attempts = len(list(folder.iterdir()))
    (folder / str(attempts)).touch()
    if attempts < times:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempts


def slow(x, seconds=0.3):
    time.sleep(seconds)
    return x


def fail():
    raise ArithmeticError("a score is not finite")


def warn():
    logging.getLogger("scratchgen").warning("logged")
    warnings.warn("warned", UserWarning, stacklevel=1)
    return 1


def labels_of(digits, classifier):
    """What shared_metrics may build: predictions for the first test digits."""
    return classifier.predict(digits.x_test[:20])
