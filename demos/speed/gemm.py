"""A matrix product in four versions, from three loops to two thirds of the peak; and BLAS.

Nearly all the time of a training step goes into matrix products, 2·n³ operations for two n x n matrices. Here
is one product, written four times in Numba, each version changing one thing:

    three loops   out[i, j] = Σ a[i, k]·b[k, j], as the formula has it: b is walked down its columns
    rows          the same with the loops in another order, so all three arrays are walked along their rows
    panels        the same, for a few rows of b at a time, which then stay in the cache
    registers     16 sums at once, of 4 rows of a and 4 columns of b: each number loaded is used 4 times

The peak is measured too: multiply-adds of numbers that are in registers already. All run on one core.

The first version is 75 times slower than the last one: what lies n numbers apart doesn't fit into a vector of
16, so it adds one by one. After it, what is scarce is not arithmetic. The core this was written on starts two
multiply-adds of 16 numbers in each tick of its clock, and loads two vectors. `rows` and `panels` load two and
store one for each multiply-add, `registers` loads half a one. That, rather than the cache, is the step from a
fifth of the peak to two thirds. BLAS has most of the rest: its inner loops are written for each processor by
hand, over copies of the panels packed in the order of use. So the library leaves products to BLAS, and writes
in Numba what surrounds them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from scratchgen import plots
from scratchgen.kernels.jit.compile import SAFE_MATH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL = 128     # rows of b, or columns, that are used while they are in the cache
ROUNDS = 5      # of each version; the best one counts, as other work on the machine only ever slows one down
SIZES = (60, 124, 252, 500, 1000)       # no powers of two: rows that far apart share one place in the cache

# As the library compiles its kernels, but anew in each run: Numba's cache finds no module behind a script.
kernel = njit(fastmath=SAFE_MATH, error_model="numpy")

Product = Callable[[np.ndarray, np.ndarray, np.ndarray], object]


@kernel
def three_loops(a, b, out):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = a.dtype.type(0)
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@kernel
def rows(a, b, out):
    out[:] = 0
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            factor = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += factor * b[k, j]


@kernel
def panels(a, b, out):
    out[:] = 0
    for start in range(0, a.shape[1], PANEL):
        for i in range(a.shape[0]):
            for k in range(start, min(start + PANEL, a.shape[1])):
                factor = a[i, k]
                for j in range(b.shape[1]):
                    out[i, j] += factor * b[k, j]


@kernel
def sixteen_sums(a, columns, out):
    """columns: b transposed, so that its columns lie in memory as rows. All sizes but k: multiples of 4."""
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


def registers(a, b, out):
    sixteen_sums(a, np.ascontiguousarray(b.T), out)


VERSIONS: dict[str, Product] = {
    "three loops": three_loops,
    "rows": rows,
    "panels": panels,
    "registers": registers,
    "BLAS": lambda a, b, out: np.matmul(a, b, out=out),
}
MOVED = {"three loops": 2.0, "rows": 3.0, "panels": 3.0, "registers": 0.5}  # numbers for each multiply-add


@kernel
def eight_sums(x, factors, times):
    """8 · len(x) · times multiply-adds; only x is loaded, and each of its numbers serves 8 of them."""
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
        f0 += s7        # so that the next time is not the same sum again, which a compiler would see
    return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7


def main(out: Path, sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> None:
    """Measure, print the table of the largest size, draw.

    sizes : of the square matrices, multiples of 4, ascending
    """
    with threadpool_limits(1, "blas"):
        speeds, differences, peak = measure(sizes, rounds)
    print(f"\nTwo float32 matrices {sizes[-1]} x {sizes[-1]}; one core, the best of {rounds}")
    print(f"the peak, measured: {peak:.0f} GFLOP/s")
    print("version          GFLOP/s    of the peak    numbers moved    largest difference")
    print("                                         per multiply-add        from BLAS")
    for name, values in speeds.items():
        moved = f"{MOVED[name]:15.1f}" if name in MOVED else f"{'':15}"
        share = f"{values[-1] / peak:.1%}"
        print(f"{name:14}{values[-1]:10.1f}{share:>15}{moved}{differences[name]:22.1e}")
    ratio = speeds["BLAS"][-1] / speeds["registers"][-1]
    print(f"BLAS against the best of the four: {ratio:.2f} times as fast")
    picture = plots.save(draw(sizes, speeds, peak), out / "gemm.png")
    print(f"\n{picture} is drawn")


def measure(
    sizes: tuple[int, ...], rounds: int
) -> tuple[dict[str, list[float]], dict[str, float], float]:
    """GFLOP/s by size, of each version; its largest difference from BLAS at any size; and the peak."""
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
                if turn == 0 or n < sizes[-1] or product is not three_loops:    # seconds, the largest
                    best[name] = min(best[name], seconds(product, a, b, result, repeats=repeats))
        for name in VERSIONS:
            speeds[name].append(2e-9 * n**3 / best[name])
    x, factors, times = rng.uniform(size=2048).astype(np.float32), (np.float32(1e-3),) * 8, 8_000
    eight_sums(x, factors, 1)
    fastest = min(seconds(eight_sums, x, factors, times) for _ in range(3 * rounds))
    return speeds, differences, 2e-9 * 8 * x.size * times / fastest


def seconds(call: Callable[..., object], *arguments: object, repeats: int = 1) -> float:
    """What a call takes, the mean of some repeats."""
    start = time.perf_counter()
    for _ in range(repeats):
        call(*arguments)
    return (time.perf_counter() - start) / repeats


def draw(sizes: tuple[int, ...], speeds: dict[str, list[float]], peak: float) -> Figure:
    """The versions as bars, at the largest size; and as lines, by size."""
    figure = plots.new_figure(4.4, title="The same matrix product, and what is made of the processor")
    bars, curves = figure.subplots(1, 2, width_ratios=(1.15, 1))
    names = list(speeds)
    colours = [colour for colour, _ in plots.LINES]
    values = [speeds[name][-1] for name in names]
    bars.barh(names, values, color=colours, height=0.65)
    for y, value in enumerate(values):
        text = f"{value:.0f}, {value / peak:.0%}" if value > 10 else f"{value:.1f}, {value / peak:.1%}"
        inside = value > 0.6 * peak
        bars.text(
            value + (-0.02 if inside else 0.02) * peak, y, text, fontsize=9.5, va="center",
            ha="right" if inside else "left", color="white" if inside else plots.TEXT,
        )
    bars.axvline(peak, color=plots.TEXT, linewidth=1, linestyle="--")
    bars.set_xlim(0, 1.04 * peak)
    bars.invert_yaxis()
    bars.set_title(f"{sizes[-1]} x {sizes[-1]}; dashed: the peak, {peak:.0f}", fontsize=10, color=plots.TEXT)
    bars.set_xlabel("GFLOP/s on one core, and the share of the peak", fontsize=9.5, color=plots.TEXT)

    for (colour, marker), name in zip(plots.LINES, names, strict=True):
        shares = [value / peak for value in speeds[name]]
        curves.loglog(sizes, shares, color=colour, marker=marker, markersize=5, linewidth=2, label=name)
    curves.axhline(1, color=plots.TEXT, linewidth=1, linestyle="--")
    curves.set_xticks(sizes, [str(n) for n in sizes])
    curves.set_yticks((0.01, 0.03, 0.1, 0.3, 1), ("1 %", "3 %", "10 %", "30 %", "100 %"))
    curves.minorticks_off()
    curves.set_title("share of the peak, by size", fontsize=10, color=plots.TEXT)
    curves.set_xlabel("rows and columns of each matrix", fontsize=9.5, color=plots.TEXT)
    curves.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    for ax in (bars, curves):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    return figure


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
