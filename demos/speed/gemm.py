"""Better loops make a matrix product many times faster.

Nearly all the time of a training step is spent in matrix products. Here, one is written in Numba in four
versions, each of which changes one thing (studies/experiments/matrix_products.py), and is compared with BLAS
and with the peak of one core. Look at the bars, and at how many numbers each version loads or stores per
multiply-add.

The first version reads numbers that are not adjacent, which cannot be loaded as a vector of 16. So it adds
one number at a time. The lines below the table compare its speed with that of the fourth version. The other
versions are limited by loads and stores, not by arithmetic. A core with AVX-512 starts two multiply-adds of
16 numbers in each cycle, and loads two vectors. `rows` and `panels` load two vectors and store one per
multiply-add; `registers` loads half a vector. This explains the speed of `registers` better than the cache
does. BLAS comes closer to the peak: its inner loops are written by hand for each processor, and they use
panels that are copied in the order in which they are read. The library's own product is the fourth version
with larger tiles and such panels (docs/speed.md).
"""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.studies.experiments.matrix_products import LOADED, Speeds, measure

from ..common import plot_lines, print_table, run, save, tidy

SIZES = (60, 124, 252, 500, 1000)       # no powers of two, whose rows would share one set of the cache


def main(out: Path, *, sizes: tuple[int, ...] = SIZES, rounds: int = 5) -> dict[str, Any]:
    """Measure, and compare the versions at the largest size.

    sizes  : of the square matrices, ascending multiples of 4
    rounds : of each version; the shortest counts
    """
    speeds = measure(sizes, rounds)
    table = {
        name: {
            "GFLOP/s": values[-1],
            "share of the peak": values[-1] / speeds.peak,
            "numbers loaded or stored per multiply-add": LOADED.get(name),
            "largest difference from BLAS": speeds.differences[name],
        }
        for name, values in speeds.by_size.items()
    }
    size, peak = sizes[-1], speeds.peak
    title = f"float32 matrices {size}×{size}, one core, best of {rounds}; peak {peak:.0f} GFLOP/s"
    formats = {"GFLOP/s": ".1f", "share of the peak": ".1%", "largest difference from BLAS": ".1e"}
    print_table(table, title, formats | {"numbers loaded or stored per multiply-add": ".1f"})
    loops, registers, blas = (table[name]["GFLOP/s"] for name in ("three loops", "registers", "BLAS"))
    print(f"The fourth version is {registers / loops:.0f} times as fast as the first,")
    print(f"and BLAS is {blas / registers:.2f} times as fast as the fourth.")
    picture = save(draw(sizes, speeds), out / "gemm.png")
    return {"table": table, "peak": speeds.peak, "by size": speeds.by_size, "figure": picture}


def draw(sizes: tuple[int, ...], speeds: Speeds) -> Figure:
    """Plot the versions as bars at the largest size, and as lines against the size."""
    figure = plots.new_figure(4.4, title="One matrix product in five versions")
    bars, curves = figure.subplots(1, 2, width_ratios=(1.15, 1))
    peak, names = speeds.peak, list(speeds.by_size)
    values = [speeds.by_size[name][-1] for name in names]
    bars.barh(names, values, color=[colour for colour, _ in plots.LINES], height=0.65)
    for y, value in enumerate(values):
        text = f"{value:.0f}, {value / peak:.0%}" if value > 10 else f"{value:.1f}, {value / peak:.1%}"
        inside = value > 0.6 * peak
        place = value + (-0.02 if inside else 0.02) * peak
        side, colour = ("right", "white") if inside else ("left", plots.TEXT)
        bars.text(place, y, text, fontsize=9.5, va="center", ha=side, color=colour)
    bars.axvline(peak, color=plots.TEXT, linewidth=1, linestyle="--")
    bars.set_xlim(0, 1.04 * max(peak, *values))
    bars.invert_yaxis()
    title = f"{sizes[-1]}×{sizes[-1]}; dashed: the peak, {peak:.0f}"
    tidy(bars, title, "GFLOP/s on one core, and the share of the peak", grid=False)

    shares = {name: (sizes, [value / peak for value in values]) for name, values in speeds.by_size.items()}
    plot_lines(curves, shares, linewidth=2)
    curves.axhline(1, color=plots.TEXT, linewidth=1, linestyle="--")
    curves.set(xscale="log", yscale="log")
    tidy(curves, "share of the peak, by size", "rows and columns of each matrix")
    curves.set_xticks(sizes, [str(n) for n in sizes])
    curves.set_yticks((0.01, 0.03, 0.1, 0.3, 1), ("1 %", "3 %", "10 %", "30 %", "100 %"))
    curves.minorticks_off()
    return figure


if __name__ == "__main__":
    run(main)
