"""Measure one matrix product in five versions, and the peak speed of the processor, on one core.

A product of two n×n matrices takes 2·n³ operations. Four versions are written in Numba. Each changes one
thing:

    three loops   out[i, j] = Σ a[i, k]·b[k, j], as in the formula, which reads b by columns
    rows          the loops in another order, so that all three arrays are read along their rows
    panels        the same, for a few rows of b at a time, which then stay in the cache
    registers     16 sums at once, of 4 rows of a and 4 columns of b: each number loaded is used 4 times

The fifth is BLAS. The peak is measured with multiply-adds of numbers that are already in registers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

PANEL = 128     # rows of b, or columns, that are used while they are in the cache

# `reassoc` lets the compiler sum in SIMD lanes, `contract` fuse multiply-adds, `nsz` ignore the sign of 0.
kernel = njit(fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")

Product = Callable[[np.ndarray, np.ndarray, np.ndarray], object]


@kernel
def three_loops(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = a.dtype.type(0)
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@kernel
def rows(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    out[:] = 0
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            factor = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += factor * b[k, j]


@kernel
def panels(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    out[:] = 0
    for start in range(0, a.shape[1], PANEL):
        for i in range(a.shape[0]):
            for k in range(start, min(start + PANEL, a.shape[1])):
                factor = a[i, k]
                for j in range(b.shape[1]):
                    out[i, j] += factor * b[k, j]


@kernel
def sixteen_sums(a: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """columns: b transposed, so that its columns are contiguous. All sizes but k are multiples of 4."""
    for start in range(0, len(columns), PANEL):
        for i in range(0, len(a), 4):
            a0, a1, a2, a3 = a[i], a[i + 1], a[i + 2], a[i + 3]
            for j in range(start, min(start + PANEL, len(columns)), 4):
                b0, b1, b2, b3 = columns[j], columns[j + 1], columns[j + 2], columns[j + 3]
                s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = a.dtype.type(0)
                s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = a.dtype.type(0)
                for k in range(a.shape[1]):
                    s00 += a0[k] * b0[k]
                    s01 += a0[k] * b1[k]
                    s02 += a0[k] * b2[k]
                    s03 += a0[k] * b3[k]
                    s10 += a1[k] * b0[k]
                    s11 += a1[k] * b1[k]
                    s12 += a1[k] * b2[k]
                    s13 += a1[k] * b3[k]
                    s20 += a2[k] * b0[k]
                    s21 += a2[k] * b1[k]
                    s22 += a2[k] * b2[k]
                    s23 += a2[k] * b3[k]
                    s30 += a3[k] * b0[k]
                    s31 += a3[k] * b1[k]
                    s32 += a3[k] * b2[k]
                    s33 += a3[k] * b3[k]
                out[i, j], out[i, j + 1], out[i, j + 2], out[i, j + 3] = s00, s01, s02, s03
                out[i + 1, j], out[i + 1, j + 1], out[i + 1, j + 2], out[i + 1, j + 3] = s10, s11, s12, s13
                out[i + 2, j], out[i + 2, j + 1], out[i + 2, j + 2], out[i + 2, j + 3] = s20, s21, s22, s23
                out[i + 3, j], out[i + 3, j + 1], out[i + 3, j + 2], out[i + 3, j + 3] = s30, s31, s32, s33


def registers(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    sixteen_sums(a, np.ascontiguousarray(b.T), out)


VERSIONS: dict[str, Product] = {
    "three loops": three_loops,
    "rows": rows,
    "panels": panels,
    "registers": registers,
    "BLAS": lambda a, b, out: np.matmul(a, b, out=out),
}
# Numbers loaded or stored per multiply-add.
LOADED = {"three loops": 2.0, "rows": 3.0, "panels": 3.0, "registers": 0.5}


@kernel
def eight_sums(x: np.ndarray, factors: tuple[np.float32, ...], times: int) -> np.float32:
    """8 · len(x) · times multiply-adds; only x is loaded, and each of its numbers is used 8 times."""
    f0, f1, f2, f3, f4, f5, f6, f7 = factors
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = x.dtype.type(0)
    for _ in range(times):
        for k in range(x.size):
            s0 += x[k] * f0
            s1 += x[k] * f1
            s2 += x[k] * f2
            s3 += x[k] * f3
            s4 += x[k] * f4
            s5 += x[k] * f5
            s6 += x[k] * f6
            s7 += x[k] * f7
        f0 += s7        # so that the next sum differs: a compiler would compute equal sums only once
    return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7


class Speeds(NamedTuple):
    """What was measured, in GFLOP/s."""

    by_size: dict[str, list[float]]     # of each version
    differences: dict[str, float]       # the largest from BLAS at any size
    peak: float


def measure(sizes: tuple[int, ...], rounds: int) -> Speeds:
    """Measure all versions and the peak on one core.

    sizes  : of the square matrices, ascending multiples of 4
    rounds : of each version; the shortest counts, as other work on the machine can only slow it down
    """
    with threadpool_limits(1, "blas"):
        return _measure(sizes, rounds)


def _measure(sizes: tuple[int, ...], rounds: int) -> Speeds:
    rng = np.random.default_rng(0)
    speeds: dict[str, list[float]] = {name: [] for name in VERSIONS}
    differences = dict.fromkeys(VERSIONS, 0.0)
    for n in sizes:
        a, b = (rng.uniform(-1, 1, (n, n)).astype(np.float32) for _ in range(2))
        expected = a @ b
        result = np.empty_like(a)
        for name, product in VERSIONS.items():
            product(a, b, result)       # compiles
            differences[name] = max(differences[name], float(np.abs(result - expected).max()))
        repeats = max(1, round(2e7 / n**3))
        best = dict.fromkeys(VERSIONS, np.inf)
        for turn in range(rounds):
            for name, product in VERSIONS.items():
                if turn == 0 or n < sizes[-1] or product is not three_loops:     # slow when large
                    best[name] = min(best[name], seconds(product, a, b, result, repeats=repeats))
        for name in VERSIONS:
            speeds[name].append(2e-9 * n**3 / best[name])
    x, factors, times = rng.uniform(size=2048).astype(np.float32), (np.float32(1e-3),) * 8, 8_000
    eight_sums(x, factors, 1)
    fastest = min(seconds(eight_sums, x, factors, times) for _ in range(3 * rounds))
    return Speeds(speeds, differences, 2e-9 * 8 * x.size * times / fastest)


def seconds(call: Callable[..., object], *arguments: object, repeats: int = 1) -> float:
    """The time of a call, mean of some repeats."""
    start = time.perf_counter()
    for _ in range(repeats):
        call(*arguments)
    return (time.perf_counter() - start) / repeats
