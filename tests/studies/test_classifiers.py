"""The table of classifiers: every entry fits and answers, and the table says what was measured."""

import json
from pathlib import Path

import pytest

from scratchgen.data import Digits, load_digits
from scratchgen.studies.chapters import fill, marks
from scratchgen.studies.classifiers import COMMAND, ENTRIES, measure, table


@pytest.mark.slow
def test_every_classifier_is_measured_and_better_than_chance():
    d = load_digits("embedded")
    few = Digits(d.x_train[:600], d.y_train[:600], d.x_test[:200], d.y_test[:200], "a few")
    rows = [measure(entry, few) for entry in ENTRIES]
    assert [row["classifier"] for row in rows] == [entry.title for entry in ENTRIES]
    for row in rows:
        error = row["test error, %"] / 100
        assert 0.02 < error < 0.6
        assert abs(row["standard error"] - 100 * (error * (1 - error) / 200) ** 0.5) < 0.01
        assert row["seconds to learn"] >= 0 and row["seconds to answer"] >= 0


def test_table_of_classifiers_has_a_line_for_each_and_no_bars_within_cells():
    row = {"title": "a", "models": "p(x, y)", "error": 12.346, "spread": 0.5, "learn": 1.26, "ask": 0.04}
    head, rule, line = table([row]).splitlines()
    assert line == "| a | p(x, y) | 12.35 ± 0.50 % | 1.3 s | 0.0 s |"
    assert head.count("|") == rule.count("|") == line.count("|")
    assert not any("|" in entry.title + entry.models for entry in ENTRIES)


def test_classifiers_have_marks_of_their_own():
    start, end = marks("classifiers", COMMAND)
    assert start == "<!-- classifiers: made by python -m scratchgen.studies.classifiers -->"
    assert fill(f"{start}\n{end}", {"classifiers": "x"}, COMMAND) == f"{start}\nx\n{end}"


def test_chapter_holds_the_table_of_the_results():
    root = Path(__file__).resolve().parents[2]
    text = (root / "docs" / "discriminative.md").read_text(encoding="utf-8")
    rows = json.loads((root / "results" / "classifiers.json").read_text(encoding="utf-8"))["classifiers"]
    assert fill(text, {"classifiers": table(rows)}, COMMAND) == text
