"""Out-of-distribution detection: tasks, scores and cells, on cases that can be computed by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scratchgen.data import Digits, load_digits
from scratchgen.distributions import Normal
from scratchgen.models import PCA
from scratchgen.studies.cards import diffusion
from scratchgen.studies.chapters import between
from scratchgen.studies.ood import cells as cells_module
from scratchgen.studies.ood.cells import Plan, auroc_of, cell_of, measure
from scratchgen.studies.ood.detectors import detector, detectors, usual
from scratchgen.studies.ood.protocols import CONTROLS, controls, task
from scratchgen.studies.ood.report import Result, read, rows_of
from scratchgen.studies.ood.scores import INTENSITY, SCORES, minus_log_p, typicality
from scratchgen.studies.ood.study import collect, detect, write_chapter
from scratchgen.studies.workers import BuiltOnce

ROOT = Path(__file__).resolve().parents[2]


def few(each=30, seed=0):
    """Random images: `each` per class for training, a third as many for tests; pixel 0 encodes the class."""
    rng = np.random.default_rng(seed)
    x = [(rng.integers(0, 256, (n, 784)) / 255).astype(np.float32) for n in (10 * each, 10 * (each // 3))]
    y = [np.arange(len(part)) % 10 for part in x]
    for part, labels in zip(x, y, strict=True):
        part[:, 0] = labels / 255
    return Digits(x[0], y[0], x[1], y[1], "made up")


class StandardNormal:
    """N(0, I), which needs no fit."""

    def score_samples(self, X):
        return Normal.log_prob(X, 0.0, 0.0).sum(axis=1)


# Protocols

@pytest.mark.parametrize("protocol, known", [("without", set(range(10)) - {3}), ("only", {3})])
def test_task_keeps_ood_digits_out_of_training(protocol, known):
    parts = task(few(), protocol, 3, rng=np.random.default_rng(0))
    for x in (parts.train, parts.held_out, parts.known):
        assert {round(255 * float(v)) for v in x[:, 0]} == known
    assert {round(255 * float(v)) for v in parts.ood[:, 0]} == set(range(10)) - known
    assert set(parts.ood_labels.tolist()) == set(range(10)) - known
    assert len(parts.known) + len(parts.ood) == 100


def test_task_holds_out_a_tenth_that_is_not_fitted_to():
    parts = task(few(), "without", 0, rng=np.random.default_rng(0))
    assert len(parts.held_out) == 27 and len(parts.train) == 243
    both = {row.tobytes() for row in parts.train} | {row.tobytes() for row in parts.held_out}
    assert len(both) == 270


@pytest.mark.parametrize("protocol, digit, message", [
    ("onli", 3, "unknown protocol 'onli'; did you mean 'only'"),
    ("only", 10, "expected a digit from 0 to 9, got 10"),
])
def test_task_refuses_an_unknown_protocol_and_another_digit(protocol, digit, message):
    with pytest.raises(ValueError, match=message):
        task(few(), protocol, digit, rng=np.random.default_rng(0))


def test_task_refuses_a_digit_that_the_test_set_lacks():
    some = few()
    without_4 = Digits(some.x_train, some.y_train, some.x_test[:4], some.y_test[:4], "0 to 3 to test on")
    with pytest.raises(ValueError, match=r"known and OOD digits \(without 4\).* 0 OOD test digits"):
        task(without_4, "without", 4, rng=np.random.default_rng(0))


def test_controls_are_what_their_names_say():
    odd = controls(5, rng=np.random.default_rng(0))
    assert tuple(odd) == CONTROLS
    assert [float(odd[c].mean()) for c in ("blank", "full")] == [0, 1]
    assert float(odd["grey"].std()) < 1e-6 and abs(odd["noise"].mean() - 0.5) < 0.02
    assert all(x.shape == (5, 784) and x.dtype == np.float32 for x in odd.values())


# Scores

def test_auroc_counts_pairs_and_halves_ties():
    # (OOD.3): (2, 1) and (3, 1) are in order, (2, 3) is not, and (3, 3) is a tie.
    assert auroc_of(np.array([2.0, 3.0]), np.array([1.0, 3.0])) == (2 + 0.5) / 4


def test_typicality_is_the_distance_from_the_median_of_held_out_digits():
    # (OOD.2): h = 5 despite one extreme value; values below and above the median are treated equally.
    assert typicality(np.array([4.0, 5.0, 8.0]), np.array([3.0, 5.0, 9e9])).tolist() == [1, 0, 3]


def test_density_fails_for_narrower_ood_data_and_typicality_does_not():
    # (OOD.1, OOD.2): known N(0, I); OOD N(0, ¼·I), which is nearer to the mode.
    rng, model = np.random.default_rng(0), StandardNormal()
    known, held_out, ood = (s * rng.standard_normal((400, 100)) for s in (1, 1, 0.5))
    s_known, s_held_out, s_ood = (minus_log_p(model, x) for x in (known, held_out, ood))
    assert auroc_of(s_ood, s_known) == 0
    assert auroc_of(typicality(s_ood, s_held_out), typicality(s_known, s_held_out)) > 0.99
    wider = minus_log_p(model, 1.5 * rng.standard_normal((400, 100)))
    assert auroc_of(wider, s_known) > 0.99


def test_samples_are_half_a_nat_per_dimension_below_the_mode():
    # log p at the mode of N(0, I) is −D/2·log 2π; for a sample it is D/2 less, ± √(D/2).
    D, model = 784, StandardNormal()
    at_mode = model.score_samples(np.zeros((1, D)))[0]
    samples = model.score_samples(np.random.default_rng(0).standard_normal((4000, D)))
    assert abs(at_mode + D / 2 * math.log(2 * math.pi)) < 1e-9
    assert abs(at_mode - samples.mean() - D / 2) < 1 and abs(samples.std() - math.sqrt(D / 2)) < 0.6
    assert at_mode > samples.max() + 200


def test_log_density_of_ood_samples_is_minus_their_entropy_minus_the_divergence():
    # E_q[log p] = −H(q) − KL(q ‖ p), for q = N(0, s²·I) and p = N(0, I).
    D, s = 50, 0.5
    x = s * np.random.default_rng(0).standard_normal((20_000, D))
    entropy = D / 2 * math.log(2 * math.pi * math.e * s**2)
    kl = D / 2 * (s**2 - 1 - math.log(s**2))
    assert abs(StandardNormal().score_samples(x).mean() + entropy + kl) < 0.05


def test_each_detector_has_each_score_or_a_reason():
    for name, found in detectors().items():
        assert set(found.score_names()) | set(found.lacks) | {INTENSITY} == set(SCORES), name
        assert not set(found.score_names()) & set(found.lacks), name
        assert found.density is None or found.density in found.scores


def test_usual_detectors_are_all_but_the_slow_ones():
    assert set(detectors()) - set(usual()) == {"pixelcnn"}


def test_score_that_is_not_finite_is_named(monkeypatch):
    monkeypatch.setattr(PCA, "score_samples", lambda self, X: np.full(len(X), np.nan))
    pca, x = detector("pca"), few().x_train
    with pytest.raises(ArithmeticError, match="PCA, 30 components: log-density of known"):
        pca.rate(pca.fit(x, 0), x[:4], {"known": x[4:9]}, 0)


# Cells

def test_cell_of_intensity_can_be_counted():
    # Trained on ones only: 90 OOD test images of a given intensity against the known ones.
    some = few()
    for x, y in ((some.x_train, some.y_train), (some.x_test, some.y_test)):
        x[...] = np.where(np.arange(784) < 78 * y[:, None], 1, 0)       # a 1 is darker than all but 0
    cell = measure(some, "only", 1, detector("intensity"), seed=0)
    assert cell["auroc"] == {"intensity": 80 / 90}                      # above in 8 of the 9 other classes
    assert cell["controls"]["intensity"] == {"blank": 0, "full": 1, "grey": 1, "noise": 1}
    assert cell["means"]["intensity"]["known"] == 78 and cell["spreads"]["intensity"]["known"] == 0


def test_cell_depends_on_the_length_of_the_fit_and_on_the_detector(monkeypatch):
    digits, key = BuiltOnce(few(), few), ("only", 1, "vae2", 0)
    cell = cell_of(digits, key, 1.0)
    assert cell.name == "only 1, vae2, 0"
    assert cell.settings != cell_of(digits, key, 2.0).settings
    changed = replace(detector("vae2"), batch=7)
    monkeypatch.setattr(cells_module, "detector", lambda name: changed)
    assert cell.settings != cell_of(digits, key, 1.0).settings


@pytest.mark.parametrize("wrong, message", [
    ({"models": ("mede",)}, "unknown model 'mede'; did you mean 'made'"),
    ({"models": ()}, "at least one model"),
    ({"digits": (1, 1)}, "each once"),
    ({"digits": (1, 12)}, "digits from 0 to 9"),
    ({"protocols": ("both",)}, "unknown protocol 'both'"),
    ({"seeds": 0}, "at least one seed"),
    ({"effort": 0.0}, "effort above 0"),
])
def test_plan_refuses_bad_values(wrong, message):
    with pytest.raises(ValueError, match=message):
        Plan(**wrong)


def test_usual_plan_is_every_protocol_digit_and_seed():
    assert len(Plan().cells()) == len(set(Plan().cells())) == 2 * 10 * 11 * 2
    assert Plan().usual and Plan(full=True).usual and not Plan(seeds=1).usual


def result_of(values):
    """A result with only the intensity score, with the value of each (digit, seed)."""

    def cell(value):
        groups = {"intensity": dict.fromkeys(("known", "ood", *CONTROLS), value)}
        return {"auroc": {"intensity": value}, "controls": groups, "means": groups, "spreads": groups}

    plan = Plan(("only",), ("intensity",), (0, 1), 2)
    rows = rows_of(plan, "only", {("only", d, "intensity", s): cell(v) for (d, s), v in values.items()})
    return Result(
        source="some", machine="one", seconds=4.0, digits=(0, 1), seeds=2, effort=1.0, rows={"only": rows}
    )


VALUES = {(0, 0): 0.2, (0, 1): 0.4, (1, 0): 0.9, (1, 1): 0.9}           # (digit, seed)


def test_matrix_shows_means_and_half_the_range_of_the_seeds():
    row = result_of(VALUES).matrix("only").splitlines()[4]
    assert row == "| no model: intensity | .30±.10 | .90±.00 | .60±.05 |"


def test_result_is_read_back_with_the_same_tables(tmp_path):
    result = result_of(VALUES)
    again = read(result.save(tmp_path / "deep" / "ood.json"))
    assert again.tables() == result.tables() and again.models == ["intensity"]
    assert (again.seconds, again.digits, again.seeds, again.effort) == (4.0, (0, 1), 2, 1.0)


def test_result_of_an_unknown_model_is_refused(tmp_path):
    path = result_of(VALUES).save(tmp_path / "ood.json")
    path.write_text(path.read_text(encoding="utf-8").replace("no model", "another"), encoding="utf-8")
    with pytest.raises(ValueError, match="a model 'another' that no card lists"):
        read(path)


@pytest.mark.slow
def test_write_chapter_fills_the_tables_and_plots_the_figure(tmp_path):
    result = result_of(VALUES)
    path, chapter = result.save(tmp_path / "ood.json"), tmp_path / "a.md"
    chapter.write_text("a\n<!-- tables: made by hand -->\nold\n<!-- end of tables -->\nb\n", encoding="utf-8")
    write_chapter(path, chapter, tmp_path / "ood.png")
    text = chapter.read_text(encoding="utf-8")
    assert between(text, "tables") == result.tables() and text.startswith("a\n") and text.endswith("b\n")
    with Image.open(tmp_path / "ood.png") as image:
        assert image.width == 1200 and image.mode == "P"


def test_chapter_holds_the_tables_of_the_results():
    chapter = (ROOT / "docs" / "out-of-distribution.md").read_text(encoding="utf-8")
    assert between(chapter, "tables") == read(ROOT / "results" / "ood.json").tables()


def test_results_hold_every_model_and_score_of_the_usual_plan():
    found = read(ROOT / "results" / "ood.json")
    assert set(found.models) == set(usual())
    for rows in found.rows.values():
        assert all(row.auroc.shape == (2, 10) for row in rows)
        assert sorted((row.model, row.score) for row in rows) == sorted(
            (name, score) for name in usual() for score in detector(name).score_names()
        )


# The whole study

@pytest.mark.slow
def test_study_continues_where_it_was_interrupted(tmp_path, monkeypatch, capsys):
    plan = Plan(models=("intensity", "pca"), digits=(1,), seeds=1)
    places = {"runs": tmp_path / "runs", "results": tmp_path, "pictures": tmp_path}
    first = detect(plan, **places)
    saved = (tmp_path / "ood-part.json").read_text(encoding="utf-8")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "embedded").iterdir()}
    (tmp_path / "runs" / "embedded" / "only-1-intensity-0.json").unlink()
    with pytest.raises(ValueError, match="1 of 4 cells are missing"):
        collect(plan, tmp_path / "runs")
    measured = []

    def counted(digits, protocol, digit, detector, *rest):
        measured.append((protocol, digit, detector.name))
        return measure(digits, protocol, digit, detector, *rest)

    monkeypatch.setattr(cells_module, "measure", counted)
    again = detect(plan, **places)
    assert measured == [("only", 1, "intensity")]
    for path, when in kept.items():
        assert path.name == "only-1-intensity-0.json" or path.stat().st_mtime_ns == when
    assert json.loads((tmp_path / "ood-part.json").read_text("utf-8"))["protocols"] == (
        json.loads(saved)["protocols"]
    )
    assert again.tables() == first.tables()
    assert "nan" not in again.tables().lower() and "| no model | – |" in again.tables()
    assert (tmp_path / "ood-part.png").is_file()


@pytest.mark.slow
def test_every_model_scores_ones_after_training_without_them(tmp_path, monkeypatch):
    """After a short fit of every model, no score is missing, noise is detected, and a 1 is more probable."""
    monkeypatch.setattr(diffusion, "STEPS", 20)
    monkeypatch.setattr(diffusion, "SOLVER_STEPS", 5)
    plan = Plan(("without",), digits=(1,), seeds=1, effort=0.2)
    result = detect(plan, tmp_path / "runs", tmp_path, tmp_path)
    rows = {(row.model, row.score): row for row in result.rows["without"]}
    assert len(rows) == sum(len(detector(name).score_names()) for name in plan.models)
    for (model, score), row in rows.items():
        value = row.auroc[0][0]
        assert 0 <= value <= 1
        if score in {"log-density", "importance-sampled"}:
            assert value < 0.4, (model, score)
            assert row.controls["noise"][0][0] == 1
        if score in {"log-density", "importance-sampled"} and model in {"pca", "vae2", "vae"}:
            # MADE and the flows prefer blank images only after a longer fit (docs/out-of-distribution.md).
            assert row.means["blank"] < row.means["known"]
    assert "nan" not in result.tables().lower()
    assert cells_module.SEEDS == 2 and load_digits("embedded").which == result.source
