"""What is measured beside the training steps: convolutions that compute the same, exponents, tables."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.parametrize("baseline", ["slices", "indices", "loops"])
@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 2, 6)])  # odd: a rest that no patch sees
def test_textbook_convolution_is_conv2d(baseline, shape):
    from convolution import Case, difference

    assert difference(baseline, Case(*shape, batch=3, dtype="float64")) < 1e-12


def test_textbook_comparison_sees_another_convolution():
    from convolution import Case, difference

    case = Case(3, 5, 7, batch=3, dtype="float64")
    case.layer.weight.value[1, 2, 0, 3] += 1e-6
    assert difference("slices", case) > 1e-9
