"""The demos of text: the character model on less text, gradients in recurrent nets, and translation."""

import numpy as np
import pytest


@pytest.mark.slow
def test_characters_measures_all_models_on_the_same_text(run_demo):
    results = run_demo(
        "text.characters", epochs=6, transformer_epochs=6, characters=20_000, written=60, width=64
    )
    table, tuned = results["table"], results["tuned"]
    for row in table.values():
        np.testing.assert_allclose(row["perplexity"], np.exp(row["nats"]), rtol=1e-12)
        np.testing.assert_allclose(row["bits"], row["nats"] / np.log(2), rtol=1e-12)
    nats = {name: row["nats"] for name, row in table.items()}
    assert nats["uniform over 67 characters"] == pytest.approx(np.log(67))
    assert max(nats[name] for name in ("GRU", "transformer", tuned)) < np.log(67) - 1
    for name in ("GRU", "transformer"):
        w, other = results["weights"][name]
        assert w + other == pytest.approx(1)
        # The logarithm is concave, so the mixture has a better score than the mean of the scores.
        assert nats[f"{name} and n-gram"] < w * nats[name] + other * nats[tuned] - 0.01
    assert results["gain"] == pytest.approx(min(nats["GRU"], nats[tuned]) - nats["GRU and n-gram"])


def test_gradients_in_time_follows_the_radius_and_the_forget_gate(run_demo):
    steps = 20
    results = run_demo("text.gradients_in_time", steps=steps, hidden=16, sequences=8)
    assert results["error"] < 1e-12
    rows = results["table"].values()
    for row in rows:
        assert row["without input"] == pytest.approx(row["radius^k"], rel=1e-10)
        assert row["with input"] < row["without input"]
    lengths = [row["with input"] for row in rows]
    assert lengths == sorted(lengths) and lengths[0] < 1e-6
    zero, one, three = (row["LSTM"] for row in results["memory"].values())
    assert one > 10 * zero and three > 5 * one


@pytest.mark.slow
def test_translate_dates_reads_unseen_dates_and_looks_at_the_year(run_demo):
    results = run_demo("text.translate_dates", examples=4_000, tests=300, epochs=4, width=48)
    rows = results["table"]
    assert sum(row["pairs"] for row in rows.values()) == 2 * rows["all"]["pairs"] == 600
    assert rows["english date"]["exact"] > 0.7 and rows["chinese date"]["exact"] > 0.8
    assert rows["english number"]["exact"] > 0.5 and rows["chinese number"]["exact"] > 0.7
    assert results["at_year"] > 0.7
