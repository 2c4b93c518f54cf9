"""The reproductions of diffusion and flow matching, each as a small run."""

import numpy as np
import pytest
from PIL import Image

from scratchgen.cli.studies import pictures as command
from scratchgen.data import Digits, dequantise, load_digits
from scratchgen.metrics import bits_per_dim, frechet_distance, parzen_log_likelihood
from scratchgen.models import Autoencoder, ConvClassifier, FlowMatching
from scratchgen.studies.reproduce import (
    denoising,
    diffusion,
    flow_matching,
    latent_flow_matching,
    pictures,
    quality,
)
from scratchgen.studies.reproduce import recipe as recipes
from scratchgen.training import AveragedWeights, Muon

SAMPLES = 60


@pytest.fixture
def classifier():
    """A digit classifier that is not trained, with large features: tests do not depend on its accuracy."""
    model = ConvClassifier((2, 3, 3), 6, rng=np.random.default_rng(5))
    for p in model.parameters().values():
        p.value *= 6
    return model


@pytest.fixture
def part(monkeypatch, tmp_path, classifier):
    """Replace the full MNIST by a few digits, the networks by small ones, and generate few samples."""
    d = load_digits("embedded")
    part = Digits(d.x_train[:200], d.y_train[:200], d.x_test[:80], d.y_test[:80], "a part")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipes, "digits_of", lambda data: part)
    monkeypatch.setattr(quality, "trained_digit_classifier", lambda digits: classifier)
    small = {
        quality: {"SAMPLES": SAMPLES, "HELD_OUT": 40},
        denoising: {"POINT": 30, "TRIAL": 40, "GUIDANCE": (0.0, 1.0)},
        diffusion: {"CHANNELS": (8, 8), "STEPS": 3},
        flow_matching: {"CHANNELS": (8, 8), "STEPS": 2, "LIKELIHOOD_DIGITS": 10, "LIKELIHOOD_STEPS": 4},
        latent_flow_matching: {"SIZES": (784, 20, 6), "HIDDEN": 16, "BLOCKS": 1, "CODER_EPOCHS": 2},
    }
    for module, values in small.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    return part


def trained(module, part, epochs):
    """The run of a module, with its averaged weights."""
    trainer = module.build(part, epochs)
    averaged = AveragedWeights(denoising.DECAY)
    trainer.callbacks.append(averaged)
    trainer.run()
    return trainer, averaged


@pytest.mark.slow
@pytest.mark.parametrize("module", [diffusion, flow_matching])
def test_samples_of_the_digits_classes_are_measured(part, classifier, module):
    """The samples are those of the averaged weights, with the guidance that is nearest to training digits."""
    found = module.RECIPE.run(epochs=2)
    trainer, averaged = trained(module, part, 2)
    assert isinstance(trainer.optimizer, Muon) and len(trainer.batches) == 160 // denoising.BATCH
    labels = np.random.default_rng(0).permutation(part.y_train)
    true = classifier.features(quality.training_digits(part))

    def distance(guidance):
        drawn = module.draw(trainer.model, labels[:40], guidance)
        return frechet_distance(classifier.features(drawn), true)

    with averaged.applied():
        guidance = min((0.0, 1.0), key=distance)
        samples = module.draw(trainer.model, labels[:SAMPLES], guidance)
        points = module.draw(trainer.model, labels[:30], 0.0)
    assert samples.min() >= 0 and samples.max() <= 1
    frechet = frechet_distance(classifier.features(samples), classifier.features(part.x_test))
    nats = quality.parzen(samples, part.x_train[160:], part.x_test)[0]
    assert frechet > 1
    ours, curve = (nats, "parzen") if module is diffusion else (frechet, "frechet")
    assert found.ours == pytest.approx(ours, abs=1e-3)
    assert f"guidance {guidance:g}, chosen" in found.recipe
    wanted = {
        "parzen": quality.parzen(points, part.x_train[160:], part.x_test)[0],
        "frechet": frechet_distance(classifier.features(points), classifier.features(part.x_test)),
    }
    assert found.curve[-1]["figure"] == pytest.approx(wanted[curve], abs=1e-3)
    read = 100 * (classifier.predict(samples) == labels[:SAMPLES]).mean()
    assert found.other_figures["samples that the classifier reads as the digit asked for, %"] == (
        pytest.approx(read, abs=0.01)
    )
    again = module.RECIPE.run(epochs=2, resume=True)
    assert (again.ours, again.curve, again.other_figures) == (found.ours, found.curve, found.other_figures)


