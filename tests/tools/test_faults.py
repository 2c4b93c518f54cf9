"""The fault campaign: a short one loses nothing, and it detects a library that loses something."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.faults import report

ROOT = Path(__file__).resolve().parents[2]
SLOW = ("Ctrl-C while the command starts", "study killed: compare")     # half of the time
KINDS = [kind for kind in report.KINDS if kind not in SLOW]
OTHER_ORDER = """
from scratchgen.data.batches import Batches
Batches.load_state = lambda self, state: None
"""


def campaign(tmp_path, *arguments, before=""):
    """Run the campaign in a new process; return what it printed."""
    code = f"import sys\n{before}\nfrom tools.faults.__main__ import main\nsys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--keep", str(tmp_path)], cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_ctrl_c_while_faults_end_is_ignored():
    """The run has ended by then, so the signal is not one that the run has lost."""
    code = """
import signal
from tools.faults import runs
usual = signal.signal
signals = [signal.SIGINT, signal.SIGTERM]
def interrupted(number, handler):
    if number in signals:
        signals.remove(number)
        raise KeyboardInterrupt
    return usual(number, handler)
signal.signal = interrupted
runs.end_faults()
signal.raise_signal(signal.SIGINT)
assert not signals
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_short_campaign_loses_nothing(tmp_path):
    code, printed, errors = campaign(tmp_path, "--short", "--only", *KINDS)
    assert (code, errors) == (0, ""), printed
    lines = printed.splitlines()
    assert [line[:34].rstrip() for line in lines[:-1]] == KINDS and lines[-1] == "lost: 0"


@pytest.mark.slow
def test_campaign_notices_that_a_run_continues_with_other_batches(tmp_path):
    arguments = "--short", "--only", "killed inside a write"
    code, printed, errors = campaign(tmp_path, *arguments, before=OTHER_ORDER)
    assert (code, errors) == (1, "")
    assert "LOST: killed inside a write, fault 0 of gan, averaged and watched: other bits" in printed


def test_saved_counts_are_of_a_whole_campaign_and_nothing_was_lost():
    found = json.loads((ROOT / "results" / "faults.json").read_text(encoding="utf-8"))
    assert set(found["kinds"]) == set(report.KINDS)
    kinds = found["kinds"].values()
    assert all(c["tried"] == c["survived"] + c["refused"] + c["lost"] for c in kinds)
    total = found["total"]
    assert total["kills of training runs"] >= 200 and total["lost"] == 0
    assert total["tried"] == sum(counts["tried"] for counts in kinds)
