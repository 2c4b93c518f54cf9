"""The parts of a study are measured once, and read by the study that continues."""

import pytest

from scratchgen.studies.parts import Parts


def test_part_is_measured_once_for_each_setting(tmp_path):
    calls = []

    def measure():
        calls.append(1)
        return {"value": 0.1 + 0.2, "call": len(calls)}

    first = Parts(tmp_path / "study", seconds=2).get("a model, 2 × 300", measure)
    assert first == {"value": 0.1 + 0.2, "call": 1}
    assert Parts(tmp_path / "study", seconds=2).get("a model, 2 × 300", measure) == first
    assert Parts(tmp_path / "study", seconds=2).get("a model, 2 × 400", measure)["call"] == 2
    assert Parts(tmp_path / "study", seconds=3).get("a model, 2 × 300", measure)["call"] == 3


def test_names_that_have_the_same_file_are_told_apart(tmp_path):
    parts = Parts(tmp_path)
    assert parts.get("a, b", lambda: 1) == 1
    assert parts.get("a: b", lambda: 2) == 2


def test_parts_are_removed(tmp_path):
    parts = Parts(tmp_path / "study")
    parts.get("a", lambda: 1)
    parts.remove()
    parts.remove()
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"settings": 1', '{"a": 1, "a": 2}', "[" * 9999])
def test_damaged_part_is_named(tmp_path, text):
    parts = Parts(tmp_path)
    parts.get("a", lambda: 1)
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json is damaged \(.*; delete it to measure it again"):
        parts.get("a", lambda: 1)
