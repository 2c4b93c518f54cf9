"""Demos 14 to 18 in a smaller budget: each draws its picture, and its table shows what it claims."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scratchgen.data
from scratchgen.data import load_digits

pytestmark = pytest.mark.slow

DEMOS = Path(__file__).resolve().parent.parent / "demos"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run one demo on the embedded digits; return all it prints, once its picture is looked at."""
    monkeypatch.setattr(scratchgen.data, "load_digits", lambda: load_digits("embedded"))

    def run_demo(script: str, picture: str, **budget: int) -> str:
        runpy.run_path(str(DEMOS / script))["main"](tmp_path, **budget)
        assert [path.name for path in tmp_path.iterdir()] == [picture]
        with Image.open(tmp_path / picture) as image:
            assert image.width == 1200 and 600 <= image.height <= 1300
            levels = np.asarray(image.convert("L"))
        assert np.ptp(levels) > 200 and 0.02 < (levels < 250).mean() < 0.9
        return capsys.readouterr().out

    return run_demo


def numbers(printed: str, name: str) -> list[float]:
    """The numbers in the line that begins with `name`, after it."""
    (line,) = (line for line in printed.splitlines() if line.startswith(name))
    return [float(word) for word in re.findall(r"-?\d+\.?\d*", line.removeprefix(name))]


def test_demo_tug_of_war_noise_grows_in_a_flat_decoder_and_shrinks_in_a_steep_one(run):
    printed = run("14_tug_of_war.py", "tug_of_war.png", 10)
    _, error, _, start, _ = numbers(printed, "shuffled, first step")
    _, trained_error, _, trained, _ = numbers(printed, "shuffled, before the damage")
    assert trained < 0.7 * start and trained_error < 0.5 * error
    _, error, _, std, _ = numbers(printed, "shuffled, 15 after")
    assert error > 1.1 * trained_error and std > 1.1 * trained
    _, error, _, std, _ = numbers(printed, "noised, 5 after")
    assert error > 1.05 * trained_error and std < trained
    with_error, with_balance = numbers(printed, "shuffled, before  ")
    assert with_error > 0 and with_balance > 0.9


def test_demo_three_autoencoders_only_the_vae_draws_digits_from_the_prior(run):
    printed = run("15_three_autoencoders.py", "three_autoencoders.png", 8)
    fixed, learnt, vae = (numbers(printed, f"{name}  ") for name in ("fixed noise", "learnt noise", "VAE"))
    spread, std, error, nearest, _ = range(5)
    assert fixed[spread] > 5 and fixed[std] == 1
    assert learnt[std] < 0.1 < vae[std] < 0.9
    assert 0.7 < vae[spread] < 1.5
    assert max(fixed[error], learnt[error]) < vae[error] < 35
    assert vae[nearest] < 0.7 * min(fixed[nearest], learnt[nearest])


def test_demo_latent_grid_codes_stay_nearer_to_digits_than_blended_pixels(run):
    printed = run("16_latent_grid.py", "latent_grid.png", 15)
    for claim, sign in (("classifier is sure of", 1), ("to nearest digit", -1)):
        codes, pixels = (np.array(numbers(printed, f"{name}: {claim}")) for name in ("codes", "pixels"))
        assert codes[0] == pixels[0] and codes[-1] == pixels[-1]
        middle = slice(3, 6)
        assert np.all(sign * (codes - pixels)[middle] > 0)


def test_demo_latent_usage_names_the_collapse(run):
    printed = run("17_latent_usage.py", "latent_usage.png", shown=36_000)
    assert "beta 100: the posterior has collapsed: none of 40 dimensions" in printed
    used, kl, error = 0, 2, -1
    vae, strict, collapsed = (numbers(printed, f"{beta:4}  ") for beta in (1, 4, 100))
    assert 40 > vae[used] > strict[used] > 0 == collapsed[used]
    assert vae[kl] > strict[kl] > 1 > 100 * collapsed[kl]
    assert vae[error] < strict[error] < collapsed[error]
    changes = [float(c) for c in re.findall(r"change +(\d+\.\d+)", printed)]
    assert min(changes[:5]) > 5 * changes[5]


def test_demo_conditional_draws_what_was_asked_for(run):
    printed = run("18_conditional.py", "conditional.png", shown=48_000)
    narrow, wide = (numbers(printed, f"ConditionalVAE, {width}  ")[0] for width in (4, 10))
    assert narrow > 70 and narrow > wide + 5
    narrow, wide = (numbers(printed, f"ClassPriorVAE, {width}  ")[0] for width in (4, 10))
    assert wide > 40 and wide > narrow + 5
    said = {width: numbers(printed, f"z of {width:2}: ")[0] for width in (4, 10)}
    assert said[10] > said[4] + 5 > 15              # a wide z says the class as well; by chance 10
    (nearest,) = re.findall(r"(\d+\.\d)% lie nearest", printed)
    assert float(nearest) > 60
