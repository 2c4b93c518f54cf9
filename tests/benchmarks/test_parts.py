"""Tests of the other benchmarks: convolutions that compute the same results, exponents, tables."""

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.parametrize("baseline", ["slices", "indices", "loops"])
@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 2, 6)])  # odd: some pixels are in no patch
def test_textbook_convolution_is_conv2d(baseline, shape):
    from convolution import Case, difference

    assert difference(baseline, Case(*shape, batch=3, dtype="float64")) < 1e-12


def test_textbook_comparison_finds_a_different_convolution():
    from convolution import Case, difference

    case = Case(3, 5, 7, batch=3, dtype="float64")
    case.layer.weight.value[1, 2, 0, 3] += 1e-6
    assert difference("slices", case) > 1e-9


def test_growth_exponent_is_that_of_the_last_points():
    from growth import exponent

    sizes = [2, 4, 8, 16, 32]
    times = [900.0, 900.0, *(3 * size**1.5 for size in sizes[2:])]
    assert exponent(sizes, times) == pytest.approx(1.5)


def test_growth_row_has_measurements_but_no_memory_of_the_products():
    from growth import LIMIT, OURS, row

    points = [
        {OURS: {"ms": 2.0 * n, "bytes": n**2 << 20}, LIMIT: {"ms": 1.0 * n**2, "bytes": 5}} for n in (1, 2, 4)
    ]
    found = row("width", [1, 2, 4], points)
    assert found["contenders"] == {OURS: {"ms": [2, 4, 8], "mb": [1, 4, 16]}, LIMIT: {"ms": [1, 4, 16]}}
    assert found["exponents"][OURS] == {"ms": pytest.approx(1), "mb": pytest.approx(2)}
    assert found["exponents"][LIMIT] == {"ms": pytest.approx(2)}


def test_growth_point_has_the_products_of_its_sizes():
    from growth import Point

    assert Point(width=7, depth=6).sizes == (784, 7, 7, 7)


def test_products_that_are_timed_are_those_of_a_linear_layer():
    """x is (rows, inputs), the weight (inputs, outputs)."""
    from products import factors

    shapes = {kind: [m.shape for m in factors((kind, 5, 3, 2, 1))[0]] for kind in ("xW", "dW", "dx")}
    assert shapes == {
        "xW": [(5, 3), (3, 2), (5, 2)],
        "dW": [(3, 5), (5, 2), (3, 2)],
        "dx": [(5, 2), (2, 3), (5, 3)],
    }


def test_wrong_product_is_not_timed(monkeypatch):
    import products

    monkeypatch.setattr(products, "SECONDS", 0)
    assert products.rate(products.OURS, ("xW", 40, 30, 70, 2)) > 0
    monkeypatch.setattr(products, "multiplier", lambda who: lambda a, b, out: np.matmul(a, b + 1, out=out))
    with pytest.raises(SystemExit, match="xW.*error"):
        products.rate(products.OURS, ("xW", 40, 30, 70, 2))


def test_results_keep_parts_that_are_not_remeasured(tmp_path):
    from measured import put, read

    path = tmp_path / "bench.json"
    put(path, steps=[1], growth=2)
    put(path, growth=3)
    found = read(path)
    assert (found["steps"], found["growth"]) == ([1], 3) and "kernels" in found["machine"]
    assert [p.name for p in tmp_path.iterdir()] == ["bench.json"]


def test_vectors_names_the_vector_extension(monkeypatch, tmp_path):
    import measured

    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(measured, "Path", lambda path: info)
    assert measured.vectors() == platform.machine()     # no such file, as on macOS
    of_flags = {"avx avx2 fma": "AVX2", "avx2 avx512f": "AVX-512", "sse": platform.machine()}
    for flags, expected in of_flags.items():
        info.write_text(f"model name\t: one\nflags\t\t: {flags}\n")
        assert measured.vectors() == expected


@pytest.fixture
def steps():
    """Rows as run.py makes them, for two models at two batches, with invented times."""
    from run import CHANNELS_LAST, JAX, LIMIT, OURS, PYTORCH, row

    times = {OURS: 2.0, **dict(zip(PYTORCH, (6.0, 5.0, 4.0), strict=True)), JAX: 3.0, LIMIT: 1.0}
    rows = []
    for model, extra in (("vae", {}), ("dcgan", {CHANNELS_LAST: 3.5})):
        for batch in (32, 128):
            rounds = {name: [ms * batch, 1.1 * ms * batch] for name, ms in (times | extra).items()}
            memory = dict.fromkeys(times, 100)
            what = {"model": model, "batch": batch, "threads": 2, "vectors": "AVX2", "rounds": 2}
            rows.append(row(rounds) | what | {"memory_mb": memory})
    return rows


def test_tables_are_filled_between_their_marks_and_can_be_replaced(steps):
    from tables import COMMAND, NOTHING, TABLES, fill

    from scratchgen.studies.chapters import marks

    blank = "\n".join("{1}\n{0}\nold\n{2}\n".format(name, *marks(name, COMMAND)) for name in TABLES)
    found = {"machine": "one core", "versions": {"torch": "1"}, "steps": steps}
    text = fill(blank, found)
    assert "old" not in text and text.count(NOTHING) == 6       # the others
    assert text.count("| vae |") == 3
    assert fill(text, found) == text
    with pytest.raises(ValueError, match="expected the marks"):
        fill(text.replace("<!-- end of growth -->", ""), found)


