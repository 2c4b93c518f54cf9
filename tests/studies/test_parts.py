"""The cells of a study are measured once, and read by the study that continues."""

from functools import partial

import pytest

from scratchgen.studies.parts import Cell, Parts


def one(parts, name, measure, **settings):
    return parts.measured([Cell(name, measure, settings)])[name]


def test_cell_is_measured_once_for_each_setting(tmp_path):
    calls = []

    def measure():
        calls.append(1)
        return {"value": 0.1 + 0.2, "call": len(calls)}

    first = one(Parts(tmp_path / "study", seconds=2), "a model, 2 × 300", measure)
    assert first == {"value": 0.1 + 0.2, "call": 1}
    assert one(Parts(tmp_path / "study", seconds=2), "a model, 2 × 300", measure) == first
    assert one(Parts(tmp_path / "study", seconds=2), "a model, 2 × 400", measure)["call"] == 2
    assert one(Parts(tmp_path / "study", seconds=3), "a model, 2 × 300", measure)["call"] == 3
    assert one(Parts(tmp_path / "study", seconds=3), "a model, 2 × 300", measure, batch=5)["call"] == 4
    assert one(Parts(tmp_path / "study", seconds=3), "a model, 2 × 300", measure, batch=5)["call"] == 4


def test_names_that_have_the_same_file_are_told_apart(tmp_path):
    parts = Parts(tmp_path)
    assert one(parts, "a, b", lambda: 1) == 1
    assert one(parts, "a: b", lambda: 2) == 2


def test_values_have_the_order_of_the_cells_and_each_new_one_is_reported(tmp_path):
    parts, seen = Parts(tmp_path), []
    one(parts, "b", lambda: 2)
    cells = [Cell(name, partial(int, number)) for number, name in enumerate("abc", start=1)]
    found = parts.measured(cells, report=lambda name, value, known: seen.append((name, value, [*known])))
    assert [*found.items()] == [("a", 1), ("b", 2), ("c", 3)]
    assert seen == [("a", 1, ["a", "b"]), ("c", 3, ["a", "b", "c"])]
    assert parts.known(cells) == found


def test_parts_are_removed(tmp_path):
    parts = Parts(tmp_path / "study")
    one(parts, "a", lambda: 1)
    parts.remove()
    parts.remove()
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"settings": 1', '{"a": 1, "a": 2}', "[" * 9999])
def test_damaged_file_of_a_cell_is_named(tmp_path, text):
    parts = Parts(tmp_path)
    one(parts, "a", lambda: 1)
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json is damaged \(.*; delete it to measure it again"):
        one(parts, "a", lambda: 1)
