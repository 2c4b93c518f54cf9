"""The demo of flow matching: its loss stays, its divergence falls, and its paths are curved."""

import pytest


@pytest.mark.slow
def test_noise_to_moons_improves_while_the_loss_stays(run_demo):
    found = run_demo("diffusion.noise_to_moons", points=4000, epochs=40)
    first, last = found["after 1 epochs"], found["after 40 epochs"]
    assert last["KL, nats"] < 0.5 * first["KL, nats"] and last["KL, nats"] < 0.35
    assert last["loss"] > 0.6 * first["loss"]
    assert found["longer"] > 0.02
