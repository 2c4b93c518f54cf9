"""The demos of autoregressive models on less data: the numbers that they return support their claims."""

import pytest


@pytest.mark.slow
def test_one_factor_at_a_time_sees_earlier_pixels_and_completes(run_demo):
    settings = {"shown": 12_000, "stacks_shown": 1_000, "codes": 1_000, "steps": 20}
    results = run_demo("autoregressive.one_factor_at_a_time", **settings)
    seen = results["seen"]
    assert [row["other pixels seen"] for row in seen.values()] == [0, 0, 0]
    assert seen["PixelCNN, two stacks"]["earlier pixels seen"] == 1
    assert 0.70 < seen["one stack of 10 layers"]["earlier pixels seen"] < 0.90
    table = results["completions"]
    mean, made, vae = (table[name] for name in ("mean of all digits", "MADE, exact", "VAE, weighted codes"))
    error, nats = "error of the mean", "log p(lower | upper)"
    assert made[error] < 0.9 * mean[error] and vae[error] < mean[error]
    assert made[nats] > mean[nats] + 15 and vae[nats] > mean[nats]


@pytest.mark.slow
def test_ordering_and_masks_averages_probabilities_and_not_logits(run_demo):
    results = run_demo("autoregressive.ordering_and_masks", shown=18_000)
    for row in results["masks"].values():
        assert row == {"dependencies by gradient": 36, "wrong ones": 0}
    sums = {name: row["sum over all 2^10"] for name, row in results["strip"].items()}
    assert sums["each ordering alone"] == pytest.approx(1, abs=1e-6)
    assert sums["probabilities averaged"] == pytest.approx(1, abs=1e-6)
    assert abs(sums["logits averaged"] - 1) > 0.01
    whole = results["whole"]
    assert whole["8 orderings, probabilities averaged"] < whole["8 orderings, one of them"] - 1
