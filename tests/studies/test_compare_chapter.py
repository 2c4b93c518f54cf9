"""What a comparison puts into its chapter, the width of Normal pixels, and pixels on their own."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.models import MADE, VAE
from scratchgen.models.vae.observation import NormalPixels
from scratchgen.studies.chapters import fill, marks
from scratchgen.studies.compare import chapter, families
from scratchgen.studies.compare.baseline import SMOOTHINGS, independent_pixels
from scratchgen.studies.compare.families import DEQUANTISED, FAMILIES, fit_std, seen_as
from scratchgen.studies.compare.measures import Split

ROOT = Path(__file__).resolve().parents[2]


def between(name):
    start, end = marks(name, chapter.COMMAND)
    return f"before\n{start}\nold\n{end}\nafter\n"


def test_chapter_gets_each_table_between_its_marks_and_nowhere_else():
    text = between("one") + between("two")
    tables = {"two": "| b |\n\n- c", "one": "a"}
    filled = fill(text, tables, chapter.COMMAND)
    (one, end_one), (two, end_two) = (marks(name, chapter.COMMAND) for name in ("one", "two"))
    first = f"before\n{one}\na\n{end_one}\nafter\n"
    second = f"before\n{two}\n| b |\n\n- c\n{end_two}\nafter\n"
    assert filled == first + second
    assert fill(filled, tables, chapter.COMMAND) == filled
    with pytest.raises(ValueError, match="expected the marks '<!-- three: made by"):
        fill(text, {"three": "a"}, chapter.COMMAND)
    with pytest.raises(ValueError, match="expected the marks"):
        fill(text, tables, "somebody.else")


def test_chapter_and_its_picture_are_made_of_the_results(tmp_path):
    results, picture, figure = tmp_path / "a.json", tmp_path / "a.png", tmp_path / "b.png"
    page = tmp_path / "a.md"
    page.write_text(between("one"), encoding="utf-8")
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 30, 3), dtype=np.uint8)).save(picture)
    results.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json holds no tables"):
        chapter.update(results, picture, page, figure)
    results.write_text(json.dumps({"tables": {"one": ["| new |"]}}), encoding="utf-8")
    chapter.update(results, picture, page, figure)
    assert "| new |" in page.read_text(encoding="utf-8") and "old" not in page.read_text(encoding="utf-8")
    with Image.open(figure) as image:
        assert image.size == (30, 40) and image.mode == "P"


def test_chapter_holds_the_tables_of_the_results():
    text = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    tables = json.loads((ROOT / "results" / "compare.json").read_text(encoding="utf-8"))["tables"]
    assert set(tables) == {"likelihoods", "ways and costs", "samples"}
    assert fill(text, {name: "\n".join(lines) for name, lines in tables.items()}, chapter.COMMAND) == text


def bound_at(model, std, x):
    """The bound with the noise of `fit_std`, by (VAE.4), in nats for each of x."""
    eps = np.random.default_rng(families.SEED).standard_normal((len(x), model.code), x.dtype)
    model.observation = NormalPixels(std)
    return -model.loss(x, eps=eps)[0]


def test_std_of_normal_pixels_is_where_the_bound_is_largest(rng):
    """(CMP.1) by its formula, and against the bound at widths on both sides of it."""
    model = VAE.dense((12, 6, 2), observation=NormalPixels(3.0), rng=rng, dtype=np.float64)
    x = rng.random((7, 12))
    fit_std(model, x)
    std = model.observation.std
    mu, logvar = model.posterior(x)
    eps = np.random.default_rng(families.SEED).standard_normal(mu.shape)
    error = (x - model.decode(Normal.sample(mu, logvar, eps))) ** 2
    assert std == pytest.approx(np.sqrt(error.mean()), rel=1e-12)
    best = bound_at(model, std, x)
    assert best > bound_at(model, 1.01 * std, x) and best > bound_at(model, std / 1.01, x)
    slope = (bound_at(model, std + 1e-5, x) - bound_at(model, std - 1e-5, x)) / 2e-5
    assert abs(slope) < 1e-4 * x.shape[1] / std


def test_std_is_left_alone_where_pixels_are_coins(rng):
    vae, made = VAE.dense((12, 6, 2), rng=rng), MADE(12, (8,), rng=rng)
    coins = vae.observation
    fit_std(vae, rng.random((3, 12)).astype(np.float32))
    fit_std(made, rng.random((3, 12)).astype(np.float32))
    assert vae.observation is coins


def test_train_ends_with_the_std_of_the_weights_that_were_kept(monkeypatch, rng):
    x = rng.random((60, 12)).astype(np.float32)
    small = VAE.dense((12, 6, 2), observation=NormalPixels(0.3), rng=rng)
    ticks = iter(range(1000))
    monkeypatch.setattr(families.time, "process_time", lambda: float(next(ticks)))
    (normal,) = (f for f in FAMILIES if f.build is families.normal_vae)
    settings = {"batch_size": 10, "lr": lambda step: 0.3}       # so high a rate that the last isn't the best
    family = replace(normal, build=lambda rng: small, settings=settings)
    found = families.train(family, x[:40], x[40:], 60)
    kept = found.model.observation.std
    fit_std(found.model, families.seen_as(family.space, x[40:]))
    assert found.model.observation.std == kept != 0.3
    assert found.kept < found.epochs


def test_normal_vae_draws_its_noise_anew(rng):
    model = families.normal_vae(rng)
    assert isinstance(model.observation, NormalPixels) and model.data_note.startswith("Normal pixels")
    x = np.zeros((2, 784), np.float32)
    (family,) = [f for f in families.FAMILIES if f.build is families.normal_vae]
    first, second = (family.settings["augment"](x, rng=rng) for _ in range(2))
    assert first.max() < 1 / 256 and not np.array_equal(first, second)


def test_independent_coins_are_counted(rng):
    train, test = (rng.random((9, 4)) < 0.4).astype(np.float32), (rng.random((5, 4)) < 0.4).astype(np.float32)
    theta = (train.sum(axis=0) + 1) / 11
    by_hand = np.where(test == 1, np.log(theta), np.log(1 - theta)).sum(axis=1)
    np.testing.assert_allclose(independent_pixels(train, train, test, discrete=True), by_hand, rtol=1e-6)


def test_independent_normals_have_widths_of_their_own_smoothed_as_held_out_examples_say(rng):
    """Pixel 0 hardly varies, and is worth that; where it does in a held-out example, smoothing is chosen."""
    train, test = rng.normal(size=(50, 3)), rng.normal(size=(20, 3))
    train[:, 0], test[:, 0] = 1e-4 * train[:, 0], 1e-4 * test[:, 0]
    near, far = train[:10].copy(), train[:10].copy()
    far[0, 0] = 0.5

    def by_hand(smoothing):
        var = train.var(axis=0) + smoothing * train.var(axis=0).max()
        log_prob = -0.5 * ((test - train.mean(axis=0)) ** 2 / var + np.log(2 * np.pi * var))
        return log_prob.sum(axis=1)

    found = independent_pixels(train, near, test, discrete=False)
    np.testing.assert_allclose(found, by_hand(SMOOTHINGS[0]), rtol=1e-10)
    found = independent_pixels(train, far, test, discrete=False)
    assert any(np.allclose(found, by_hand(smoothing)) for smoothing in SMOOTHINGS[3:])
    with pytest.raises(ValueError, match="expected pixels that vary, got none"):
        independent_pixels(np.ones((5, 3)), near, test, discrete=False)


@pytest.mark.slow
def test_chapter_tells_what_pixels_alone_are_worth_on_digits():
    split = Split.of(load_digits("embedded"))
    parts = (seen_as(DEQUANTISED, x) for x in (split.train, split.held_out, split.test))
    assert independent_pixels(*parts, discrete=False).mean() == pytest.approx(892, abs=0.5)
    never = split.train.max(axis=0) == 0
    assert never.sum() == 127 and (split.test[:, never] > 0).any(axis=1).sum() == 4
