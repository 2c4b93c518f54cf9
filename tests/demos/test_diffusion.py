"""The demo of flow matching: its loss stays, its divergence falls, and its paths are curved."""

import pytest


@pytest.mark.slow
def test_noise_to_moons_improves_while_the_loss_stays(run_demo):
    found = run_demo("diffusion.noise_to_moons", points=4000, epochs=40)
    first, last = found["after 1 epochs"], found["after 40 epochs"]
    assert last["KL, nats"] < 0.5 * first["KL, nats"] and last["KL, nats"] < 0.35
    assert last["loss"] > 0.6 * first["loss"]
    assert found["longer"] > 0.02


@pytest.mark.slow
def test_langevin_and_score_has_a_small_error_and_the_shares_of_the_modes(run_demo):
    found = run_demo("diffusion.langevin_and_score", points=4000, epochs=25, samples=1000)
    for t in (25, 50, 75):
        row = found["losses"][f"t = {t}"]
        assert row["error"] < 0.15
        assert abs(row["denoising"] - row["explicit"] - row["left at best"]) < 0.1 * row["denoising"]
    assert found["wrong"]["ancestral"] < 0.1 and found["wrong"]["Langevin, 20 levels"] < 0.1


@pytest.mark.slow
def test_bayes_bridge_guidance_is_read_as_ordered_and_completes_digits(run_demo):
    found = run_demo(
        "diffusion.bayes_bridge_guidance", shown=40_000, width=64, samples=60, steps=20, repeats=4
    )
    free, strong = found["strengths"]["strength 0"], found["strengths"]["strength 4"]
    assert free["read by a second network"] < 0.3
    assert strong["read by the guide"] > 0.6
    assert strong["read by a second network"] > 2 * max(free["read by a second network"], 0.1)
    completed = found["completed"]
    assert completed["true digits"]["read as the original"] > 0.9
