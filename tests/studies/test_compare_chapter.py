"""The chapter of the comparison, the width of Normal pixels, and the baseline of independent pixels."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scratchgen.data import load_digits
from scratchgen.distributions import Normal
from scratchgen.models import VAE
from scratchgen.models.vae.observation import NormalPixels
from scratchgen.studies import chapters
from scratchgen.studies.cards.vae import fit_std
from scratchgen.studies.chapters import fill, marks
from scratchgen.studies.compare import study
from scratchgen.studies.compare import train as training
from scratchgen.studies.compare.baseline import SMOOTHINGS, independent_pixels
from scratchgen.studies.compare.measures import Split
from scratchgen.studies.compare.study import COMMAND
from scratchgen.studies.spaces import DEQUANTISED, SEED

ROOT = Path(__file__).resolve().parents[2]


def block(name):
    start, end = marks(name, COMMAND)
    return f"before\n{start}\nold\n{end}\nafter\n"


def test_chapter_gets_each_table_between_its_marks_and_nowhere_else():
    text = block("one") + block("two")
    tables = {"two": "| b |\n\n- c", "one": "a"}
    filled = fill(text, tables, COMMAND)
    (one, end_one), (two, end_two) = (marks(name, COMMAND) for name in ("one", "two"))
    first = f"before\n{one}\na\n{end_one}\nafter\n"
    second = f"before\n{two}\n| b |\n\n- c\n{end_two}\nafter\n"
    assert filled == first + second
    assert fill(filled, tables, COMMAND) == filled
    with pytest.raises(ValueError, match="expected the marks '<!-- three: made by"):
        fill(text, {"three": "a"}, COMMAND)
    again = fill(filled, tables, "another command")
    assert marks("one", "another command")[0] in again and one not in again
    assert chapters.between(again, "one") == "a"
    with pytest.raises(ValueError, match="expected the marks of 'three'"):
        chapters.between(text, "three")


def test_chapter_and_its_figure_are_made_from_the_results(tmp_path):
    results, picture, figure = tmp_path / "a.json", tmp_path / "a.png", tmp_path / "b.png"
    page = tmp_path / "a.md"
    page.write_text(block("one"), encoding="utf-8")
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 30, 3), dtype=np.uint8)).save(picture)
    results.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json has no tables"):
        study.write_chapter(results, picture, page, figure)
    results.write_text(json.dumps({"tables": {"one": ["| new |"]}}), encoding="utf-8")
    study.write_chapter(results, picture, page, figure)
    assert "| new |" in page.read_text(encoding="utf-8") and "old" not in page.read_text(encoding="utf-8")
    with Image.open(figure) as image:
        assert image.size == (30, 40) and image.mode == "P"


def test_chapter_holds_the_tables_of_the_results():
    text = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    tables = json.loads((ROOT / "results" / "compare.json").read_text(encoding="utf-8"))["tables"]
    assert set(tables) == {"likelihoods", "ways and costs", "samples"}
    assert fill(text, {name: "\n".join(lines) for name, lines in tables.items()}, COMMAND) == text


def bound_at(model, std, x):
    """The bound (VAE.4) with the noise of `fit_std`, in nats, averaged over x."""
    eps = np.random.default_rng(SEED).standard_normal((len(x), model.code), x.dtype)
    model.observation = NormalPixels(std)
    return -model.loss(x, eps=eps)[0]


def test_std_of_normal_pixels_is_where_the_bound_is_largest(rng):
    """(CMP.1) by its formula, and against the bound at widths on both sides of it."""
    model = VAE.dense((12, 6, 2), observation=NormalPixels(3.0), rng=rng, dtype=np.float64)
    x = rng.random((7, 12))
    fit_std(model, x)
    std = model.observation.std
    mu, logvar = model.posterior(x)
    eps = np.random.default_rng(SEED).standard_normal(mu.shape)
    error = (x - model.decode(Normal.sample(mu, logvar, eps))) ** 2
    assert std == pytest.approx(np.sqrt(error.mean()), rel=1e-12)
    best = bound_at(model, std, x)
    assert best > bound_at(model, 1.01 * std, x) and best > bound_at(model, std / 1.01, x)
    slope = (bound_at(model, std + 1e-5, x) - bound_at(model, std - 1e-5, x)) / 2e-5
    assert abs(slope) < 1e-4 * x.shape[1] / std


def test_only_the_vae_with_normal_pixels_is_adjusted(rng):
    """For all other contenders, `adjust` does not change the model."""
    x = rng.random((3, 784)).astype(np.float32)
    adjusted = []
    for contender in study.contenders():
        model = contender.seeded()
        before = {name: p.value.copy() for name, p in model.parameters().items()}
        observation = getattr(model, "observation", None)
        contender.adjust(model, x)
        assert all(np.array_equal(p.value, before[name]) for name, p in model.parameters().items())
        if getattr(model, "observation", None) is not observation:
            adjusted.append(contender.name)
    assert adjusted == ["VAE 784-400-20, Normal"]


def test_train_ends_with_the_std_of_the_weights_that_were_kept(monkeypatch, rng):
    x = rng.random((60, 12)).astype(np.float32)
    small = VAE.dense((12, 6, 2), observation=NormalPixels(0.3), rng=rng)
    ticks = iter(range(1000))
    monkeypatch.setattr(training.time, "process_time", lambda: float(next(ticks)))
    (normal,) = (c for c in study.contenders() if c.pixel_std is not None)
    settings = {"batch_size": 10, "lr": lambda t: 0.3}          # a rate so high that the last is not the best
    contender = replace(normal, build=lambda rng: copy.deepcopy(small), settings=settings)
    found = training.train(contender, x[:40], x[40:], 60)
    kept = normal.pixel_std(found.model)
    fit_std(found.model, contender.space.prepare(x[40:]))
    assert normal.pixel_std(found.model) == kept != 0.3
    assert found.kept < found.epochs


def test_vae_with_normal_pixels_is_dequantised_anew_in_each_step(rng):
    (normal,) = (c for c in study.contenders() if c.pixel_std is not None)
    model = normal.build(rng)
    assert isinstance(model.observation, NormalPixels) and model.data_note.startswith("Normal pixels")
    x = np.zeros((2, 784), np.float32)
    first, second = (normal.settings["augment"](x, rng=rng) for _ in range(2))
    assert first.max() < 1 / 256 and not np.array_equal(first, second)


def test_independent_bernoulli_pixels_are_counted(rng):
    train, test = (rng.random((9, 4)) < 0.4).astype(np.float32), (rng.random((5, 4)) < 0.4).astype(np.float32)
    theta = (train.sum(axis=0) + 1) / 11
    by_hand = np.where(test == 1, np.log(theta), np.log(1 - theta)).sum(axis=1)
    np.testing.assert_allclose(independent_pixels(train, train, test, discrete=True), by_hand, rtol=1e-6)


def test_independent_normal_pixels_are_smoothed_as_held_out_examples_need(rng):
    """Pixel 0 hardly varies. If it varies in a held-out example, a larger smoothing is chosen."""
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
    with pytest.raises(ValueError, match="expected at least one pixel that varies"):
        independent_pixels(np.ones((5, 3)), near, test, discrete=False)


@pytest.mark.slow
def test_chapter_has_the_likelihood_of_independent_pixels():
    split = Split.of(load_digits("embedded"))
    parts = (DEQUANTISED.prepare(x) for x in (split.train, split.held_out, split.test))
    assert independent_pixels(*parts, discrete=False).mean() == pytest.approx(892, abs=0.5)
    never = split.train.max(axis=0) == 0
    assert never.sum() == 127 and (split.test[:, never] > 0).any(axis=1).sum() == 4
