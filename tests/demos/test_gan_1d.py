"""What the demos of a GAN on a line say, on fewer updates: pictures, JSD, saturation, phases, balance."""

import math
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DEMOS = Path(__file__).resolve().parents[2] / "demos"
NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(?:e[-+]\d+)?")


def load(script):
    return runpy.run_path(str(DEMOS / script))


@pytest.fixture
def run(tmp_path, capsys):
    """Run one demo, look at its picture, and return the lines that it printed."""

    def run_demo(script: str, picture: str, **budget: int) -> list[str]:
        load(script)["main"](tmp_path, **budget)
        with Image.open(tmp_path / picture) as image:
            assert image.width == 1200 and 500 <= image.height <= 1300
            levels = np.asarray(image.convert("L"))
        assert np.ptp(levels) > 200 and 0.02 < (levels < 250).mean() < 0.9
        return capsys.readouterr().out.splitlines()

    return run_demo


def row(lines: list[str], name: str, place: int = 0) -> list[float]:
    """The numbers behind a name that begins a line; `place` counts the lines that begin so."""
    found = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return [float(number.replace(",", "")) for number in NUMBER.findall(found[place])]


@pytest.mark.slow
def test_demo_four_panels_come_out_as_in_the_story(run, tmp_path):
    lines = run("20_four_panels.py", "four_panels.png", rounds=1000, frames=12)
    names = ("(a) the start", "(b) D trained, G held", "(c) G trained, D held", "(d) the end")
    (_, jsd_a, gap_a, *_), (_, jsd_b, gap_b, fooled_b, *_), (_, jsd_c, _, fooled_c, by_best, *_), end = (
        row(lines, name) for name in names
    )
    assert jsd_a == jsd_b > 0.6                     # G was held
    assert gap_b < 0.1 * gap_a                      # D came to D*
    assert jsd_c < jsd_b - 0.05 and fooled_c > fooled_b + 0.2 and fooled_c > 2 * by_best
    assert end[1] < 0.05 and abs(end[3] - 0.5) < 0.1
    with Image.open(tmp_path / "four_panels.gif") as film:
        assert film.n_frames == 12                  # frames that show the same thing are one
    assert (tmp_path / "four_panels.gif").stat().st_size < 2_000_000


@pytest.mark.parametrize("script", ["20_four_panels.py", "23_phases.py", "24_balance.py"])
def test_demo_density_of_the_drawings_is_that_of_a_known_map(script):
    """G(z) = 3 + 0.5·z gives N(3, 0.5²), and G(z) = |z| twice the half of N(0, 1) that is positive."""
    demo = load(script)

    class Known:
        def __init__(self, function):
            self.inverse_transform = function
            self.discriminator = self

        def forward(self, x):
            return np.zeros_like(x), None

        def predict_real(self, x):
            return np.full(len(x), 0.5)

    X, width = demo["X"], demo["WIDTH"]
    for function, mean, spread in (
        (lambda z: 2.5 + 0.5 * z, 2.5, 0.5),
        (np.abs, math.sqrt(2 / math.pi), math.sqrt(1 - 2 / math.pi)),
    ):
        model = Known(function)
        if script == "23_phases.py":
            seen = demo["look_at"](model, 0)
            assert (seen.mean, seen.spread) == pytest.approx((mean, spread), abs=2e-3)
            assert seen.fooled == pytest.approx(0.5, abs=1e-4)
            assert seen.short == pytest.approx(2 * seen.jsd, abs=1e-3)      # V(1/2) = −2·log 2
            continue
        q = demo["density"](model) if "density" in demo else demo["look"](model, 0).q
        assert q.sum() * width == pytest.approx(1, abs=1e-4)
        assert (X * q).sum() * width == pytest.approx(mean, abs=2e-3)
        assert (((X - mean) ** 2) * q).sum() * width == pytest.approx(spread**2, abs=5e-3)


@pytest.mark.slow
def test_demo_cross_entropy_is_a_jsd_and_a_bound_of_it(run):
    lines = run("21_cross_entropy_jsd.py", "cross_entropy_jsd.png", updates=300)
    for name in ("q = p", "apart by 1", "apart by 2", "apart by 4", "two humps"):
        truth, best, trained, short, least = row(lines, name)
        assert abs(best - truth) < 1e-4             # four digits
        assert trained < truth and 0 < least <= short < 0.1
    assert row(lines, "q = p")[0] == pytest.approx(-2 * math.log(2), abs=1e-5)
    heart = [row(lines, f"{n:5} samples each") for n in (30, 3000)]
    assert heart[0][0] > 0.05 and heart[0][1] < -0.02
    assert abs(heart[1][0]) < 0.02


@pytest.mark.slow
def test_demo_saturation_of_minimax_and_not_of_wasserstein(run):
    lines = run("22_saturation.py", "saturation.png", updates=250, rounds=250, seeds=1)
    for d in (1, 4, 8):
        jsd, slope, minimax, learnt, other, _, exact, estimate, pull = row(lines, f"{d:5.1f}")
        assert exact == d and estimate == pytest.approx(d, rel=0.25) and 0.8 < pull < 1.3
        assert other == pytest.approx(d, rel=0.5)
        if d < 8:
            assert minimax == pytest.approx(slope, rel=0.1) and learnt == pytest.approx(slope, rel=0.3)
        else:
            assert minimax < slope < 1e-3 and jsd > 0.693
    minimax, other, wasserstein = (row(lines, name) for name in ("minimax", "non-saturating", "Wasserstein"))
    assert minimax[-1] < 0.02 * max(minimax) and minimax[0] == pytest.approx(other[0], rel=0.1)
    assert other[-1] > 100 * minimax[-1] and wasserstein[-1] > 1
    assert row(lines, "SGD, minimax")[0] < 0.3 < 1 < row(lines, "SGD, non-saturating")[0]


@pytest.mark.slow
def test_demo_phases_collapse_where_nothing_stops_g(run):
    lines = run("23_phases.py", "phases.png", updates=2500)
    ways = ("whole phases  ", "G to the end  ", "one by one  ")
    whole, to_the_end, singly = (row(lines, name) for name in ways)
    highest, narrowest = 2, 3
    assert singly[highest] < 0.3 * to_the_end[highest]
    assert to_the_end[narrowest] < 0.5 * singly[narrowest]
    assert whole[-1] > to_the_end[-1] > 1


@pytest.mark.slow
def test_demo_balance_goes_by_the_pace_of_d(run):
    lines = run("24_balance.py", "balance.png", updates=900, seeds=1)
    slow, fast = (row(lines, f"ratio = {ratio} ")[0] for ratio in ("0.2", "5"))
    assert fast < 0.8 * slow
    assert sum("   1 " in line for line in lines) == 12
