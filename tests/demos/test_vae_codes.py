"""Demos 14 to 18 in a smaller budget: each draws its picture, and its table shows what it claims."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scratchgen.data
from scratchgen.data import load_digits
from scratchgen.models import VAE

pytestmark = pytest.mark.slow

DEMOS = Path(__file__).resolve().parents[2] / "demos"


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
    """Against an undamaged run at the same steps; and the prediction from the decoder alone holds."""
    printed = run("14_tug_of_war.py", "tug_of_war.png", shown=60_000)
    error, noise, std, predicted, correlation, pull = 1, 3, 4, 5, 6, 7
    start = numbers(printed, "undamaged, first step")
    trained = numbers(printed, "undamaged, before the damage")
    assert trained[noise] < 0.7 * start[noise] and trained[error] < 0.5 * start[error]
    assert numbers(printed, "from the first step on")[0] > 0.5
    assert numbers(printed, "undamaged, step 5")[pull] < 0 < trained[pull]
    for moment in ("undamaged, before the damage", "undamaged, end", "shuffled, end", "noised, end"):
        row = numbers(printed, moment)
        assert abs(row[predicted] / row[std] - 1) < 0.1 and row[correlation] > 0.7

    shuffled, noised = (numbers(printed, f"{kind} / undamaged") for kind in ("shuffled", "noised"))
    assert shuffled[0] > 1.3 and shuffled[1] > 1.1
    assert noised[0] < 0.97 and noised[1] > 1.02
    control = numbers(printed, "undamaged, 15 after")
    assert numbers(printed, "shuffled, 15 after")[noise] > 1.3 * control[noise]
    assert numbers(printed, "noised, 15 after")[noise] < 0.97 * control[noise]
    after = numbers(printed, "shuffled, 1 after")
    assert after[predicted] > 1.2 * max(after[std], trained[predicted])


def test_demo_tug_of_war_prediction_is_the_curvature_of_a_decoder_without_bends(rng):
    """In one linear layer, of other weights for each dimension: H by second differences of the loss."""
    model = VAE.dense((784, 3), rng=rng, dtype=np.float64)
    model.decoder.parameters()["0.weight"].value[...] *= np.array([[3.0], [1.0], [0.3]])
    x = (rng.uniform(size=(4, 784)) < 0.3).astype(np.float64)
    mu, h = model.transform(x), 1e-3

    def nll(z: np.ndarray) -> np.ndarray:
        logits = model.decode(z)
        return (np.logaddexp(0, logits) - x * logits).sum(axis=1)

    curvature = np.stack([nll(mu + h * e) - 2 * nll(mu) + nll(mu - h * e) for e in np.eye(3)], axis=1) / h**2
    predicted = runpy.run_path(str(DEMOS / "14_tug_of_war.py"))["predicted_noise"](model, x)
    np.testing.assert_allclose(predicted, np.sqrt(1 / (1 + curvature)), rtol=1e-4)
    assert np.all(np.diff(predicted, axis=1) > 0.1)


def test_demo_three_autoencoders_only_the_vae_draws_digits_from_the_prior(run):
    """Judged from the test digits: looked at from the samples, a black image beats real digits."""
    printed = run("15_three_autoencoders.py", "three_autoencoders.png", shown=48_000)
    fixed, learnt, vae = (numbers(printed, f"{name}  ") for name in ("fixed noise", "learnt noise", "VAE"))
    real, mean, black = (numbers(printed, name) for name in ("real digits", "mean image", "black image"))
    assert black[0] < real[0] and black[1] > mean[1] > real[1]
    spread, std, error, _, distance, _, _ = range(7)
    assert fixed[spread] > 5 and fixed[std] == 1
    assert learnt[std] < 0.1 < vae[std] < 0.9
    assert 0.7 < vae[spread] < 1.5
    assert max(fixed[error], learnt[error]) < vae[error] < 35
    assert vae[distance] < 0.85 * min(mean[1], fixed[distance], learnt[distance])


def test_demo_latent_grid_decoded_codes_are_less_doubtful_than_blended_pixels(run):
    printed = run("16_latent_grid.py", "latent_grid.png", shown=90_000)
    codes, pixels = (np.array(numbers(printed, f"{name}: largest")) for name in ("codes", "pixels"))
    assert len(codes) == 9 and codes[0] == pixels[0] and codes[-1] == pixels[-1]
    assert np.all(codes[3:6] > pixels[3:6] + 2)
    assert codes[4] < min(codes[0], codes[-1]) < numbers(printed, "of the test digits themselves:")[0]


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
