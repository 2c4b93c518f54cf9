"""Each journey is a script: what a person does with the library from beginning to end. All of them work."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEEDS = {"data_scientist": ("sklearn", "pandas"), "engineer": ("onnx", "onnxruntime")}
JOURNEYS = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("shell", "test_journeys"))


def test_there_is_a_journey_for_each_person():
    assert JOURNEYS == ["contributor", "data_scientist", "engineer", "lecturer", "student"]


@pytest.mark.slow
@pytest.mark.parametrize("name", JOURNEYS)
def test_journey(name, tmp_path):
    for package in NEEDS.get(name, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    command = [sys.executable, "-W", "error", str(HERE / f"{name}.py")]
    root = str(HERE.parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "TMPDIR": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith("everything worked as the journey says\n")
