"""The reproductions of GANs, each whole path at a small size, and the parts they share."""

import numpy as np
import pytest
from PIL import Image

from scratchgen.data import Digits, load_digits
from scratchgen.metrics import digit_shares, frechet_distance, parzen_log_likelihood
from scratchgen.models import AveragedGenerator, ConvClassifier
from scratchgen.studies.reproduce import dcgan, games, gan, pictures, record, wgan_gp
from scratchgen.studies.reproduce.games import Court


@pytest.fixture
def part(monkeypatch, tmp_path):
    """A few digits, and a judge that has learnt nothing: what is measured is the path."""
    d = load_digits("embedded")
    part = Digits(d.x_train[:200], d.y_train[:200], d.x_test[:120], d.y_test[:120], "a part")
    small = ConvClassifier((2, 3, 3), 6, rng=np.random.default_rng(5))
    monkeypatch.chdir(tmp_path)
    for module in (games, gan):
        monkeypatch.setattr(module, "load_digits", lambda source: part)
        monkeypatch.setattr(module, "trained_judge", lambda digits: small)
        monkeypatch.setattr(module, "SAMPLES", 60)
    return part


def test_reproduce_gan_measures_the_test_set_by_parzen_windows(part, monkeypatch, capsys):
    """Sigma is chosen on the digits held out; samples come from the averaged generator."""
    for name, value in {"GENERATOR": 12, "DISCRIMINATOR": 8, "HELD_OUT": 40, "BATCH": 20, "EVERY": 2}.items():
        monkeypatch.setattr(gan, name, value)
    found = gan.reproduce(epochs=5)
    train, held_out = part.x_train[:160], part.x_train[160:]
    model, trainer = gan.build(train, 5)
    for weight in (model.generator.parameters()["6.weight"], model.discriminator.parameters()["0.weight"]):
        assert weight.value.std() == pytest.approx(0.004, rel=0.03)
    rates = [trainer.optimizer[name].lr(0) for name in ("generator", "discriminator")]
    assert rates == [pytest.approx(2e-3), pytest.approx(2e-4)]
    averaged = AveragedGenerator(model)
    trainer.callbacks.append(averaged)
    trainer.run()
    with averaged.applied():
        samples = model.sample(60, rng=np.random.default_rng(0))
    nats = {
        sigma: parzen_log_likelihood(held_out, samples, sigma).mean() for sigma in np.geomspace(0.08, 0.4, 25)
    }
    sigma = max(nats, key=lambda s: nats[s])
    assert found.ours == pytest.approx(parzen_log_likelihood(part.x_test, samples, sigma).mean(), abs=2e-3)
    assert [row["epoch"] for row in found.curve] == [2, 4, 5]
    assert found.curve[-1]["figure"] == pytest.approx(found.ours, abs=1e-3)
    assert found.details["test digits"] == np.round(100 * digit_shares(part.y_test).share, 2).tolist()
    assert sum(found.details["samples"]) == pytest.approx(100, abs=0.1)
    assert found.beside["60 true training digits in place of samples"] > found.ours
    again = gan.reproduce(epochs=5, resume=True)
    assert (again.ours, again.curve, again.beside) == (found.ours, found.curve, found.beside)


@pytest.mark.slow
@pytest.mark.parametrize("module", [dcgan, wgan_gp])
def test_reproduce_convolutional_games_are_measured_by_the_judge(part, monkeypatch, capsys, module):
    for name, value in {"CODE": 4, "CHANNELS": (2, 3), "BATCH": 20, "EVERY": 1}.items():
        monkeypatch.setattr(module, name, value)
    found = module.reproduce(epochs=2)
    model, trainer = module.build(part.x_train, 2)
    averaged = AveragedGenerator(model)
    trainer.callbacks.append(averaged)
    trainer.run()
    judge = games.trained_judge(part)
    with averaged.applied():
        samples = model.sample(60, rng=np.random.default_rng(0))
    expected = frechet_distance(judge.features(samples), judge.features(part.x_test))
    assert found.ours == pytest.approx(expected, abs=2e-3) == found.curve[-1]["figure"]
    assert found.paper is None and "published: none" in found.summary()
    assert "| none |" in record.table([found]).splitlines()[2]
    assert module.reproduce(epochs=2, resume=True).curve == found.curve
    np.testing.assert_array_equal(pictures.drawn_by(module, part.x_train), samples)


@pytest.mark.slow
def test_pictures_show_the_samples_of_all_three_runs(part, monkeypatch, capsys, tmp_path):
    for name, value in {"GENERATOR": 12, "DISCRIMINATOR": 8, "HELD_OUT": 40}.items():
        monkeypatch.setattr(gan, name, value)
    for module in (gan, dcgan, wgan_gp):
        monkeypatch.setattr(module, "BATCH", 20)
        if module is not gan:
            monkeypatch.setattr(module, "CHANNELS", (2, 3))
        module.reproduce(epochs=1)
    monkeypatch.setattr(pictures, "load_digits", lambda source: part)
    pictures.main(tmp_path)
    with Image.open(tmp_path / "gan_samples.png") as image:
        assert image.width == 1200 and 700 <= image.height <= 1300
        levels = np.asarray(image.convert("L"))
    assert np.ptp(levels) > 200 and 0.2 < (levels < 250).mean() < 0.95
    assert capsys.readouterr().out.count("median distance") == 3


def test_court_finds_nothing_amiss_with_the_test_digits_themselves(part):
    judge = games.trained_judge(part)
    labelled = Digits(part.x_train, part.y_train, part.x_test, judge.predict(part.x_test), "as judged")
    court = Court(judge, labelled)
    judged = court.measure(part.x_test)
    assert judged.distance == pytest.approx(0, abs=1e-6) and judged.worst == 0 and court.accuracy == 100
    shifted = court.measure(np.roll(part.x_test, 5, axis=1))
    assert shifted.distance > 1e-4
