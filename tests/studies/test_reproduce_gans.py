"""The reproductions of GANs, each as a small run."""

import numpy as np
import pytest
from PIL import Image

from scratchgen.data import Digits, load_digits
from scratchgen.metrics import digit_shares, frechet_distance, parzen_log_likelihood
from scratchgen.models import AveragedGenerator, ConvClassifier
from scratchgen.studies.reproduce import dcgan, gan, pictures, quality, record, wgan_gp
from scratchgen.studies.reproduce import recipe as recipes

SAMPLES = 60


@pytest.fixture
def classifier():
    """A digit classifier that is not trained: the tests do not depend on its accuracy."""
    return ConvClassifier((2, 3, 3), 6, rng=np.random.default_rng(5))


@pytest.fixture
def part(monkeypatch, tmp_path, classifier):
    """Replace the full MNIST by a few digits, and generate few samples."""
    d = load_digits("embedded")
    part = Digits(d.x_train[:200], d.y_train[:200], d.x_test[:120], d.y_test[:120], "a part")
    monkeypatch.chdir(tmp_path)
    for module in (recipes, pictures):
        monkeypatch.setattr(module, "digits_of", lambda data: part)
    monkeypatch.setattr(quality, "trained_digit_classifier", lambda digits: classifier)
    monkeypatch.setattr(quality, "SAMPLES", SAMPLES)
    return part


def small_gan(monkeypatch):
    for name, value in {"GENERATOR": 12, "DISCRIMINATOR": 8, "BATCH": 20}.items():
        monkeypatch.setattr(gan, name, value)
    monkeypatch.setattr(quality, "HELD_OUT", 40)


def trained_samples(module, part, epochs):
    """The run of a module, and samples of its averaged generator."""
    trainer = module.build(part, epochs)
    averaged = AveragedGenerator(trainer.model)
    trainer.callbacks.append(averaged)
    trainer.run()
    with averaged.applied():
        return trainer, trainer.model.sample(SAMPLES, rng=np.random.default_rng(0))


@pytest.mark.slow
def test_gan_is_measured_by_parzen_windows(part, monkeypatch):
    """Sigma is chosen on the digits held out; samples come from the averaged generator."""
    small_gan(monkeypatch)
    found = gan.RECIPE.run(epochs=12)
    new = gan.build(part, 12)
    model = new.model
    for weight in (model.generator.parameters()["6.weight"], model.discriminator.parameters()["0.weight"]):
        assert weight.value.std() == pytest.approx(0.004, rel=0.03)
    rates = [new.optimizer[name].lr(0) for name in ("generator", "discriminator")]
    assert rates == [pytest.approx(2e-3), pytest.approx(2e-4)]
    assert len(new.batches) == 160 // 20                        # 40 of 200 digits are held out
    _, samples = trained_samples(gan, part, 12)
    held_out = part.x_train[160:]
    nats = {
        sigma: parzen_log_likelihood(held_out, samples, sigma).mean() for sigma in np.geomspace(0.08, 0.4, 25)
    }
    sigma = max(nats, key=lambda s: nats[s])
    assert found.ours == pytest.approx(parzen_log_likelihood(part.x_test, samples, sigma).mean(), abs=2e-3)
    assert [row["epoch"] for row in found.curve] == [10, 12]
    assert found.curve[-1]["figure"] == pytest.approx(found.ours, abs=1e-3)
    assert found.details["test digits"] == np.round(100 * digit_shares(part.y_test).share, 2).tolist()
    assert sum(found.details["samples"]) == pytest.approx(100, abs=0.1)
    assert found.other_figures["60 true training digits in place of samples"] > found.ours
    again = gan.RECIPE.run(epochs=12, resume=True)
    assert (again.ours, again.curve, again.other_figures) == (found.ours, found.curve, found.other_figures)


@pytest.mark.slow
@pytest.mark.parametrize("module", [dcgan, wgan_gp])
def test_convolutional_gans_are_measured_by_the_frechet_distance(part, classifier, monkeypatch, module):
    for name, value in {"CODE": 4, "CHANNELS": (2, 3), "BATCH": 20}.items():
        monkeypatch.setattr(module, name, value)
    found = module.RECIPE.run(epochs=2)
    _, samples = trained_samples(module, part, 2)
    expected = frechet_distance(classifier.features(samples), classifier.features(part.x_test))
    assert found.ours == pytest.approx(expected, abs=2e-3)
    assert found.curve[-1]["figure"] == pytest.approx(found.ours, abs=1e-3)
    assert found.paper is None and "published: none" in found.summary()
    assert "| none |" in record.tables([found])["results"].splitlines()[2]
    assert module.RECIPE.run(epochs=2, resume=True).curve == found.curve
    run = pictures.Finished(module.RECIPE, module.RECIPE.path())
    np.testing.assert_array_equal(pictures.samples_of_gan(run, part), samples)


@pytest.mark.slow
def test_pictures_show_the_samples_of_all_three_runs(part, monkeypatch, tmp_path):
    small_gan(monkeypatch)
    for module in (dcgan, wgan_gp):
        monkeypatch.setattr(module, "BATCH", 20)
        monkeypatch.setattr(module, "CHANNELS", (2, 3))
    for module in (gan, dcgan, wgan_gp):
        module.RECIPE.run(epochs=1)
    path, medians = pictures.plot_samples(tmp_path, "gan_samples")
    with Image.open(path) as image:
        assert image.width == 1200 and 700 <= image.height <= 1300
        levels = np.asarray(image.convert("L"))
    assert np.ptp(levels) > 200 and 0.2 < (levels < 250).mean() < 0.95
    assert list(medians) == ["dense GAN", "DCGAN", "WGAN-GP"] and min(medians.values()) > 0
