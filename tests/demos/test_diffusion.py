"""The demos of diffusion and flow matching on less data: their numbers support their claims."""

import pytest

from scratchgen.studies.experiments import digit_diffusion


@pytest.fixture
def small_batches(monkeypatch):
    """More updates for the same number of digits."""
    monkeypatch.setattr(digit_diffusion, "BATCH", 16)
    monkeypatch.setattr(digit_diffusion, "UNET_BATCH", 16)


@pytest.mark.slow
def test_one_jump_has_the_moments_of_the_chain(run_demo):
    found = run_demo("diffusion.one_jump", chains=2000, steps=100)
    assert len(found["table"]) == 8 and found["largest"] < 4.5
    assert found["mistake"]["off by"] > 10
    linear, cosine = (found["table"][f"{kind}, t = 50"] for kind in ("linear", "cosine"))
    assert linear["mean"] < 0.4 < 0.6 < cosine["mean"]


@pytest.mark.slow
def test_noise_to_moons_improves_while_the_loss_stays(run_demo):
    found = run_demo("diffusion.noise_to_moons", points=4000, epochs=40)
    first, last = found["after 1 epochs"], found["after 40 epochs"]
    assert last["KL, nats"] < 0.5 * first["KL, nats"] and last["KL, nats"] < 0.35
    assert last["loss"] > 0.6 * first["loss"]
    assert found["longer"] > 0.02


@pytest.mark.slow
def test_exact_field_is_nearly_learned(run_demo):
    found = run_demo("diffusion.exact_field", points=8000, epochs=30)
    assert max(row["velocity"] for row in found["errors"].values()) < 0.3
    assert found["errors"][0.98]["score, flow"] > 5 * found["errors"][0.5]["score, flow"]
    learned, exact = found["losses"]["learned"], found["losses"]["exact"]
    assert 0 < found["gap"] < 0.05 and abs(learned - exact - found["gap"]) < 0.005
    assert found["ends"] < 0.2


@pytest.mark.slow
def test_straight_paths_one_step_after_reflow_is_as_good_as_twenty_before(run_demo):
    table = run_demo("diffusion.straight_paths", points=4000, epochs=40, samples=1000)["table"]
    flow, reflow = table["flow matching"], table["reflow"]
    assert reflow["S"] < 0.02 < 0.3 < flow["S"] and reflow["longer"] < 0.02 < flow["longer"]
    assert reflow["1 step"] < 0.12 and reflow["1 step"] < flow["20 steps"] + 0.03
    for name in ("flow matching", "diffusion, DDIM"):
        steps = [table[name][column] for column in ("1 step", "2 steps", "5 steps", "20 steps")]
        assert steps == sorted(steps, reverse=True) and steps[0] > 5 * reflow["1 step"]
    assert table["diffusion, DDIM"]["S"] < 0.5 * flow["S"] and table["flow, rescaled"]["S"] < 0.5 * flow["S"]


@pytest.mark.slow
def test_planted_mistakes_show_in_the_samples_or_in_the_loss(run_demo):
    table = run_demo("diffusion.planted_mistakes", points=4000, epochs=10, samples=1000)["table"]
    right, fed = table["flow matching"], table["x_1 in place of x_t"]
    assert fed["last loss"] < right["last loss"] and fed["distance"] > 5 * right["distance"]
    assert fed["log p"] < right["log p"] - 20


@pytest.mark.slow
def test_langevin_and_score_has_a_small_error_and_the_shares_of_the_modes(run_demo):
    found = run_demo("diffusion.langevin_and_score", points=4000, epochs=25, samples=1000)
    for t in (25, 50, 75):
        row = found["losses"][f"t = {t}"]
        assert row["error"] < 0.15
        assert abs(row["denoising"] - row["explicit"] - row["left at best"]) < 0.1 * row["denoising"]
    assert found["wrong"]["ancestral"] < 0.1 and found["wrong"]["Langevin, 20 levels"] < 0.1


@pytest.mark.slow
def test_guided_by_classifier_is_read_as_ordered_and_completes_digits(run_demo):
    found = run_demo(
        "diffusion.guided_by_classifier", shown=40_000, width=64, samples=60, steps=20, repeats=4
    )
    free, strong = found["strengths"]["strength 0"], found["strengths"]["strength 4"]
    assert free["read by a second network"] < 0.3
    assert strong["read by the guide"] > 0.6
    assert strong["read by a second network"] > 2 * max(free["read by a second network"], 0.1)
    completed = found["completed"]
    assert completed["true digits"]["read as the original"] > 0.9


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


@pytest.mark.slow
def test_where_bits_go_to_little_noise_while_loss_and_samples_improve(run_demo):
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
    assert last["Fréchet"] < 0.8 * first["Fréchet"] and last["loss"] < 0.9 * first["loss"]


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
