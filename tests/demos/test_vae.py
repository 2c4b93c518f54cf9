"""The demos of variational autoencoders on less data: the numbers that they return support their claims."""

import numpy as np
import pytest


@pytest.mark.slow
def test_transformation_fits_the_data_and_kl_estimates_vary(run_demo):
    results = run_demo("vae.transformation", updates=600, shown=6_000, points=200)
    gaps, kl = results["gaps"], results["kl"]
    assert gaps["after training"] < 0.05 < 0.2 < gaps["before training"]

    two, one = kl["true"].values()
    assert 0.2 < two < 0.8 and one == 0
    narrow, wide = (list(kl[f"kernels of {h}"].values()) for h in ("0.003", "10"))
    assert narrow[0] > 10 * two and wide[0] < 0.01 * two
    assert narrow[1] > 10 * two                     # of one density, where the KL is 0
    assert list(kl["128 bins"].values()) == [np.inf, np.inf]


@pytest.mark.slow
def test_prior_code_ends_at_the_mean_image(run_demo):
    table = run_demo("vae.prior_code", shown=36_000)["table"]
    names = ("posterior's code", "prior's code", "mean image")
    own, prior, mean = (list(table[name].values()) for name in names)
    assert own[0] < 0.55 * mean[0]
    assert prior[0] == pytest.approx(mean[0], rel=0.03)
    assert prior[1] < 0.05 * own[1] and prior[2] < 0.05 * own[2]


@pytest.mark.slow
def test_standardised_kl_keeps_codes_near_the_prior(run_demo):
    table = run_demo("vae.standardised", shown=42_000, simulations=20, tested=500)["table"]
    without, vae, collapsed = (table[f"beta = {beta}"] for beta in (0, 1, 50))
    usual = table["95 % below"]["MMD²"]
    noise, kl, error, mmd = "std of the noise", "KL in nats", "squared error", "MMD²"
    assert without[noise] < 0.1 * vae[noise] < 0.1 * collapsed[noise] and collapsed[noise] > 0.98
    assert without[kl] > 5 * vae[kl] and vae[kl] > 5 and collapsed[kl] < 0.05
    assert without[error] < vae[error] < 0.6 * collapsed[error]
    assert without["narrowest std"] > 1.5
    assert 0.9 < vae["narrowest std"] < vae["widest std"] < 1.4
    assert without[mmd] > 2 * vae[mmd] > 2 * usual and collapsed[mmd] < 2 * usual


@pytest.mark.slow
def test_reparameterisation_same_gradient_less_noise(run_demo):
    results = run_demo("vae.reparameterisation", shown=30_000, draws=4096)
    for function, least in (("quadratic", 50), ("decoder", 500)):
        path, score, baseline = results[function].values()
        for row in (path, score, baseline):
            assert 0.5 < row["bias in standard errors"] < 1.6      # 1 where all three agree
        assert path["all"] == 1
        assert score["all"] > least and 3 < baseline["all"] < 0.5 * score["all"]
    removed = [results[function]["score, baseline"]["removed"] for function in ("quadratic", "decoder")]
    assert 0.70 < removed[0] < 0.95 and removed[1] > 0.99
    assert results["level"] > 10 * results["spread"]


@pytest.mark.slow
def test_tug_of_war_noise_grows_in_a_flat_decoder_and_shrinks_in_a_steep_one(run_demo):
    """Noise is compared with an undamaged run at the same steps, and with the prediction from the decoder."""
    results = run_demo("vae.tug_of_war", shown=42_000)
    rows = results["moments"]
    start, trained = rows["undamaged, step 1"], rows["undamaged, before damage"]
    assert trained["std"] < 0.7 * start["std"] and trained["error"] < 0.5 * start["error"]
    assert results["correlation"] > 0.5
    assert rows["undamaged, step 5"]["grad."] < 0 < trained["grad."]
    for moment in ("undamaged, before damage", "undamaged, end", "shuffled, end", "noised, end"):
        row = rows[moment]
        assert abs(row["pred. std"] / row["test std"] - 1) < 0.1 and row["corr."] > 0.7

    shuffled, noised = results["ratios"]["shuffled"], results["ratios"]["noised"]
    assert shuffled["std"] > 1.3 and shuffled["reconstruction"] > 1.1
    assert noised["std"] < 0.97 and noised["reconstruction"] > 1.02
    control = rows["undamaged, 15 after"]["std"]
    assert rows["shuffled, 15 after"]["std"] > 1.3 * control
    assert rows["noised, 15 after"]["std"] < 0.97 * control
    after = rows["shuffled, 1 after"]
    assert after["pred. std"] > 1.2 * max(after["test std"], trained["pred. std"])


@pytest.mark.slow
def test_three_autoencoders_only_the_vae_generates_digits_from_the_prior(run_demo):
    """Distances are measured from test digits. From samples, a black image beats real digits."""
    table = run_demo("vae.three_autoencoders", shown=30_000)["table"]
    fixed, learned, vae = (table[name] for name in ("fixed noise", "learned noise", "VAE"))
    real, mean, black = (table[name] for name in ("real digits", "mean image", "black image"))
    out, back = "N(0, I): out", "N(0, I): in"
    assert black[out] < real[out] and black[back] > mean[back] > real[back]
    assert fixed["std of mu"] > 5 and fixed["mean noise std"] == 1
    assert learned["mean noise std"] < 0.1 < vae["mean noise std"] < 0.9
    assert 0.7 < vae["std of mu"] < 1.5
    assert max(fixed["squared error"], learned["squared error"]) < vae["squared error"] < 35
    assert vae[back] < 0.85 * min(mean[back], fixed[back], learned[back])


@pytest.mark.slow
def test_latent_grid_classifier_is_surer_of_decoded_codes_than_of_blended_pixels(run_demo):
    results = run_demo("vae.latent_grid", shown=60_000)
    codes, pixels = results["sure"]["codes"], results["sure"]["pixels"]
    assert len(codes) == 9 and codes[0] == pixels[0] and codes[-1] == pixels[-1]
    assert np.all(codes[3:6] > pixels[3:6] + 0.02)
    assert codes[4] < min(codes[0], codes[-1]) < results["sure of test digits"]


@pytest.mark.slow
def test_latent_usage_names_the_collapse(run_demo):
    results = run_demo("vae.latent_usage", shown=24_000)
    assert str(results["usages"][100]).startswith("the posterior has collapsed: none of 40 dimensions")
    used, kl, error = "used dimensions", "KL, nats", "squared error"
    vae, strict, collapsed = (results["table"][f"beta {beta}"] for beta in (1, 4, 100))
    assert 40 > vae[used] > strict[used] > 0 == collapsed[used]
    assert vae[kl] > strict[kl] > 1 > 100 * collapsed[kl]
    assert vae[error] < strict[error] < collapsed[error]
    changes = [row["change"] for row in results["changes"].values()]
    assert min(changes[:5]) > 5 * changes[5]


@pytest.mark.slow
def test_conditional_generates_what_was_requested(run_demo):
    results = run_demo("vae.conditional", shown=36_000)
    table, from_z = results["table"], results["class from z"]
    narrow, wide = (table[f"ConditionalVAE, {width}"]["all"] for width in (4, 10))
    assert narrow > 0.70 and narrow > wide + 0.05
    narrow, wide = (table[f"ClassPriorVAE, {width}"]["all"] for width in (4, 10))
    assert wide > 0.40 and wide > narrow + 0.05
    assert from_z[10] > from_z[4] + 0.05 > 0.15     # a wide z encodes the class as well; chance gives 0.1
    assert results["nearest to own class"] > 0.60
