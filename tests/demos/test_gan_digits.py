"""What the demos of a GAN's digits say, on less data, and their measures on pictures drawn by hand."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from scratchgen.data import load_digits

DEMOS = Path(__file__).resolve().parents[2] / "demos"
NUMBER = re.compile(r"-?[\d,]*\.?\d+")


def load(script: str) -> dict:
    return runpy.run_path(str(DEMOS / script))


def rows(lines: list[str], name: str) -> list[list[float]]:
    """The numbers behind a name that begins lines, line by line."""
    found = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return [[float(number.replace(",", "")) for number in NUMBER.findall(line)] for line in found]


def bar(width: int, lean: int = 0) -> np.ndarray:
    """A stroke of 20 rows, that leans `lean` columns to the right on its way up. (1, 784)"""
    image = np.zeros((28, 28))
    for i in range(20):
        start = 12 + round(lean * (9.5 - i) / 20)
        image[4 + i, start : start + width] = 1
    return image.reshape(1, -1)


def test_demo_directions_width_is_ink_over_half_the_outline():
    widths = load("26_directions.py")["widths"]
    corner = 2 - 2**0.5     # where the outline turns, one slope of √2 stands for two of 1
    for width in (2, 3, 5):
        ink, outline = 20 * width, 2 * (20 + width) - corner
        assert widths(bar(width)) == pytest.approx([ink / (outline / 2)], rel=1e-12)
    assert widths(0.5 * bar(3)) == pytest.approx(widths(bar(3)))    # of grey writing as of black


def test_demo_directions_slant_is_zero_upright_and_follows_the_lean():
    slants = load("26_directions.py")["slants"]
    assert slants(bar(3)) == pytest.approx([0], abs=1e-12)
    assert slants(bar(3, lean=10)) == pytest.approx([0.5], abs=0.02)
    assert slants(bar(3, lean=-10)) == pytest.approx([-0.5], abs=0.02)


def test_demo_directions_are_those_that_were_put_in():
    demo = load("26_directions.py")
    rng = np.random.default_rng(0)
    truth = demo["unit"](rng.standard_normal((3, 7)))
    z = rng.standard_normal((20_000, 7))
    found = demo["directions"](z, np.tanh(z @ truth.T) + 0.1 * rng.standard_normal((20_000, 3)))
    assert (found * truth).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-3)

    rest = demo["without"](truth[0], [truth[1], truth[2], truth[1] + truth[2]])
    assert truth[1:] @ rest == pytest.approx(np.zeros(2), abs=1e-12)
    assert np.linalg.norm(rest) == pytest.approx(1) and rest @ truth[0] > 0
    assert demo["place"](z, truth[0], 1.5) @ truth[0] == pytest.approx(np.full(len(z), 1.5))
    assert demo["place"](z, truth[0], 1.5) @ rest != pytest.approx(z @ rest)
    aside = demo["without"](truth[1], [truth[0]])
    assert demo["place"](z, truth[0], 1.5) @ aside == pytest.approx(z @ aside)


def test_demo_handwritten_digits_walk_keeps_the_length_of_codes():
    arc = load("25_handwritten_digits.py")["arc"]
    a, b = np.random.default_rng(0).standard_normal((2, 500, 64))
    lengths = [np.linalg.norm(arc(a, b, t), axis=1).mean() for t in (0, 0.25, 0.5, 1)]
    assert np.ptp(lengths) < 0.02 * lengths[0]
    assert arc(a, b, 0) == pytest.approx(a) and arc(a, b, 1) == pytest.approx(b)


def test_demo_one_pixel_damages_are_those_described():
    demo = load("27_one_pixel.py")
    digits = load_digits("embedded")
    x, y = digits.x_test[:60], digits.y_test[:60]
    intact, speck, hole, swell, label = demo["damage"](x, y, np.random.default_rng(0))
    assert len(intact) > 50 and set(label) <= set(y)
    changed = [(part - intact).reshape(-1, 28, 28) for part in (speck, hole, swell)]
    assert [(part != 0).sum(axis=(1, 2)).tolist() for part in changed] == [
        [count] * len(intact) for count in (1, 1, 6)
    ]
    assert (changed[0] ** 2).sum(axis=(1, 2)) == pytest.approx(np.ones(len(intact)))
    assert (changed[2] ** 2).sum(axis=(1, 2)) == pytest.approx(np.full(len(intact), 1.5))
    assert (hole.max(axis=1) <= 1).all() and (swell.max(axis=1) <= 1).all()
    for image, dot in zip(intact.reshape(-1, 28, 28), changed[0], strict=True):
        i, j = np.argwhere(dot)[0]
        assert image[i - 2 : i + 3, j - 2 : j + 3].max() == 0
    assert demo["alone"](speck).all() and demo["alone"](intact).mean() < 0.1


def test_demo_one_pixel_counts_only_pixels_alone():
    alone = load("27_one_pixel.py")["alone"]
    pictures = np.zeros((3, 28, 28))
    pictures[0, 0, 0] = 0.3
    pictures[1, 5, 5:7] = 1
    pictures[2, 5, 5], pictures[2, 6, 6] = 1, 0.8
    assert alone(pictures.reshape(3, -1)).tolist() == [True, False, False]


@pytest.mark.slow
def test_demo_handwritten_digits_drawings_come_nearer_to_digits(run_demo):
    lines = run_demo(
        "25_handwritten_digits.py", "handwritten_digits.png", dense_shown=48_000, conv_shown=6_000
    )
    moments = rows(lines, 9 * " ")
    assert len(moments) == 8
    frechet, nearest, very_near = 4, 5, 6
    dense, conv = moments[:4], moments[4:]
    # Dense begins at the mean digit, 136 whatever the code; a batch of 2,000 moves a distance by about 2.
    assert dense[-1][frechet] < 0.85 * dense[0][frechet]
    assert conv[-1][frechet] < 0.4 * conv[0][frechet]           # from grey paper to blurred digits
    assert conv[-1][nearest] < 0.7 * conv[0][nearest]
    assert dense[-1][very_near] == conv[-1][very_near] == 0
    copies = rows(lines, "training digits")[0]
    assert copies[2:] == [0, 100]                       # what drawings learnt by heart would show


@pytest.mark.slow
def test_demo_directions_found_ones_beat_chance_on_fresh_draws(run_demo):
    lines = run_demo("26_directions.py", "directions.png", shown=18_000, draws=3_000)
    for name in ("slant", "width"):
        r, mean, largest = rows(lines, f"{name:10}")[0]
        assert r > 1.5 * largest > 1.5 * mean
    places = {"slant": 0, "width": 1}
    for name, place in places.items():
        along = rows(lines, f"{name:16}")[-1]
        chance = rows(lines, "at random")[0]
        assert along[place] > 1.5 * chance[place]


@pytest.mark.slow
def test_demo_one_pixel_discriminator_minds_what_its_generator_draws(run_demo):
    lines = run_demo("27_one_pixel.py", "one_pixel.png", shown=6_000)
    assert rows(lines, "squared error    ") == [[0, 0, 0]]
    speck, alone = 1, 6
    dense = rows(lines, "dense GAN")
    assert len(dense) == 5
    specked = max(dense, key=lambda row: row[speck])
    assert specked[speck] > 70 and specked[alone] > 90      # its drawings are full of single pixels then
    taught = rows(lines, "specks alone")[0]
    assert taught[speck] > 58 and taught[4] > 60            # of 1,000 digits: chance gives 50 ± 1.6
