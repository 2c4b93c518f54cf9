"""The live page "diffusion": its samplers agree with the library's, and its controls work."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scratchgen
from website import live

from .browser import NARROW, WIDE, open_page

SEED, N = 11, 24


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diffusion") / "diffusion.html"
    path.write_text(live.build("diffusion"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(browser: Any, path: Path) -> Any:
    with open_page(browser, path, reduced_motion="reduce") as page:
        yield page
        assert not page.errors


@pytest.fixture(scope="module")
def moons() -> Any:
    return scratchgen.load("moons-diffusion")


@pytest.fixture(scope="module")
def codes() -> Any:
    return scratchgen.load("flow-matching-codes")


def noise_of_sample(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The first noise and the fresh noise of each step, as Diffusion.sample draws them with eta above 0."""
    rng = np.random.default_rng(SEED)
    z = rng.standard_normal((N, 2)).astype(np.float32)
    return z, np.stack([rng.standard_normal((N, 2)).astype(np.float32) for _ in range(steps)])


@pytest.mark.parametrize("steps", [1, 16, 200])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_moons_from_the_same_noise(opened, moons, steps, eta):
    """(DIFF.8), (DIFF.9) and (PRED.3), with 16 steps of 200, whose halves are rounded as Python does."""
    z, noise = noise_of_sample(steps)
    found = opened.check("moons", z=z, noise=noise, steps=steps, eta=eta)
    np.testing.assert_allclose(found, moons.sample(N, rng=SEED, steps=steps, eta=eta), atol=1e-4)


def test_noised_moons(opened, moons):
    """(SCHED.2) at the first, a middle and the last step."""
    rng = np.random.default_rng(SEED)
    x0, eps = rng.standard_normal((2, N, 2)).astype(np.float32)
    for t in (1, 77, moons.steps):
        wanted = moons.noise.a[t] * x0 + moons.noise.s[t] * eps
        np.testing.assert_allclose(opened.check("noised", x0=x0, eps=eps, t=t), wanted, atol=1e-6)


def test_score_arrows(opened, moons):
    """(SCORE.3), relative to the size of the score, which grows as the noise falls."""
    x = np.random.default_rng(SEED).standard_normal((N, 2)).astype(np.float32)
    for t in (1, 40, 120, moons.steps):
        wanted = moons.score(x, t)
        found = opened.check("score", x=x, t=t)
        np.testing.assert_allclose(found, wanted, atol=1e-4 * max(1, abs(wanted).max()))


@pytest.mark.parametrize("method", ["euler", "heun"])
@pytest.mark.parametrize(("label", "guidance"), [(None, 0.0), (7, 0.0), (2, 1.5), (4, -1.0), (9, 6.0)])
def test_codes_from_the_same_noise(opened, codes, method, label, guidance):
    """(GUIDE.1), (ODE.1) and (ODE.2)."""
    z = np.random.default_rng(SEED).standard_normal((N, codes.features)).astype(np.float32)
    y = None if label is None else np.full(N, label)
    settings = {"steps": 20, "guidance": guidance, "method": method}
    wanted = codes.sample(N, rng=SEED, y=y, **settings)
    found = opened.check("codes", z=z, label=label, **settings)
    np.testing.assert_allclose(found, wanted, atol=1e-4 * max(1, abs(wanted).max()))


def test_decoded_codes(opened, codes):
    z = codes.sample(3, rng=SEED, y=np.array([1, 5, 8]))
    pictures = scratchgen.load("autoencoder").inverse_transform(z)
    np.testing.assert_allclose(opened.check("decode", z=z), pictures, atol=1e-4)


