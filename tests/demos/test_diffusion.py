"""The demos of diffusion and flow matching on less data: the numbers support their claims."""

import pytest

from scratchgen.studies.experiments import digit_diffusion


@pytest.fixture
def small_batches(monkeypatch):
    """More updates for the same number of digits."""
    monkeypatch.setattr(digit_diffusion, "BATCH", 16)


@pytest.mark.slow
def test_noise_to_moons_improves_while_the_loss_stays(run_demo):
    found = run_demo("diffusion.noise_to_moons", points=4000, epochs=40)
    first, last = found["after 1 epochs"], found["after 40 epochs"]
    assert last["KL, nats"] < 0.5 * first["KL, nats"] and last["KL, nats"] < 0.35
    assert last["loss"] > 0.6 * first["loss"]
    assert found["longer"] > 0.02


@pytest.mark.slow
def test_where_bits_go_to_little_noise_and_samples_improve_more_than_the_loss(run_demo):
    found = run_demo(
        "diffusion.where_bits_go", shown=6_000, steps=50, generated=100, bounded=20, channels=(8, 8)
    )
    terms = {name: row["bits/dim"] for name, row in found["terms"].items()}
    assert sum(terms.values()) == pytest.approx(found["total"]) and terms["prior"] < 0.001
    assert 1 < found["total"] < 8                       # the same probability for all levels is 8 bits
    skipped = found["skipped"]
    assert skipped["t = 5"]["bits below"] > 0.6         # a tenth of the steps
    assert skipped["t = 5"]["Fréchet"] < 1.1 * skipped["t = 1"]["Fréchet"]
    assert skipped["t = 50"]["Fréchet"] > 1.2 * skipped["t = 1"]["Fréchet"]
    first, *_, last, _ = found["training"].values()
    assert last["Fréchet"] / first["Fréchet"] < 0.9 * last["loss"] / first["loss"] < 0.9


@pytest.mark.slow
def test_target_by_noise_x0_is_best_where_noise_is_strong_or_the_network_narrow(run_demo):
    found = run_demo(
        "diffusion.target_by_noise",
        unet_shown=6_000, dense_shown=6_000, tested=100, generated=100, channels=(8, 8),
    )  # fmt: skip
    unet, dense = found["factors"].values()
    for rows in (unet, dense):
        for row in rows.values():
            assert min(row["eps"], row["x0"], row["v"]) == 1 == row[row["best"]]
        assert rows["s = 0.812"]["best"] == "x0"
    assert list(unet.values())[-1]["eps"] > 100                     # where a_t is nearly 0
    assert list(unet.values())[0]["x0"] > 10                        # where the noise can hardly be seen
    quality = {name: row["Fréchet"] for name, row in found["quality"].items()}
    assert quality["dense, 256 wide, x0"] < 0.5 * quality["dense, 256 wide, v"]


@pytest.mark.slow
def test_steps_and_quality_saturates(run_demo, small_batches):
    found = run_demo(
        "diffusion.steps_and_quality",
        shown=6_000, chain=40, generated=100, evaluations=(4, 20), channels=(8, 8),
    )  # fmt: skip
    table = {name: row["Fréchet"] for name, row in found["table"].items()}
    assert table["DDIM, 20"] < 1.25 * table["whole chain, 40"]
    assert table["Euler, 20"] < table["Euler, 4"]
    assert table["Heun, 20"] < 1.1 * table["Euler, 20"]


@pytest.mark.slow
def test_guidance_strength_trades_diversity_for_correctness(run_demo, small_batches):
    table = run_demo("diffusion.guidance_strength", shown=24_000, generated=300, steps=8)["table"]
    names = ("as ordered", "diversity", "Fréchet")
    right, diversity, distance = ([table[f"w = {w}"][name] for w in (-1, 0, 1, 8)] for name in names)
    assert right[0] < 0.2 < right[1] < right[2] - 0.1 and right[2] < right[3] and right[3] > 0.75
    assert table["real, unseen"]["diversity"] > diversity[1] > diversity[2] > diversity[3]
    assert distance[3] > 1.5 * min(distance)
