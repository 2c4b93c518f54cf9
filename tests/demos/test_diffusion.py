"""The demos of diffusion and flow matching on less data: their numbers support their claims."""

import pytest


@pytest.mark.slow
def test_noise_to_moons_improves_while_the_loss_stays(run_demo):
    found = run_demo("diffusion.noise_to_moons", points=4000, epochs=40)
    first, last = found["after 1 epochs"], found["after 40 epochs"]
    assert last["KL, nats"] < 0.5 * first["KL, nats"] and last["KL, nats"] < 0.35
    assert last["loss"] > 0.6 * first["loss"]
    assert found["longer"] > 0.02


@pytest.mark.slow
def test_noise_and_back_is_one_to_one_up_to_the_solver(run_demo):
    found = run_demo("diffusion.noise_and_back", shown=12_000, measured=8, pairs=60)
    table = found["table"]
    for row in table.values():
        assert row["80 steps"] < row["20 steps"] < row["5 steps"]
    euler, heun, rk4 = (table[name] for name in ("Euler", "Heun", "RK4"))
    assert rk4["80 steps"] < heun["80 steps"] < euler["80 steps"]
    assert 0.8 < euler["order"] < 1.2 and 2 < heun["order"] < 3.5
    assert 1.5 < heun["order of codes, slow waves"] < 2.6
    assert rk4["order of codes, slow waves"] > 3
    for method in (heun, rk4):
        assert method["order of codes"] < method["order of codes, slow waves"] - 0.3
