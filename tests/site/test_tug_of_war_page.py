"""The live page "tug-of-war", its recorded runs, and the command that records them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.models import VAE
from website import live
from website import record_tug_of_war as R

from .browser import COUNT_FRAMES, NARROW, WIDE, open_page

RUNS = [f"{code}-{beta:g}" for code in R.CODES for beta in R.BETAS]


# The command


def small_model() -> tuple[VAE, R.Examples]:
    examples = R.Examples(load_digits("embedded"), 3)
    examples.x, examples.eps = examples.x[:80].astype(np.float64), examples.eps[:, :80]
    examples.shown = np.arange(6)
    model = VAE.dense((784, 10, 3), rng=0, beta=2.5, dtype=np.float64)
    for p in model.parameters().values():
        p.value += 0.1 * np.random.default_rng(1).standard_normal(p.value.shape)
    return model, examples


def mean_terms(model: VAE, examples: R.Examples) -> tuple[float, float]:
    caches = [model.loss(examples.x, eps=eps)[1] for eps in examples.eps]
    return float(np.mean([c.nll for c in caches])), float(np.mean([c.kl for c in caches]))


def test_snapshot_has_both_terms_and_their_gradients():
    """The pulls are the slopes of both terms of (VAE.4) when all log-variances move by the same amount."""
    model, examples = small_model()
    found = R.snapshot(model, examples)
    nll, kl = mean_terms(model, examples)
    np.testing.assert_allclose([found["nll"], found["kl"], found["kl_dims"].sum()], [nll, kl, kl], rtol=1e-6)
    bias, h = list(model.encoder.parameters().values())[-1].value, 1e-4
    bias[3:] += h
    above = mean_terms(model, examples)
    bias[3:] -= 2 * h
    below = mean_terms(model, examples)
    bias[3:] += h
    slopes = (np.array(above) - below) / (2 * h) * [1, model.beta]
    np.testing.assert_allclose(found["pulls"], slopes, rtol=1e-5)
    assert all(not p.grad.any() for p in model.parameters().values())       # training is not disturbed
    mu, logvar = model.posterior(examples.x)
    np.testing.assert_array_equal(found["mu"], mu[: R.ELLIPSES].astype(np.float16))
    np.testing.assert_array_equal(found["logvar"], logvar[: R.ELLIPSES].astype(np.float16))
    decoded = model.inverse_transform(np.concatenate([mu[:6], examples.z]))
    assert found["pictures"].dtype == np.uint8 and abs(found["pictures"] / 255 - decoded).max() <= 0.5 / 255


def test_run_records_the_start_and_the_end(monkeypatch):
    digits = load_digits("embedded")
    few = dataclasses.replace(digits, x_train=digits.x_train[:300], y_train=digits.y_train[:300])
    monkeypatch.setattr(R, "DRAWS", 2)
    monkeypatch.setattr(R, "MEASURED", 100)
    monkeypatch.setattr(R, "HIDDEN", (16,))
    steps, found = R.run(2, 1.0, few, 2)
    assert steps.tolist() == [0, 1, 2, 3, 4, 5, 6]                          # 3 batches, 2 epochs
    assert all(len(array) == len(steps) for array in found.values())
    rng = np.random.default_rng(R.SEED)
    model = VAE.dense((784, 16, 2), rng=rng, beta=1.0)
    examples = R.Examples(few, 2)
    before = R.snapshot(model, examples)
    model.fit(few.x_train, epochs=2, batch_size=R.BATCH, lr=R.OneCycle(R.RATE), rng=rng)
    for name, array in R.snapshot(model, examples).items():
        np.testing.assert_array_equal(found[name][0], before[name])
        np.testing.assert_array_equal(found[name][-1], array)       # measuring changes no training step


def test_snapshot_steps():
    steps = R.snapshot_steps(3752)
    assert steps[0] == 0 and steps[-1] == 3752 and len(steps) == R.SNAPSHOTS
    assert (np.diff(steps) > 0).all()


# The record


@pytest.fixture(scope="module")
def record() -> dict[str, np.ndarray]:
    with np.load(R.FILE) as file:
        return {name: file[name] for name in file.files}


def test_record_is_complete(record):
    assert {name.split("/")[0] for name in record if "/" in name} == set(RUNS)
    assert len(record["steps"]) == R.SNAPSHOTS and record["steps"][0] == 0
    for run in RUNS:
        k = int(run.split("-")[0])
        parts = {name: record[f"{run}/{name}"] for name in R.snapshot(*small_model())}
        assert parts["mu"].shape == parts["logvar"].shape == (R.SNAPSHOTS, R.ELLIPSES, k)
        assert parts["mu"].dtype == parts["logvar"].dtype == np.float16
        assert parts["pictures"].shape == (R.SNAPSHOTS, 2 * R.SHOWN, 784)
        assert parts["pictures"].dtype == np.uint8
        np.testing.assert_allclose(parts["kl_dims"].sum(axis=1), parts["kl"], rtol=1e-4)
        assert all(np.isfinite(part.astype(np.float64)).all() for part in parts.values())


def test_record_shows_what_the_page_says(record):
    """The statements in page.html."""
    for code in R.CODES:
        for name, sign in (("nll", 1), ("kl", -1)):     # a larger beta: worse reconstructions, a smaller KL
            last = [record[f"{code}-{beta:g}/{name}"][-1] for beta in R.BETAS]
            assert (sign * np.diff(last) > 0).all()
    assert (record["10-5/kl_dims"][-1] < 0.1).sum() == 5
    for run in RUNS:
        std = np.exp(0.5 * record[f"{run}/logvar"].astype(np.float64))
        assert std[0].min() > 0.7 and std[0].max() < 1.4
        assert np.median(std[-1]) < 0.95 * np.median(std[0])
        decoder, kl = record[f"{run}/pulls"][-1]
        assert decoder > 0 > kl and abs(decoder + kl) < 0.05 * decoder      # both pulls are equal at the end


# The page


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tug-of-war") / "tug-of-war.html"
    path.write_text(live.build("tug-of-war"), encoding="utf-8")
    return path


def ready(page: Any) -> Any:
    """The page, when its pictures have been decoded."""
    page.page.wait_for_function("document.getElementById('pictures-text').textContent !== ''")
    return page


def test_numbers_and_pictures_of_the_page(browser, path, record):
    """(NORM.1), (NORM.5), and the pictures as they were recorded."""
    with open_page(browser, path, reduced_motion="reduce") as page:
        ready(page)
        for run in RUNS:
            code, beta = run.split("-")
            for index, n in ((0, 0), (20, 31), (R.SNAPSHOTS - 1, 59)):
                found = page.check("snapshot", code=code, beta=beta, index=index, n=n)
                names = ("mu", "logvar", "kl_dims", "pictures")
                part = {name: record[f"{run}/{name}"][index] for name in names}
                mu, logvar = part["mu"][n].astype(np.float64), part["logvar"][n].astype(np.float64)
                np.testing.assert_allclose(found["mu"], mu)
                np.testing.assert_allclose(found["std"], Normal.std(logvar), rtol=1e-6)
                np.testing.assert_allclose(found["kl"], Normal.kl(mu, logvar), rtol=1e-6, atol=1e-9)
                np.testing.assert_allclose(found["dims"], part["kl_dims"], rtol=1e-6)
                originals, *drawn = found["pictures"]
                np.testing.assert_array_equal(np.rint(255 * np.concatenate(drawn)), part["pictures"])
                np.testing.assert_array_equal(np.rint(255 * np.array(originals)), record["shown"])
                text = page.page.locator("#text").inner_text()
                assert f"Step {record['steps'][index]:,} of" in text
        assert not page.errors


def test_controls(browser, path, record):
    with open_page(browser, path, reduced_motion="reduce", has_touch=True) as page:
        ready(page)
        p, last = page.page, R.SNAPSHOTS - 1
        text = p.locator("#text")
        assert f"Step {record['steps'][last]:,} of" in text.inner_text()
        p.get_by_role("group", name="Weight of the KL").get_by_role("button", name="5").tap()
        assert "5 of 10 dimensions have a KL above 0.1." in text.inner_text()
        time = p.get_by_label("Training step")
        time.press("ArrowLeft")
        assert f"Step {record['steps'][last - 1]:,} of" in text.inner_text()
        time.press("Home")
        assert "Step 0 of" in text.inner_text() and "0 of 10 dimensions" in text.inner_text()
        plane = p.locator("#plane")
        plane.press("ArrowRight")
        plane.press("ArrowRight")
        assert page.check("chosen")["chosen"] == 2
        assert f"Chosen: a {record['labels'][2]}." in p.locator("#plane-text").inner_text()
        box, (x, y, *_) = plane.bounding_box(), page.check("chosen")["ellipse"]
        plane.press("ArrowRight")
        edge = 1.08 * max(3, abs(record["10-5/mu"][0].astype(float)).max())
        plane.tap(position={
            "x": box["width"] * (x + edge) / (2 * edge), "y": box["height"] * (edge - y) / (2 * edge),
        })  # fmt: skip
        assert page.check("chosen")["chosen"] == 2
        before = page.check("chosen")["ellipse"]
        p.get_by_label("Across").select_option("dimension 1")
        assert abs(page.check("chosen")["ellipse"] - before).max() > 0
        p.get_by_role("group", name="Width of the code").get_by_role("button", name="2").tap()
        assert "of 2 dimensions" in text.inner_text() and not p.get_by_label("Across").count()
        p.get_by_role("button", name="Play").tap()
        p.wait_for_function("!document.getElementById('text').textContent.startsWith('Step 0 ')")
        p.get_by_role("button", name="Pause").tap()
        assert not page.errors


def test_axes_are_kept_and_exchanged(browser, path):
    with open_page(browser, path, reduced_motion="reduce") as page:
        ready(page)
        p = page.page
        axes = p.get_by_label("Across"), p.get_by_label("Up")
        axes[0].select_option("dimension 9")
        axes[1].select_option("dimension 4")
        p.get_by_role("group", name="Weight of the KL").get_by_role("button", name="5").click()
        assert [axis.input_value() for axis in axes] == ["8", "3"]
        axes[0].select_option("dimension 4")
        assert [axis.input_value() for axis in axes] == ["3", "8"]
        text = p.locator("#plane-text").inner_text()
        for _ in range(8):
            p.locator("#plane").press("ArrowRight")
            text += p.locator("#plane-text").inner_text()
        assert "−" in text and "-" not in text
        assert not page.errors


def test_fast_clicks_leave_one_loop(browser, path):
    with open_page(browser, path, reduced_motion="reduce") as page:
        ready(page)
        page.page.evaluate(COUNT_FRAMES)
        found = page.page.evaluate("""() => {
          for (let i = 0; i < 5; i++) document.querySelector("#buttons button").click();
          return waiting.size;
        }""")
        assert found == 1 and not page.errors


@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_no_run_is_wider_than_the_screen(browser, path, size):
    with open_page(browser, path, size, dark=size == WIDE) as page:
        ready(page)
        for code in ("10", "2"):
            p = page.page.get_by_role("group", name="Width of the code")
            p.get_by_role("button", name=code, exact=True).click()
            assert page.overflow() == 0
        assert not page.errors
