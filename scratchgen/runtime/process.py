"""Two settings of the process that only affect speed: BLAS threads sleep sooner, and memory is reused.

Importing the library makes neither. The command makes both, and the first compiled function the second one.
Neither changes a setting that environment variables already make. The times below are of single runs at
2.6 GHz, batch size 128.

After each product, the threads of OpenBLAS wait actively for 2^26 ticks of the processor, about 25 ms. They
occupy cores that other work needs. A step of DCGAN (64 and 128 channels, two threads) took 150 ms; with 2^19
ticks (0.2 ms) it took 83 ms, with 2^17 or 2^21 85 and 90 ms. Steps of dense networks, in which products
follow each other closely, were fastest with 2^19 too (VAE 1.8 ms, with 2^26 2.0 ms). OpenBLAS reads the
setting when NumPy is loaded, so it must be made before that.

glibc returns the memory of every large array to the system, which clears it page by page for the next one.
The same step on one thread, on a busy machine, took 182 ms; with memory that is reused, 148 ms.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3     # of mallopt, in glibc's malloc.h
LARGEST, OLD = 128 << 20, 32 << 20     # bytes; arrays up to this size reuse memory
KEPT = 512 << 20        # bytes; unused memory above this is returned to the system
TIMEOUT = "19"


def prepare() -> None:
    """Make both settings. The command `scratchgen` calls this. Programs may call it before they import NumPy:

        from scratchgen.runtime import process

        process.prepare()
    """
    if "numpy" not in sys.modules:
        os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", TIMEOUT)
    keep_memory()


@functools.cache
def keep_memory() -> None:
    """Ask glibc, once, to keep freed memory for the next array. The first compiled function calls this."""
    own = any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ
    if sys.platform == "linux" and not own:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)   # musl has none
        # glibc before 2.35 accepts at most 32 MB. If neither size is accepted, KEPT alone would do harm.
        if mallopt is not None and (mallopt(M_MMAP_THRESHOLD, LARGEST) or mallopt(M_MMAP_THRESHOLD, OLD)):
            mallopt(M_TRIM_THRESHOLD, KEPT)


def return_memory() -> None:
    """Return freed memory to the system. An optimiser calls this before and after it moves the weights.

    Otherwise, the memory that the weights and their random numbers had before is kept beside the buffers of
    the optimiser. A dense autoencoder of 32 layers of 512 units then needed 164 MB, and with this 151.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)      # musl has none
        if trim is not None:
            trim(0)
