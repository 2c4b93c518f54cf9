"""The comparison: each cell of its tables, for models that are small enough to check by hand."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from scratchgen import plots
from scratchgen.data import Digits, load_digits
from scratchgen.layers import Linear, Sequential
from scratchgen.metrics import choose_sigma, digit_shares, frechet_distance, parzen_log_likelihood
from scratchgen.metrics.samples import SampleQuality
from scratchgen.models import GAN, MADE, NICE, VAE, ConvClassifier
from scratchgen.studies.cards import diffusion as diffusion_card
from scratchgen.studies.cards import gan as gan_card
from scratchgen.studies.cards import vae as vae_card
from scratchgen.studies.compare import measures, study
from scratchgen.studies.compare import train as training
from scratchgen.studies.compare.contender import Contender, Latent
from scratchgen.studies.compare.likelihood import Likelihood
from scratchgen.studies.compare.measures import Measured, Measurements, Split, round_trips
from scratchgen.studies.compare.report import Comparison
from scratchgen.studies.compare.train import Budget, Trained, train
from scratchgen.studies.reproduce.record import read_all
from scratchgen.studies.spaces import BINARY, DEQUANTISED, GREY

CONTENDERS = {contender.name: contender for contender in study.contenders()}
MADE_500, PIXELCNN = "MADE 784-500-784", "PixelCNN, 16 channels, 3 + 1 layers"
BERNOULLI, NORMAL = "VAE 784-400-20, Bernoulli", "VAE 784-400-20, Normal"
NICE_500, DCGAN_32 = "NICE, 4 couplings of 2 × 500", "DCGAN, code of 32"


class LabelClassifier:
    """A classifier with three pixels as its features, and the largest of ten pixels as its digit."""

    def features(self, x):
        return x[:, :3]

    def predict(self, x):
        return x[:, :10].argmax(axis=1)


@pytest.fixture
def measurements(rng):
    x, y = rng.random((60, 12)).astype(np.float32), np.arange(60) % 10
    return Measurements(Split(x[:30], x[30:40], x[40:], y[40:]), LabelClassifier())


@pytest.fixture
def clock(monkeypatch):
    """A processor clock that advances by a second at every call."""
    ticks = itertools.count()
    monkeypatch.setattr(training.time, "process_time", lambda: float(next(ticks)))


def small(name, space=BINARY, **settings):
    builds = {
        "MADE": lambda rng: MADE(12, (8,), rng=rng, binarisation="dynamic"),
        "VAE": lambda rng: VAE.dense((12, 6, 2), rng=rng),
        "NICE": lambda rng: NICE.dense(12, (6,), 2, levels=256, rng=rng),
        "GAN": lambda rng: GAN.dense(2, (8, 8), 12, rng=rng),
    }
    traits = {
        "VAE": {"latent": vae_card.LATENT, "log_prob": vae_card.log_prob, "mean_images": True},
        "NICE": {"latent": Latent("one to one")},
        "GAN": {"latent": Latent("deterministic", encode=gan_card.search_code)},
    }
    return Contender(
        name=name,
        family=name,
        space=space,
        minimises="KL",
        build=builds[name],
        settings={"batch_size": 10, "lr": lambda t: 1e-3} | settings,
        **traits.get(name, {}),
    )


def trained(contender, rng):
    return Trained(contender.build(rng), 3, 0.25, 2)


def test_samples_are_measured_against_test_digits_in_the_same_form(measurements, rng):
    samples = rng.random((20, 12)).astype(np.float32)
    for space in (BINARY, GREY):
        found = measurements.metrics[space].measure(samples)
        x = space.prepare(measurements.split.test)
        assert found.frechet == pytest.approx(frechet_distance(samples[:, :3], x[:, :3]))
        np.testing.assert_array_equal(found.shares.share, digit_shares(samples[:, :10].argmax(axis=1)).share)
        by_hand = np.sqrt(((samples[:, None] - measurements.split.train[None]) ** 2).sum(axis=2)).min(axis=1)
        assert found.nearest == pytest.approx(np.median(by_hand), rel=1e-5)


def test_worst_share_is_in_points_against_the_test_set(measurements):
    shares = digit_shares(np.array([0, 0, 0, 1]))
    assert SampleQuality(0.0, shares, np.full(10, 0.1)).worst_share == pytest.approx(65)
    np.testing.assert_allclose(measurements.expected, 0.1)


def test_true_digits_are_as_far_from_training_digits_as_test_digits_are(measurements):
    found = measurements.true_digits(GREY)
    split = measurements.split
    by_hand = np.sqrt(((split.test[:, None] - split.train[None]) ** 2).sum(axis=2)).min(axis=1)
    assert found.nearest == pytest.approx(np.median(by_hand), rel=1e-5)
    chosen = np.random.default_rng(0).permutation(30)[:20]
    expected = frechet_distance(split.train[chosen, :3], split.test[:, :3])
    assert found.frechet == pytest.approx(expected)


@pytest.mark.parametrize(("name", "space"), [("MADE", BINARY), ("NICE", DEQUANTISED)])
def test_exact_likelihood_is_the_models_own(measurements, rng, name, space):
    model = small(name).build(rng)
    (found,) = measurements.likelihoods(small(name, space), model, np.zeros((2, 12)))
    scores = model.score_samples(space.prepare(measurements.split.test))
    assert (found.nats, found.kind, found.space) == (pytest.approx(scores.mean()), "exact", space)


def test_vae_is_rated_by_importance_sampling_and_by_its_bound_below(measurements, rng):
    model = small("VAE").build(rng)
    found = measurements.likelihoods(small("VAE"), model, np.zeros((2, 12)))
    assert [li.kind for li in found] == ["importance-sampled", "lower bound"]
    assert found[0].nats == model.score_samples(BINARY.prepare(measurements.split.test)).mean()
    assert found[1] < found[0]


def test_gan_is_rated_by_a_parzen_window_whose_width_the_held_out_digits_choose(measurements, rng):
    samples = rng.random((20, 12)).astype(np.float32)
    (found,) = measurements.likelihoods(small("GAN", GREY), small("GAN").build(rng), samples)
    sigma = choose_sigma(measurements.split.held_out, samples)
    by_hand = parzen_log_likelihood(measurements.split.test, samples, sigma).mean()
    assert (found.nats, found.kind, found.bits) == (pytest.approx(by_hand), "Parzen", None)
    chosen = np.random.default_rng(0).permutation(30)[:20]
    sigma = choose_sigma(measurements.split.held_out, measurements.split.train[chosen])
    by_hand = parzen_log_likelihood(measurements.split.test, measurements.split.train[chosen], sigma).mean()
    assert measurements.baselines(GREY)[measures.TRUE].nats == pytest.approx(by_hand)


def test_measure_fills_every_cell(measurements, rng, clock):
    contender = small("VAE")
    found = measurements.measure(contender, trained(contender, rng))
    assert (found.epochs, found.epoch_seconds, found.kept) == (3, 0.25, 2)
    assert found.parameters == (12 * 6 + 6) + (6 * 4 + 4) + (2 * 6 + 6) + (6 * 12 + 12)
    assert found.sample_ms == 1000 / 20     # one call of the clock, for 20 samples
    assert found.samples.shape == found.neighbours.shape == (measures.SHOWN, 12)
    distances = ((found.samples[:, None] - measurements.split.train[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(found.neighbours, measurements.split.train[distances.argmin(axis=1)])
    assert found.quality.nearest != found.mean_images.nearest
    assert measurements.measure(small("MADE"), trained(small("MADE"), rng)).mean_images is None


def test_round_trip_of_a_flow_is_itself(rng):
    model = NICE.dense(6, (5,), 2, rng=rng, dtype=np.float64)
    there, back = round_trips(model, Latent("one to one"), rng.normal(size=(8, 6)))
    assert there < 1e-24 and back < 1e-24


def test_round_trip_of_a_vae_with_weights_of_zero(rng):
    """If all weights are 0, each code is 0, and each pixel is 1/2."""
    model = VAE.dense((6, 4, 2), rng=rng, dtype=np.float64)
    for p in model.parameters().values():
        p.value[...] = 0
    x = (rng.random((8, 6)) < 0.5).astype(np.float64)
    there, back = round_trips(model, vae_card.LATENT, x)
    assert there == pytest.approx(6 / 4)
    z = model.prior_sample(8, rng=np.random.default_rng(0))
    assert back == pytest.approx((z**2).mean() / z.var())


def test_round_trip_of_a_gan_finds_the_codes_of_its_own_images(rng):
    """For a linear generator (2 to 6 numbers), the search finds its codes and the projection of x."""
    net = Sequential(Linear(2, 6, rng=rng, dtype=np.float64))
    model = GAN(net, Sequential(Linear(6, 1, rng=rng, dtype=np.float64)), code=2, output_range=None)
    x = rng.normal(size=(8, 6))
    there, back = round_trips(model, Latent("deterministic", gan_card.search_code), x)
    weight, bias = (p.value for p in net.parameters().values())
    residual = np.linalg.lstsq(weight.T, (x - bias).T, rcond=None)[1]
    assert there == pytest.approx(residual.mean(), rel=1e-3) and back < 1e-4


def test_round_trip_of_a_model_without_latent_codes_is_none(rng):
    assert round_trips(MADE(6, (4,), rng=rng), None, rng.random((3, 6))) == (None, None)


def test_budget_makes_a_schedule_a_function_of_time_and_ends_the_run(monkeypatch):
    now = [5.0]
    monkeypatch.setattr(training.time, "process_time", lambda: now[0])
    budget, stopped = Budget(8.0), []
    run = type("Run", (), {"stop": lambda self, reason: stopped.append(reason)})()
    now[0] = 7.0
    budget.on_start(run)
    rate = budget.over(lambda t: 10 * t)
    for spent, expected in ((0, 0), (2, 2.5), (8, 10), (9, 10)):
        now[0] = 7.0 + spent
        assert rate(0.1) == expected
        budget.on_step(run, {})
        assert bool(stopped) == (spent >= 8)


def test_train_keeps_the_epoch_that_was_best_for_held_out_digits(monkeypatch, clock, rng):
    x = rng.random((60, 12)).astype(np.float32)
    scores = []
    wild = small("MADE", lr=lambda t: 0.5)      # a rate so high that the last epoch is not the best
    score = wild.score
    watched = replace(wild, score=lambda model, x: scores.append(score(model, x)) or scores[-1])
    found = train(watched, x[:40], x[40:], 60)
    assert found.epochs == len(scores) > 3
    assert found.kept == 1 + int(np.argmax(scores)) < found.epochs
    assert score(found.model, BINARY.prepare(x[40:])) == pytest.approx(max(scores))


def test_train_of_a_gan_keeps_the_last_epoch(clock, rng):
    x = rng.random((60, 12)).astype(np.float32)
    found = train(small("GAN", GREY), x[:40], x[40:], 50)
    assert found.kept == found.epochs > 1 and found.epoch_seconds > 0


def test_train_and_split_refuse_too_small_arguments(rng):
    with pytest.raises(ValueError, match="train expected seconds > 0, got 0"):
        train(small("MADE"), rng.random((20, 12)), rng.random((2, 12)), 0)
    with pytest.raises(ValueError, match="12 training digits or more, got 5"):
        Split.of(Digits(np.zeros((5, 784)), np.zeros(5), np.zeros((2, 784)), np.zeros(2), "few"))


EXPECTED = np.full(10, 0.1)


def measured(contender, *likelihoods, **cells):
    quality = SampleQuality(4.25, digit_shares(np.arange(20) % 10), EXPECTED, 5.5)
    values = {"reconstruction": 7.125, "code_recovery": 0.0625, "mean_images": None, "std": None} | cells
    image = np.zeros((measures.SHOWN, 784), np.float32)
    return Measured(
        contender=contender, likelihoods=likelihoods, epochs=12, epoch_seconds=0.345, kept=11,
        sample_ms=0.0123, parameters=1234, quality=quality, samples=image, neighbours=image + 1, **values,
    )


@pytest.fixture
def comparison():
    """One model of each family, with invented numbers."""
    names = (MADE_500, BERNOULLI, NORMAL, NICE_500, DCGAN_32)
    made, vae, normal, nice, gan = (CONTENDERS[name] for name in names)
    models = (
        measured(made, Likelihood(-90.0, 0.5, "exact", BINARY), reconstruction=None, code_recovery=None),
        measured(
            vae,
            Likelihood(-92.5, 0.5, "importance-sampled", BINARY),
            Likelihood(-95.0, 0.5, "lower bound", BINARY),
        ),
        measured(normal, Likelihood(600.0, 9.0, "importance-sampled", DEQUANTISED), std=0.125),
        measured(nice, Likelihood(784 * math.log(2), 9.0, "exact", DEQUANTISED)),
        measured(gan, Likelihood(150.0, 3.0, "Parzen", GREY)),
    )
    true = SampleQuality(0.5, digit_shares(np.zeros(4, int)), EXPECTED, 6.5)
    baselines = {
        BINARY: {"independent": Likelihood(-200.0, 1.0, "exact", BINARY)},
        DEQUANTISED: {},
        GREY: {measures.TRUE: Likelihood(200.0, 3.0, "Parzen", GREY)},
    }
    spaces = dict.fromkeys((BINARY, DEQUANTISED, GREY), true)
    return Comparison(
        source="some digits", seconds=7.0, machine="a machine", models=models, true=spaces,
        baselines=baselines, expected=EXPECTED,
    )


def test_likelihood_tables_hold_one_space_each(comparison):
    binary = comparison.likelihood_table(BINARY)
    assert "| MADE 784-500-784 | -90.00 ± 0.50 | exact | 0.166 |" in binary
    assert "| VAE 784-400-20, Bernoulli | -95.00 ± 0.50 | lower bound | 0.175 |" in binary
    assert "| independent | -200.00 ± 1.00 | exact | 0.368 |" in binary
    assert "log-probability" in binary and "NICE" not in binary and "DCGAN" not in binary
    dequantised = comparison.likelihood_table(DEQUANTISED)
    assert "| NICE, 4 couplings of 2 × 500 | 543.43 ± 9.00 | exact | 7.000 |" in dequantised
    assert "log-density" in dequantised and "MADE" not in dequantised
    grey = comparison.likelihood_table(GREY)
    assert "| true training digits | 200.00 ± 3.00 | Parzen | none |" in grey and "exact" not in grey


def test_table_of_likelihoods_that_are_not_comparable_is_refused(comparison):
    gan = comparison.models[-1]
    wrong = measured(replace(CONTENDERS[MADE_500], space=GREY), Likelihood(100.0, 1.0, "exact", GREY))
    with pytest.raises(ValueError, match="a Parzen window describes kernels"):
        replace(comparison, models=(gan, wrong)).likelihood_table(GREY)
    thresholded = replace(BINARY, made="1 above one half")
    odd = measured(CONTENDERS[BERNOULLI], Likelihood(-70.0, 1.0, "exact", thresholded))
    with pytest.raises(ValueError, match="different test data"):
        replace(comparison, models=(comparison.models[0], odd)).tables()


def test_pairs_are_compared_or_refused_with_the_reason(comparison):
    lines = comparison.pairs()
    assert lines[0] == "MADE 784-500-784 is 2.50 nats above VAE 784-400-20, Bernoulli"
    assert lines[1] == "VAE 784-400-20, Normal is 56.57 nats above NICE, 4 couplings of 2 × 500"
    assert lines[2:] == [
        "not compared, probabilities of binary pixels against densities of continuous ones: "
        + "; ".join(
            f"{name} with VAE 784-400-20, Normal or NICE, 4 couplings of 2 × 500 or DCGAN, code of 32"
            for name in (MADE_500, BERNOULLI)
        ),
        f"not compared, different test data ({DEQUANTISED.made}; {GREY.made}): "
        "VAE 784-400-20, Normal with DCGAN, code of 32; NICE, 4 couplings of 2 × 500 with DCGAN, code of 32",
    ]


def test_gaps_are_those_of_one_model_and_of_its_noise(comparison):
    """The highest density is that of 784 exactly reconstructed pixels with σ = 1/8."""
    most = 784 * math.log(8 / math.sqrt(2 * math.pi))
    assert comparison.gaps() == [
        "VAE 784-400-20, Bernoulli: 2.50 nats between importance-sampled and lower bound",
        f"VAE 784-400-20, Normal: σ = 0.1250, so no density is above {most:.0f} nats",
    ]


def test_other_tables_show_what_was_measured(comparison):
    text = "\n".join(comparison.tables().values())
    assert "| MADE 784-500-784 | KL | none | no z | no z | 12, 11 | 0.34 | 0.012 | 1,234 |" in text
    assert "| one to one | 7.12 | 0.0625 | 12, 11 |" in text
    assert "| DCGAN, code of 32 | 4.25 | 5.50 | 0.0 points | 10 10 10 10 10 10 10 10 10 10 |" in text
    assert "| true training digits, grey pixels | 0.50 | 6.50 | 90.0 points | 100 0 0 0 0 0 0 0 0 0 |" in text
    means = replace(comparison.models[1], mean_images=comparison.true[GREY])
    assert "Bernoulli: mean images | 0.50 |" in replace(comparison, models=(means,)).sample_table()


def test_file_holds_the_numbers_and_is_no_reproduction(comparison, tmp_path):
    path = comparison.save(tmp_path / "deep" / "compare.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    binary, dequantised, grey = found["spaces"]
    assert [m["model"] for m in dequantised["models"]] == [m.contender.name for m in comparison.models[2:4]]
    assert binary["models"][1]["likelihoods"][1] == {
        "nats": -95.0, "standard error": 0.5, "kind": "lower bound", "bits per dimension": 0.1748,
    }
    assert grey["baselines"]["true training digits"]["nats"] == 200 and dequantised["baselines"] == {}
    assert dequantised["models"][0]["std of its Normal pixels"] == 0.125
    assert found["tables"]["samples"] == comparison.sample_table().splitlines()
    assert found["machine"] == "a machine"
    assert read_all(path.parent) == []


@pytest.mark.slow
def test_figure_has_all_rows(comparison, tmp_path):
    path = plots.save(comparison.figure(), tmp_path / "a.png")
    with Image.open(path) as image:
        assert image.width == 1200 and 900 < image.height < 1400
        levels = np.asarray(image.convert("L"))
    assert (levels < 30).mean() > 0.15      # five rows of black squares


@pytest.mark.slow
def test_compare_runs_from_digits_to_tables(monkeypatch, tmp_path):
    d = load_digits("embedded")
    part = Digits(d.x_train[:240], d.y_train[:240], d.x_test[:60], d.y_test[:60], "a part")
    classifier = ConvClassifier((2, 3, 3), 6, rng=np.random.default_rng(5))
    monkeypatch.setattr(study, "digits_of", lambda data, size: part if size == "embedded" else None)
    monkeypatch.setattr(study, "trained_digit_classifier", lambda digits: classifier)
    monkeypatch.setattr(diffusion_card, "STEPS", 10)
    monkeypatch.setattr(diffusion_card, "SOLVER_STEPS", 2)
    comparison = study.compare(0.1, results=tmp_path / "r", pictures=tmp_path / "p", runs=tmp_path)
    kinds = [li.kind for m in comparison.models for li in m.likelihoods]
    kinds += [li.kind for baselines in comparison.baselines.values() for li in baselines.values()]
    assert len(kinds) == 14 and kinds.count("exact") == 7
    assert (tmp_path / "p" / "compare-0.1-seconds.png").is_file()
    found = json.loads((tmp_path / "r" / "compare-0.1-seconds.json").read_text(encoding="utf-8"))
    models = {m["model"]: m for space in found["spaces"] for m in space["models"]}
    assert set(models) == set(CONTENDERS) and {MADE_500, PIXELCNN, NICE_500} <= set(models)
    assert models[NICE_500]["x to z to x, squared error per digit"] < 1e-6
    assert models[MADE_500]["x to z to x, squared error per digit"] is None
    assert found["tables"] == {name: text.splitlines() for name, text in comparison.tables().items()}


def test_measured_models_come_back_from_json_with_all_digits(comparison):
    for model in comparison.models:
        found = json.loads(json.dumps(measures.measured_as_json(model)))
        again = measures.measured_from_json(model.contender, found)
        assert again.contender is model.contender and again.likelihoods == model.likelihoods
        assert measures.measured_as_json(again) == measures.measured_as_json(model)
        assert (again.mean_images is None) == (model.mean_images is None)
        np.testing.assert_array_equal(again.samples, model.samples)
        np.testing.assert_array_equal(again.quality.shares.share, model.quality.shares.share)


def test_compare_refuses_a_negative_budget():
    with pytest.raises(ValueError, match="seconds > 0, got -1"):
        study.compare(-1.0)


def test_file_names_tell_runs_with_other_settings_apart():
    names = [study.file_name(*settings) for settings in ((60.0, False), (60.0, True), (2.5, True))]
    assert names == ["compare", "compare-full", "compare-full-2.5-seconds"]
