"""What the demos of flows say, on less data: integrals of one, the way back, exact against bounded."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scratchgen.data
from scratchgen.data import load_digits

DEMOS = Path(__file__).resolve().parent.parent / "demos"
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[-+]\d+)?")


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run one demo on the embedded digits, look at its picture, and return the lines that it printed."""
    monkeypatch.setattr(scratchgen.data, "load_digits", lambda: load_digits("embedded"))

    def run_demo(script: str, picture: str, **budget: int) -> list[str]:
        runpy.run_path(str(DEMOS / script))["main"](tmp_path, **budget)
        assert [path.name for path in tmp_path.iterdir()] == [picture]
        with Image.open(tmp_path / picture) as image:
            assert image.width == 1200 and 500 <= image.height <= 1300
            levels = np.asarray(image.convert("L"))
        assert np.ptp(levels) > 200 and 0.02 < (levels < 250).mean() < 0.95
        return capsys.readouterr().out.splitlines()

    return run_demo


def row(lines: list[str], name: str, place: int = 0) -> list[float]:
    """The numbers behind a name that begins a line; `place` counts the lines that begin so."""
    found = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return [float(number.replace(",", "")) for number in NUMBER.findall(found[place])]


@pytest.mark.slow
def test_demo_change_of_variables_has_integrals_of_one_and_of_something_else_without_the_determinant(run):
    lines = run("30_change_of_variables.py", "change_of_variables.png", updates=300, cells=160)
    for name in ("2 couplings", "4 couplings", "all of it: x"):
        right, none, wrong, _ = row(lines, name)
        assert right == pytest.approx(1, abs=0.01)
    assert min(abs(none - 1), abs(wrong - 1)) > 0.05            # of x: all couplings, and the scaling layer


@pytest.mark.slow
def test_demo_one_to_one_comes_back_at_rounding_from_the_flow_alone(run):
    lines = run("31_one_to_one.py", "one_to_one.png", shown=6_000, gan_shown=6_000, searched=20, steps=150)
    single, double = (row(lines, f"flow, float{bits}") for bits in (32, 64))
    assert single[1] < 1e-4 and double[1] < 1e-12
    vae, gan = row(lines, "VAE, code of 20"), row(lines, "GAN, a digit")
    assert 5 < vae[3] < 80 and gan[3] > vae[3]


@pytest.mark.slow
def test_demo_exact_likelihood_no_model_beats_the_truth_and_the_bound_is_one(run):
    lines = run("32_exact_likelihood.py", "exact_likelihood.png", updates=300, samples=20)
    for place in range(3):
        for kind in ("flow, exact", "VAE, importance-sampled", "VAE, lower bound"):
            _, gap, error, _ = row(lines, f"  {kind}", place)
            assert gap > -3 * error
        assert row(lines, "  flow, exact", place)[1] < row(lines, "  Normal", place)[1]
        assert row(lines, "  between the VAE's two", place)[0] > 0
