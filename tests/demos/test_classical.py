"""What the demos of discriminative and generative models say, on less data."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

DEMOS = Path(__file__).resolve().parents[2] / "demos"
NUMBER = re.compile(r"-?[\d,]*\.?\d+")


def row(lines: list[str], name: str, place: int = 0) -> list[float]:
    """The numbers behind a name that begins a line; `place` counts the lines that begin so."""
    found = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return [float(number.replace(",", "")) for number in NUMBER.findall(found[place])]


@pytest.mark.slow
def test_demo_two_views_agree_near_the_data_and_only_a_density_sees_what_is_far(run_demo):
    lines = run_demo("60_two_views.py", "two_views.png", tested=4000, epochs=60)
    (best,) = row(lines, "the best there is")
    for name in ("logistic regression", "a net, 2-16-2", "naive Bayes", "LDA", "QDA"):
        error, agrees, sure, *log_p = row(lines, name)
        assert best - 0.3 < error < best + 2 and agrees > 97 and sure > 0.99
        assert bool(log_p) == (name in ("naive Bayes", "LDA", "QDA"))
        if log_p:
            assert log_p[0] < log_p[1] - 30                     # far below all it has learnt from


@pytest.mark.slow
def test_demo_bayes_bridge_is_exact_and_the_table_runs_out(run_demo):
    lines = run_demo("61_bayes_bridge.py", "bayes_bridge.png")
    (exact,) = (line for line in lines if line.startswith("largest difference of Bayes"))
    assert float(exact.split()[-1]) < 1e-12
    assert row(lines, "largest difference of naive Bayes and counted:")[0] > 0.03
    few, many = row(lines, f"{3:6}"), row(lines, f"{30:6}")
    assert few[0] == 8 and few[1] == 0 and abs(few[2] - few[3]) < 3     # unseen; errors of table, naive Bayes
    assert many[1] > 90 and many[2] > many[3] + 15


def test_demo_crossing_says_what_crosses():
    demo = runpy.run_path(str(DEMOS / "62_crossing.py"))
    crossing, verdict = demo["crossing"], demo["verdict"]
    assert crossing([1, 2, 3, 4], [-3, -2.5, 1, 5]) == (2, 4)
    assert crossing([1, 2, 3], [-3, -2.5, 1]) is None
    assert crossing([1, 2, 3], [3, -2.5, 4]) is None
    assert verdict([1, 2, 3], [3, -2.5, 4]).startswith("in part: naive Bayes at [2]")
    assert verdict([1, 2], [1, 3]).startswith("no: only logistic regression does, at [2]")
    assert verdict([1, 2], [1, -1]) == "no: no difference that the draws can show"


def test_demo_crossing_splits_hold_two_of_each_class_and_no_test_example(rng):
    demo = runpy.run_path(str(DEMOS / "62_crossing.py"))
    y = np.repeat([0, 1, 2], [6, 10, 24])
    data = demo["Data"]("", np.arange(40.0)[:, None], y, [], 1)
    for n in (6, 11, 20):
        X, labels, X_test, _ = data.split(n, rng)
        assert len(X) == n and (y[X[:, 0].astype(int)] == labels).all()
        assert len(X_test) == 20 and not set(X[:, 0]) & set(X_test[:, 0])
        assert np.bincount(labels, minlength=3).min() >= 1


@pytest.mark.slow
def test_demo_crossing_has_fewer_errors_with_more_examples(run_demo):
    pytest.importorskip("sklearn")
    lines = run_demo("62_crossing.py", "crossing.png", repeats=4, largest=200, updates=100, draws=2)
    for title in ("iris", "wine", "breast cancer", "digits, 8×8", "digits, 28×28"):
        first, *_, last = (line for line in lines if line.startswith(f"{title:16}") and "±" in line)
        for place in (0, 1):
            start, end = (float(re.findall(r"([\d.]+)% ±", line)[place]) for line in (first, last))
            assert end < start
        assert sum(line.startswith(f"{title:16}") for line in lines) >= 4
    densities = [line for line in lines if "to learn from  " in line]
    few, many = ([float(found) for found in re.findall(r"([\d.]+)% ±", line)] for line in densities)
    for start, end in zip(few, many, strict=True):              # of MADE, of NICE; guessing errs in 90 %
        assert end < start - 5 and end < 60


@pytest.mark.slow
def test_demo_only_generative_draws_reads_in_part_and_refuses(run_demo):
    lines = run_demo("63_only_generative.py", "only_generative.png", examples=2000, tested=300, epochs=6)
    assert row(lines, "naive Bayes  ")[0] > 50 and row(lines, "Gaussians  ")[0] > 50
    summed, black = (row(lines, f"naive Bayes, {how}") for how in ("summed out", "black"))
    assert summed[2] < summed[0] + 12 and black[2] > summed[2] + 10     # with 75 % missing
    whole, net = row(lines, "Gaussians, integrated out"), row(lines, "net, black")
    assert whole[2] < net[2]
    noise, shuffled, *_, blank = row(lines, "Gaussians, log p(x)")
    assert noise > 0.99 and shuffled > 0.9 and blank < 0.5