def test_tables_show_targets_and_missed_targets(steps):
    from tables import ratio
    from tables import steps as table

    assert ratio(1234.4, [1230.0, 1240.0], 500, digits=0) == "1,234 (1,230 to 1,240) of 500"
    assert ratio(1.39, [1.3, 1.5], 1.4) == "1.39 (1.30 to 1.50) of 1.4 ✗"
    assert ratio(1.4, [1.4, 1.4], 1.4) == "1.40 of 1.4" and ratio(1.4, [1.4, 1.4]) == "1.40"
    text = table({"steps": steps})
    rows = [line.split(" | ") for line in text.splitlines() if "| 128 | 2 |" in line]
    assert [row[0] for row in rows] == ["| dcgan", "| vae"] and "✗ marks a missed target" in text
    asked_of = (("1.3", "1.1, channels-last", "1.0", "0.75 ✗"), ("", "1.15, compiled", "1.0", "0.8 ✗"))
    for row, asked in zip(rows, asked_of, strict=True):
        assert tuple(cell.rstrip(" |").partition(" of ")[2] for cell in row[5:]) == asked
    [other_batch] = [line for line in text.splitlines() if "| dcgan | 32 |" in line]
    assert " of 1.1" not in other_batch
    one_thread = table({"steps": [r | {"threads": 1} for r in steps]})
    assert "| 128 | 1 |" in one_thread and " of 1.1" not in one_thread


def test_parts_table_has_rates():
    """Each weight has three products (in the first layer two) of 2·7 operations."""
    from tables import parts

    names = ("whole step", "linear layers", "activations", "loss and its gradient")
    ms = dict.fromkeys(names, 20.0) | {"matrix products": 10.0, "Adam": 2.5}
    text = parts({"parts": [{"batch": 7, "threads": 1, "parameters": 10**7, "ms": ms}]})
    weights = 2 * (784 * 1000 + 1000 * 500 + 500 * 250 + 250 * 30)
    speed = 2 * 7 * (3 * weights - 784 * 1000) / 0.01 / 1e9
    assert f"1; {speed:.0f} GFLOP/s in the products and 112 GB/s in Adam, which takes 0.25 times as" in text


@pytest.mark.slow
def test_chart_bars_are_of_one_batch_and_the_best_way(steps):
    from chart import BARS, BEST, bars, draw_steps
    from tables import one_each

    vae, dcgan = steps[1], steps[3]
    assert list(bars(vae)) == list(BARS)
    np.testing.assert_allclose(list(bars(vae).values()), [3, 2, 1.5, 1, 0.5])
    assert bars(dcgan)[BEST] == pytest.approx(3.5 / 2) == dcgan["against_best"]     # as in the table
    wider = [r | {"vectors": "AVX-512", "ms": 0.5} for r in steps]
    assert one_each([steps[1], steps[3], wider[3]]) == [steps[1], wider[3]]     # of one model, AVX-512
    figure = draw_steps(steps)
    assert figure is not None and len(figure.axes[0].patches) == 10     # 5 for each of two models
    assert draw_steps(steps[:1]) is None


def test_parts_of_a_step_make_the_update_of_the_whole(rng):
    from parts import step_in_parts

    from scratchgen.models import Autoencoder
    from scratchgen.training.optimisers import Adam

    models = [Autoencoder.dense((6, 5, 3), rng=np.random.default_rng(1), dtype=np.float64) for _ in range(2)]
    optimizers = [Adam(model.parameters(), 1e-2) for model in models]
    x = rng.uniform(size=(4, 6))
    for _ in range(2):
        found = step_in_parts(models[0], optimizers[0], x)
        models[1].train_step((x,), optimizers[1], rng)
    np.testing.assert_array_equal(optimizers[0].value, optimizers[1].value)
    assert set(found) == {"other", "linear layers", "activations", "loss and its gradient", "Adam"}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.slow
def test_chart_of_growth_has_time_and_memory_for_all_that_grows(count):
    from chart import draw_growth
    from growth import LIMIT, OURS, PYTORCH, row

    points = [{who: {"ms": n, "bytes": n << 20} for who in (OURS, PYTORCH, LIMIT)} for n in (1, 2, 4)]
    figure = draw_growth({"rows": [row("width", [8, 16, 32], points)] * count})
    assert [len(ax.lines) for ax in figure.axes] == [3] * count + [2] * count


def test_startup_imports_nothing_that_it_times():
    """A module (NumPy, too) that is loaded before the clock starts is missing from the time of the import."""
    timed = ("numpy", "scratchgen", "torch", "jax")
    asked = f"import sys, startup; print([name for name in {timed} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], cwd=BENCHMARKS, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_row_of_load_compares_with_the_best_fixed_number_of_threads():
    from load import USUAL, line, row
    from tables import load

    times = {USUAL: [10.0, 12.0], "1": [11.2, 12.0], "2": [40.0, 50.0]}
    times |= {"PyTorch eager": [35.0, 42.0], "PyTorch fused": [30.0, 36.0]}
    found = {"model": "vae", "busy": 1} | row(times)
    assert (found["fixed"], found["pytorch"], found["ms"]) == ("1", "PyTorch fused", 11.0)
    assert found["against_fixed"] == pytest.approx(1.06) and found["against_pytorch"] == pytest.approx(3.0)
    assert line(found) == "| vae | 1 | 11.0 | 1.06 (1.03 to 1.09), 1 | 3.00 (3.00 to 3.00), fused |"
    text = load({"load": [found]})
    assert "| vae | 1 | 11.0 | 1.06 (1.03 to 1.09) of 0.9, 1 | 3.00 of 3.0, fused |" in text


def test_busy_processes_end_with_the_block():
    from load import busy

    with pytest.raises(ZeroDivisionError), busy(2) as started:
        assert [process.poll() for process in started] == [None, None]
        raise ZeroDivisionError
    assert None not in [process.poll() for process in started]
