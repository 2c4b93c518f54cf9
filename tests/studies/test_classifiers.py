"""The table of classifiers: every entry fits and predicts, and the table has the measured values."""

import json
from pathlib import Path

import pytest

from scratchgen.data import Digits, load_digits
from scratchgen.studies import classifiers
from scratchgen.studies.chapters import between
from scratchgen.studies.classifiers import entries, measure, table

ROOT = Path(__file__).resolve().parents[2]


def a_few() -> Digits:
    d = load_digits("embedded")
    return Digits(d.x_train[:600], d.y_train[:600], d.x_test[:200], d.y_test[:200], "a few")


@pytest.mark.slow
def test_every_classifier_is_measured_and_better_than_chance():
    rows = [measure(entry, a_few()) for entry in entries()]
    assert [row["classifier"] for row in rows] == [entry.title for entry in entries()]
    for row in rows:
        error = row["test error, %"] / 100
        assert 0.02 < error < 0.6
        assert abs(row["standard error"] - 100 * (error * (1 - error) / 200) ** 0.5) < 0.01
        assert row["seconds to fit"] >= 0 and row["seconds to predict"] >= 0


def test_table_of_classifiers_has_a_line_for_each_and_no_bars_within_cells():
    row = {"title": "a", "models": "p(x, y)", "error": 12.346, "spread": 0.5, "fit": 1.26, "predict": 0.04}
    head, rule, line = table([row]).splitlines()
    assert line == "| a | p(x, y) | 12.35 ± 0.50 % | 1.3 s | 0.0 s |"
    assert head.count("|") == rule.count("|") == line.count("|")
    assert not any("|" in entry.title + entry.models for entry in entries())


def test_results_and_chapter_are_written_from_one_run(tmp_path, monkeypatch, capsys):
    """With two quick classifiers, the file has a row of each, and the chapter gets the table."""
    monkeypatch.setattr(classifiers, "digits_of", lambda data: a_few())
    monkeypatch.setattr(classifiers, "entries", lambda: entries()[:2])
    path, chapter = tmp_path / "a.json", tmp_path / "a.md"
    rows = classifiers.run(path, tmp_path / "runs")
    assert json.loads(path.read_text(encoding="utf-8"))["classifiers"] == rows and len(rows) == 2
    chapter.write_text("<!-- classifiers: none -->\n<!-- end of classifiers -->\n", encoding="utf-8")
    classifiers.write_chapter(path, chapter)
    assert between(chapter.read_text(encoding="utf-8"), "classifiers") == table(rows)


def test_study_that_was_interrupted_keeps_its_rows_and_the_earlier_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(classifiers, "digits_of", lambda data: a_few())
    monkeypatch.setattr(classifiers, "entries", lambda: entries()[:2])
    calls = []

    def interrupted(entry, digits):
        calls.append(entry.title)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(entry, digits)

    monkeypatch.setattr(classifiers, "measure", interrupted)
    path = tmp_path / "a.json"
    path.write_text("earlier", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        classifiers.run(path, tmp_path / "runs")
    assert path.read_text(encoding="utf-8") == "earlier"
    classifiers.run(path, tmp_path / "runs")
    first, second = (entry.title for entry in entries()[:2])
    assert calls == [first, second, second] and not (tmp_path / "runs").exists()


def test_results_have_every_classifier_of_the_cards():
    rows = json.loads((ROOT / "results" / "classifiers.json").read_text(encoding="utf-8"))["classifiers"]
    assert [row["classifier"] for row in rows] == [entry.title for entry in entries()]


def test_chapter_holds_the_table_of_the_results():
    text = (ROOT / "docs" / "discriminative.md").read_text(encoding="utf-8")
    rows = json.loads((ROOT / "results" / "classifiers.json").read_text(encoding="utf-8"))["classifiers"]
    assert between(text, "classifiers") == table(rows)
