"""What the demos of flows say, on less data: integrals of one, the way back, exact against bounded."""

import re
from pathlib import Path

import pytest

DEMOS = Path(__file__).resolve().parents[2] / "demos"
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[-+]\d+)?")


def row(lines: list[str], name: str, place: int = 0) -> list[float]:
    """The numbers behind a name that begins a line; `place` counts the lines that begin so."""
    found = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return [float(number.replace(",", "")) for number in NUMBER.findall(found[place])]


@pytest.mark.slow
def test_demo_change_of_variables_has_integrals_of_one_and_not_without_the_determinant(run_demo):
    lines = run_demo(
        "30_change_of_variables.py", "change_of_variables.png", most=0.95, updates=300, cells=160
    )
    for name in ("2 couplings", "4 couplings", "all of it: x"):
        right, none, wrong, _ = row(lines, name)
        assert right == pytest.approx(1, abs=0.01)
    assert min(abs(none - 1), abs(wrong - 1)) > 0.05            # of x: all couplings, and the scaling layer


@pytest.mark.slow
def test_demo_one_to_one_comes_back_at_rounding_from_the_flow_alone(run_demo):
    lines = run_demo(
        "31_one_to_one.py", "one_to_one.png", most=0.95, shown=6_000, gan_shown=6_000, searched=20, steps=150
    )
    single, double = (row(lines, f"flow, float{bits}") for bits in (32, 64))
    assert single[1] < 1e-4 and double[1] < 1e-12
    vae, gan = row(lines, "VAE, code of 20"), row(lines, "GAN, a digit")
    assert 5 < vae[3] < 80 and gan[3] > vae[3]


@pytest.mark.slow
def test_demo_exact_likelihood_no_model_beats_the_truth_and_the_bound_is_one(run_demo):
    lines = run_demo("32_exact_likelihood.py", "exact_likelihood.png", most=0.95, updates=300, samples=20)
    for place in range(3):
        for kind in ("flow, exact", "VAE, importance-sampled", "VAE, lower bound"):
            _, gap, error, _ = row(lines, f"  {kind}", place)
            assert gap > -3 * error
        assert row(lines, "  flow, exact", place)[1] < row(lines, "  Normal", place)[1]
        assert row(lines, "  between the VAE's two", place)[0] > 0
