"""`study gans`: each table is measured and written, and a study that was interrupted continues."""

from dataclasses import replace

import numpy as np
import pytest

from scratchgen import cli
from scratchgen.data import Digits, load_digits
from scratchgen.data.records import read_json
from scratchgen.metrics.samples import SampleMetrics
from scratchgen.models import MLPClassifier
from scratchgen.studies import gans
from scratchgen.studies.chapters import between
from scratchgen.studies.experiments import prescribed_codes
from scratchgen.studies.gans import TABLES, Table, chapter_table, file, text, write_chapter


def a_few() -> Digits:
    d = load_digits("embedded")
    return Digits(d.x_train[:128], d.y_train[:128], d.x_test[:200], d.y_test[:200], "a few")


@pytest.fixture
def small(monkeypatch):
    """A few digits, few samples, small networks, an untrained classifier, and one epoch."""
    monkeypatch.setattr(gans, "digits_of", lambda data: a_few())
    monkeypatch.setattr(gans, "SAMPLES", 100)
    monkeypatch.setattr(gans, "FREE", 100)
    monkeypatch.setattr(gans.gan_objectives, "SAMPLES", 100)
    for name in ("NETWORK", "SMALL"):
        monkeypatch.setattr(prescribed_codes, name, {"channels": (2, 3), "hidden": 8})
    monkeypatch.setattr(prescribed_codes, "DENSE", (8,))
    classifier = MLPClassifier((784, 8, 10), rng=0)
    monkeypatch.setattr(gans, "sample_metrics", lambda d: SampleMetrics(classifier, d.x_test, d.y_test))


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("conditional", ("convolutional, projection",)),
        ("informed", ("1",)),
        ("objectives", ("relativistic 0", "hinge 1")),
    ],
)
def test_every_table_is_measured_and_written(small, monkeypatch, tmp_path, name, cells):
    monkeypatch.setitem(TABLES, name, Table(cells, 1, "small", TABLES[name].measure, TABLES[name].markdown))
    found = gans.run(name, tmp_path, tmp_path / "runs")
    assert read_json(file(name, tmp_path)) == found and tuple(found["cells"]) == cells
    lines = text(name, found).splitlines()
    assert len(lines) == 2 + len(cells) + 2
    assert len({line.count("|") for line in lines[:-2]}) == 1
    assert lines[-1].startswith("Trained on a few; 1 epochs, ")
    assert gans.run(name, tmp_path, tmp_path / "runs") == found
    for part in (tmp_path / "runs" / name).glob("*.json"):
        part.unlink()                                   # measured again, with the saved networks
    again = gans.run(name, tmp_path, tmp_path / "runs")
    assert [*again["cells"].values()] == [cell | {"seconds": None} for cell in found["cells"].values()]


def counting(calls, fails_at=None):
    def measure(name, digits, metrics, epochs, finish):
        calls.append(name)
        if len(calls) == fails_at:
            raise KeyboardInterrupt
        return {"value": 1.5}

    return Table(("a", "b"), 1, "no networks", measure, lambda cells: " ".join(cells))


def test_study_that_was_interrupted_continues_with_the_next_cell(small, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setitem(TABLES, "conditional", counting(calls, fails_at=2))
    with pytest.raises(KeyboardInterrupt):
        gans.run("conditional", tmp_path, tmp_path / "runs")
    unfinished = read_json(file("conditional", tmp_path))
    assert list(unfinished["cells"]) == ["a"]
    assert "**Not complete: 1 of 2 runs.**" in text("conditional", unfinished)
    finished = gans.run("conditional", tmp_path, tmp_path / "runs")
    assert calls == ["a", "b", "b"] and list(finished["cells"]) == ["a", "b"]
    assert "Not complete" not in text("conditional", finished)
    monkeypatch.setitem(TABLES, "conditional", replace(TABLES["conditional"], networks="others"))
    gans.run("conditional", tmp_path, tmp_path / "runs")
    assert calls[3:] == ["a", "b"]                      # cells of other networks are not used


def test_chapter_gets_all_tables(small, monkeypatch, tmp_path):
    for name in TABLES:
        monkeypatch.setitem(TABLES, name, counting([]))
        gans.run(name, tmp_path, tmp_path / "runs")
    chapter = tmp_path / "a.md"
    marks = [f"<!-- gans {name}: none -->\n<!-- end of gans {name} -->\n" for name in TABLES]
    chapter.write_text("\n".join(marks), encoding="utf-8")
    write_chapter(tmp_path, chapter)
    for name in TABLES:
        assert between(chapter.read_text(encoding="utf-8"), f"gans {name}").startswith("a b")


def test_table_without_results_says_so(tmp_path):
    assert chapter_table("informed", tmp_path).startswith("**Not measured yet:**")


def test_ranges_over_seeds():
    assert gans.spread([1.0, 2.0, 6.0]) == "3.0 (1.0 to 6.0)"
    assert gans.spread([]) == "—"


def test_objectives_without_figures_count_as_failures():
    good = {"failure": "", "Fréchet": 3.0, "worst share": 1.0, "precision": 0.5, "recall": 0.25}
    line = gans.objectives_table({"hinge 0": {"failure": "nan"}, "hinge 1": good}).splitlines()[-1]
    figures = "3.0 (3.0 to 3.0) | 1.0 (1.0 to 1.0) | 0.50 (0.50 to 0.50) | 0.25 (0.25 to 0.25)"
    assert line == f"| hinge | {figures} | 1 of 2 |"


def test_unknown_table_is_refused(capsys):
    assert cli.main(["study", "gans", "digits"]) == 2
    assert "expected TABLE to be one of conditional, informed, objectives" in capsys.readouterr().err


def test_chapter_holds_the_tables_of_the_results():
    root = gans.Path(__file__).resolve().parents[2]
    chapter = (root / gans.CHAPTER).read_text(encoding="utf-8")
    for name in TABLES:
        assert between(chapter, f"gans {name}") == chapter_table(name, root / gans.RESULTS)


def test_assigned_categories_are_counted_with_the_assignment(small, monkeypatch, tmp_path):
    """A run is repeatable: the same cell measured twice has the same numbers."""
    measure = TABLES["informed"].measure
    monkeypatch.setitem(TABLES, "informed", Table(("2",), 1, "small", measure, lambda cells: ""))
    first = gans.run("informed", tmp_path / "a", tmp_path / "a")["cells"]["2"]
    second = gans.run("informed", tmp_path / "b", tmp_path / "b")["cells"]["2"]
    assert first | {"seconds": 0} == second | {"seconds": 0}
    assert 0 <= first["samples"] <= 1 and np.unique(first["assigned"]).size == 10
