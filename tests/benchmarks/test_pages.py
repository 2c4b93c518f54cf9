"""The benchmarks of scaling, whole tasks, memory and MPI: their arithmetic, and the tables of the docs."""

import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_serial_part_is_found_from_two_times(threads):
    """t(n) = s + r / n for a part with s = 3 ms and r = 5 ms; noise never gives a negative or larger part."""
    from scaling import serial

    assert serial(8.0, 3 + 5 / threads, threads) == pytest.approx(3)
    assert serial(8.0, 1.0, threads) == 0 and serial(8.0, 20.0, threads) == 8


def test_row_of_scaling_adds_the_parts():
    """Linear 10 ms all shared, Adam 4 ms half serial, rest 2 ms serial; 4 of 16 ms do not shrink."""
    from scaling import row

    alone = {"Linear": 10.0, "update": 4.0, "rest": 2.0, "whole": 16.0}
    both = {"Linear": 5.0, "update": 3.0, "rest": 2.0, "whole": 10.0}
    found = row("wgan_gp", {1: alone, 2: both})
    assert found["model"] == "wgan-gp" and found["ms"] == {"1": 16, "2": 10}
    assert found["serial"] == pytest.approx({"Linear": 0, "update": 2 / 16, "rest": 2 / 16})
    assert found["serial_share"] == pytest.approx(0.25)
    for cores, gain in found["gain"].items():
        assert gain == pytest.approx(1 / (0.25 + 0.75 / int(cores)))        # Amdahl's law
    from pages import scaling

    line = scaling([found]).splitlines()[-1]
    assert line == "| wgan-gp, 128 | 16.0 | 10.0 | 1.60 | 25% | update, 12% | 2.3 | 2.9 | 3.4 |"


def test_parts_of_a_step_are_those_of_its_layers(monkeypatch):
    import scaling

    monkeypatch.setattr(scaling, "SECONDS", 0.0)
    patched = {}

    class Recording(scaling.Parts):
        def watch(self, cls, method, name):
            patched[cls, method] = getattr(cls, method)
            super().watch(cls, method, name)

    monkeypatch.setattr(scaling, "Parts", Recording)
    try:
        found = scaling.here("vae")
    finally:
        for (cls, method), original in patched.items():
            setattr(cls, method, original)
    assert set(found) == {"Linear", "SiLU", "update", "rest", "whole"} and min(found.values()) > 0
    assert found["Linear"] < found["whole"]


def test_rows_of_another_machine_are_dropped(tmp_path, monkeypatch):
    from measured import save_rows

    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"machine": "kept", "steps": [1]}), encoding="utf-8")
    monkeypatch.setattr("scratchgen.studies.machine.machine", lambda: "one")
    for rows in ([{"model": "a", "x": 1}, {"model": "b", "x": 2}], [{"model": "a", "x": 3}]):
        save_rows(path, "scaling", rows, ("model",))
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["scaling"] == {"machine": "one", "rows": [{"model": "a", "x": 3}, {"model": "b", "x": 2}]}
    assert found["machine"] == "kept" and found["steps"] == [1]
    monkeypatch.setattr("scratchgen.studies.machine.machine", lambda: "two")
    save_rows(path, "scaling", [{"model": "c", "x": 4}], ("model",))
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["scaling"] == {"machine": "two", "rows": [{"model": "c", "x": 4}]}


def test_task_ends_at_its_figure(monkeypatch, capsys):
    """Of the figures after each epoch, the first that is low enough ends the run."""
    import end_to_end
    from tasks import mlp

    def ours(reached):
        for figure in (9.0, 4.0, 2.9, 1.0):
            if reached(figure):
                return

    monkeypatch.setattr(mlp, "ours", ours)
    end_to_end.here("mlp", "ours")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == {"figure": 2.9, "epochs": 3, "reached": True} and len(lines) == 3


def test_every_task_says_what_it_measures():
    from importlib import import_module

    from tasks import NAMES

    for name in NAMES:
        task = import_module(f"tasks.{name}")
        assert all(isinstance(text, str) and text for text in (task.TITLE, task.FIGURE, task.THEIRS))
        assert task.TARGET > 0 and task.LOWER is True


def test_tables_of_the_pages_are_those_of_the_results():
    from pages import PAGES, fill

    root = BENCHMARKS.parent
    found = json.loads((root / "results" / "bench.json").read_text(encoding="utf-8"))
    for page in PAGES:
        text = (root / "docs" / page).read_text(encoding="utf-8")
        assert fill(page, text, found) == text, f"run python benchmarks/chart.py: {page}"


def test_recorded_memory_of_training_is_within_the_limit():
    from pages import LIMIT

    found = json.loads((BENCHMARKS.parent / "results" / "bench.json").read_text(encoding="utf-8"))
    sizes = {row["model"]: row["gb"] for row in found["memory"]["rows"] if row["gb"] is not None}
    assert len(sizes) >= 20 and max(sizes.values()) < LIMIT, sizes


def test_ratio_is_the_median_of_the_rounds(monkeypatch):
    import end_to_end

    seconds = iter([9.0, 1.0, 2.0, 2.0, 8.0, 1.0, 3.0])       # warm-up, then ours and theirs in turn
    monkeypatch.setattr(
        end_to_end, "run", lambda name, who: {"seconds": next(seconds), "figure": 1.0, "epochs": 2}
    )
    monkeypatch.setattr(end_to_end.metadata, "version", lambda name: "1")
    row = end_to_end.measure("pca", 3)
    assert row["ratio"] == 3 and row["spread"] == [2, 4]
    assert row["ours"]["seconds"] == 1 and np.isclose(row["theirs"]["seconds"], 3)