def test_what_is_drawn(opened, moons):
    """The path of the plane, from its own noise; between two steps, the points are on the line between."""
    page = opened.page
    steps, time = page.get_by_label("Steps").first, page.get_by_label("Time").first
    steps.fill("10")
    found = opened.check("plane")
    z = found["path"][0].astype(np.float32)
    wanted = opened.check("moons", z=z, steps=10, eta=0)
    np.testing.assert_allclose(found["path"][-1] * moons.scale + moons.shift, wanted, atol=1e-5)
    time.fill("2.5")
    found = opened.check("plane")
    middle = (found["path"][2] + found["path"][3]) / 2
    np.testing.assert_allclose(found["shown"], middle, atol=1e-6)
    assert found["time"] == 150                                     # of 200, a quarter of the way
    page.get_by_role("button", name="Add noise").click()
    found = opened.check("plane")
    data = scratchgen.two_moons().sample(300, rng=7).astype(np.float32)
    np.testing.assert_allclose(found["path"][0] * moons.scale + moons.shift, data, atol=1e-5)
    spread = [float(x.std()) for x in found["path"]]
    assert all(abs(s - 1) < 0.15 for s in spread)                   # (SCHED.2) keeps the variance
    page.get_by_role("button", name="Sample, ancestral").click()
    ancestral = opened.check("plane")["path"]
    np.testing.assert_array_equal(ancestral[0].astype(np.float32), z)       # from the same noise
    assert abs(ancestral[-1] - wanted).max() > 0.1
    jumps = [float(abs(b - a).mean()) for a, b in pairwise(ancestral)]
    assert len(jumps) == 10 and min(jumps) > 0


def test_digits_that_are_drawn(opened, codes):
    page = opened.page
    page.get_by_role("group", name="Digit").get_by_role("button", name="6").click()
    page.get_by_label("Guidance w").fill("2")
    found = opened.check("digits")
    assert len(found["codes"]) == 21
    z = found["codes"][0].astype(np.float32)
    final = opened.check("codes", z=z, label=6, guidance=2, steps=20, method="heun")
    np.testing.assert_allclose(found["codes"][-1] * codes.scale + codes.shift, final, atol=1e-4)
    read = scratchgen.load("digit-classifier").predict(opened.check("decode", z=final).astype(np.float32))
    assert (read == 6).all()
    page.get_by_label("Time").nth(1).fill("0")
    found, text = opened.check("digits"), page.locator("#digits-text")
    assert found["position"] == 0 and "The code is noise." in text.inner_text()
    # At time 0, the expected end is x + v: one step of Euler's method
    end = opened.check("codes", z=z, label=6, guidance=2, steps=1, method="euler")
    np.testing.assert_allclose(found["pictures"]["end"], opened.check("decode", z=end), atol=1e-4)
    page.get_by_label("Time").nth(1).press("End")
    assert "The code is finished." in text.inner_text() and "0.000 now" in text.inner_text()


def test_another_number_of_steps_keeps_the_time(opened):
    page = opened.page
    for part, name, last in ((0, "plane", "200"), (1, "digits", "50")):
        steps, time = page.get_by_label("Steps").nth(part), page.get_by_label("Time").nth(part)
        steps.fill("20")
        time.press("End")
        steps.press("Home")
        steps.press("End")
        assert time.input_value() == last                   # finished, as before
        time.fill(str(int(last) // 2))
        steps.fill("20")
        assert time.input_value() == "10"
        assert opened.check(name)["position"] == 10


def test_equation_numbers_are_links(opened):
    links = opened.page.locator("main a[href*='#eq-']")
    hrefs = links.evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    numbers = [href.split("#eq-")[1] for href in hrefs]
    assert numbers == ["PRED.4", "DIFF.8", "DIFF.4", "SCHED.2", "FM.5", "GUIDE.1"]
    tags = (live.ROOT / "docs" / "diffusion.md").read_text(encoding="utf-8")
    assert all(f"\\tag{{{number}}}" in tags for number in numbers)


def test_play_and_touch(browser, path):
    with open_page(browser, path, NARROW, dark=True, reduced_motion="reduce", has_touch=True) as page:
        page.check("plane")
        time = page.page.get_by_label("Time").first
        assert float(time.input_value()) == 40      # the result is shown at once
        play = page.page.get_by_role("button", name="Play").first
        play.tap()
        page.page.wait_for_function("document.querySelector('#moons-time input').value > 0.5")
        page.page.get_by_role("button", name="Pause").first.tap()
        assert 0 < float(time.input_value()) < 40
        page.page.get_by_role("button", name="New noise").first.tap()
        assert page.overflow() == 0
        assert not page.errors


def test_motion_starts_by_itself(browser, path):
    with open_page(browser, path, WIDE) as page:
        page.page.wait_for_function("document.querySelector('#moons-time input').value > 0.5")
        said = "document.getElementById('live-description').textContent !== ''"
        page.page.wait_for_function(said)
        assert page.overflow() == 0
        assert not page.errors