@pytest.mark.slow
def test_bits_are_an_upper_bound_from_the_true_class(part):
    """log p(x) = log Σ p(y)·p(x | y) is at least log p(y) + log p(x | y), and at most log 10 nats above."""
    trainer, averaged = trained(flow_matching, part, 1)
    with averaged.applied():
        bits, error, change = flow_matching.likelihood(trainer.model, part)
        x = dequantise(part.x_test, rng=np.random.default_rng(0))[:10]
        shares = np.bincount(part.y_train, minlength=10) / len(part.y_train)
        terms = [
            np.log(shares[k]) + trainer.model.log_likelihood(x, np.full(10, k), steps=4, rng=0).log_prob
            for k in range(10)
        ]
    exact = bits_per_dim(np.logaddexp.reduce(terms, axis=0), 784).mean()
    assert bits >= exact - 1e-9 and bits == pytest.approx(exact, abs=0.05)
    assert error > 0 and change > 0


@pytest.mark.slow
def test_codes_are_those_of_a_saved_autoencoder(part, classifier, tmp_path):
    found = latent_flow_matching.RECIPE.run(epochs=2)
    files = [path.name for path in (tmp_path / "runs").iterdir() if not path.name.startswith(".")]
    assert any(name.startswith("autoencoder-of-codes-160-") for name in files)
    coder = latent_flow_matching.trained_autoencoder(part)
    assert isinstance(coder, Autoencoder)
    trainer, averaged = trained(latent_flow_matching, part, 2)
    assert isinstance(trainer.model, FlowMatching) and trainer.model.features == 6
    with averaged.applied():
        samples = coder.inverse_transform(trainer.model.sample(SAMPLES, rng=0, steps=20))
    frechet = frechet_distance(classifier.features(samples), classifier.features(part.x_test))
    assert frechet > 1
    assert found.ours == pytest.approx(frechet, abs=1e-3)
    sigma = float(found.recipe.split("sigma ")[1].split(",")[0])
    nats = parzen_log_likelihood(part.x_test, samples, sigma).mean()
    assert found.other_figures["Parzen-window log p(x) of the samples, nats"] == pytest.approx(nats, abs=0.5)
    assert not [name for name in found.other_figures if "asked for" in name]


def test_command_offers_every_picture():
    assert tuple(pictures.FIGURES) == command.FIGURES


@pytest.mark.slow
def test_picture_shows_the_samples_of_all_three_runs(part, monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "digits_of", lambda data: part)
    for module in (diffusion, flow_matching, latent_flow_matching):
        module.RECIPE.run(epochs=1)
    trainer, averaged = trained(diffusion, part, 1)
    labels = denoising.drawn_labels(part, pictures.COLUMNS * pictures.PAIRS)
    with averaged.applied():
        expected = diffusion.draw(trainer.model, labels, pictures.GUIDANCE)
    run = pictures.Finished(diffusion.RECIPE, diffusion.RECIPE.path())
    samples = pictures.samples_of_pixels(run, part, diffusion.draw)
    np.testing.assert_array_equal(samples, expected)
    path, medians = pictures.plot_samples(tmp_path, "diffusion_samples")
    with Image.open(path) as image:
        assert image.width == 1200 and 700 <= image.height <= 1300
        assert np.ptp(np.asarray(image.convert("L"))) > 200
    assert list(medians) == ["diffusion", "flow matching", "flow matching of codes"]
    assert min(medians.values()) > 0
