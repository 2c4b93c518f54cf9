"""The demos of flows on less data: the numbers that they return support their claims."""

import pytest

pytestmark = pytest.mark.slow


def test_change_of_variables_has_integrals_of_one_and_not_without_the_determinant(run_demo):
    table = run_demo("flow.change_of_variables", most=0.95, updates=300, cells=160)["table"]
    assert list(table) == ["2 couplings", "4 couplings", "all of it: x"]
    for row in table.values():
        assert row["integral"] == pytest.approx(1, abs=0.01)
    whole = table["all of it: x"]                   # all couplings, and the scaling layer
    assert min(abs(whole["no determinant"] - 1), abs(whole["sign reversed"] - 1)) > 0.05


def test_one_to_one_only_the_flow_is_exact_up_to_rounding(run_demo):
    settings = {"shown": 6_000, "gan_shown": 6_000, "searched": 20, "steps": 150}
    table = run_demo("flow.one_to_one", most=0.95, **settings)["table"]
    largest, squared = "largest error of a pixel", "squared error, mean"
    assert table["flow, float32"][largest] < 1e-4 and table["flow, float64"][largest] < 1e-12
    vae, gan = table["VAE, code of 20"], table["GAN, a digit"]
    assert 5 < vae[squared] < 80 and gan[squared] > vae[squared]


def test_exact_likelihood_no_model_beats_the_truth_and_the_bound_is_one(run_demo):
    results = run_demo("flow.exact_likelihood", most=0.95, updates=300, samples=20)
    results.pop("figure")
    assert len(results) == 3
    for table in results.values():
        flow, vae, bound = (
            table[name] for name in ("flow, exact", "VAE, importance-sampled", "VAE, lower bound")
        )
        for row in (flow, vae, bound):
            assert row["KL, nats"] > -3 * row["standard error"]
        assert flow["KL, nats"] < table["Normal"]["KL, nats"]
        assert vae["mean log p(x)"] > bound["mean log p(x)"]
