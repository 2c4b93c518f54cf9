"""The tool that tests other versions: what it installs, skips and reports as a failure."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HERE = "{}.{}".format(*sys.version_info)


@pytest.fixture
def tool(monkeypatch):
    path = ROOT / "tools" / "dependency_bounds.py"
    spec = importlib.util.spec_from_file_location("dependency_bounds", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "dependency_bounds", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.subprocess, "run", lambda *words, **_: None)      # creates no environment
    monkeypatch.setattr(module.Path, "glob", lambda self, pattern: iter([self / "bin" / "python"]))
    return module


def answers(**outputs):
    """A replacement for run, with an exit code and an output for the first word that a command contains."""
    def run(*command, folder):
        answer = (value for word, value in outputs.items() if word in command)
        code, out = next(answer, (0, "5 passed in 1 s"))
        return subprocess.CompletedProcess(command, code, out)

    return run


def test_each_requirement_has_a_lower_bound_with_each_python(tool):
    pythons = tool.classified_pythons()
    assert HERE in pythons
    for python in pythons:
        lowest = [tool.lowest(requirement) for requirement in tool.requirements(python)]
        names = [pin.partition("==")[0] for pin in lowest]
        assert len(set(names)) == len(names) and {"numpy", "numba", "pytest"} <= set(names)
    older, newer = ({r.name: tool.lowest(r) for r in tool.requirements(p)} for p in ("3.11", "3.13"))
    assert older["numba"] == "numba==0.60" and newer["numba"] == "numba==0.61"
    assert older["numpy"] == "numpy==2.0" and newer["numpy"] == "numpy==2.1"


def test_requirement_without_a_lower_bound_is_refused(tool):
    with pytest.raises(ValueError, match="expected a lower bound for numpy, got 'numpy<3'"):
        tool.lowest(tool.Requirement("numpy<3"))


@pytest.mark.parametrize(
    ("outputs", "outcome", "message"),
    [
        ({"list": (0, '[{"name": "numpy", "version": "2.0.0"}]')}, "passed", "5 passed"),
        ({"install": (1, "ERROR: NewConnectionError(…)")}, "skipped", "no network"),
        ({"install": (1, "ERROR: ResolutionImpossible")}, "failed", "cannot be installed together"),
        ({"list": (0, "[]"), "check": (1, "numba needs numpy")}, "failed", "numba needs numpy"),
        ({"list": (0, "[]"), "pytest": (1, "1 failed")}, "failed", "1 failed"),
    ],
)
def test_only_a_missing_network_is_skipped(tool, monkeypatch, outputs, outcome, message):
    monkeypatch.setattr(tool, "run", answers(**outputs))
    found = tool.try_versions("3.11", sys.executable, "oldest", True)
    assert found.outcome == outcome and message in found.message


def test_failure_fails_and_a_python_that_is_missing_is_skipped(tool, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(tool, "find_python", lambda version: sys.executable if version == HERE else None)
    monkeypatch.setattr(tool, "run", answers(install=(1, "ERROR: ResolutionImpossible")))
    record = tmp_path / "dependencies.json"
    assert tool.main(["pythons", "--short", "--record", str(record)]) == 1
    rows = json.loads(record.read_text("utf-8"))["runs"]
    assert {(row["python"], row["outcome"]) for row in rows} >= {(HERE, "failed")}
    assert all(row["outcome"] == "skipped" for row in rows if row["python"] != HERE) and len(rows) > 1
    assert "skipped (this Python was not found)" in capsys.readouterr().out
    monkeypatch.setattr(tool, "run", answers(list=(0, "[]")))
    assert tool.main(["oldest", "--record", str(record)]) == 0
    again = json.loads(record.read_text("utf-8"))["runs"]
    assert len(again) == len(rows)
    assert {row["outcome"] for row in again if row["python"] == HERE} == {"passed"}
